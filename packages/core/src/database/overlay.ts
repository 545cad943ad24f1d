/**
 * A buffered transaction's view: staged writes over a store that knows nothing of them. Reads and scans see both;
 * nothing reaches the store before `flushOps` are written.
 */
import { applyWrite, isRefusal } from "../backend/apply.js";
import type { Batches, Call, ScanRequest, Store, WriteOp, WriteOutcome } from "../backend/spi.js";
import type { WireRecord } from "../record/json.js";

interface Staged {
  /** The version in the store when the record was first met; null: no record. */
  readonly base: string | null;
  /** Whether the flush depends on it: the body read the record, or asked for this version. */
  readonly guarded: boolean;
  /** As it would be now; undefined: deleted. */
  readonly record: WireRecord | undefined;
  /** Whether a record in the store may be replaced unseen. */
  readonly replaces: boolean;
  /** Deleted here and made again: not the store's record any more. */
  readonly again: boolean;
}

export class Overlay implements Store {
  readonly #store: Store;
  readonly #staged = new Map<string, Staged>();

  constructor(store: Store) {
    this.#store = store;
  }

  get isEmpty(): boolean {
    return this.#staged.size === 0;
  }

  async read(ids: readonly string[], call: Call): Promise<readonly (WireRecord | undefined)[]> {
    const missing = ids.filter((id) => !this.#staged.has(id));
    const found = missing.length === 0 ? [] : await this.#store.read(missing, call);
    const stored = new Map(missing.map((id, index) => [id, found[index]]));
    return ids.map((id) => {
      const staged = this.#staged.get(id);
      return staged === undefined ? stored.get(id) : staged.record;
    });
  }

  async write(ops: readonly WriteOp[], call: Call): Promise<readonly WriteOutcome[]> {
    const before = await this.read(
      ops.map(({ id }) => id),
      call,
    );
    const first = new Map(ops.map(({ id }, index) => [id, before[index]]));
    const changes = new Map<string, Staged>();
    const outcomes = ops.map((op) => {
      const staged = changes.get(op.id) ?? this.#staged.get(op.id);
      return this.#apply(op, staged, staged === undefined ? first.get(op.id) : staged.record, changes);
    });
    if (outcomes.some(isRefusal))
      return outcomes.map((outcome) =>
        outcome.status === "written" || outcome.status === "deleted" ? { status: "rolledBack" } : outcome,
      );
    for (const [id, staged] of changes) this.#staged.set(id, staged);
    return outcomes;
  }

  #apply(
    op: WriteOp,
    staged: Staged | undefined,
    current: WireRecord | undefined,
    changes: Map<string, Staged>,
  ): WriteOutcome {
    const outcome = applyWrite(op, current);
    if (outcome.status !== "written" && outcome.status !== "deleted") return outcome;
    const base = staged === undefined ? (current?.version ?? null) : staged.base;
    const unseen = (op.kind === "upsert" || op.kind === "delete") && op.ifVersion === undefined;
    const guarded = staged === undefined ? !unseen : staged.guarded;
    const replaces = staged?.replaces ?? unseen;
    const record = outcome.status === "written" ? outcome.record : undefined;
    const again = record !== undefined && base !== null && (current === undefined || staged?.again === true);
    changes.set(op.id, { base, guarded, replaces, again, record });
    return outcome;
  }

  scan(request: ScanRequest<unknown>): Batches {
    return this.isEmpty ? this.#store.scan(request) : this.#scan(request);
  }

  async *#scan(request: ScanRequest<unknown>): AsyncGenerator<readonly WireRecord[]> {
    const inserted = [...this.#staged.values()].flatMap(({ base, record }) =>
      base === null && record !== undefined ? [record] : [],
    );
    const met = new Set<string>();
    // the store would count rows that are deleted here, and none of those that are new
    let skip = request.offset;
    let left = request.limit ?? Number.POSITIVE_INFINITY;
    const window = (rows: readonly WireRecord[]): readonly WireRecord[] => {
      const shown = rows.slice(skip, skip + left);
      skip = Math.max(0, skip - rows.length);
      left -= shown.length;
      return shown;
    };
    // by their ids, records are found to be staged
    for await (const batch of this.#store.scan({ ...request, limit: undefined, offset: 0, bare: false })) {
      yield window(
        batch.flatMap((stored) => {
          const staged = this.#staged.get(stored.id);
          if (staged === undefined) return [stored];
          met.add(stored.id);
          return staged.record === undefined ? [] : [staged.record];
        }),
      );
      if (left <= 0) return;
    }
    yield window(inserted.filter(({ id }) => !met.has(id)));
  }

  /** One operation per record touched, in the order of the first touch; two where it was deleted and made again. */
  flushOps(): WriteOp[] {
    return [...this.#staged].flatMap(([id, { base, guarded, record, replaces, again }]): WriteOp[] => {
      const ifVersion = guarded && base !== null ? base : undefined;
      if (record === undefined) return base === null ? [] : [{ kind: "delete", id, ifVersion }];
      const { data, types, metadata, metadataTypes, version, updatedAt: at } = record;
      const op = { id, data, types, metadata, metadataTypes, version, at };
      if (again)
        return [
          { kind: "delete", id, ifVersion },
          { ...op, kind: "insert" },
        ];
      if (replaces) return [{ ...op, kind: "upsert" }];
      return [base === null ? { ...op, kind: "insert" } : { ...op, kind: "update", ifVersion }];
    });
  }
}
