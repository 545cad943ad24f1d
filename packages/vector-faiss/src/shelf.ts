/** The rows of one scope on this side: ids, metadata, texts, and in which slot the vector lies. */
import type { VectorRow } from "@dataknobs/core/vector";
import type { ShelfState } from "./protocol.js";

/** A row without its vector. Never changed but for its place: a change makes a new one. */
export interface ShelfRow extends Omit<VectorRow, "vector"> {
  readonly slot: number;
  /** Its place in `rows`. */
  at: number;
}

export class Shelf {
  readonly number: number;
  readonly rows: ShelfRow[] = [];
  /** As the engine told last. */
  state: ShelfState;
  readonly #byId = new Map<string, ShelfRow>();

  constructor(number: number) {
    this.number = number;
    this.state = { shelf: number, indexed: undefined, unfit: 0 };
  }

  get size(): number {
    return this.rows.length;
  }

  get(id: string): ShelfRow | undefined {
    return this.#byId.get(id);
  }

  /** Inserts or replaces. */
  set(row: Omit<ShelfRow, "at">): ShelfRow {
    const at = this.#byId.get(row.id)?.at ?? this.rows.length;
    const { slot, id, metadata, metadataTypes, text } = row;
    const placed: ShelfRow = { slot, id, metadata, metadataTypes, text, at };
    this.rows[at] = placed;
    this.#byId.set(id, placed);
    return placed;
  }

  delete(id: string): ShelfRow | undefined {
    const gone = this.#byId.get(id);
    if (gone === undefined) return undefined;
    this.#byId.delete(id);
    const last = this.rows.pop() as ShelfRow;
    if (last.id !== id) {
      last.at = gone.at;
      this.rows[gone.at] = last;
    }
    return gone;
  }
}
