/**
 * Which parts of a query the store answers by itself: leaves on declared fields and on `id`, full text over declared
 * text fields, orders by one of these. All exact, `like` with more than a fixed beginning apart.
 *
 * The code is the lowered condition itself: what is compiled is served by an index, so nothing is left to translate.
 */
import {
  type Compiled,
  type Compiler,
  type Leaf,
  type LikeLeaf,
  type Lowered,
  type Match,
  type Operand,
  type Path,
  parseLike,
} from "@dataknobs/core/backend";
import type { Indexes } from "./indexes.js";

/** A `where`, or a `match`. */
export type Code = Lowered | { readonly kind: "match"; readonly match: Match };

export function whereOf(code: Code | undefined): Lowered | undefined {
  return code?.kind === "match" ? undefined : code;
}

export function matchOf(code: Code | undefined): Match | undefined {
  return code?.kind === "match" ? code.match : undefined;
}

export function compilerOf(indexes: Indexes): Compiler<Code> {
  const indexOf = (path: Path): string | undefined => (path.root === "id" ? "id" : indexes.field(path)?.name);
  const served = (leaf: Leaf): Compiled<Code> | undefined => {
    const index = indexOf(leaf.path);
    return index === undefined ? undefined : { code: leaf, exact: true, index };
  };
  const elements = (leaf: Leaf): Compiled<Code> | undefined => (leaf.path.root === "id" ? undefined : served(leaf));
  return {
    leaf: {
      exists: served,
      equals: served,
      in: served,
      compare: served,
      between: served,
      prefix: served,
      after: served,
      tied: served,
      contains: elements,
      overlaps: elements,
      like: (leaf) => {
        const index = indexOf(leaf.path);
        return index === undefined ? undefined : beginning(leaf, index);
      },
    },
    and: (parts) => ({ kind: "and", conditions: parts as readonly Lowered[] }),
    or: (parts) => ({ kind: "or", conditions: parts as readonly Lowered[] }),
    not: (part) => ({ kind: "not", condition: part as Lowered }),
    order: ([first, second, ...rest]) => {
      if (first === undefined || rest.length > 0) return undefined;
      const index = indexOf(first.path);
      const ties = second === undefined || (second.path.root === "id" && !second.descending);
      return index === undefined || !ties ? undefined : { index };
    },
    match: (match) => {
      if (match.analyzer !== undefined || match.fields.some((path) => indexes.text(path) === undefined))
        return undefined;
      return {
        code: { kind: "match", match },
        exact: true,
        index: match.fields.map(({ text }) => `${text}:text`).join(", "),
      };
    },
    aggregate: () => ({}),
    why: (leaf) => {
      if (leaf.kind === "regex" || leaf.kind === "like")
        return "no index serves this pattern: every candidate is tested";
      return leaf.path.root === "data" || leaf.path.root === "metadata"
        ? `no index on "${leaf.path.text}" is declared: every candidate is tested`
        : `"${leaf.path.text}" has no index: every candidate is tested`;
    },
  };
}

/** A pattern with a fixed beginning is a stretch of the sorted index. */
function beginning({ path, pattern, insensitive, source }: LikeLeaf, index: string): Compiled<Code> | undefined {
  const parts = insensitive ? undefined : parseLike(pattern);
  if (parts === undefined) return undefined;
  const [first, second] = parts;
  const text = first?.kind === "text" ? first.text : "";
  if (parts.length === 0 || (text !== "" && second === undefined)) {
    const operand: Operand = { value: text, types: null, class: "string" };
    return { code: { kind: "equals", path, operand, source }, exact: true, index };
  }
  const code: Lowered = { kind: "prefix", path, prefix: text, source };
  if (parts.length === (text === "" ? 1 : 2) && parts.at(-1)?.kind === "any") return { code, exact: true, index };
  return text === "" ? undefined : { code, exact: false, index, why: "only the pattern's beginning is looked up" };
}
