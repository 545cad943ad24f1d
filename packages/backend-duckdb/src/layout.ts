/**
 * The table: which columns there are, and which of them hold a declared field.
 *
 * A declared field of a type has one column of that type; a field without a type has one per common class. A value
 * that fits none of its field's columns stays in the JSON, and the row says so in `odd`. What a column holds, the JSON
 * has no more; objects that it was in are there still.
 */
import { type FieldType, type IndexSpec, type Path, resolvePath, samePath } from "@dataknobs/core/backend";
import { quoteIdentifier } from "@dataknobs/sql";

/** What one column holds: all values of its class, Dates apart from other strings. */
export type SlotKind = "number" | "string" | "boolean" | "date" | "bigint" | "bytes";

export interface Slot {
  readonly kind: SlotKind;
  /** As SQL names the column; not quoted. */
  readonly name: string;
  /** Quoted. */
  readonly column: string;
}

export interface DeclaredField {
  readonly path: Path;
  readonly slots: readonly Slot[];
  /** The quoted column of a unique index: a text that is equal for equal values. */
  readonly unique: string | undefined;
}

/** A field declared for vectors: the list stays in the JSON, a column of its own has it as 32-bit floats. */
export interface VectorColumn {
  readonly path: Path;
  readonly dimensions: number;
  readonly name: string;
  /** Quoted. */
  readonly column: string;
}

/** A declared field, and where its first column is among those of all fields. */
export interface SlotPlace extends DeclaredField {
  readonly at: number;
}

export interface Places {
  /** Fields of the record's own, by their names. */
  readonly top: ReadonlyMap<string, SlotPlace>;
  /** Fields of objects within. */
  readonly nested: readonly SlotPlace[];
}

export interface Layout {
  readonly table: string;
  readonly fields: readonly DeclaredField[];
  /** Declared indexes, those for full text included. */
  readonly indexes: readonly IndexSpec[];
  /** Of all fields, in the order of the columns. */
  readonly slots: readonly Slot[];
  readonly places: { readonly data: Places; readonly metadata: Places };
  /** Quoted names of the key columns of unique indexes. */
  readonly uniques: readonly string[];
  readonly vectors: readonly VectorColumn[];
  /** What FROM names: the table, or files. */
  readonly source: string;
}

export const layoutVersion = 1;
export const metaTable = "dataknobs";

/** Of every table, in their order; the slots of fields follow, then the keys of unique indexes. */
export const baseColumns = ["id", "data", "metadata", "types", "version", "created_at", "updated_at", "odd"] as const;

const baseTypes: { readonly [K in (typeof baseColumns)[number]]: string } = {
  id: "VARCHAR PRIMARY KEY",
  data: "JSON",
  metadata: "JSON",
  types: "JSON",
  version: "VARCHAR",
  created_at: "TIMESTAMP",
  updated_at: "TIMESTAMP",
  odd: "BOOLEAN",
};

const slotTypes: { readonly [K in SlotKind]: string } = {
  number: "DOUBLE",
  string: "VARCHAR",
  boolean: "BOOLEAN",
  date: "TIMESTAMP",
  // sortable texts, of any number of digits
  bigint: "VARCHAR",
  bytes: "VARCHAR",
};

const kindOf: { readonly [K in FieldType]: SlotKind } = {
  string: "string",
  number: "number",
  integer: "number",
  boolean: "boolean",
  date: "date",
  bigint: "bigint",
  bytes: "bytes",
};
const untypedKinds: readonly SlotKind[] = ["number", "string", "boolean", "date"];

/** As it is kept beside the table. */
export interface StoredLayout {
  readonly version: number;
  readonly fields: readonly {
    readonly path: readonly string[];
    readonly slots: readonly { readonly kind: SlotKind; readonly name: string }[];
    readonly unique?: string;
  }[];
  readonly indexes: readonly {
    readonly path: readonly string[];
    readonly type?: FieldType;
    readonly unique: boolean;
    readonly text: boolean;
    readonly vector?: NonNullable<IndexSpec["vector"]>;
    readonly name: string;
  }[];
  readonly vectors?: readonly {
    readonly path: readonly string[];
    readonly dimensions: number;
    readonly name: string;
  }[];
}

export function makeLayout(
  table: string,
  fields: readonly DeclaredField[],
  indexes: readonly IndexSpec[],
  source: string = quoteIdentifier(table),
  vectors: readonly VectorColumn[] = [],
): Layout {
  return Object.freeze({
    table,
    fields,
    indexes,
    slots: fields.flatMap((field) => field.slots),
    places: { data: placesOf(fields, "data"), metadata: placesOf(fields, "metadata") },
    uniques: fields.flatMap(({ unique }) => (unique === undefined ? [] : [unique])),
    vectors,
    source,
  });
}

function placesOf(fields: readonly DeclaredField[], root: "data" | "metadata"): Places {
  let at = 0;
  const places = fields.map((field) => {
    const place = { ...field, at };
    at += field.slots.length;
    return place;
  });
  const own = places.filter(({ path }) => path.root === root);
  return {
    top: new Map(
      own.flatMap((place) => (place.path.segments.length === 1 ? [[place.path.segments[0] as string, place]] : [])),
    ),
    nested: own.filter(({ path }) => path.segments.length > 1),
  };
}

/** Every column, quoted, in the order of the table. */
export function columnsOf({ slots, uniques, vectors }: Layout): string[] {
  return [...baseColumns, ...slots.map(({ column }) => column), ...uniques, ...vectors.map(({ column }) => column)];
}

/** The table's definition. */
export function tableDefinition({ slots, uniques, vectors }: Layout): string {
  const columns = [
    ...baseColumns.map((name) => `${name} ${baseTypes[name]}`),
    ...slots.map(({ column, kind }) => `${column} ${slotTypes[kind]}`),
    ...uniques.map((column) => `${column} VARCHAR`),
    ...vectors.map(({ column, dimensions }) => `${column} FLOAT[${dimensions}]`),
  ];
  return `(${columns.join(", ")})`;
}

/** The layout with these indexes; columns of fields that had some already keep their names and types. */
export function declare(before: Layout, indexes: readonly IndexSpec[]): Layout {
  const named = [...before.slots, ...before.vectors].map(({ name }) => name.toLowerCase());
  const taken = new Set<string>([...baseColumns, ...named]);
  const fields: DeclaredField[] = [];
  for (const spec of indexes) {
    if (spec.text || spec.vector !== undefined || fields.some(({ path }) => samePath(path, spec.path))) continue;
    const old = before.fields.find(({ path }) => samePath(path, spec.path));
    const unique = indexes.some((one) => one.unique && samePath(one.path, spec.path));
    fields.push({
      path: spec.path,
      slots: old?.slots ?? makeSlots(spec, indexes, taken),
      unique: unique ? (old?.unique ?? quoteIdentifier(freeName(`${plainName(spec.path)}:unique`, taken))) : undefined,
    });
  }
  return makeLayout(before.table, fields, indexes, undefined, vectorsOf(before, indexes, taken));
}

function vectorsOf(before: Layout, indexes: readonly IndexSpec[], taken: Set<string>): VectorColumn[] {
  const vectors: VectorColumn[] = [];
  for (const { path, vector } of indexes) {
    if (vector === undefined) continue;
    const { dimensions } = vector;
    const isIt = (one: VectorColumn): boolean => samePath(one.path, path) && one.dimensions === dimensions;
    if (vectors.some(isIt)) continue;
    const old = before.vectors.find(isIt);
    const name = old?.name ?? freeName(`${plainName(path)}:vector(${dimensions})`, taken);
    vectors.push({ path, dimensions, name, column: quoteIdentifier(name) });
  }
  return vectors;
}

function makeSlots({ path, type }: IndexSpec, indexes: readonly IndexSpec[], taken: Set<string>): Slot[] {
  const declared = type ?? indexes.find((spec) => spec.type !== undefined && samePath(spec.path, path))?.type;
  const kinds = declared === undefined ? untypedKinds : [kindOf[declared]];
  return kinds.map((kind) => {
    const name = freeName(declared === undefined ? `${plainName(path)}:${kind}` : plainName(path), taken);
    return { kind, name, column: quoteIdentifier(name) };
  });
}

function plainName({ root, segments }: Path): string {
  return root === "metadata" ? ["metadata", ...segments].join(".") : segments.join(".");
}

/** DuckDB's names are equal in any case of letters; ours come first. */
function freeName(wanted: string, taken: Set<string>): string {
  let name = wanted;
  if (name === "" || taken.has(name.toLowerCase())) name = `data.${wanted}`;
  for (let count = 2; taken.has(name.toLowerCase()); count++) name = `data.${wanted} (${count})`;
  taken.add(name.toLowerCase());
  return name;
}

export function storeLayout({ fields, indexes, vectors }: Layout): StoredLayout {
  const steps = ({ root, segments }: Path): string[] => [root, ...segments];
  return {
    version: layoutVersion,
    fields: fields.map(({ path, slots, unique }) => ({
      path: steps(path),
      slots: slots.map(({ kind, name }) => ({ kind, name })),
      ...(unique !== undefined && { unique }),
    })),
    ...(vectors.length > 0 && {
      vectors: vectors.map(({ path, dimensions, name }) => ({ path: steps(path), dimensions, name })),
    }),
    indexes: indexes.map(({ path, type, unique, text, vector, name }) => ({
      path: steps(path),
      ...(type !== undefined && { type }),
      unique,
      text,
      ...(vector !== undefined && { vector }),
      name,
    })),
  };
}

export function loadLayout(table: string, { fields, indexes, vectors = [] }: StoredLayout): Layout {
  return makeLayout(
    table,
    fields.map(({ path, slots, unique }) => ({
      path: resolvePath(path),
      slots: slots.map(({ kind, name }) => ({ kind, name, column: quoteIdentifier(name) })),
      unique,
    })),
    indexes.map(({ path, type, unique, text, vector, name }) => ({
      path: resolvePath(path),
      type,
      unique,
      text,
      name,
      ...(vector !== undefined && { vector }),
    })),
    undefined,
    vectors.map(({ path, dimensions, name }) => ({
      path: resolvePath(path),
      dimensions,
      name,
      column: quoteIdentifier(name),
    })),
  );
}
