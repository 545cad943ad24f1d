/**
 * The backend over one table in memory.
 *
 * Guaranteed: every call is atomic and is seen at once by every later one; a stream shows the store as it was when it
 * began; records handed out are frozen and shared, never copied. Not durable: the records live as long as the object
 * does, over `close` and a second `open` too.
 */
import {
  type AggregateRequest,
  type AggregateRow,
  type Backend,
  type Capabilities,
  type Compiler,
  DataknobsError,
  type ExistingIndex,
  type IndexSpec,
  leafKinds,
  type MergeOp,
  type OpenRequest,
  type ScanRequest,
  type WireRecord,
  type WriteOp,
  type WriteOutcome,
  type WriteRequest,
} from "@dataknobs/core/backend";
import { applyAll, applyPatch, ChangeLog, remove } from "./apply.js";
import { type Code, compilerOf, whereOf } from "./compile.js";
import type { MemoryOptions } from "./options.js";
import { Table } from "./table.js";
import { type Host, MemoryTransaction } from "./transaction.js";
import { View } from "./view.js";

export class MemoryBackend implements Backend<Code> {
  readonly name = "memory";
  readonly ownership = "keep";
  readonly compiler: Compiler<Code>;
  readonly capabilities: Capabilities;
  readonly #table: Table;
  readonly #view: View;
  readonly #capacity: number;
  readonly #evicts: boolean;
  readonly #open: Set<MemoryTransaction> = new Set();
  readonly #host: Host;

  constructor({ capacity = Number.POSITIVE_INFINITY, eviction = "none" }: MemoryOptions) {
    this.#capacity = capacity;
    this.#evicts = eviction !== "none";
    this.#table = new Table({ touches: eviction === "lru" });
    this.#view = new View(this.#table);
    this.compiler = compilerOf(this.#table.indexes);
    this.capabilities = Object.freeze({
      durable: false,
      transactions: "interactive",
      atomicBatch: true,
      unique: true,
      snapshotStreams: true,
      fullText: "indexed",
      analyzers: Object.freeze([]),
      aggregation: "native",
      percentile: "exact",
      cancel: false,
      synchronous: true,
      pushdown: leafKinds(this.compiler),
      limits: Object.freeze({}),
    });
    this.#host = {
      checkSize: (size) => this.#checkSize(size),
      commit: (changes) => this.#commit(changes),
      leave: (transaction) => this.#open.delete(transaction),
    };
  }

  open({ indexes }: OpenRequest): undefined {
    for (const spec of indexes) this.#table.indexes.add(spec);
  }

  read(ids: readonly string[]): readonly (WireRecord | undefined)[] {
    return ids.length === 1 ? [this.#table.touch(ids[0] as string)] : ids.map((id) => this.#table.touch(id));
  }

  peek(id: string): WireRecord | undefined {
    return this.#table.touch(id);
  }

  write(ops: readonly WriteOp[], { atomic }: WriteRequest): readonly WriteOutcome[] {
    const { outcomes, log } = applyAll(this.#table, ops, { atomic });
    this.#settle(log);
    return outcomes;
  }

  merge(op: MergeOp): WriteOutcome {
    const log = new ChangeLog();
    const outcome = applyPatch(this.#table, op, log);
    this.#settle(log);
    return outcome;
  }

  deleteWhere(where: Code | undefined): number {
    const log = new ChangeLog();
    const deleted = remove(this.#table, this.#view.records(whereOf(where)), log);
    this.#settle(log);
    return deleted;
  }

  clear(): number {
    const { size } = this.#table;
    if (this.#open.size > 0) return this.deleteWhere(undefined);
    this.#table.clear();
    return size;
  }

  scan(request: ScanRequest<Code>): Iterable<readonly WireRecord[]> {
    return this.#view.scan(request);
  }

  count(where: Code | undefined, match: Code | undefined): number {
    return this.#view.count(where, match);
  }

  aggregate(request: AggregateRequest<Code>): readonly AggregateRow[] {
    return this.#view.aggregate(request);
  }

  begin(): MemoryTransaction {
    const transaction = new MemoryTransaction(this.#table, this.#host);
    this.#open.add(transaction);
    return transaction;
  }

  listIndexes(): readonly ExistingIndex[] {
    return this.#table.indexes.specs().map((spec) => ({ name: spec.name, spec }));
  }

  createIndex(spec: IndexSpec): void {
    this.#table.indexes.add(spec);
  }

  dropIndex(name: string): void {
    if (this.#table.indexes.drop(name)) return;
    throw new DataknobsError("NOT_FOUND", `There is no index "${name}".`, { backend: this.name, index: name });
  }

  #commit(changes: ReadonlyMap<string, WireRecord | undefined>): void {
    const log = new ChangeLog();
    for (const [id, after] of changes) {
      const before = this.#table.get(id);
      if (before === after) continue;
      this.#table.put(id, before, after);
      log.add(id, before);
    }
    this.#settle(log);
  }

  /** The end of every write: the store keeps to its capacity, and open transactions keep what they see. */
  #settle(log: ChangeLog): void {
    if (this.#evicts) this.#evict(log);
    else {
      try {
        this.#checkSize(this.#table.size);
      } catch (error) {
        log.undo(this.#table);
        throw error;
      }
    }
    for (const transaction of this.#open) transaction.overtaken(log);
  }

  #evict(log: ChangeLog): void {
    while (this.#table.size > this.#capacity) {
      const oldest = this.#table.oldest();
      if (oldest === undefined) return;
      this.#table.put(oldest.id, oldest, undefined);
      log.add(oldest.id, oldest);
    }
  }

  #checkSize(size: number): void {
    if (this.#evicts || size <= this.#capacity) return;
    throw new DataknobsError(
      "LIMIT_EXCEEDED",
      `The store is full: its capacity is ${this.#capacity} records. Nothing was written; delete some, raise ` +
        '`capacity`, or let `eviction` ("fifo", "lru") make room.',
      { backend: this.name, limit: this.#capacity },
    );
  }
}
