/** A small, correct backend over a Map: what the mutants are mutants of. */
import { aggregatorOf } from "../../src/aggregate/run.js";
import type {
  AggregateRequest,
  AggregateRow,
  Backend,
  Batches,
  Capabilities,
  Compiled,
  Compiler,
  OpenRequest,
  ScanRequest,
  Transaction,
  WriteOp,
  WriteOutcome,
  WriteRequest,
} from "../../src/backend/spi.js";
import type { IndexSpec } from "../../src/database/indexes.js";
import { DataknobsError } from "../../src/errors.js";
import { comparatorOf, compareText, keyOf } from "../../src/match/compare.js";
import { bm25, isHit, wordCounter } from "../../src/match/fulltext.js";
import { matcherOf, type Predicate, valueAt } from "../../src/match/matcher.js";
import type { Leaf, LeafKind, Match } from "../../src/query/lowered.js";
import type { WireRecord } from "../../src/record/json.js";

export const leafKinds: readonly LeafKind[] = [
  "after",
  "between",
  "compare",
  "contains",
  "equals",
  "exists",
  "in",
  "like",
  "overlaps",
  "prefix",
  "regex",
  "tied",
];

/** A condition, or full text with its ranking. */
export type Code = Predicate & { readonly match?: Match };

export class Tiny implements Backend<Code> {
  readonly name: string = "tiny";
  readonly ownership = "keep";
  capabilities: Capabilities = {
    durable: false,
    transactions: "interactive",
    atomicBatch: true,
    unique: true,
    snapshotStreams: true,
    fullText: "indexed",
    analyzers: [],
    aggregation: "native",
    percentile: "exact",
    cancel: false,
    synchronous: true,
    pushdown: leafKinds,
    limits: {},
  };
  records: ReadonlyMap<string, WireRecord> = new Map();
  indexes: readonly IndexSpec[] = [];
  compiler: Compiler<Code> = {
    leaf: Object.fromEntries(leafKinds.map((kind) => [kind, (leaf: Leaf) => this.compileLeaf(leaf)])),
    and: (parts) => (record) => parts.every((part) => part(record)),
    or: (parts) => (record) => parts.some((part) => part(record)),
    not: (part) => (record) => !part(record),
    order: () => ({}),
    match: (match) => ({ code: this.compileMatch(match), exact: true }),
    aggregate: () => ({}),
  };

  compileLeaf(leaf: Leaf): Compiled<Code> | undefined {
    return { code: matcherOf(leaf), exact: true };
  }

  compileMatch(match: Match): Code {
    const counter = wordCounter(match);
    return Object.assign((record: WireRecord) => isHit(match, counter(record)), { match });
  }

  open({ indexes }: OpenRequest): undefined {
    this.indexes = indexes;
  }

  close(): void {
    this.records = new Map();
  }

  read(ids: readonly string[]): (WireRecord | undefined)[] {
    return ids.map((id) => this.records.get(id));
  }

  write(ops: readonly WriteOp[], { atomic }: WriteRequest): WriteOutcome[] {
    const next = new Map(this.records);
    const outcomes = ops.map((op) => this.apply(op, next));
    const refused = outcomes.some(({ status }) => status === "exists" || status === "stale" || status === "duplicate");
    if (!atomic || !refused) {
      this.records = next;
      return outcomes;
    }
    return outcomes.map((one) =>
      one.status === "written" || one.status === "deleted" ? { status: "rolledBack" } : one,
    );
  }

  apply(op: WriteOp, into: Map<string, WireRecord>): WriteOutcome {
    const current = into.get(op.id);
    if (op.kind === "insert" && current !== undefined) return { status: "exists" };
    if (op.kind !== "insert" && op.ifVersion !== undefined && current?.version !== op.ifVersion) {
      return { status: "stale", actual: current?.version ?? null };
    }
    if ((op.kind === "update" || op.kind === "delete") && current === undefined) return { status: "missing" };
    if (op.kind === "delete") {
      into.delete(op.id);
      return { status: "deleted" };
    }
    const record = this.recordOf(op, current);
    const index = this.indexes.find((spec) => spec.unique && this.isTaken(spec, record, into));
    if (index !== undefined) return { status: "duplicate", index: index.name };
    into.set(op.id, record);
    return { status: "written", createdAt: record.createdAt, record };
  }

  recordOf(op: Exclude<WriteOp, { kind: "delete" }>, current: WireRecord | undefined): WireRecord {
    const { id, data, types, version, at } = op;
    const kept = op.metadata === undefined ? current : undefined;
    return {
      id,
      data,
      types,
      version,
      createdAt: current?.createdAt ?? at,
      updatedAt: at,
      metadata: kept?.metadata ?? op.metadata ?? {},
      metadataTypes: kept === undefined ? op.metadataTypes : kept.metadataTypes,
    };
  }

  isTaken({ path }: IndexSpec, record: WireRecord, among: ReadonlyMap<string, WireRecord>): boolean {
    const types = (one: WireRecord): WireRecord["types"] => (path.root === "data" ? one.types : one.metadataTypes);
    const key = (one: WireRecord): string | number | null => {
      const { value } = valueAt(path)(one);
      return value === undefined || value === null ? null : keyOf(value, types(one), path.pointer);
    };
    const own = key(record);
    return own !== null && [...among.values()].some((other) => other.id !== record.id && key(other) === own);
  }

  rows({
    where,
    match,
    order,
    limit,
    offset,
  }: Pick<ScanRequest<Code>, "where" | "match" | "order" | "limit" | "offset">): WireRecord[] {
    let rows = [...this.records.values()].filter((record) => (where?.(record) ?? true) && (match?.(record) ?? true));
    if (match?.match !== undefined && order.length === 0) rows = this.rank(rows, match.match);
    if (order.length > 0) rows = rows.sort(comparatorOf(order));
    return rows.slice(offset, limit === undefined ? undefined : offset + limit);
  }

  rank(rows: readonly WireRecord[], match: Match): WireRecord[] {
    const counter = wordCounter(match);
    const corpus = { size: 1000, meanLength: 10, frequencies: match.words.map(() => 10) };
    return rows
      .map((record) => ({ ...record, score: bm25(counter(record), corpus) }))
      .sort((a, b) => b.score - a.score || compareText(a.id, b.id));
  }

  *scan(request: ScanRequest<Code>): Generator<readonly WireRecord[]> {
    const rows = this.rows(request);
    const size = Math.min(request.batchSize, 3);
    for (let start = 0; start < rows.length; start += size) yield rows.slice(start, start + size);
  }

  count(where: Code | undefined, match: Code | undefined): number {
    return this.rows({ where, match, order: [], limit: undefined, offset: 0 }).length;
  }

  aggregate({ where, match, plan }: AggregateRequest<Code>): readonly AggregateRow[] {
    const aggregator = aggregatorOf(plan);
    for (const row of this.rows({ where, match, order: [], limit: undefined, offset: 0 })) aggregator.add(row);
    return aggregator.rows();
  }

  deleteWhere(where: Code | undefined): number {
    const gone = this.rows({ where, match: undefined, order: [], limit: undefined, offset: 0 });
    this.records = new Map([...this.records].filter(([id]) => !gone.some((row) => row.id === id)));
    return gone.length;
  }

  begin(): Transaction<Code> {
    const before = this.records;
    const inner = Object.assign(Object.create(this) as this, { records: before });
    const changedSince = (id: string): boolean => this.records.get(id)?.version !== before.get(id)?.version;
    return {
      read: (ids) => inner.read(ids),
      write: (ops, request) => inner.write(ops, request),
      scan: (request): Batches => inner.scan(request),
      count: (where, match) => inner.count(where, match),
      aggregate: (request) => inner.aggregate(request),
      deleteWhere: (where) => inner.deleteWhere(where),
      commit: () => this.commit(before, inner.records, changedSince),
      rollback: () => undefined,
    };
  }

  commit(
    before: ReadonlyMap<string, WireRecord>,
    after: ReadonlyMap<string, WireRecord>,
    changedSince: (id: string) => boolean,
  ): void {
    const touched = [...new Set([...before.keys(), ...after.keys()])].filter((id) => before.get(id) !== after.get(id));
    if (touched.some(changedSince)) throw new DataknobsError("CONFLICT", "Another transaction was first.");
    const next = new Map(this.records);
    for (const id of touched) {
      const record = after.get(id);
      if (record === undefined) next.delete(id);
      else next.set(id, record);
    }
    this.records = next;
  }
}
