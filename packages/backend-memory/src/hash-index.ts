/**
 * Key → records. Built at its first use, from then on changed with every write; never used, it costs nothing.
 */
import { getterOf, keyOf, type Operand, type Path, typesOf, type WireRecord } from "@dataknobs/core/backend";

export type Key = string | number;
export type KeysOf = (record: WireRecord) => readonly Key[];

export class HashIndex {
  readonly keysOf: KeysOf;
  readonly #all: () => Iterable<WireRecord>;
  /** Most keys of most fields have one record: it goes without a set of its own. */
  #buckets: Map<Key, WireRecord | Set<WireRecord>> | undefined;

  constructor(keysOf: KeysOf, all: () => Iterable<WireRecord>) {
    this.keysOf = keysOf;
    this.#all = all;
  }

  change(before: WireRecord | undefined, after: WireRecord | undefined): void {
    const buckets = this.#buckets;
    if (buckets === undefined) return;
    if (before !== undefined) for (const key of this.keysOf(before)) remove(buckets, key, before);
    if (after !== undefined) for (const key of this.keysOf(after)) add(buckets, key, after);
  }

  forget(): void {
    this.#buckets = undefined;
  }

  size(key: Key): number {
    const bucket = this.#ready().get(key);
    return bucket === undefined ? 0 : bucket instanceof Set ? bucket.size : 1;
  }

  records(key: Key): Iterable<WireRecord> {
    const bucket = this.#ready().get(key);
    return bucket === undefined ? [] : bucket instanceof Set ? bucket : [bucket];
  }

  /** Two records under one key, where there are any. */
  collision(): readonly [WireRecord, WireRecord] | undefined {
    for (const bucket of this.#ready().values()) {
      if (bucket instanceof Set && bucket.size > 1) return [...bucket].slice(0, 2) as [WireRecord, WireRecord];
    }
    return undefined;
  }

  #ready(): Map<Key, WireRecord | Set<WireRecord>> {
    if (this.#buckets !== undefined) return this.#buckets;
    const buckets = new Map<Key, WireRecord | Set<WireRecord>>();
    for (const record of this.#all()) for (const key of this.keysOf(record)) add(buckets, key, record);
    this.#buckets = buckets;
    return buckets;
  }
}

function add(buckets: Map<Key, WireRecord | Set<WireRecord>>, key: Key, record: WireRecord): void {
  const bucket = buckets.get(key);
  if (bucket === undefined) buckets.set(key, record);
  else if (bucket instanceof Set) bucket.add(record);
  else if (bucket !== record) buckets.set(key, new Set([bucket, record]));
}

function remove(buckets: Map<Key, WireRecord | Set<WireRecord>>, key: Key, record: WireRecord): void {
  const bucket = buckets.get(key);
  if (bucket === record) buckets.delete(key);
  else if (bucket instanceof Set && bucket.delete(record) && bucket.size === 0) buckets.delete(key);
}

const none: readonly Key[] = [];

/** The key of a present value. */
export function valueKeys(path: Path): KeysOf {
  const get = getterOf(path);
  const types = typesOf(path);
  return (record) => {
    const value = get(record);
    return value === undefined || value === null ? none : [keyOf(value, types(record), path.pointer)];
  };
}

/** The keys of an array's elements, each once. */
export function elementKeys(path: Path): KeysOf {
  const get = getterOf(path);
  const types = typesOf(path);
  return (record) => {
    const value = get(record);
    if (!Array.isArray(value)) return none;
    const map = types(record);
    const keys = value.map((element, at) => keyOf(element, map, map === null ? "" : `${path.pointer}/${at}`));
    return keys.length > 1 ? [...new Set(keys)] : keys;
  };
}

export function operandKey(operand: Operand): Key {
  return keyOf(operand.value, operand.types, "");
}
