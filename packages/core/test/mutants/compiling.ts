/** Replaces the code of one kind of leaf. */
import type { Compiled } from "../../src/backend/spi.js";
import { matcherOf, type Predicate } from "../../src/match/matcher.js";
import type { Leaf, LeafKind } from "../../src/query/lowered.js";
import type { Code, Tiny } from "./tiny.js";

export type LeafOf<K extends LeafKind> = Extract<Leaf, { kind: K }>;

/** Compiles leaves of one kind to other code, and says that it is exact. */
export function compiling<K extends LeafKind>(
  kind: K,
  make: (leaf: LeafOf<K>, right: Predicate) => Predicate | undefined,
): (tiny: Tiny) => void {
  return (tiny) => {
    const { compileLeaf } = tiny;
    tiny.compileLeaf = (leaf): Compiled<Code> | undefined => {
      const code = leaf.kind === kind ? make(leaf as LeafOf<K>, matcherOf(leaf)) : undefined;
      return code === undefined ? compileLeaf.call(tiny, leaf) : { code, exact: true };
    };
  };
}
