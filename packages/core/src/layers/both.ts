/** Two stores as one, as far as planning goes: what both can do, and what both engines can prove. Pure. */
import type { Capabilities, Compiled, Compiler } from "../backend/spi.js";
import type { Leaf, LeafKind } from "../query/lowered.js";

/** The same condition for both stores. */
export interface Both {
  readonly hot: unknown;
  readonly cold: unknown;
}

/** Of a store over both. */
export function capabilitiesOfBoth(
  hot: Capabilities,
  cold: Capabilities,
  compiler: Compiler<Both> | undefined,
): Capabilities {
  const least = (a: number | undefined, b: number | undefined): number | undefined =>
    a === undefined ? b : b === undefined ? a : Math.min(a, b);
  const recordBytes = least(hot.limits.recordBytes, cold.limits.recordBytes);
  return Object.freeze({
    durable: hot.durable && cold.durable,
    transactions: false,
    atomicBatch: false,
    unique: false,
    snapshotStreams: false,
    fullText: "emulated",
    analyzers: Object.freeze([]),
    aggregation: "emulated",
    percentile: "exact",
    cancel: hot.cancel && cold.cancel,
    synchronous: false,
    pushdown: Object.freeze((Object.keys(compiler?.leaf ?? {}) as LeafKind[]).sort()),
    limits: Object.freeze(recordBytes === undefined ? {} : { recordBytes }),
  });
}

/** What both engines can prove. */
export function compilerOfBoth(
  hot: Compiler<unknown> | undefined,
  cold: Compiler<unknown> | undefined,
): Compiler<Both> | undefined {
  if (hot === undefined || cold === undefined) return undefined;
  const pair = (a: unknown, b: unknown): Both | undefined =>
    a === undefined || b === undefined ? undefined : { hot: a, cold: b };
  const leaf: { [kind: string]: (leaf: Leaf) => Compiled<Both> | undefined } = {};
  for (const kind of Object.keys(hot.leaf) as LeafKind[]) {
    const [a, b] = [hot.leaf[kind], cold.leaf[kind]] as (((leaf: Leaf) => Compiled<unknown> | undefined) | undefined)[];
    if (a === undefined || b === undefined) continue;
    leaf[kind] = (one) => {
      const [x, y] = [a(one), b(one)];
      if (x === undefined || y === undefined) return undefined;
      const exact = x.exact && y.exact;
      return { code: { hot: x.code, cold: y.code }, exact, index: x.index, why: exact ? undefined : (x.why ?? y.why) };
    };
  }
  return {
    leaf: leaf as Compiler<Both>["leaf"],
    and: (parts) => pair(hot.and(parts.map((part) => part.hot)), cold.and(parts.map((part) => part.cold))),
    or: (parts) => pair(hot.or(parts.map((part) => part.hot)), cold.or(parts.map((part) => part.cold))),
    not: (part) => pair(hot.not(part.hot), cold.not(part.cold)),
    why: (one) => hot.why?.(one) ?? cold.why?.(one),
  };
}
