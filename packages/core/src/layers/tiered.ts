/**
 * Two stores as one: records lie in the hot one until they are old, then in the cold one.
 *
 * Guaranteed: a record is always in one of the two at least. It is copied before it is removed, so that a crash leaves it
 * in both; then the hot one has it, and reads, queries and counts see it once. A record keeps its version and times when
 * it moves. A write to a record in the cold store brings it back first.
 * Given up: transactions, atomic batches, unique indexes; orders, groups and full text are done by core; every write looks
 * into the hot store first. While another process moves records, a
 * stream of more than ten minutes may give one twice, and one that it brings back may be passed over.
 */
import type {
  Backend,
  Call,
  Capabilities,
  Compiler,
  ScanRequest,
  WriteOp,
  WriteOutcome,
  WriteRequest,
} from "../backend/spi.js";
import { matcherOf } from "../match/matcher.js";
import { split } from "../plan/split.js";
import type { Lowered, Operand } from "../query/lowered.js";
import { resolvePath } from "../query/paths.js";
import { isoTime } from "../record/iso.js";
import type { WireRecord } from "../record/json.js";
import { Turns } from "../vector/turns.js";
import { type Both, capabilitiesOfBoth, compilerOfBoth } from "./both.js";
import { checkKeys, milliseconds, refused } from "./options.js";

export interface TieredOptions {
  /** Where records are written and lie while they are young. */
  readonly hot: Backend;
  readonly cold: Backend;
  /** Milliseconds after its last write at which a record moves. */
  readonly olderThan: number;
  /** Milliseconds between two moves; 0: only `move()` moves. Default 60,000. */
  readonly moveEvery?: number;
  /** Told after every move of its own. An error is told too, and the next move tries again. */
  readonly onMove?: (result: { readonly moved: number; readonly error?: unknown }) => void;
}

export interface TieredBackend extends Backend {
  /** Moves what is old enough to the cold store; how many. While a stream of this database is open, none. */
  move(): Promise<number>;
}

const batchSize = 500;
/** Milliseconds that a scan of the hot store may take before it may meet in the cold one what it has given already. */
const longScan = 600_000;
const updatedAt = resolvePath("updatedAt");

/**
 * A backend over two.
 *
 * @example
 * const db = await openDatabase(tiered({ hot: postgres(…), cold: s3(…), olderThan: 90 * 86_400_000 }));
 */
export function tiered(options: TieredOptions): TieredBackend {
  checkKeys("tiered", options, ["hot", "cold", "olderThan", "moveEvery", "onMove"]);
  const { hot, cold, onMove } = options;
  for (const [name, backend] of [
    ["hot", hot],
    ["cold", cold],
  ] as const) {
    if (typeof backend?.scan === "function") continue;
    throw refused("tiered", `takes a backend as \`${name}\``);
  }
  if (hot === cold) throw refused("tiered", "takes two stores");
  const olderThan = milliseconds("tiered", "olderThan", options.olderThan);
  const every = milliseconds("tiered", "moveEvery", options.moveEvery ?? 60_000);
  return new Tiers(hot, cold, olderThan, every, onMove);
}

class Tiers implements TieredBackend {
  readonly name: string;
  readonly ownership: Backend["ownership"];
  capabilities: Capabilities;
  readonly #hot: Backend;
  readonly #cold: Backend;
  readonly #olderThan: number;
  readonly #every: number;
  readonly #onMove: TieredOptions["onMove"];
  /** Writes side by side, or one batch that moves. */
  readonly #turns = new Turns();
  /** Of every open scan, the ids that came back to the hot store since it began. */
  readonly #scans = new Set<Set<string>>();
  /** Ids whose copies in the cold store were left for open scans to find. */
  readonly #left = new Set<string>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(hot: Backend, cold: Backend, olderThan: number, every: number, onMove: TieredOptions["onMove"]) {
    this.#hot = hot;
    this.#cold = cold;
    this.#olderThan = olderThan;
    this.#every = every;
    this.#onMove = onMove;
    this.name = `tiered(${hot.name}, ${cold.name})`;
    // one that keeps what it is given is given what nobody can change
    this.ownership = hot.ownership === "keep" || cold.ownership === "keep" ? "keep" : "serialise";
    this.capabilities = capabilitiesOfBoth(hot.capabilities, cold.capabilities, this.compiler);
  }

  get location(): string | undefined {
    const { hot, cold } = { hot: this.#hot.location, cold: this.#cold.location };
    return hot === undefined && cold === undefined ? undefined : JSON.stringify([hot ?? null, cold ?? null]);
  }

  get compiler(): Compiler<Both> | undefined {
    return compilerOfBoth(this.#hot.compiler, this.#cold.compiler);
  }

  async open(request: Parameters<NonNullable<Backend["open"]>>[0]): Promise<Partial<Capabilities>> {
    const found = await this.#hot.open?.(request);
    let cold: Partial<Capabilities> | undefined;
    try {
      cold = await this.#cold.open?.(request);
    } catch (error) {
      await this.#hot.close?.();
      throw error;
    }
    this.capabilities = capabilitiesOfBoth(
      { ...this.#hot.capabilities, ...found },
      { ...this.#cold.capabilities, ...cold },
      this.compiler,
    );
    if (this.#every > 0) {
      this.#timer = setInterval(() => this.#tick(), Math.min(this.#every, 0x7fff_ffff));
      // a process is not kept alive for it
      (this.#timer as { unref?: () => void }).unref?.();
    }
    return this.capabilities;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    // a move under way comes to its end
    await this.#turns.exclusive(async () => undefined);
    try {
      await this.#hot.close?.();
    } finally {
      await this.#cold.close?.();
    }
  }

  async settle(call: Call): Promise<void> {
    await Promise.all([this.#hot.settle?.(call), this.#cold.settle?.(call)]);
  }

  async read(ids: readonly string[], call: Call): Promise<(WireRecord | undefined)[]> {
    const found = [...(await this.#hot.read(ids, call))];
    await this.#fill(ids, found, this.#cold, call);
    // one that was in neither may have come back from the cold store between the two looks
    await this.#fill(ids, found, this.#hot, call);
    return found;
  }

  async #fill(ids: readonly string[], found: (WireRecord | undefined)[], from: Backend, call: Call): Promise<void> {
    const missing = ids.flatMap((_, at) => (found[at] === undefined ? [at] : []));
    if (missing.length === 0) return;
    const rows = await from.read(
      missing.map((at) => ids[at] as string),
      call,
    );
    for (const [index, at] of missing.entries()) found[at] = rows[index];
  }

  /** The hot store first: what moves meanwhile is met twice rather than not at all, and told by its age. */
  async *scan(request: ScanRequest<unknown>): AsyncGenerator<readonly WireRecord[], void> {
    const { where, limit = Number.POSITIVE_INFINITY, offset, select, ...rest } = request;
    const both = where as Both | undefined;
    const paged = new Paging(offset, limit);
    const whole = { ...rest, order: [], limit: undefined, offset: 0, select: select && [...select, updatedAt] };
    const movable = Date.now() - this.#olderThan + longScan;
    /** Of the hot store, those that may be met in the cold one too: others may move them, or they have just come back. */
    const old = new Set<string>();
    const back = new Set<string>();
    this.#scans.add(back);
    try {
      for await (const batch of this.#hot.scan({ ...whole, where: both?.hot })) {
        for (const { id, updatedAt: time } of batch) if (time <= movable || back.has(id)) old.add(id);
        yield paged.next(batch);
        if (paged.done) return;
      }
      for await (const batch of this.#cold.scan({ ...whole, where: both?.cold })) {
        const rows = batch.filter(({ id }) => !old.has(id));
        // where the hot store has a record, what the cold one has of it is what a crash left
        const ids = rows.map(({ id }) => id);
        const hot = ids.length === 0 ? [] : await this.#hot.read(ids, request);
        // but for one that came back since: the hot store was passed without it
        yield paged.next(rows.filter(({ id }, at) => hot[at] === undefined || back.has(id)));
        if (paged.done) return;
      }
    } finally {
      this.#scans.delete(back);
      if (this.#scans.size === 0 && this.#left.size > 0) await this.#turns.shared(() => this.#clean(request));
    }
  }

  write(ops: readonly WriteOp[], request: WriteRequest): Promise<readonly WriteOutcome[]> {
    return this.#turns.shared(() => this.#write(ops, { ...request, atomic: false }));
  }

  async #write(ops: readonly WriteOp[], request: WriteRequest): Promise<readonly WriteOutcome[]> {
    const ids = [...new Set(ops.map(({ id }) => id))];
    const hot = await this.#hot.read(ids, request);
    const elsewhere = ids.filter((_, at) => hot[at] === undefined);
    const rows = elsewhere.length === 0 ? [] : await this.#cold.read(elsewhere, request);
    const cold = new Map(rows.flatMap((row) => (row === undefined ? [] : [[row.id, row] as const])));
    const refused = onlyInserted(ops, cold);
    const back = [...cold.values()].filter(({ id }) => !refused.has(id));
    if (back.length > 0) {
      for (const scan of this.#scans) for (const { id } of back) scan.add(id);
      // into the hot store as they are, and only then out of the cold one
      await putBack(this.#hot, back, request);
      for (const { id } of back) this.#left.add(id);
      if (this.#scans.size === 0) await this.#clean(request);
    }
    // a copy that a crash left behind would come to life again
    await this.#forget(
      ops.flatMap(({ kind, id }) => (kind === "delete" ? [id] : [])),
      request,
    );
    const left = refused.size === 0 ? ops : ops.filter(({ id }) => !refused.has(id));
    const outcomes = left.length === 0 ? [] : await this.#hot.write(left, request);
    let next = 0;
    return ops.map(
      ({ id }): WriteOutcome => (refused.has(id) ? { status: "exists" } : (outcomes[next++] as WriteOutcome)),
    );
  }

  /** Copies of what the hot store has. */
  async #clean(call: Call): Promise<void> {
    const ids = [...this.#left];
    this.#left.clear();
    const hot = await this.#hot.read(ids, call);
    await this.#forget(
      ids.filter((_, at) => hot[at] !== undefined),
      call,
    );
  }

  /** Out of the cold store. */
  async #forget(ids: readonly string[], call: Call): Promise<void> {
    if (ids.length === 0) return;
    const there = await this.#cold.read(ids, call);
    const ops = there.flatMap((row): WriteOp[] => (row === undefined ? [] : [{ kind: "delete", id: row.id }]));
    if (ops.length > 0) throwFailed(await this.#cold.write(ops, { ...call, atomic: false }));
  }

  #tick(): void {
    this.move().then(
      (moved) => this.#onMove?.({ moved }),
      (error: unknown) => this.#onMove?.({ moved: 0, error }),
    );
  }

  async move(): Promise<number> {
    let moved = 0;
    for (;;) {
      const batch = await this.#turns.exclusive(() => this.#moveBatch());
      moved += batch.moved;
      if (batch.last) return moved;
    }
  }

  async #moveBatch(): Promise<{ readonly moved: number; readonly last: boolean }> {
    // what a stream has passed must not move to where it has not been
    if (this.#scans.size > 0) return { moved: 0, last: true };
    const records = await this.#oldest();
    if (records.length === 0) return { moved: 0, last: true };
    const call = { atomic: false };
    for (const { id } of records) this.#left.delete(id);
    await putAway(this.#cold, records, call);
    const outcomes = await this.#hot.write(
      records.map(({ id, version }): WriteOp => ({ kind: "delete", id, ifVersion: version })),
      call,
    );
    throwFailed(outcomes);
    // deleted by another process while it was copied: it must not live on
    const gone = records.filter((_, at) => {
      const outcome = outcomes[at];
      return outcome?.status === "stale" && outcome.actual === null;
    });
    const ops = gone.map(({ id, version }): WriteOp => ({ kind: "delete", id, ifVersion: version }));
    if (ops.length > 0) throwFailed(await this.#cold.write(ops, call));
    const moved = outcomes.filter(({ status }) => status === "deleted").length;
    // changed meanwhile, all of them: the next move finds out
    return { moved, last: records.length < batchSize || moved === 0 };
  }

  /** Some of the hot store that are old enough, whole. */
  async #oldest(): Promise<readonly WireRecord[]> {
    const condition = this.#isOld();
    const { compiler } = this.#hot;
    const { pushed, residual } = split(condition, compiler);
    const test = residual === undefined ? () => true : matcherOf(residual);
    const limit = residual === undefined ? batchSize : undefined;
    const request = { where: pushed, match: undefined, order: [], limit, offset: 0, select: undefined, batchSize };
    const records: WireRecord[] = [];
    for await (const batch of this.#hot.scan(request)) {
      for (const record of batch) if (test(record) && records.length < batchSize) records.push(record);
      if (records.length >= batchSize) break;
    }
    return records;
  }

  #isOld(): Lowered {
    const value = isoTime(Math.max(-8.64e15, Date.now() - this.#olderThan));
    const operand: Operand = { value, types: null, class: "string" };
    return { kind: "compare", path: updatedAt, op: "<=", operand, source: { path: "updatedAt", op: "<=", value } };
  }
}

/** Ids that the cold store has and that are only tried to be inserted, once. */
function onlyInserted(ops: readonly WriteOp[], cold: ReadonlyMap<string, WireRecord>): ReadonlySet<string> {
  const [inserted, otherwise] = [new Set<string>(), new Set<string>()];
  for (const { id, kind } of ops) {
    if (!cold.has(id)) continue;
    if (kind !== "insert" || inserted.has(id)) otherwise.add(id);
    inserted.add(id);
  }
  return new Set([...inserted].filter((id) => !otherwise.has(id)));
}

/** Records as they are, version and times too. What the store has of them by now is newer, and stays. */
async function putBack(hot: Backend, records: readonly WireRecord[], request: WriteRequest): Promise<void> {
  const ops = records.flatMap((record) => asWritten(record, { ifVersion: record.version }));
  throwFailed(await hot.write(ops, request));
}

/** The same into the cold store, over what a crash may have left there. */
async function putAway(cold: Backend, records: readonly WireRecord[], request: WriteRequest): Promise<void> {
  const ops = records.flatMap((record): WriteOp[] => [{ kind: "delete", id: record.id }, ...asWritten(record, {})]);
  throwFailed(await cold.write(ops, request));
}

/** An insert sets both times, an update only the second. */
function asWritten(record: WireRecord, condition: { readonly ifVersion?: string }): WriteOp[] {
  const { id, data, types, metadata, metadataTypes, version, createdAt, updatedAt: time } = record;
  const content = { id, data, types, metadata, metadataTypes, version };
  const insert: WriteOp = { kind: "insert", ...content, at: createdAt };
  return time === createdAt ? [insert] : [insert, { kind: "update", ...content, at: time, ...condition }];
}

/** A record that could not be copied must not be removed where it was. */
function throwFailed(outcomes: readonly WriteOutcome[]): void {
  for (const outcome of outcomes) if (outcome.status === "failed") throw outcome.error;
}

class Paging {
  #skip: number;
  #take: number;

  constructor(offset: number, limit: number) {
    this.#skip = offset;
    this.#take = limit;
  }

  get done(): boolean {
    return this.#take <= 0;
  }

  next(batch: readonly WireRecord[]): readonly WireRecord[] {
    const skipped = Math.min(this.#skip, batch.length);
    const rows = batch.slice(skipped, Math.min(batch.length, skipped + this.#take));
    this.#skip -= skipped;
    this.#take -= rows.length;
    return rows;
  }
}
