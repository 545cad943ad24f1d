/**
 * The vectors of a table in this thread's memory, block by block, and the nearest among them. What other threads and
 * processes wrote since is read before each search; what they removed shows when its slot is looked up.
 */
import { type Metric, NearestRows, normOf } from "@dataknobs/core/vector";
import type { Statement } from "@dataknobs/sql";
import type { Connection } from "./connection.js";
import { kernelOf } from "./kernels.js";
import type { Row } from "./rows.js";

/** A search as threads exchange it. */
export interface NearestSearch {
  /** Of the vectors, quoted. */
  readonly table: string;
  readonly metric: Metric;
  readonly vector: Float32Array;
  readonly limit: number;
  /** The slots of the records that satisfy the filter; none: all. */
  readonly filter: Statement | undefined;
  /** The records of a list of slots, its first parameter, each with its place in the list at the end. */
  readonly records: Statement;
}

const blockRows = 1024;
/** Bytes of vectors that a thread keeps of a table; what is beyond is read for every search. */
const mostKept = 256 * 2 ** 20;

interface Block {
  /** Ascending; of a vector that is gone, 0. */
  readonly slots: Float64Array;
  readonly ids: string[];
  readonly vectors: Float32Array;
  readonly norms: Float64Array;
  size: number;
}

interface Candidate {
  readonly id: string;
  readonly distance: number;
  readonly slot: number;
}

export class Matrix {
  readonly #connection: Connection;
  readonly #table: string;
  readonly #dimensions: number;
  #blocks: Block[] = [];
  /** The greatest slot in the blocks. */
  #last = 0;
  /** Rows when the blocks were last read from the start. */
  #atFirst = 0;

  constructor(connection: Connection, table: string, dimensions: number) {
    this.#connection = connection;
    this.#table = table;
    this.#dimensions = dimensions;
  }

  /** Rows of records, nearest first. The caller sees to it that all statements see one state of the file. */
  search({ vector, metric, limit, filter, records }: NearestSearch): Row[] {
    const wanted =
      filter === undefined ? undefined : new Set(this.#connection.all(filter).map(([slot]) => slot as number));
    const gone = new Set<number>();
    for (;;) {
      const near = this.#nearest(vector, metric, limit, (slot) => !gone.has(slot) && wanted?.has(slot) !== false);
      const slots = near.map(({ slot }) => slot);
      const found = this.#connection.all({
        text: records.text,
        params: [JSON.stringify(slots), ...records.params.slice(1)],
      });
      const there = new Set(found.map((row) => row.at(-1) as number));
      if (there.size === slots.length) return found.map((row) => row.slice(0, -1));
      // others come in the place of those that are gone
      for (const [place, slot] of slots.entries()) if (!there.has(place)) gone.add(slot);
      this.#forget(gone);
    }
  }

  #nearest(vector: Float32Array, metric: Metric, limit: number, isWanted: (slot: number) => boolean): Candidate[] {
    const near = new NearestRows<Candidate>(limit);
    const rows = new Int32Array(blockRows);
    const out = new Float64Array(blockRows);
    const measure = kernelOf(metric, vector);
    for (const { slots, ids, vectors, norms, size } of this.#all()) {
      let count = 0;
      for (let row = 0; row < size; row++) {
        const slot = slots[row] as number;
        if (slot !== 0 && isWanted(slot)) rows[count++] = row;
      }
      measure(vectors, norms, rows, count, out);
      for (let at = 0; at < count; at++) {
        const distance = out[at] as number;
        // NaN, as of zeros under cosine, is never near
        if (!(distance <= near.bound)) continue;
        const row = rows[at] as number;
        near.add({ id: ids[row] as string, distance, slot: slots[row] as number });
      }
    }
    return near.sorted();
  }

  /** Every block: those at hand, and what was written since, which is kept as far as there is room. */
  *#all(): Generator<Block> {
    // most of what is at hand may be gone by now: begin again
    if (this.#size > 2 * this.#atFirst + blockRows) this.#startAgain();
    for (const block of this.#blocks) if (block.size === blockRows) yield block;
    const isFirst = this.#atFirst === 0;
    const most = Math.max(1, Math.floor(mostKept / (blockRows * this.#dimensions * 4)));
    const statement = this.#connection.prepare(
      `SELECT slot, record, vector FROM ${this.#table} WHERE slot > ? ORDER BY slot LIMIT ?`,
    );
    let after = this.#last;
    for (;;) {
      const last = this.#blocks.at(-1);
      const isOpen = last !== undefined && last.size < blockRows && after === this.#last;
      const block = isOpen ? last : this.#empty();
      const rows = statement.all(after, blockRows - block.size) as [number, string, Buffer][];
      const isNext = after === this.#last;
      for (const row of rows) this.#append(block, row);
      after = rows.at(-1)?.[0] ?? after;
      if (block.size === 0) break;
      const isKept = isOpen || (isNext && this.#blocks.length < most);
      if (isKept) this.#last = after;
      if (isKept && !isOpen) this.#blocks.push(block);
      yield block;
      if (block.size < blockRows) break;
    }
    if (isFirst) this.#atFirst = this.#size;
  }

  get #size(): number {
    return this.#blocks.reduce((sum, { size }) => sum + size, 0);
  }

  #startAgain(): void {
    this.#blocks = [];
    this.#last = 0;
    this.#atFirst = 0;
  }

  #empty(): Block {
    return {
      slots: new Float64Array(blockRows),
      ids: [],
      vectors: new Float32Array(blockRows * this.#dimensions),
      norms: new Float64Array(blockRows),
      size: 0,
    };
  }

  #append(block: Block, [slot, id, bytes]: readonly [number, string, Buffer]): void {
    const at = block.size++;
    const start = at * this.#dimensions;
    const vector = block.vectors.subarray(start, start + this.#dimensions);
    // bytes may lie anywhere in their buffer, where no 32-bit float can be read
    new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength).set(bytes);
    block.slots[at] = slot;
    block.ids[at] = id;
    block.norms[at] = normOf(vector);
  }

  #forget(gone: ReadonlySet<number>): void {
    for (const { slots, size } of this.#blocks) {
      for (let row = 0; row < size; row++) if (gone.has(slots[row] as number)) slots[row] = 0;
    }
  }
}

/** The matrices of a connection. */
export class Matrices {
  readonly #connection: Connection;
  readonly #byTable = new Map<string, Matrix>();
  #schemaVersion: unknown;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  search(search: NearestSearch): Row[] {
    const { table, vector } = search;
    // what an open transaction has written may be undone, and its slots be given again
    if (this.#connection.inTransaction) return new Matrix(this.#connection, table, vector.length).search(search);
    return this.#connection.reading(() => {
      const version = this.#connection.get("PRAGMA schema_version")?.[0];
      // a table made anew begins its slots anew
      if (version !== this.#schemaVersion) this.#byTable.clear();
      this.#schemaVersion = version;
      let matrix = this.#byTable.get(table);
      if (matrix === undefined) {
        matrix = new Matrix(this.#connection, table, vector.length);
        this.#byTable.set(table, matrix);
      }
      return matrix.search(search);
    });
  }
}
