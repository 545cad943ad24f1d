/**
 * The records of a store in memory, as the file has them: what reads answer from and writes are decided on. Every
 * change goes through `put`, so that the unique indexes keep step. Records are frozen before they are handed out.
 */
import {
  applyMerge,
  applyWrite,
  DataknobsError,
  freezeRecord,
  type IndexSpec,
  isRefusal,
  keyOf,
  type MergeOp,
  type TypeMap,
  valueAt,
  type WireRecord,
  type WriteOp,
  type WriteOutcome,
} from "@dataknobs/core/backend";

/** A patch is one more kind of write here. */
export type Op = WriteOp | ({ readonly kind: "merge" } & MergeOp);

/** The records before a change, newest first when undone. */
export type Change = readonly [id: string, before: WireRecord | undefined, after: WireRecord | undefined];

export class Image {
  readonly #uniques: readonly Unique[];
  #byId: Map<string, WireRecord> | undefined;
  /** While records come with ascending ids, as from a file of ours, no two can be the same: no map is needed yet. */
  #ascending: WireRecord[] = [];
  #lastId = "";
  #all: readonly WireRecord[] | undefined;

  constructor(indexes: readonly IndexSpec[]) {
    this.#uniques = indexes.filter(({ unique }) => unique).map((spec) => new Unique(spec));
  }

  get size(): number {
    return this.#byId?.size ?? this.#ascending.length;
  }

  get(id: string): WireRecord | undefined {
    return this.#map().get(id);
  }

  /** Every record. The array is a snapshot: a change makes a new one. */
  all(): readonly WireRecord[] {
    this.#all ??= this.#byId === undefined ? this.#ascending : Array.from(this.#byId.values());
    return this.#all;
  }

  put(id: string, after: WireRecord | undefined): void {
    if (this.#byId === undefined && this.#all === undefined && after !== undefined && id > this.#lastId) {
      for (const unique of this.#uniques) unique.change(undefined, after);
      this.#ascending.push(after);
      this.#lastId = id;
      return;
    }
    const records = this.#map();
    this.#all = undefined;
    if (this.#uniques.length > 0) {
      const before = records.get(id);
      for (const unique of this.#uniques) unique.change(before, after);
    }
    if (after === undefined) records.delete(id);
    else records.set(id, after);
  }

  #map(): Map<string, WireRecord> {
    if (this.#byId !== undefined) return this.#byId;
    this.#byId = new Map(this.#ascending.map((record) => [record.id, record]));
    this.#all ??= this.#ascending;
    this.#ascending = [];
    return this.#byId;
  }

  /** Throws `ALREADY_EXISTS` where two records of the file have one value in a unique index. */
  checkUniques(): void {
    for (const unique of this.#uniques) unique.check();
  }

  /** Decides and applies operations in order; the changes made, and undone again where an atomic batch is refused. */
  apply(
    ops: readonly Op[],
    { atomic }: { readonly atomic: boolean },
  ): { readonly outcomes: readonly WriteOutcome[]; readonly changes: readonly Change[] } {
    const changes: Change[] = [];
    const outcomes = ops.map((op) => {
      const before = this.get(op.id);
      // what stays of it goes into the record after
      if (before !== undefined) freezeRecord(before);
      const outcome = op.kind === "merge" ? applyMerge(op, before) : applyWrite(op, before);
      const after = outcome.status === "written" ? outcome.record : undefined;
      if (after === undefined && outcome.status !== "deleted") return outcome;
      const taken = after && this.#uniques.find((unique) => unique.isTaken(after));
      if (taken !== undefined) return { status: "duplicate", index: taken.name } as const;
      changes.push([op.id, before, after]);
      this.put(op.id, after);
      return outcome;
    });
    if (!atomic || !outcomes.some(isRefusal)) return { outcomes, changes };
    this.#undo(changes);
    return { outcomes: outcomes.map((one) => (isRefusal(one) ? one : { status: "rolledBack" })), changes: [] };
  }

  #undo(changes: readonly Change[]): void {
    for (let index = changes.length - 1; index >= 0; index--) {
      const [id, before] = changes[index] as Change;
      this.put(id, before);
    }
  }
}

/** Value → id, for one unique index. */
class Unique {
  readonly name: string;
  readonly #value: ReturnType<typeof valueAt>;
  readonly #spec: IndexSpec;
  readonly #ids: Map<string | number, string> = new Map();
  #collision: readonly [string, string] | undefined;

  constructor(spec: IndexSpec) {
    this.name = spec.name;
    this.#spec = spec;
    this.#value = valueAt(spec.path);
  }

  isTaken(record: WireRecord): boolean {
    const key = this.#key(record);
    const id = key === undefined ? undefined : this.#ids.get(key);
    return id !== undefined && id !== record.id;
  }

  change(before: WireRecord | undefined, after: WireRecord | undefined): void {
    const old = before === undefined ? undefined : this.#key(before);
    if (old !== undefined && this.#ids.get(old) === before?.id) this.#ids.delete(old);
    const key = after === undefined ? undefined : this.#key(after);
    if (key === undefined || after === undefined) return;
    const other = this.#ids.get(key);
    if (other !== undefined && other !== after.id) this.#collision ??= [other, after.id];
    this.#ids.set(key, after.id);
  }

  check(): void {
    if (this.#collision === undefined) return;
    const ids = this.#collision;
    throw new DataknobsError(
      "ALREADY_EXISTS",
      `The unique index "${this.name}" cannot be made: the records "${ids[0]}" and "${ids[1]}" have the same value.`,
      { backend: "file", index: this.name, ids },
    );
  }

  #key(record: WireRecord): string | number | undefined {
    const found = this.#value(record);
    if (found.class === "null" || found.value === undefined) return undefined;
    const types: TypeMap | null = this.#spec.path.root === "metadata" ? record.metadataTypes : record.types;
    return keyOf(found.value, types, this.#spec.path.pointer);
  }
}
