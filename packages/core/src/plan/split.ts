/**
 * Splits a condition into what a backend's compiler can prove and what core evaluates itself.
 *
 * Guaranteed: the pushed part never selects less than the condition; pushed and residual together select just it.
 */
import type { Compiled, Compiler } from "../backend/spi.js";
import type { Leaf, Lowered } from "../query/lowered.js";

export interface Split<P> {
  readonly pushed: P | undefined;
  readonly residual: Lowered | undefined;
  /** What became of each leaf. */
  readonly leaves: ReadonlyMap<Leaf, LeafPlan>;
}

export interface LeafPlan {
  /** Whether the engine saw it at all; then a residual only finishes its work. */
  readonly compiled: boolean;
  readonly index?: string | undefined;
  readonly why?: string | undefined;
}

interface Part<P> {
  readonly pushed?: P | undefined;
  readonly residual?: Lowered | undefined;
}

export function split<P>(condition: Lowered | undefined, compiler: Compiler<P> | undefined): Split<P> {
  const leaves = new Map<Leaf, LeafPlan>();
  if (condition === undefined) return { pushed: undefined, residual: undefined, leaves };
  const { pushed, residual } = visit(condition, compiler, leaves);
  return { pushed, residual, leaves };
}

function visit<P>(condition: Lowered, compiler: Compiler<P> | undefined, leaves: Map<Leaf, LeafPlan>): Part<P> {
  switch (condition.kind) {
    case "and": {
      const parts = condition.conditions.map((child) => visit(child, compiler, leaves));
      const pushed = parts.map((part) => part.pushed).filter((one) => one !== undefined) as P[];
      const residual = parts.flatMap((part) => (part.residual === undefined ? [] : [part.residual]));
      return {
        pushed: compiler === undefined ? undefined : joined(pushed, (all) => compiler.and(all)),
        residual: residual.length > 1 ? { kind: "and", conditions: residual } : residual[0],
      };
    }
    case "or": {
      const parts = condition.conditions.map((child) => visit(child, compiler, leaves));
      if (compiler === undefined || parts.some((part) => part.pushed === undefined)) return { residual: condition };
      const pushed =
        joined(
          parts.map((part) => part.pushed as P),
          (all) => compiler.or(all),
        ) ?? compiler.or([]);
      return { pushed, residual: parts.some((part) => part.residual !== undefined) ? condition : undefined };
    }
    case "not": {
      const part = visit(condition.condition, compiler, leaves);
      if (compiler === undefined || part.residual !== undefined) return { residual: condition };
      // an empty `and` is pushed as nothing; its complement selects no record
      return { pushed: part.pushed === undefined ? compiler.or([]) : compiler.not(part.pushed) };
    }
    default:
      return visitLeaf(condition, compiler, leaves);
  }
}

function joined<P>(parts: readonly P[], join: (parts: readonly P[]) => P): P | undefined {
  return parts.length > 1 ? join(parts) : parts[0];
}

function visitLeaf<P>(leaf: Leaf, compiler: Compiler<P> | undefined, leaves: Map<Leaf, LeafPlan>): Part<P> {
  const handler = compiler?.leaf[leaf.kind] as ((leaf: Leaf) => Compiled<P> | undefined) | undefined;
  const compiled = handler?.(leaf);
  if (compiled === undefined) {
    leaves.set(leaf, { compiled: false, why: compiler?.why?.(leaf) });
    return { residual: leaf };
  }
  leaves.set(leaf, { compiled: true, index: compiled.index, why: compiled.why });
  return compiled.exact ? { pushed: compiled.code } : { pushed: compiled.code, residual: leaf };
}
