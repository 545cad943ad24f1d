/**
 * Which row groups a condition need not look at, by the columns' statistics. The code of a leaf is a test of a row group
 * that may say yes too often and never says no wrongly: core filters what is read. It names no column but a path, so that
 * it holds for whatever layout the file has by the time it is scanned.
 */
import {
  type Compiled,
  type Compiler,
  compareText,
  compareWithin,
  type Json,
  type Leaf,
  type LeafKind,
  type Operand,
  type Path,
  parseLike,
  type ValueClass,
} from "@dataknobs/core/backend";
import type { ColumnKind } from "./parquet-columns.js";
import { ownNames } from "./parquet-columns.js";
import type { ParquetReader } from "./parquet-reader.js";

export interface Skip {
  /** No record at all: an empty `or`, the one condition that is exact without looking at records. */
  readonly never: boolean;
  mayMatch(stats: StatsAt): boolean;
}

/** What is known of the values at a path; `undefined`: nothing. */
export type StatsAt = (path: Path) => ColumnStats | undefined;

export function skipCompiler(hasColumn: (path: Path) => string | undefined): Compiler<Skip> {
  const compiled = (leaf: Leaf, test: (stats: ColumnStats) => boolean): Compiled<Skip> => {
    const name = hasColumn(leaf.path);
    return {
      code: {
        never: false,
        mayMatch: (at) => {
          const stats = at(leaf.path);
          return stats === undefined || test(stats);
        },
      },
      exact: false,
      ...(name !== undefined && { index: `statistics of ${name}` }),
      why: name === undefined ? "no column holds just this field" : "statistics tell which row groups may have it",
    };
  };
  return {
    leaf: {
      exists: (leaf) => compiled(leaf, ({ empty, strays }) => !empty || strays.some((one) => one !== "null")),
      equals: (leaf) => compiled(leaf, (stats) => mayHave(stats, leaf.operand)),
      in: (leaf) => compiled(leaf, (stats) => leaf.operands.some((operand) => mayHave(stats, operand))),
      compare: (leaf) =>
        compiled(leaf, (stats) =>
          within(stats, leaf.operand.class, (low, high, compare) => {
            const { op, operand } = leaf;
            if (op === "<") return compare(low, operand.value) < 0;
            if (op === "<=") return compare(low, operand.value) <= 0;
            return op === ">" ? compare(high, operand.value) > 0 : compare(high, operand.value) >= 0;
          }),
        ),
      between: ({ lower, upper, ...leaf }) =>
        compiled({ ...leaf, lower, upper }, (stats) =>
          within(
            stats,
            lower.class,
            (low, high, compare) => compare(low, upper.value) <= 0 && compare(high, lower.value) >= 0,
          ),
        ),
      prefix: (leaf) => compiled(leaf, (stats) => mayBegin(stats, leaf.prefix)),
      like: (leaf) => {
        const [first] = leaf.insensitive ? [] : (parseLike(leaf.pattern) ?? []);
        return compiled(leaf, (stats) => mayBegin(stats, first?.kind === "text" ? first.text : ""));
      },
      contains: (leaf) => compiled(leaf, ({ strays }) => strays.includes("array")),
      overlaps: (leaf) => compiled(leaf, ({ strays }) => strays.includes("array")),
    },
    and: (parts) => ({
      never: parts.some(({ never }) => never),
      mayMatch: (at) => parts.every((part) => part.mayMatch(at)),
    }),
    or: (parts) => ({
      never: parts.every(({ never }) => never),
      mayMatch: (at) => parts.some((part) => part.mayMatch(at)),
    }),
    // only asked for exact code, which is never or always
    not: ({ never }) => ({ never: !never, mayMatch: () => never }),
  };
}

export const skipKinds: readonly LeafKind[] = Object.freeze(
  Object.keys(skipCompiler(() => undefined).leaf).sort() as LeafKind[],
);

/** What is known of the values at a path in a row group, or in a file. */
export interface ColumnStats {
  readonly class: ValueClass;
  /** No value in the column. */
  readonly empty: boolean;
  readonly low: Json | undefined;
  readonly high: Json | undefined;
  /** Classes of values somewhere in the file that are not in the column. */
  readonly strays: readonly ValueClass[];
}

const classes: { readonly [K in ColumnKind]: ValueClass } = {
  number: "number",
  integer: "number",
  string: "string",
  date: "string",
  boolean: "boolean",
  bigint: "bigint",
  bytes: "bytes",
};

export function statsOf(reader: ParquetReader, group: number, path: Path): ColumnStats | undefined {
  const column = columnOf(reader, path);
  if (column === undefined) return undefined;
  const { row_groups } = reader.metadata;
  const meta = row_groups[group]?.columns.find(
    ({ meta_data }) => meta_data?.path_in_schema.join(".") === column.name,
  )?.meta_data;
  const { min_value: low, max_value: high, null_count: nulls } = meta?.statistics ?? {};
  return {
    class: classes[column.kind],
    empty: nulls !== undefined && nulls === meta?.num_values,
    low: toJson(low, column.kind),
    high: toJson(high, column.kind),
    strays: column.strays,
  };
}

interface Known {
  readonly name: string;
  readonly kind: ColumnKind;
  readonly strays: readonly ValueClass[];
}

export function columnOf(reader: ParquetReader, path: Path): Known | undefined {
  if (path.root === "data") {
    return reader.fields.find(
      ({ segments }) =>
        segments.length === path.segments.length &&
        segments.every((segment, index) => segment === path.segments[index]),
    );
  }
  if (reader.isForeign || path.root === "metadata") return undefined;
  return { name: ownNames[path.root], kind: path.root === "id" ? "string" : "date", strays: [] };
}

function toJson(value: unknown, kind: ColumnKind): Json | undefined {
  if (value === undefined || value === null || kind === "bytes") return undefined;
  switch (kind) {
    case "date": {
      const time = Number(value);
      // beyond these years the text's order is not the time's
      return time >= -62_167_219_200_000 && time < 253_402_300_800_000 ? new Date(time).toISOString() : undefined;
    }
    case "bigint":
      return String(value);
    case "integer":
      return Number(value);
    case "number":
      return Number.isNaN(value) ? undefined : (value as number);
    case "boolean":
      return value as boolean;
    case "string":
      return value as string;
  }
}

type Compare = (a: Json, b: Json) => number;

/** Asks with the bounds of the values that have the class; yes where there may be others. */
function within(
  { class: own, empty, low, high, strays }: ColumnStats,
  wanted: ValueClass,
  test: (low: Json, high: Json, compare: Compare) => boolean,
): boolean {
  if (strays.includes(wanted)) return true;
  if (own !== wanted || empty) return false;
  return low === undefined || high === undefined || test(low, high, (a, b) => compareWithin(own, a, b));
}

function mayHave(stats: ColumnStats, { class: wanted, value }: Operand): boolean {
  return within(stats, wanted, (low, high, compare) => compare(low, value) <= 0 && compare(high, value) >= 0);
}

function mayBegin(stats: ColumnStats, prefix: string): boolean {
  return within(
    stats,
    "string",
    (low, high) =>
      compareText(high as string, prefix) >= 0 &&
      (compareText(low as string, prefix) <= 0 || (low as string).startsWith(prefix)),
  );
}
