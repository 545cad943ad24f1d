/**
 * The reference matcher: a lowered condition as a predicate over wire records. What it answers is what the
 * contract means; every backend is compared with it.
 */
import type { CompareOp, Leaf, Lowered, Operand, Path } from "../query/lowered.js";
import type { Json, TypeMap, WireRecord } from "../record/json.js";
import { type Getter, getterOf, typesOf } from "./access.js";
import { classOf, compareKey, compareText, compareWithin, equalJson, equalsOperand, keyOf } from "./compare.js";
import { fused, hasNativeOrder, type Matcher } from "./fuse.js";
import { likeTest, parseLike } from "./patterns.js";

export type Predicate = (record: WireRecord) => boolean;

/** The condition as a function. Compile once, call for every record. */
export function matcherOf(condition: Lowered): Predicate {
  return fused(condition, leafMatcher)?.test ?? closureOf(condition);
}

/** The condition for lists of records: faster than to ask of each. */
export function listMatcherOf(condition: Lowered): Matcher {
  const matcher = fused(condition, leafMatcher);
  if (matcher !== undefined) return matcher;
  const test = closureOf(condition);
  return {
    test,
    filter: (records) => records.filter(test),
    count(records) {
      let n = 0;
      for (let index = 0; index < records.length; index++) if (test(records[index] as WireRecord)) n++;
      return n;
    },
    each(records, visit) {
      for (let index = 0; index < records.length; index++) {
        const record = records[index] as WireRecord;
        if (test(record)) visit(record);
      }
    },
  };
}

/** The same by closures alone: what `fused` must agree with. */
export function closureOf(condition: Lowered): Predicate {
  switch (condition.kind) {
    case "and":
      return every(condition.conditions.map(closureOf));
    case "or":
      return some(condition.conditions.map(closureOf));
    case "not": {
      const inner = closureOf(condition.condition);
      return (record) => !inner(record);
    }
    default:
      return leafMatcher(condition);
  }
}

function every(parts: readonly Predicate[]): Predicate {
  const [a, b, c] = parts;
  if (a === undefined) return () => true;
  if (b === undefined) return a;
  if (c === undefined) return (record) => a(record) && b(record);
  return (record) => {
    for (const part of parts) if (!part(record)) return false;
    return true;
  };
}

function some(parts: readonly Predicate[]): Predicate {
  const [a, b, c] = parts;
  if (a === undefined) return () => false;
  if (b === undefined) return a;
  if (c === undefined) return (record) => a(record) || b(record);
  return (record) => {
    for (const part of parts) if (part(record)) return true;
    return false;
  };
}

type TypesGetter = (record: WireRecord) => TypeMap | null;

function leafMatcher(leaf: Leaf): Predicate {
  const get = getterOf(leaf.path);
  const types = typesOf(leaf.path);
  const { pointer } = leaf.path;
  switch (leaf.kind) {
    case "exists":
      return (record) => (get(record) ?? null) !== null;
    case "equals":
      return equalsMatcher(get, types, pointer, leaf.operand);
    case "compare":
      return compareMatcher(get, types, pointer, leaf.op, leaf.operand);
    case "between": {
      const { lower, upper } = leaf;
      if (lower.class === "number") {
        const low = lower.value as number;
        const high = upper.value as number;
        return (record) => {
          const value = get(record);
          return typeof value === "number" && value >= low && value <= high;
        };
      }
      return every([
        compareMatcher(get, types, pointer, ">=", lower),
        compareMatcher(get, types, pointer, "<=", upper),
      ]);
    }
    case "in":
      return inMatcher(get, types, pointer, leaf.operands);
    case "like":
      return textMatcher(get, types, pointer, likePredicate(leaf.pattern, leaf.insensitive));
    case "regex": {
      const expression = new RegExp(leaf.pattern, leaf.flags);
      return textMatcher(get, types, pointer, (text) => expression.test(text));
    }
    case "prefix":
      return textMatcher(get, types, pointer, (text) => text.startsWith(leaf.prefix));
    case "contains": {
      const { operand } = leaf;
      return anyElement(get, types, pointer, (element, map, at) => equalsOperand(element, map, at, operand));
    }
    case "overlaps": {
      const keys = keySet(leaf.operands);
      return anyElement(get, types, pointer, (element, map, at) => keys.has(keyOf(element, map, at)));
    }
    case "after":
      return (record) => {
        const value = get(record);
        const { operand, order } = leaf;
        const order_ = compareKey(
          value,
          classOf(value, types(record), pointer),
          operand?.value,
          operand?.class ?? "null",
          order,
        );
        return order_ > 0;
      };
    case "tied":
      return (record) => {
        const value = get(record);
        const valueClass = classOf(value, types(record), pointer);
        if (valueClass !== (leaf.operand?.class ?? "null")) return false;
        return leaf.operand === undefined || compareWithin(valueClass, value as Json, leaf.operand.value) === 0;
      };
  }
}

/** The predicate of a `like` pattern over strings. */
export function likePredicate(pattern: string, insensitive: boolean): (text: string) => boolean {
  const parts = parseLike(insensitive ? lowerPattern(pattern) : pattern);
  if (parts === undefined) return () => false;
  const test = likeTest(parts);
  return insensitive ? (text) => test(text.toLowerCase()) : test;
}

function lowerPattern(pattern: string): string {
  // an escape keeps its character: `\` and the wildcards have no case, so lower-casing moves nothing
  return pattern.toLowerCase();
}

function equalsMatcher(get: Getter, types: TypesGetter, pointer: string, operand: Operand): Predicate {
  const { value: wanted } = operand;
  switch (operand.class) {
    case "number":
    case "boolean":
      return (record) => get(record) === wanted;
    case "string":
      return (record) => {
        if (get(record) !== wanted) return false;
        const map = types(record);
        return map === null || classOf(wanted, map, pointer) === "string";
      };
    default:
      return (record) => {
        const value = get(record);
        return value !== undefined && equalJson(value, types(record), pointer, wanted, operand.types, "");
      };
  }
}

function inMatcher(get: Getter, types: TypesGetter, pointer: string, operands: readonly Operand[]): Predicate {
  // strings, numbers and booleans as they are: a key would have to be made for every record
  const isPlain = (one: Operand): boolean =>
    one.class === "string" || one.class === "number" || one.class === "boolean";
  const plain = new Set(operands.filter(isPlain).map(({ value }) => value));
  const keys = keySet(operands.filter((operand) => !isPlain(operand)));
  return (record) => {
    const value = get(record);
    if (value === undefined) return false;
    const map = types(record);
    if (
      typeof value !== "object" &&
      (map === null || typeof value !== "string" || classOf(value, map, pointer) === "string")
    ) {
      return plain.has(value);
    }
    return keys.size > 0 && keys.has(keyOf(value, map, pointer));
  };
}

function compareMatcher(get: Getter, types: TypesGetter, pointer: string, op: CompareOp, operand: Operand): Predicate {
  if (operand.class === "number") return numberMatcher(get, op, operand.value as number);
  if (operand.class === "string") return textMatcher(get, types, pointer, textTest(op, operand));
  const holds = holdsFor(op);
  return (record) => {
    const value = get(record);
    if (value === undefined || classOf(value, types(record), pointer) !== operand.class) return false;
    return holds(compareWithin(operand.class, value, operand.value));
  };
}

// One closure per operator: the comparison itself must not be a lookup in the hottest loop there is.
function numberMatcher(get: Getter, op: CompareOp, wanted: number): Predicate {
  switch (op) {
    case "<":
      return (record) => {
        const value = get(record);
        return typeof value === "number" && value < wanted;
      };
    case "<=":
      return (record) => {
        const value = get(record);
        return typeof value === "number" && value <= wanted;
      };
    case ">":
      return (record) => {
        const value = get(record);
        return typeof value === "number" && value > wanted;
      };
    case ">=":
      return (record) => {
        const value = get(record);
        return typeof value === "number" && value >= wanted;
      };
  }
}

function textTest(op: CompareOp, operand: Operand): (text: string) => boolean {
  const wanted = operand.value as string;
  if (!hasNativeOrder(operand)) {
    const holds = holdsFor(op);
    return (text) => holds(compareText(text, wanted));
  }
  switch (op) {
    case "<":
      return (text) => text < wanted;
    case "<=":
      return (text) => text <= wanted;
    case ">":
      return (text) => text > wanted;
    case ">=":
      return (text) => text >= wanted;
  }
}

function holdsFor(op: CompareOp): (difference: number) => boolean {
  switch (op) {
    case "<":
      return (difference) => difference < 0;
    case "<=":
      return (difference) => difference <= 0;
    case ">":
      return (difference) => difference > 0;
    case ">=":
      return (difference) => difference >= 0;
  }
}

function textMatcher(get: Getter, types: TypesGetter, pointer: string, test: (text: string) => boolean): Predicate {
  return (record) => {
    const value = get(record);
    if (typeof value !== "string" || !test(value)) return false;
    const map = types(record);
    return map === null || classOf(value, map, pointer) === "string";
  };
}

function anyElement(
  get: Getter,
  types: TypesGetter,
  pointer: string,
  test: (element: Json, types: TypeMap | null, pointer: string) => boolean,
): Predicate {
  return (record) => {
    const value = get(record);
    if (!Array.isArray(value)) return false;
    const map = types(record);
    for (let index = 0; index < value.length; index++) {
      if (test(value[index] as Json, map, map === null ? "" : `${pointer}/${index}`)) return true;
    }
    return false;
  };
}

function keySet(operands: readonly Operand[]): ReadonlySet<string | number> {
  return new Set(operands.map((operand) => keyOf(operand.value, operand.types, "")));
}

/** The class and JSON of a record's value at a path. */
export function valueAt(path: Path): (record: WireRecord) => { value: Json | undefined; class: Operand["class"] } {
  const get = getterOf(path);
  const types = typesOf(path);
  return (record) => {
    const value = get(record);
    return { value, class: classOf(value, types(record), path.pointer) };
  };
}
