/** A compiler for a layer under which only some paths are in the store as they are seen. */
import type { Compiled, Compiler } from "../backend/spi.js";
import type { Leaf, LeafKind, Path } from "../query/lowered.js";

/** Leaves and orders on the paths that `keeps` allows; full text and groups are core's. */
export function partialCompiler<P>(
  inner: Compiler<P> | undefined,
  keeps: (path: Path) => boolean,
): Compiler<P> | undefined {
  if (inner === undefined) return undefined;
  const leaf: { [kind: string]: (leaf: Leaf) => Compiled<P> | undefined } = {};
  for (const kind of Object.keys(inner.leaf) as LeafKind[]) {
    const handler = inner.leaf[kind] as ((leaf: Leaf) => Compiled<P> | undefined) | undefined;
    if (handler !== undefined) leaf[kind] = (one) => (keeps(one.path) ? handler(one) : undefined);
  }
  const { order, why } = inner;
  return {
    leaf: leaf as Compiler<P>["leaf"],
    and: (parts) => inner.and(parts),
    or: (parts) => inner.or(parts),
    not: (part) => inner.not(part),
    ...(order !== undefined && {
      order: (keys) => (keys.every(({ path }) => keeps(path)) ? order.call(inner, keys) : undefined),
    }),
    why: (one) => (keeps(one.path) ? why?.call(inner, one) : "the layer over the store changes what is at this path"),
  };
}
