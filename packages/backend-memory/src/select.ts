/**
 * Answers a compiled condition from the indexes: exactly the records, from the fewest candidates that an index gives.
 * What no index narrows is tested record by record, with core's own matcher.
 */
import { type Leaf, type Lowered, listMatcherOf, pathKey, samePath, type WireRecord } from "@dataknobs/core/backend";
import { type Key, operandKey } from "./hash-index.js";
import { complement, intersect, type Ranges, sizeOf, unite } from "./ranges.js";
import { isRange, type SortedIndex } from "./sorted-index.js";
import type { Table } from "./table.js";

/** With so few candidates it is no gain to ask an index that may have to be brought up to date first. */
const fewEnough = 32;

/** The records that the condition selects, each once, in no order. */
export function select(table: Table, condition: Lowered | undefined): readonly WireRecord[] {
  if (condition === undefined) return table.all();
  const found = looked(table, condition);
  if (found !== undefined) return found.records();
  switch (condition.kind) {
    case "and": {
      const parts = groupsOf(condition.conditions);
      const best = fewest(table, parts);
      if (best === undefined) return table.all();
      const rest = parts.filter((part) => part !== best);
      const candidates = select(table, best);
      return rest.length === 0 ? candidates : listMatcherOf({ kind: "and", conditions: rest }).filter(candidates);
    }
    case "or": {
      if (estimate(table, condition) * 4 > table.size) return listMatcherOf(condition).filter(table.all());
      const united = new Set<WireRecord>();
      for (const part of condition.conditions) for (const record of select(table, part)) united.add(record);
      return [...united];
    }
    default:
      return listMatcherOf(condition).filter(table.all());
  }
}

export function count(table: Table, condition: Lowered | undefined): number {
  if (condition === undefined) return table.size;
  const found = looked(table, condition);
  if (found !== undefined) return found.exactSize ?? found.records().length;
  if (condition.kind === "not") return table.size - count(table, condition.condition);
  return select(table, condition).length;
}

/** How many records the condition selects at most. */
export function estimate(table: Table, condition: Lowered | undefined): number {
  if (condition === undefined) return table.size;
  const found = looked(table, condition);
  if (found !== undefined) return Math.min(found.size, table.size);
  switch (condition.kind) {
    case "and": {
      const best = fewest(table, groupsOf(condition.conditions));
      return best === undefined ? table.size : estimate(table, best);
    }
    case "or": {
      let sum = 0;
      for (const part of condition.conditions) sum += estimate(table, part);
      return Math.min(sum, table.size);
    }
    default:
      return table.size;
  }
}

interface Found {
  /** At most so many. */
  readonly size: number;
  /** Just so many, where that is known without a look at them. */
  readonly exactSize: number | undefined;
  records(): readonly WireRecord[];
}

/** What one index answers all by itself. */
function looked(table: Table, condition: Lowered): Found | undefined {
  const hashed = isLeaf(condition) ? hashLookup(table, condition) : undefined;
  if (hashed !== undefined) return hashed;
  const path = isRanged(condition) ? onlyPath(condition) : undefined;
  const index = path === undefined ? undefined : sortedBy(table, path);
  if (index === undefined) return undefined;
  const ranges = exactRanges(index, condition);
  const size = sizeOf(ranges);
  return { size, exactSize: size, records: () => slices(index.records(), ranges) };
}

function hashLookup(table: Table, leaf: Leaf): Found | undefined {
  switch (leaf.kind) {
    case "equals":
      return byKeys(table, leaf, "values", [operandKey(leaf.operand)]);
    case "in":
      return byKeys(table, leaf, "values", leaf.operands.map(operandKey));
    case "contains":
      return byKeys(table, leaf, "elements", [operandKey(leaf.operand)]);
    case "overlaps":
      return byKeys(table, leaf, "elements", leaf.operands.map(operandKey));
    default:
      return undefined;
  }
}

function byKeys(table: Table, { path }: Leaf, kind: "values" | "elements", list: readonly Key[]): Found | undefined {
  const keys = list.length > 1 ? [...new Set(list)] : list;
  if (path.root === "id") return byIds(table, keys);
  const index = table.indexes.field(path)?.[kind];
  if (index === undefined) return undefined;
  let size = 0;
  for (const key of keys) size += index.size(key);
  const oneEach = kind === "values" || keys.length < 2;
  return {
    size,
    exactSize: oneEach ? size : undefined,
    records: () => {
      const found: WireRecord[] = [];
      for (const key of keys) for (const record of index.records(key)) found.push(record);
      return oneEach ? found : [...new Set(found)];
    },
  };
}

function byIds(table: Table, keys: readonly Key[]): Found {
  return {
    size: keys.length,
    exactSize: undefined,
    records: () =>
      keys.flatMap((key) => {
        // the key of a string is "s" and the string; ids are nothing else
        const record = typeof key === "string" && key.startsWith("s") ? table.get(key.slice(1)) : undefined;
        return record === undefined ? [] : [record];
      }),
  };
}

export function sortedBy(table: Table, path: Leaf["path"]): SortedIndex | undefined {
  return path.root === "id" ? table.ids : table.indexes.field(path)?.sorted;
}

/** Just what a ranged condition on the index's own field selects. */
function exactRanges(index: SortedIndex, condition: Lowered): Ranges {
  switch (condition.kind) {
    case "and": {
      const whole = complement([], index.records().length);
      return condition.conditions.reduce((ranges, part) => intersect(ranges, exactRanges(index, part)), whole);
    }
    case "or":
      return unite(...condition.conditions.map((part) => exactRanges(index, part)));
    case "not":
      return complement(exactRanges(index, condition.condition), index.records().length);
    default:
      return index.ranges(condition) ?? [];
  }
}

/** Where in the index all records of the condition lie; the rest of the condition has still to be tested. */
export function boundsIn(index: SortedIndex, condition: Lowered): Ranges {
  const whole = (): Ranges => complement([], index.records().length);
  switch (condition.kind) {
    case "and": {
      const bounds = condition.conditions.map((part) => boundsIn(index, part));
      return [...bounds, ...idBounds(index, condition.conditions)].reduce((a, b) => intersect(a, b), whole());
    }
    case "or":
      return unite(...condition.conditions.map((part) => boundsIn(index, part)));
    case "not": {
      const path = isRanged(condition) ? onlyPath(condition) : undefined;
      return path !== undefined && samePath(path, index.path) ? exactRanges(index, condition) : whole();
    }
    default:
      return samePath(condition.path, index.path) ? (index.ranges(condition) ?? whole()) : whole();
  }
}

/** Keyset paging inside level values: they lie in id order, so that a page begins where the last one ended. */
function idBounds(index: SortedIndex, conditions: readonly Lowered[]): readonly Ranges[] {
  for (const level of conditions) {
    if (level.kind !== "tied" || !samePath(level.path, index.path)) continue;
    for (const past of conditions) {
      if (past.kind === "compare" && past.path.root === "id" && past.op === ">" && past.operand.class === "string") {
        return [index.tiedAfter(level.operand, past.operand.value as string)];
      }
    }
  }
  return [];
}

/** The part with the fewest candidates; hash indexes are asked first, since they are never behind. */
function fewest(table: Table, parts: readonly Lowered[]): Lowered | undefined {
  const inTurn = [...parts].sort((a, b) => Number(isHashed(b)) - Number(isHashed(a)));
  let best: Lowered | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const part of inTurn) {
    if (least <= fewEnough) break;
    const size = estimate(table, part);
    if (size < least) {
      least = size;
      best = part;
    }
  }
  return best;
}

function isHashed({ kind }: Lowered): boolean {
  return kind === "equals" || kind === "in" || kind === "contains" || kind === "overlaps";
}

/** Parts of an `and` that are on one field go together: two bounds are one range. */
function groupsOf(conditions: readonly Lowered[]): readonly Lowered[] {
  const groups = new Map<unknown, Lowered[]>();
  for (const condition of conditions) {
    const path = isHashed(condition) || !isRanged(condition) ? undefined : onlyPath(condition);
    const key = path === undefined ? condition : pathKey(path);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [condition]);
    else group.push(condition);
  }
  return [...groups.values()].map((group) =>
    group.length === 1 ? (group[0] as Lowered) : { kind: "and", conditions: group },
  );
}

function isRanged(condition: Lowered): boolean {
  if (condition.kind === "not") return isRanged(condition.condition);
  return isLeaf(condition) ? isRange(condition) : condition.conditions.every(isRanged);
}

/** The field that all leaves are on. */
function onlyPath(condition: Lowered): Leaf["path"] | undefined {
  if (condition.kind === "not") return onlyPath(condition.condition);
  if (isLeaf(condition)) return condition.path;
  const [first, ...rest] = condition.conditions.map(onlyPath);
  return first !== undefined && rest.every((path) => path !== undefined && samePath(path, first)) ? first : undefined;
}

function isLeaf(condition: Lowered): condition is Leaf {
  return condition.kind !== "and" && condition.kind !== "or" && condition.kind !== "not";
}

function slices(records: readonly WireRecord[], ranges: Ranges): readonly WireRecord[] {
  if (ranges.length === 1) return records.slice(...(ranges[0] as readonly [number, number]));
  return ranges.flatMap(([from, to]) => records.slice(from, to));
}
