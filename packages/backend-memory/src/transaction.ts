/**
 * A transaction: snapshot isolation by copy-on-write. What it writes, and what others overwrite after it began, lies
 * in an overlay over the table; the rest is shared. The first of two transactions that wrote one record commits,
 * the other gets `CONFLICT`. Two that read what the other writes both commit (write skew), as snapshots allow.
 */
import {
  type AggregateRequest,
  type AggregateRow,
  DataknobsError,
  type MergeOp,
  type ScanRequest,
  type Transaction,
  type WireRecord,
  type WriteOp,
  type WriteOutcome,
  type WriteRequest,
} from "@dataknobs/core/backend";
import { applyAll, applyPatch, type ChangeableStore, ChangeLog, remove } from "./apply.js";
import { type Code, whereOf } from "./compile.js";
import { HashIndex } from "./hash-index.js";
import type { Table } from "./table.js";
import { View } from "./view.js";

/** What a transaction needs of the store that it belongs to. */
export interface Host {
  /** Throws `LIMIT_EXCEEDED` where a store of so many records is too large. */
  checkSize(size: number): void;
  /** All or nothing, seen by the other open transactions. */
  commit(changes: ReadonlyMap<string, WireRecord | undefined>): void;
  /** The transaction is over. */
  leave(transaction: MemoryTransaction): void;
}

export class MemoryTransaction implements Transaction<Code>, ChangeableStore {
  readonly #table: Table;
  readonly #host: Host;
  readonly #overlay: Map<string, WireRecord | undefined> = new Map();
  readonly #own: Set<string> = new Set();
  readonly #theirs: Set<string> = new Set();
  /** The overlay's own values of unique indexes. */
  readonly #values: Map<string, HashIndex> = new Map();
  #size: number;

  constructor(table: Table, host: Host) {
    this.#table = table;
    this.#host = host;
    this.#size = table.size;
  }

  get(id: string): WireRecord | undefined {
    return this.#overlay.has(id) ? this.#overlay.get(id) : this.#table.get(id);
  }

  put(id: string, before: WireRecord | undefined, after: WireRecord | undefined): void {
    this.#size += Number(after !== undefined) - Number(before !== undefined);
    this.#overlay.set(id, after);
    for (const values of this.#values.values()) values.change(before, after);
  }

  duplicate(record: WireRecord): string | undefined {
    for (const { name, values } of this.#table.indexes.uniques) {
      for (const key of values.keysOf(record)) {
        for (const other of values.records(key)) {
          if (other.id !== record.id && !this.#overlay.has(other.id)) return name;
        }
        for (const other of this.#ownValues(name, values).records(key)) if (other.id !== record.id) return name;
      }
    }
    return undefined;
  }

  #ownValues(name: string, { keysOf }: HashIndex): HashIndex {
    let own = this.#values.get(name);
    if (own === undefined) {
      own = new HashIndex(keysOf, () => [...this.#overlay.values()].filter((record) => record !== undefined));
      this.#values.set(name, own);
    }
    return own;
  }

  /** Others wrote: what the records were before stays what this transaction sees. */
  overtaken({ ids, before }: ChangeLog): void {
    for (let index = 0; index < ids.length; index++) {
      const id = ids[index] as string;
      this.#theirs.add(id);
      if (this.#overlay.has(id)) continue;
      this.#overlay.set(id, before[index]);
      for (const values of this.#values.values()) values.change(undefined, before[index]);
    }
  }

  read(ids: readonly string[]): readonly (WireRecord | undefined)[] {
    return ids.map((id) => this.get(id));
  }

  write(ops: readonly WriteOp[], { atomic }: WriteRequest): readonly WriteOutcome[] {
    const { outcomes, log } = applyAll(this, ops, { atomic });
    this.#settle(log);
    return outcomes;
  }

  merge(op: MergeOp): WriteOutcome {
    const log = new ChangeLog();
    const outcome = applyPatch(this, op, log);
    this.#settle(log);
    return outcome;
  }

  deleteWhere(where: Code | undefined): number {
    const log = new ChangeLog();
    const deleted = remove(this, this.#view().records(whereOf(where)), log);
    this.#settle(log);
    return deleted;
  }

  #settle(log: ChangeLog): void {
    try {
      this.#host.checkSize(this.#size);
    } catch (error) {
      log.undo(this);
      throw error;
    }
    for (const id of log.ids) this.#own.add(id);
  }

  scan(request: ScanRequest<Code>): Iterable<readonly WireRecord[]> {
    // a copy: the transaction may write while it reads
    return new View(this.#table, new Map(this.#overlay)).scan(request);
  }

  count(where: Code | undefined, match: Code | undefined): number {
    return this.#view().count(where, match);
  }

  aggregate(request: AggregateRequest<Code>): readonly AggregateRow[] {
    return this.#view().aggregate(request);
  }

  #view(): View {
    return new View(this.#table, this.#overlay);
  }

  commit(): void {
    this.#host.leave(this);
    const changes = new Map<string, WireRecord | undefined>();
    for (const id of this.#own) {
      if (this.#theirs.has(id)) throw conflict(`the record "${id}" was changed since the transaction began`, { id });
      changes.set(id, this.#overlay.get(id));
    }
    for (const record of changes.values()) if (record !== undefined) this.#checkUnique(record, changes);
    this.#host.commit(changes);
  }

  /** Against what others committed meanwhile; values may have changed hands inside the transaction. */
  #checkUnique(record: WireRecord, changes: ReadonlyMap<string, unknown>): void {
    for (const { name, values } of this.#table.indexes.uniques) {
      for (const key of values.keysOf(record)) {
        for (const other of values.records(key)) {
          if (changes.has(other.id)) continue;
          throw conflict(`"${other.id}" took the value of "${record.id}" in the unique index "${name}"`, {
            id: record.id,
            index: name,
          });
        }
      }
    }
  }

  rollback(): void {
    this.#host.leave(this);
  }
}

function conflict(what: string, details: { readonly id: string; readonly index?: string }): DataknobsError {
  return new DataknobsError("CONFLICT", `Nothing was written: ${what}. Run the transaction again.`, {
    backend: "memory",
    ...details,
  });
}
