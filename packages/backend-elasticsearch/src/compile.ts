/** Conditions, orders and full text as Elasticsearch's query language: exact, or narrowing, or not at all. */
import {
  type AfterLeaf,
  type CompareLeaf,
  type Compiled,
  type Compiler,
  DataknobsError,
  type Leaf,
  type LikeLeaf,
  type Match,
  type Operand,
  type Order,
  type Path,
  parseLike,
  rankOf,
  samePath,
} from "@dataknobs/core/backend";
import { isCanonical, isScalar } from "@dataknobs/sql";
import { canAggregate } from "./aggregate.js";
import { arrayKey, cut, isCut, keyOfValue, objectKey } from "./keys.js";
import { type Column, isKeyed, type Layout } from "./layout.js";
import { compileNearest, isVector } from "./nearest.js";
import { exactTerm, longMark, termPrefix, wordTerm } from "./terms.js";

/** A query, and how deep queries lie in it. */
export interface Query {
  readonly dsl: object;
  readonly depth: number;
}

const leaf = (dsl: object): Query => ({ dsl, depth: 1 });
const everything = leaf({ match_all: {} });
const nothing = leaf({ match_none: {} });

/** Elasticsearch parses 30 levels; a query in base64 begins anew. */
const maxDepth = 24;

function shallow({ dsl, depth }: Query): Query {
  if (depth < maxDepth) return { dsl, depth };
  return leaf({ wrapper: { query: Buffer.from(JSON.stringify(dsl)).toString("base64") } });
}

function bool(occur: "filter" | "should" | "must_not", parts: readonly Query[], more: object = {}): Query {
  const inner = parts.map(shallow);
  const depth = 1 + Math.max(0, ...inner.map((part) => part.depth));
  return { dsl: { bool: { [occur]: inner.map(({ dsl }) => dsl), ...more } }, depth };
}

export const all = (parts: readonly Query[]): Query =>
  parts.length === 1 ? (parts[0] as Query) : parts.length === 0 ? everything : bool("filter", parts);
const any = (parts: readonly Query[]): Query =>
  parts.length === 1
    ? (parts[0] as Query)
    : parts.length === 0
      ? nothing
      : bool("should", parts, { minimum_should_match: 1 });
const not = (part: Query): Query => bool("must_not", [part]);

/** What a query on many values may hold; `index.max_terms_count` by default. */
const maxTerms = 65_536;

const term = (field: string, value: string): Query => leaf({ term: { [field]: value } });
function terms(field: string, values: readonly string[]): Query {
  if (values.length === 1) return term(field, values[0] as string);
  const lists: Query[] = [];
  for (let at = 0; at < values.length; at += maxTerms) {
    lists.push(leaf({ terms: { [field]: values.slice(at, at + maxTerms) } }));
  }
  return any(lists);
}
const prefix = (field: string, value: string): Query => leaf({ prefix: { [field]: value } });
const range = (field: string, bounds: object): Query => leaf({ range: { [field]: bounds } });

const termsField = "side.terms";

interface Part {
  readonly query: Query;
  /** Why it is not exact. */
  readonly why?: string;
}

const exact = (query: Query): Part => ({ query });
const longWhy = "texts beyond 500 characters are only narrowed by their beginning";
const deepWhy = "lists and objects are only narrowed to their class";

export function compilerOf(layout: Layout): Compiler<Query> {
  const column = (path: Path): Column | undefined =>
    layout.usable.find((one) => isKeyed(one) && samePath(one.path, path));
  const at = <L extends Leaf>(place: (leaf: L) => Part | undefined) => {
    return (one: L): Compiled<Query> | undefined => {
      const { path } = one;
      const part = isOwn(path) ? ownLeaf(path.root, one) : path.segments.length === 0 ? undefined : place(one);
      if (part === undefined) return undefined;
      const index = isOwn(path) ? path.root : (column(path)?.name ?? "terms");
      return { code: part.query, exact: part.why === undefined, index, why: part.why };
    };
  };
  /** The elements of vectors are not indexed one by one. */
  const ofVectors = (path: Path): boolean => layout.columns.some((one) => isVector(one) && samePath(one.path, path));
  const numbers = (path: Path): string | undefined => {
    const found = column(path);
    return found && `side.n.${found.id}`;
  };
  return {
    leaf: {
      exists: at(({ path }) => exact(present(path, column(path)))),
      equals: at(({ path, operand }) => within(path, [operand])),
      in: at(({ path, operands }) => within(path, operands)),
      compare: at((one) => compare(one.path, { [words[one.op]]: one.operand }, one.operand, numbers(one.path))),
      between: at(({ path, lower, upper }) => compare(path, { gte: lower, lte: upper }, lower, numbers(path))),
      like: at(like),
      prefix: at((one) => startsWith(one.path, one.prefix)),
      contains: at(({ path, operand }) => (ofVectors(path) ? undefined : elements(path, [operand]))),
      overlaps: at(({ path, operands }) => (ofVectors(path) ? undefined : elements(path, operands))),
      after: at((one) => after(one, present(one.path, column(one.path)))),
      tied: at(({ path, operand }) =>
        operand === undefined ? exact(not(present(path, column(path)))) : level(path, operand),
      ),
    },
    and: all,
    or: any,
    not,
    order: (order) => {
      const [first] = order;
      if (!order.every(({ path }) => isOwn(path) || column(path) !== undefined)) return undefined;
      return first === undefined
        ? {}
        : { index: isOwn(first.path) ? first.path.root : (column(first.path) as Column).name };
    },
    match: (match) => matchOf(layout, match),
    nearest: (nearest) => compileNearest(layout, nearest),
    aggregate: (plan) => (canAggregate(layout, plan) ? {} : undefined),
    why: (one) => why(one),
  };
}

const words = { "<": "lt", "<=": "lte", ">": "gt", ">=": "gte" } as const;

function why(one: Leaf): string | undefined {
  if (one.path.segments.length === 0 && !isOwn(one.path)) return "the whole of the data or metadata is not indexed";
  if (one.kind === "regex") return "Lucene's regular expressions are not JavaScript's";
  if (one.kind !== "like") return undefined;
  return one.insensitive
    ? "Lucene folds case otherwise than toLowerCase"
    : "the pattern has more wildcards than Lucene takes gladly";
}

/** The record's own id and times: plain texts in fields of their names. */
function isOwn(path: Path): boolean {
  return path.root !== "data" && path.root !== "metadata";
}

// ---------- conditions on fields

function present(path: Path, column: Column | undefined): Query {
  if (column !== undefined) return leaf({ exists: { field: `side.k.${column.id}` } });
  return prefix(termsField, termPrefix(path));
}

/** Lists, or objects. */
function hasClass(path: Path, ...keys: readonly string[]): Query {
  return terms(
    termsField,
    keys.map((key) => termPrefix(path) + key),
  );
}

function within(path: Path, operands: readonly Operand[]): Part {
  const start = termPrefix(path);
  const scalars = operands.filter((operand) => isScalar(operand) && isCanonical(operand));
  const deep = new Set(operands.filter((operand) => !isScalar(operand)).map(({ class: is }) => String(rankOf(is))));
  const parts =
    scalars.length === 0
      ? []
      : [
          terms(
            termsField,
            scalars.map((one) => start + exactTerm(one.class, one.value)),
          ),
        ];
  if (deep.size === 0) return exact(any(parts));
  return { query: any([...parts, hasClass(path, ...deep)]), why: deepWhy };
}

function elements(path: Path, operands: readonly Operand[]): Part {
  const start = `${termPrefix(path)}e`;
  if (!operands.every(isScalar)) return { query: hasClass(path, arrayKey), why: deepWhy };
  const values = operands.filter(isCanonical).map((one) => start + exactTerm(one.class, one.value));
  return exact(values.length === 0 ? nothing : terms(termsField, values));
}

type Bounds = { readonly [K in "gt" | "gte" | "lt" | "lte"]?: Operand };

/** A range within the class of an operand. A cut bound takes in what is level with it. */
function compare(path: Path, bounds: Bounds, { class: is }: Operand, numbers: string | undefined): Part {
  if (is === "number" && numbers !== undefined) {
    return exact(range(numbers, Object.fromEntries(Object.entries(bounds).map(([op, { value }]) => [op, value]))));
  }
  const start = termPrefix(path);
  const rank = rankOf(is);
  const limits: { [op: string]: string } = {};
  let long = false;
  for (const [op, { value }] of Object.entries(bounds)) {
    const key = cut(keyOfValue(is, value));
    long ||= isCut(key);
    limits[isCut(key) ? `${op[0]}${op[1]}e` : op] = start + key;
  }
  const least = "gt" in limits || "gte" in limits ? {} : { gte: `${start}${rank}` };
  const greatest = "lt" in limits || "lte" in limits ? {} : { lt: `${start}${rank + 1}` };
  const query = range(termsField, { ...least, ...limits, ...greatest });
  return long ? { query, why: longWhy } : exact(query);
}

function startsWith(path: Path, text: string): Part {
  const key = cut(`4${text}`);
  if (isCut(key)) return { query: term(termsField, termPrefix(path) + key), why: longWhy };
  return exact(prefix(termsField, termPrefix(path) + key));
}

function like(one: LikeLeaf): Part | undefined {
  const { path } = one;
  const shape = shapeOf(one);
  if (shape === undefined) return undefined;
  if ("text" in shape) {
    return shape.open
      ? startsWith(path, shape.text)
      : within(path, [{ value: shape.text, types: null, class: "string" }]);
  }
  const short = leaf({ wildcard: { [termsField]: escapeWildcards(`${termPrefix(path)}4`) + shape.pattern } });
  return { query: any([short, term(termsField, termPrefix(path) + longMark)]), why: longWhy };
}

/** A pattern without wildcards but perhaps a `%` at its end, or one for Lucene; `undefined` where it is too much. */
function shapeOf(
  one: LikeLeaf,
): { readonly text: string; readonly open: boolean } | { readonly pattern: string } | undefined {
  if (one.insensitive) return undefined;
  const parts = parseLike(one.pattern) ?? [];
  const [first, second] = parts;
  const [text, wild] = first?.kind === "text" ? [first.text, second] : ["", first];
  if (wild === undefined || (wild.kind === "any" && parts.at(-1) === wild)) return { text, open: wild !== undefined };
  // Lucene makes an automaton of it, which grows with both
  if (one.pattern.length > 200 || parts.filter(({ kind }) => kind !== "text").length > 20) return undefined;
  return {
    pattern: parts
      .map((part) => (part.kind === "text" ? escapeWildcards(part.text) : part.kind === "any" ? "*" : "?"))
      .join(""),
  };
}

function escapeWildcards(text: string): string {
  return text.replace(/[\\*?]/g, "\\$&");
}

function level(path: Path, operand: Operand): Part {
  if (!isScalar(operand)) return exact(hasClass(path, String(rankOf(operand.class))));
  return within(path, [operand]);
}

/** What comes after a value in the total order: the rest of its class, the classes beyond, and nulls if last. */
function after({ path, operand, order }: AfterLeaf, isPresent: Query): Part {
  const nulls = order.nullsFirst ? [] : [not(isPresent)];
  if (operand === undefined) return exact(order.nullsFirst ? isPresent : nothing);
  const start = termPrefix(path);
  const key = cut(keyOfValue(operand.class, operand.value));
  const long = isCut(key);
  const at = start + key;
  const containers = [arrayKey, objectKey].filter((one) => (order.descending ? one < key : one > key));
  const scalars = !order.descending
    ? isScalar(operand) && range(termsField, { [long ? "gte" : "gt"]: at, lt: start + arrayKey })
    : range(termsField, {
        gte: `${start}1`,
        ...(isScalar(operand) ? { [long ? "lte" : "lt"]: at } : { lt: start + arrayKey }),
      });
  const query = any([
    ...(scalars ? [scalars] : []),
    ...(containers.length > 0 ? [hasClass(path, ...containers)] : []),
    ...nulls,
  ]);
  return long ? { query, why: longWhy } : exact(query);
}

// ---------- conditions on the record's own texts, which are all there, short and strings

function ownLeaf(field: string, one: Leaf): Part | undefined {
  const text = (operand: Operand | undefined): string => operand?.value as string;
  const isText = (operand: Operand | undefined): boolean => operand?.class === "string";
  switch (one.kind) {
    case "exists":
      return exact(everything);
    case "equals":
    case "tied":
      return exact(isText(one.operand) ? term(field, text(one.operand)) : nothing);
    case "in":
      return exact(terms(field, one.operands.filter(isText).map(text)));
    case "compare":
      return exact(
        isText(one.operand) ? range(field, { [words[(one as CompareLeaf).op]]: text(one.operand) }) : nothing,
      );
    case "between":
      return exact(isText(one.lower) ? range(field, { gte: text(one.lower), lte: text(one.upper) }) : nothing);
    case "prefix":
      return exact(prefix(field, one.prefix));
    case "like": {
      const shape = shapeOf(one);
      if (shape === undefined) return undefined;
      if ("pattern" in shape) return exact(leaf({ wildcard: { [field]: shape.pattern } }));
      return exact(shape.open ? prefix(field, shape.text) : term(field, shape.text));
    }
    case "after": {
      const { operand, order } = one;
      if (operand === undefined) return exact(order.nullsFirst ? everything : nothing);
      if (isText(operand)) return exact(range(field, { [order.descending ? "lt" : "gt"]: text(operand) }));
      return exact(rankOf(operand.class) < rankOf("string") === order.descending ? nothing : everything);
    }
    case "contains":
    case "overlaps":
      return exact(nothing);
    default:
      return undefined;
  }
}

// ---------- order and full text

export function sortOf(layout: Layout, order: readonly Order[]): object[] {
  return order.map(({ path, descending, nullsFirst }) => ({
    [keyField(layout, path)]: { order: descending ? "desc" : "asc", missing: nullsFirst ? "_first" : "_last" },
  }));
}

/** The field that holds a path's keys. */
function keyField(layout: Layout, path: Path): string {
  if (isOwn(path)) return path.root;
  const column = layout.usable.find((one) => isKeyed(one) && samePath(one.path, path));
  // the compiler asked for it; it went away since
  if (column === undefined) throw changed();
  return `side.k.${column.id}`;
}

export function changed(): DataknobsError {
  return new DataknobsError(
    "CONFLICT",
    "The declared fields of the Elasticsearch index were changed meanwhile. Ask again.",
    { backend: "elasticsearch" },
  );
}

/** Core's words with small misspellings allowed: an analyzer that is always there. */
export const fuzzy = "fuzzy";

function matchOf(layout: Layout, match: Match): Compiled<Query> | undefined {
  const { analyzer, mode } = match;
  const columns = match.fields.map((path) => layout.usable.find((one) => one.text && samePath(one.path, path)));
  const undeclared = columns.indexOf(undefined);
  if (undeclared >= 0) {
    if (analyzer === undefined) return undefined;
    throw new DataknobsError(
      "UNSUPPORTED",
      `The analyzer "${analyzer}" works on declared fields; declare { path: "${match.fields[undeclared]?.text}", text: true }.`,
      { backend: "elasticsearch", analyzer },
    );
  }
  const found = columns as Column[];
  const index = found.map(({ name }) => name).join(", ");
  if (analyzer !== undefined && analyzer !== fuzzy) {
    const fields = found.map(({ id }) => `side.a.${id}.${analyzer}`);
    const operator = mode === "all" ? "and" : "or";
    return {
      code: leaf({ multi_match: { query: match.text, type: "cross_fields", fields, operator } }),
      exact: true,
      index,
    };
  }
  const perWord = match.words.map((word) => {
    const spelt = wordTerm(word);
    return any(
      found.map(({ id }) => {
        const field = `side.w.${id}`;
        if (analyzer === undefined) return term(field, spelt);
        return leaf({ match: { [field]: { query: spelt, fuzziness: "AUTO", analyzer: "dataknobs_words" } } });
      }),
    );
  });
  return { code: mode === "any" ? any(perWord) : bool("must" as "filter", perWord), exact: true, index };
}
