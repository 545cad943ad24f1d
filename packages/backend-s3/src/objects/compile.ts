/** What of a query the bucket answers by itself: conditions on `id`, and order by `id`. All of it exact. */
import type { Compiled, Compiler, Leaf, Operand, Path } from "@dataknobs/core/backend";
import { complement, everyId, type IdSet, intersection, next, range, startingWith, union } from "./ranges.js";

const index = "keys";

function onId<L extends { readonly path: Path }>(
  make: (leaf: L) => IdSet | undefined,
): (leaf: L) => Compiled<IdSet> | undefined {
  return (leaf) => {
    const code = leaf.path.root === "id" ? make(leaf) : undefined;
    return code === undefined ? undefined : { code, exact: true, index };
  };
}

const textOf = (operand: Operand): string | undefined =>
  operand.class === "string" ? (operand.value as string) : undefined;

/** An id is a string, so that no operand of another class has anything to do with it. */
function withText(operand: Operand, make: (text: string) => IdSet): IdSet {
  const text = textOf(operand);
  return text === undefined ? [] : make(text);
}

const point = (text: string): IdSet => range(text, next(text));

export const compiler: Compiler<IdSet> = {
  leaf: {
    exists: onId(() => everyId),
    equals: onId(({ operand }) => withText(operand, point)),
    in: onId(({ operands }) => union(operands.map((operand) => withText(operand, point)))),
    compare: onId(({ op, operand }) =>
      withText(operand, (text) => {
        if (op === "<") return range("", text);
        if (op === "<=") return range("", next(text));
        return range(op === ">" ? next(text) : text, undefined);
      }),
    ),
    between: onId(({ lower, upper }) => withText(lower, (from) => withText(upper, (to) => range(from, next(to))))),
    prefix: onId(({ prefix }) => startingWith(prefix)),
    after: onId(({ operand, order }) => {
      const text = operand === undefined ? undefined : textOf(operand);
      if (text === undefined) return undefined;
      return order.descending ? range("", text) : range(next(text), undefined);
    }),
    tied: onId(({ operand }) => (operand === undefined ? [] : withText(operand, point))),
  },
  and: intersection,
  or: union,
  not: complement,
  order: (order) =>
    order.length === 1 && order[0]?.path.root === "id" && !order[0].descending ? { index } : undefined,
  why: (leaf: Leaf) =>
    leaf.path.root === "id" ? undefined : "objects are found by id only; their content has to be read",
};
