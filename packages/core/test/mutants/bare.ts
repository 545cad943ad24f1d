/** The least that a backend can be: three asynchronous methods and nothing native. Core does the rest. */
import type { Backend, Capabilities, ScanRequest, WriteOp, WriteOutcome } from "../../src/backend/spi.js";
import type { WireRecord } from "../../src/record/json.js";

const bareCapabilities: Capabilities = {
  durable: false,
  transactions: false,
  atomicBatch: false,
  unique: false,
  snapshotStreams: false,
  fullText: "emulated",
  analyzers: [],
  aggregation: "emulated",
  percentile: "exact",
  cancel: false,
  synchronous: false,
  pushdown: [],
  limits: {},
};

export class Bare implements Backend {
  readonly name = "bare";
  readonly ownership = "serialise";
  readonly capabilities: Capabilities = bareCapabilities;
  readonly #rows = new Map<string, string>();

  async read(ids: readonly string[]): Promise<(WireRecord | undefined)[]> {
    return ids.map((id) => this.#parse(this.#rows.get(id)));
  }

  async write(ops: readonly WriteOp[]): Promise<WriteOutcome[]> {
    return ops.map((op) => this.#apply(op));
  }

  #apply(op: WriteOp): WriteOutcome {
    const current = this.#parse(this.#rows.get(op.id));
    if (op.kind === "insert" && current !== undefined) return { status: "exists" };
    if (op.kind !== "insert" && op.ifVersion !== undefined && op.ifVersion !== current?.version) {
      return { status: "stale", actual: current?.version ?? null };
    }
    if (current === undefined && (op.kind === "update" || op.kind === "delete")) return { status: "missing" };
    if (op.kind === "delete") {
      this.#rows.delete(op.id);
      return { status: "deleted" };
    }
    const { id, data, types, version, at } = op;
    const { metadata, metadataTypes } = op.metadata === undefined && current !== undefined ? current : op;
    const createdAt = current?.createdAt ?? at;
    const record = { id, data, types, metadata: metadata ?? {}, metadataTypes, version, createdAt, updatedAt: at };
    this.#rows.set(id, JSON.stringify(record));
    return { status: "written", createdAt, record };
  }

  async *scan({ limit, offset }: ScanRequest<unknown>): AsyncGenerator<WireRecord[]> {
    const ids = [...this.#rows.keys()].slice(offset, limit === undefined ? undefined : offset + limit);
    for (let start = 0; start < ids.length; start += 100) {
      const rows = await this.read(ids.slice(start, start + 100));
      yield rows.filter((row) => row !== undefined);
    }
  }

  #parse(text: string | undefined): WireRecord | undefined {
    return text === undefined ? undefined : (JSON.parse(text) as WireRecord);
  }
}
