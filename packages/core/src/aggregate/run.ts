/** Reference aggregation: over wire records, in one pass; memory grows with the groups. */
import type { AggregateRow, Cell } from "../backend/spi.js";
import { getterOf, typesOf } from "../match/access.js";
import { classOf, compareWithin, keyOf, rankOf } from "../match/compare.js";
import type { Path, ValueClass } from "../query/lowered.js";
import type { Json, TypeMap, WireRecord } from "../record/json.js";
import { filterTypes, isComparable, typesBelow } from "../record/type-map.js";
import type { AggregatePlan, LoweredFunction, LoweredKey } from "./ast.js";
import { bucketOf, dateBucketOf } from "./buckets.js";

export interface Aggregator {
  add(record: WireRecord): void;
  rows(): AggregateRow[];
}

interface KeyReader {
  read(record: WireRecord): Cell;
}

interface Accumulator {
  add(record: WireRecord): void;
  result(): Cell;
}

interface Group {
  readonly cells: Cell[];
  readonly accumulators: readonly Accumulator[];
}

export function aggregatorOf(plan: AggregatePlan): Aggregator {
  const keys = plan.keys.map(keyReader);
  const makers = plan.functions.map(accumulatorMaker);
  const newGroup = (cells: Cell[]): Group => ({ cells, accumulators: makers.map((make) => make()) });
  const groups = new Map<string | number, Group>();
  // without keys there is one group, records or not
  if (keys.length === 0) groups.set("", newGroup([]));
  const add = (record: WireRecord): void => {
    const cells = keys.map((key) => key.read(record));
    const [only] = cells;
    const name =
      cells.length === 1 && only !== undefined
        ? nameOf(only)
        : cells.map((cell) => JSON.stringify(nameOf(cell))).join(",");
    let group = groups.get(name);
    if (group === undefined) {
      group = newGroup(cells);
      groups.set(name, group);
    } else {
      // a string group comes back as Date only where every value of it is one
      for (let index = 0; index < cells.length; index++) {
        const cell = cells[index] as Cell;
        const kept = group.cells[index] as Cell;
        if (isDate(kept) && !isDate(cell)) group.cells[index] = cell;
      }
    }
    for (const accumulator of group.accumulators) accumulator.add(record);
  };
  return {
    add,
    rows: () =>
      [...groups.values()].map(({ cells, accumulators }) => ({
        keys: cells,
        values: accumulators.map((accumulator) => accumulator.result()),
      })),
  };
}

const nullCell: Cell = Object.freeze({ json: null });

const dateTypes: TypeMap = Object.freeze({ "": "date" });

function isDate(cell: Cell): boolean {
  return cell.types?.[""] === "date";
}

function nameOf({ json, types }: Cell): string | number {
  return keyOf(json, types ?? null, "");
}

function keyReader(key: LoweredKey): KeyReader {
  const read = cellReader(key.path);
  switch (key.kind) {
    case "path":
      return { read };
    case "bucket":
      return {
        read: (record) => {
          const { json } = read(record);
          return typeof json === "number" ? { json: bucketOf(json, key.width) } : nullCell;
        },
      };
    case "dateBucket":
      return {
        read: (record) => {
          const { json, types } = read(record);
          if (typeof json !== "string" || classOf(json, types ?? null, "") !== "string") return nullCell;
          const start = dateBucketOf(json, key.unit);
          return start === null ? nullCell : { json: start, types: dateTypes };
        },
      };
  }
}

/** The value at a path with the type that JSON lacks; null where missing. */
function cellReader(path: Path): (record: WireRecord) => Cell {
  const get = getterOf(path);
  const types = typesOf(path);
  const isTime = path.root === "createdAt" || path.root === "updatedAt";
  return (record) => {
    const json = get(record);
    if (json === undefined || json === null) return nullCell;
    if (isTime) return { json, types: dateTypes };
    const map = types(record);
    if (map === null) return { json };
    if (typeof json !== "object") {
      const type = map[path.pointer];
      return type === undefined ? { json } : { json, types: { "": type } };
    }
    // inside arrays and objects only what equality tells apart; a Float32Array is an array of numbers here
    return { json, types: filterTypes(typesBelow(map, path.pointer), (_, tag) => isComparable(tag)) };
  };
}

function accumulatorMaker(fn: LoweredFunction): () => Accumulator {
  switch (fn.kind) {
    case "count":
      return fn.path === undefined ? counter(() => true) : counter(presence(fn.path));
    case "countDistinct":
      return distinct(cellReader(fn.path));
    case "sum":
    case "avg":
      return total(getterOf(fn.path), fn.kind);
    case "min":
    case "max":
      return extreme(cellReader(fn.path), fn.kind);
    case "percentile":
      return ranked(getterOf(fn.path), fn.fraction);
  }
}

function presence(path: Path): (record: WireRecord) => boolean {
  const get = getterOf(path);
  return (record) => (get(record) ?? null) !== null;
}

function counter(counts: (record: WireRecord) => boolean): () => Accumulator {
  return () => {
    let n = 0;
    return {
      add: (record) => {
        if (counts(record)) n++;
      },
      result: () => ({ json: n }),
    };
  };
}

function distinct(read: (record: WireRecord) => Cell): () => Accumulator {
  return () => {
    const seen = new Set<string | number>();
    return {
      add: (record) => {
        const cell = read(record);
        if (cell.json !== null) seen.add(nameOf(cell));
      },
      result: () => ({ json: seen.size }),
    };
  };
}

function total(get: (record: WireRecord) => Json | undefined, kind: "sum" | "avg"): () => Accumulator {
  return () => {
    let sum = 0;
    let lost = 0;
    let n = 0;
    return {
      add: (record) => {
        const value = get(record);
        if (typeof value !== "number") return;
        n++;
        // Neumaier's compensated summation: the result does not hang on the order of the records
        const next = sum + value;
        lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
        sum = next;
      },
      result: () => {
        const whole = Number.isFinite(lost) ? sum + lost : sum;
        return { json: kind === "sum" ? whole : n === 0 ? null : whole / n };
      },
    };
  };
}

function extreme(read: (record: WireRecord) => Cell, kind: "min" | "max"): () => Accumulator {
  const sign = kind === "min" ? 1 : -1;
  return () => {
    let best: Cell = nullCell;
    let bestClass: ValueClass = "null";
    let stringsAreDates = true;
    return {
      add: (record) => {
        const cell = read(record);
        const valueClass = classOf(cell.json, cell.types ?? null, "");
        if (valueClass === "null" || valueClass === "array" || valueClass === "object") return;
        if (valueClass === "string" && !isDate(cell)) stringsAreDates = false;
        const difference =
          bestClass === "null"
            ? -1
            : sign *
              (valueClass === bestClass
                ? compareWithin(valueClass, cell.json, best.json)
                : rankOf(valueClass) - rankOf(bestClass));
        if (difference < 0) {
          best = cell;
          bestClass = valueClass;
        }
      },
      result: () => {
        if (bestClass !== "string") return best;
        return stringsAreDates ? { json: best.json, types: dateTypes } : { json: best.json };
      },
    };
  };
}

function ranked(get: (record: WireRecord) => Json | undefined, fraction: number): () => Accumulator {
  return () => {
    const numbers: number[] = [];
    return {
      add: (record) => {
        const value = get(record);
        if (typeof value === "number") numbers.push(value);
      },
      result: () => ({ json: percentileOf(numbers, fraction) }),
    };
  };
}

/** Linear between ranks, as SQL's percentile_cont; null of none. Sorts in place. */
export function percentileOf(numbers: number[], fraction: number): number | null {
  if (numbers.length === 0) return null;
  const sorted = Float64Array.from(numbers).sort();
  const rank = fraction * (sorted.length - 1);
  const low = Math.floor(rank);
  const lower = sorted[low] as number;
  const upper = sorted[Math.min(low + 1, sorted.length - 1)] as number;
  return lower + (upper - lower) * (rank - low);
}
