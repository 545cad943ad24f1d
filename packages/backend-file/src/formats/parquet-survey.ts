/**
 * Which fields get a typed column of their own: declared ones at any depth, and every top-level field with a plain value
 * somewhere. A column's kind is that of most of its values. Columns stay when records are added, and new ones join them;
 * all are chosen anew where whole numbers are joined by fractions, or where more values came that do not fit a column than
 * it has.
 */
import { type Json, type ValueClass, type WireRecord, walk } from "@dataknobs/core/backend";
import type { DeclaredField } from "./format.js";
import { type ColumnKind, type FieldColumn, pointerOf, reserved } from "./parquet-columns.js";

type Segments = readonly string[];
type Counts = Map<ColumnKind, number>;

/** Paths of declared fields. */
export function declaredPaths(declared: readonly DeclaredField[]): readonly Segments[] {
  const paths = new Map<string, Segments>();
  for (const { path } of declared) {
    if (path.root === "data" && path.segments.length > 0) paths.set(path.pointer, path.segments);
  }
  return [...paths.values()];
}

/** Kinds of values by path, of as many records as it is shown. */
export class Survey {
  readonly #fields: Map<string, { readonly segments: Segments; readonly counts: Counts }> = new Map();

  constructor(declared: readonly Segments[]) {
    for (const segments of declared) this.#fields.set(pointerOf(segments), { segments, counts: new Map() });
  }

  add(records: readonly WireRecord[]): void {
    const names = new Set<string>();
    for (const { data } of records) for (const name of Object.keys(data)) names.add(name);
    for (const name of names) {
      const pointer = pointerOf([name]);
      if (!this.#fields.has(pointer)) this.#fields.set(pointer, { segments: [name], counts: new Map() });
    }
    for (const [pointer, { segments, counts }] of this.#fields) {
      for (const { data, types } of records) {
        const kind = kindOf(walk(data, segments, 0), types?.[pointer]);
        if (kind !== undefined) counts.set(kind, (counts.get(kind) ?? 0) + 1);
      }
    }
  }

  /** A column for each path with plain values, where no other column has its name. */
  columns(): readonly FieldColumn[] {
    return this.#columnsBeside([], []);
  }

  /**
   * The columns of a file to which the records shown are added: those that it has, and new ones; `undefined` where they
   * have to be chosen anew. `cells`: values that a column has. `hasRest`: whether the file has fields outside of columns.
   */
  evolved(
    columns: readonly FieldColumn[],
    { cells, hasRest }: { readonly cells: (name: string) => number; readonly hasRest: boolean },
  ): readonly FieldColumn[] | undefined {
    const kept: FieldColumn[] = [];
    for (const column of columns) {
      const counts = this.#fields.get(pointerOf(column.segments))?.counts ?? new Map<ColumnKind, number>();
      if (column.kind === "integer" && counts.has("number")) return undefined;
      const misfits = (column.misfits ?? 0) + misfitsOf(counts, column.kind);
      if (misfits > cells(column.name)) return undefined;
      kept.push(misfits === 0 ? column : { ...column, misfits });
    }
    // a field that has no column has no plain value in the file
    return this.#columnsBeside(kept, hasRest ? ["null", "array", "object"] : []);
  }

  #columnsBeside(columns: readonly FieldColumn[], strays: readonly ValueClass[]): readonly FieldColumn[] {
    const all = [...columns];
    for (const { segments, counts } of this.#fields.values()) {
      const name = segments.join(".");
      // hyparquet drops U+FEFF from the beginning of a column's name
      if (counts.size === 0 || reserved.has(name) || name.startsWith("\ufeff")) continue;
      if (all.some((column) => column.name === name)) continue;
      all.push({ name, segments, kind: mostOf(counts), strays });
    }
    return all;
  }
}

function mostOf(counts: Counts): ColumnKind {
  const all = new Map(counts);
  // whole numbers are numbers, where there are others
  if (all.has("number")) all.set("number", (all.get("number") ?? 0) + (all.get("integer") ?? 0));
  const [[kind]] = [...all].sort((a, b) => b[1] - a[1]) as [[ColumnKind, number]];
  return kind;
}

function misfitsOf(counts: Counts, kind: ColumnKind): number {
  let misfits = 0;
  for (const [other, count] of counts) {
    if (other !== kind && !(kind === "number" && other === "integer")) misfits += count;
  }
  return misfits;
}

function kindOf(value: Json | undefined, tag: string | undefined): ColumnKind | undefined {
  if (typeof value === "number") return Number.isSafeInteger(value) ? "integer" : "number";
  if (typeof value === "boolean") return "boolean";
  if (typeof value !== "string") return undefined;
  if (tag === undefined) return "string";
  return tag === "date" || tag === "bigint" || tag === "bytes" ? tag : undefined;
}
