/**
 * Checks a query, or the condition in it, and lowers it to the form that backends get. Pure, before any I/O.
 *
 * Throws `INVALID_QUERY`, or `LIMIT_EXCEEDED` for what is too deep or too long.
 */
import { DataknobsError } from "../errors.js";
import { classOf } from "../match/compare.js";
import { parseLike } from "../match/patterns.js";
import { tokenize } from "../match/tokens.js";
import type { Json, TypeMap, TypeTag } from "../record/json.js";
import { limits } from "../record/limits.js";
import { filterTypes, isComparable, withType } from "../record/type-map.js";
import { encode } from "../record/values.js";
import {
  type Condition,
  type LeafCondition,
  type MatchClause,
  operators,
  type PathInput,
  type Query,
  type SortClause,
} from "./ast.js";
import { checkCount, checkKeys, invalid } from "./checks.js";
import { type Cursor, decodeCursor, keysetCondition } from "./cursor.js";
import { lowerFusion, lowerNearest, type VectorField } from "./lower-nearest.js";
import type { CompareOp, Lowered, LoweredQuery, Match, Operand, Order, Path } from "./lowered.js";
import { nearest } from "./nearest.js";
import { idPath, resolvePath, samePath } from "./paths.js";
import { checkPattern, checkRegex } from "./regex.js";

const queryKeys = [
  "where",
  "match",
  "nearest",
  "fusion",
  "sort",
  "limit",
  "offset",
  "select",
  "after",
  "unordered",
  "residual",
] as const;
const leafKeys = ["path", "op", "value", "type", "types"] as const;

export interface ParseContext {
  /** Paths declared `text: true`: the default of `match`. */
  readonly textFields: readonly Path[];
  /** Paths declared for vectors. */
  readonly vectorFields: readonly VectorField[];
}

type PathResolver = (input: PathInput) => Path;

const noContext: ParseContext = { textFields: [], vectorFields: [] };

/** What `search`, `stream`, `page`, `count` and the like take: a query, or a builder that makes one. */
export interface QuerySource {
  toQuery(): Query;
}

/** The query itself, from a builder or as it is. */
export function toQuery(input: Query | QuerySource | undefined): Query {
  if (input === undefined) return {};
  if (typeof input === "object" && input !== null && typeof (input as QuerySource).toQuery === "function") {
    return (input as QuerySource).toQuery();
  }
  return input as Query;
}

export function lowerQuery(input: Query | QuerySource | undefined, context: ParseContext = noContext): LoweredQuery {
  const query = toQuery(input);
  checkKeys(query, queryKeys, "A query");
  const where = query.where === undefined ? undefined : lowerCondition(query.where);
  const match = query.match === undefined ? undefined : lowerMatch(query.match, context);
  const near = query.nearest === undefined ? undefined : lowerNearest(query.nearest, context.vectorFields);
  const fusion = lowerFusion(query.fusion, near === undefined ? undefined : match);
  const limit = checkCount(query.limit, "limit");
  const offset = checkCount(query.offset, "offset") ?? 0;
  checkFlag(query.unordered, "unordered");
  if (query.residual !== undefined && query.residual !== "allow" && query.residual !== "error") {
    throw invalid('`residual` is "allow" or "error".');
  }
  const sort = lowerSort(query.sort);
  const byScore = (match !== undefined || near !== undefined) && sort.length === 0;
  const ordered =
    !byScore &&
    (sort.length > 0 || query.after !== undefined || ((limit !== undefined || offset > 0) && query.unordered !== true));
  const order = ordered ? withId(sort) : [];
  const lowered: LoweredQuery = {
    where,
    match,
    ...(near !== undefined && { nearest: near }),
    ...(fusion !== undefined && { fusion }),
    order,
    byScore,
    limit,
    offset,
    select: lowerSelect(query.select),
    residual: query.residual,
  };
  return query.after === undefined ? lowered : continueAfter(lowered, query);
}

/** The same question from after the cursor's row on. */
function continueAfter(lowered: LoweredQuery, query: Query): LoweredQuery {
  const { after } = query;
  if (lowered.nearest !== undefined) {
    throw invalid("The nearest records are not continued by a cursor: page through them with `limit` and `offset`.");
  }
  if (typeof after !== "string") throw invalid("`after` is the `next` of a page.");
  if (lowered.byScore) throw invalid("A `match` without `sort` cannot be continued: scores have no place in a cursor.");
  if (lowered.offset > 0) throw invalid("`after` and `offset` exclude each other.");
  const cursor: Cursor = decodeCursor(after, query, lowered.order);
  const keyset = keysetCondition(lowered.order, cursor);
  return {
    ...lowered,
    where: lowered.where === undefined ? keyset : { kind: "and", conditions: [lowered.where, keyset] },
  };
}

/** `resolve` says what the paths in it mean. */
export function lowerCondition(condition: Condition, resolve: PathResolver = resolvePath, depth = 1): Lowered {
  if (depth > limits.conditionNesting) {
    throw new DataknobsError("LIMIT_EXCEEDED", `Conditions are nested at most ${limits.conditionNesting} deep.`, {
      limit: limits.conditionNesting,
    });
  }
  if (typeof condition !== "object" || condition === null || Array.isArray(condition)) {
    throw invalid("A condition is { path, op, value }, { and: […] }, { or: […] } or { not: … }.");
  }
  if ("and" in condition || "or" in condition) {
    const kind = "and" in condition ? "and" : "or";
    checkKeys(condition, [kind], `A condition with "${kind}"`);
    const parts: unknown = (condition as { [key: string]: unknown })[kind];
    if (!Array.isArray(parts)) throw invalid(`"${kind}" takes a list of conditions.`);
    return { kind, conditions: parts.map((part: Condition) => lowerCondition(part, resolve, depth + 1)) };
  }
  if ("not" in condition) {
    checkKeys(condition, ["not"], 'A condition with "not"');
    if (Array.isArray(condition.not)) throw invalid('"not" takes one condition, not a list.');
    return { kind: "not", condition: lowerCondition(condition.not, resolve, depth + 1) };
  }
  return lowerLeaf(condition, resolve);
}

function lowerLeaf(source: LeafCondition, resolve: PathResolver): Lowered {
  checkKeys(source, leafKeys, "A condition");
  if (!Object.hasOwn(source, "path")) throw invalid('A condition names a "path".');
  const path = resolve(source.path);
  const { op } = source;
  const exists: Lowered = { kind: "exists", path, source };
  const present = (leaf: Lowered): Lowered => ({ kind: "and", conditions: [exists, { kind: "not", condition: leaf }] });
  const absent: Lowered = { kind: "not", condition: exists };
  switch (op) {
    case "exists":
    case "not_exists":
      if (source.value !== undefined && source.value !== true)
        throw invalid(`"${op}" on "${path.text}" takes no value.`);
      return op === "exists" ? exists : absent;
    case "=":
    case "!=": {
      const operand = operandOf(source, path);
      if (operand.class === "null") return op === "=" ? absent : exists;
      const equals: Lowered = { kind: "equals", path, operand, source };
      return op === "=" ? equals : present(equals);
    }
    case "<":
    case "<=":
    case ">":
    case ">=":
      return {
        kind: "compare",
        path,
        op: op as CompareOp,
        operand: rangeOperand(operandOf(source, path), op, path),
        source,
      };
    case "between":
    case "not_between": {
      const bounds = operandList(source, path);
      if (bounds.length !== 2)
        throw invalid(`"${op}" on "${path.text}" takes [lower, upper]; got ${bounds.length} bounds.`);
      const [lower, upper] = bounds.map((bound) => rangeOperand(bound, op, path)) as [Operand, Operand];
      if (lower.class !== upper.class) {
        throw invalid(
          `The bounds of "${op}" on "${path.text}" are of one class; got ${lower.class} and ${upper.class}.`,
        );
      }
      const between: Lowered = { kind: "between", path, lower, upper, source };
      return op === "between" ? between : present(between);
    }
    case "in":
    case "not_in": {
      const all = operandList(source, path);
      const operands = all.filter((operand) => operand.class !== "null");
      const within: Lowered = { kind: "in", path, operands, source };
      if (op === "not_in") return present(within);
      return operands.length === all.length ? within : { kind: "or", conditions: [absent, within] };
    }
    case "like":
    case "not_like":
    case "ilike":
    case "not_ilike": {
      const pattern = source.value;
      checkPattern(pattern, op, path.text);
      if (parseLike(pattern) === undefined) {
        throw invalid(`The pattern of "${op}" on "${path.text}" ends with a lone backslash; write \\\\ for one.`);
      }
      const like: Lowered = { kind: "like", path, pattern, insensitive: op.endsWith("ilike"), source };
      return op.startsWith("not_") ? textual(path, source, like) : like;
    }
    case "regex":
    case "not_regex": {
      const { pattern, flags, trusted } = regexOperand(source.value, op, path);
      const regex: Lowered = {
        kind: "regex",
        path,
        pattern,
        flags: checkRegex(pattern, flags, trusted, path.text),
        source,
      };
      return op === "regex" ? regex : textual(path, source, regex);
    }
    case "starts_with": {
      checkPattern(source.value, op, path.text);
      return { kind: "prefix", path, prefix: source.value, source };
    }
    case "contains": {
      const operand = operandOf(source, path);
      if (operand.class === "null") throw invalid(`"contains" on "${path.text}" takes a value other than null.`);
      return { kind: "contains", path, operand, source };
    }
    case "overlaps": {
      const operands = operandList(source, path);
      if (operands.some((operand) => operand.class === "null")) {
        throw invalid(`"overlaps" on "${path.text}" takes values other than null.`);
      }
      return { kind: "overlaps", path, operands, source };
    }
    default:
      throw invalid(`"${String(op)}" is no operator.${nearest(String(op), operators)} Known: ${operators.join(" ")}.`);
  }
}

/** The negated text operators hold for strings only: a string, and not the pattern. An empty prefix is any string. */
function textual(path: Path, source: LeafCondition, leaf: Lowered): Lowered {
  return {
    kind: "and",
    conditions: [
      { kind: "prefix", path, prefix: "", source },
      { kind: "not", condition: leaf },
    ],
  };
}

function rangeOperand(operand: Operand, op: string, path: Path): Operand {
  if (operand.class === "null" || operand.class === "array" || operand.class === "object") {
    throw invalid(
      `"${op}" on "${path.text}" takes booleans, numbers, bigints, strings, Dates or bytes; got ${operand.class}.`,
    );
  }
  return operand;
}

function operandOf(source: LeafCondition, path: Path): Operand {
  if (source.value === undefined) {
    throw invalid(`"${source.op}" on "${path.text}" takes a value; for a missing one use "not_exists".`);
  }
  return makeOperand(source.value, source.types === undefined ? null : checkTypeMap(source.types), source.type, path);
}

function operandList(source: LeafCondition, path: Path): Operand[] {
  if (!Array.isArray(source.value)) throw invalid(`"${source.op}" on "${path.text}" takes a list.`);
  const types = typesByElement(source.types);
  return (source.value as readonly unknown[]).map((item, index) => {
    if (item === undefined) throw invalid(`"${source.op}" on "${path.text}" has an undefined in its list.`);
    return makeOperand(item, types?.get(String(index)) ?? null, source.type, path);
  });
}

/** The types of a list operand by element: one pass, since lists may be long. */
function typesByElement(types: unknown): ReadonlyMap<string, TypeMap> | undefined {
  if (types === undefined) return undefined;
  const byElement = new Map<string, { [pointer: string]: TypeTag }>();
  for (const [pointer, tag] of Object.entries(checkTypeMap(types))) {
    const end = pointer.indexOf("/", 1);
    const element = pointer.slice(1, end < 0 ? undefined : end);
    let own = byElement.get(element);
    if (own === undefined) {
      own = {};
      byElement.set(element, own);
    }
    own[end < 0 ? "" : pointer.slice(end)] = tag;
  }
  return byElement;
}

function checkTypeMap(types: unknown): TypeMap {
  if (typeof types === "object" && types !== null) return types as TypeMap;
  throw invalid("`types` maps JSON Pointers to types.");
}

function makeOperand(value: unknown, given: TypeMap | null, type: TypeTag | undefined, path: Path): Operand {
  const encoded = encode(value, { subject: `the operand on "${path.text}"`, code: "INVALID_QUERY", freeze: true });
  let types = encoded.types === null ? given : given === null ? encoded.types : { ...encoded.types, ...given };
  if (type !== undefined && encoded.json !== null && types?.[""] === undefined) types = withType(types, "", type);
  return operandFrom(encoded.json, checkTypes(encoded.json, types, path));
}

/** An operand from JSON and types, without those that no comparison tells apart. */
function operandFrom(value: Json, types: TypeMap | null): Operand {
  const kept = filterTypes(types, (_, tag) => isComparable(tag));
  return Object.freeze({ value, types: kept, class: classOf(value, kept, "") });
}

function checkTypes(value: Json, types: TypeMap | null, path: Path): TypeMap | null {
  const own = types?.[""];
  if (own === undefined) return types;
  const right =
    typeof value === "string" &&
    ((own === "bigint" && /^(?:0|-?[1-9]\d*)$/.test(value)) ||
      (own === "bytes" && /^[A-Za-z0-9+/]*={0,2}$/.test(value) && value.length % 4 === 0) ||
      (own === "date" && !Number.isNaN(Date.parse(value)) && new Date(value).toISOString() === value));
  if (right || (own === "float32" && Array.isArray(value))) return types;
  throw invalid(`The operand on "${path.text}" is not the text of a ${String(own)}.`);
}

function regexOperand(value: unknown, op: string, path: Path): { pattern: string; flags: string; trusted: boolean } {
  if (typeof value === "string") return { pattern: value, flags: "", trusted: false };
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    checkKeys(value, ["pattern", "flags", "trusted"], `The operand of "${op}"`);
    const { pattern, flags = "", trusted = false } = value as { [key: string]: unknown };
    if (typeof pattern === "string" && typeof flags === "string" && typeof trusted === "boolean") {
      return { pattern, flags, trusted };
    }
  }
  throw invalid(`"${op}" on "${path.text}" takes a pattern, or { pattern, flags, trusted }.`);
}

export function lowerMatch(match: MatchClause, context: ParseContext): Match {
  checkKeys(match, ["text", "fields", "mode", "analyzer"], "`match`");
  const { text, mode = "all", analyzer } = match;
  checkPattern(text, "match", "text");
  if (mode !== "all" && mode !== "any") throw invalid('`mode` of a match is "all" or "any".');
  if (analyzer !== undefined && typeof analyzer !== "string") throw invalid("`analyzer` of a match is a name.");
  const words = [...new Set(tokenize(text))];
  if (words.length === 0)
    throw invalid(`There is no word in the text of the match, ${JSON.stringify(text.slice(0, 80))}.`);
  if (match.fields !== undefined && !Array.isArray(match.fields))
    throw invalid("`fields` of a match is a list of paths.");
  const fields = match.fields === undefined ? context.textFields : match.fields.map(resolvePath);
  if (fields.length === 0) {
    throw invalid("A match names its fields, or the database declares some: indexes: [{ path, text: true }].");
  }
  const distinct = fields.filter((path, index) => fields.findIndex((other) => samePath(path, other)) === index);
  return Object.freeze({ text, words, fields: distinct, mode, ...(analyzer !== undefined && { analyzer }) });
}

function lowerSort(sort: readonly SortClause[] | undefined): Order[] {
  if (sort === undefined) return [];
  if (!Array.isArray(sort)) throw invalid("`sort` is a list of { path, direction, nulls }.");
  return (sort as readonly SortClause[]).map(lowerSortClause);
}

export function lowerSortClause(clause: SortClause): Order {
  checkKeys(clause, ["path", "direction", "nulls"], "A sort key");
  const { direction = "asc", nulls } = clause;
  if (direction !== "asc" && direction !== "desc") throw invalid('`direction` is "asc" or "desc".');
  if (nulls !== undefined && nulls !== "first" && nulls !== "last") throw invalid('`nulls` is "first" or "last".');
  const descending = direction === "desc";
  return Object.freeze({
    path: resolvePath(clause.path),
    descending,
    nullsFirst: nulls === undefined ? !descending : nulls === "first",
  });
}

/** Later keys on a place already sorted by change nothing; id breaks ties, and nothing comes after it. */
function withId(sort: readonly Order[]): Order[] {
  const order: Order[] = [];
  for (const one of sort) {
    if (order.some((other) => samePath(other.path, one.path))) continue;
    order.push(one);
    if (one.path.root === "id") return order;
  }
  order.push(Object.freeze({ path: idPath, descending: false, nullsFirst: true }));
  return order;
}

function lowerSelect(select: readonly unknown[] | undefined): readonly Path[] | undefined {
  if (select === undefined) return undefined;
  if (!Array.isArray(select)) throw invalid("`select` is a list of paths.");
  return select.map(resolvePath);
}

function checkFlag(value: unknown, name: string): void {
  if (value !== undefined && typeof value !== "boolean") throw invalid(`\`${name}\` is true or false.`);
}
