/**
 * The ids of a row group, as hashes in a table of numbers: 13 bytes or so per id, where a set of texts takes ten times as
 * much. Says of an id that it is not there, or that it may be; wrongly so once in millions.
 */
export class IdSet {
  /** Open addressing; 0 is a free slot. */
  readonly #slots: Uint32Array;

  constructor(ids: readonly string[]) {
    this.#slots = new Uint32Array(2 ** Math.ceil(Math.log2(ids.length + 1) + 1));
    for (const id of ids) {
      const hash = hashOf(id);
      const at = this.#find(hash);
      this.#slots[at] = hash;
    }
  }

  mayHave(hash: number): boolean {
    return this.#slots[this.#find(hash)] === hash;
  }

  /** Where the hash is, or would go. */
  #find(hash: number): number {
    const slots = this.#slots;
    const last = slots.length - 1;
    let at = hash & last;
    while (slots[at] !== 0 && slots[at] !== hash) at = (at + 1) & last;
    return at;
  }
}

/** 32 bits, never 0. */
export function hashOf(id: string): number {
  let hash = id.length;
  for (let index = 0; index < id.length; index++) {
    hash = Math.imul(hash ^ id.charCodeAt(index), 0x5bd1e995);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0 || 1;
}
