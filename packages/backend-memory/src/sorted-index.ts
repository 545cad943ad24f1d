/**
 * Records in ascending total order of one field, null and missing first, ties by id.
 *
 * The array is made at its first use; later writes are collected and merged in when it is next asked for, in
 * O(n) pointer copies and O(k log n) comparisons. An array handed out never changes: streams rely on it.
 */
import {
  type Comparator,
  classOf,
  comparatorOf,
  compareKey,
  compareText,
  getterOf,
  idPath,
  type Leaf,
  type Operand,
  type Order,
  type Path,
  rankOf,
  typesOf,
  type ValueClass,
  type WireRecord,
} from "@dataknobs/core/backend";
import { type Ranges, rangeOf, unite } from "./ranges.js";

const byId: Order = Object.freeze({ path: idPath, descending: false, nullsFirst: true });
/** Above this many operands a merge of their ranges is no gain. */
const maxRangedOperands = 64;
const fewChanges = 512;

/** Whether the records that the leaf selects are stretches of the order of its field. */
export function isRange(leaf: Leaf): boolean {
  switch (leaf.kind) {
    case "exists":
    case "compare":
    case "between":
    case "prefix":
    case "after":
    case "tied":
      return true;
    case "equals":
      // arrays are level with each other in this order, and so are objects
      return leaf.operand.class !== "array" && leaf.operand.class !== "object";
    case "in":
      return (
        leaf.operands.length <= maxRangedOperands &&
        leaf.operands.every((operand) => operand.class !== "array" && operand.class !== "object")
      );
    default:
      return false;
  }
}

export class SortedIndex {
  readonly path: Path;
  readonly #order: Order;
  readonly #compare: Comparator;
  readonly #classOf: (record: WireRecord) => ValueClass;
  readonly #against: (record: WireRecord, operand: Operand) => number;
  readonly #tied: Comparator;
  readonly #all: () => readonly WireRecord[];
  #sorted: readonly WireRecord[] | undefined;
  readonly #added: Set<WireRecord> = new Set();
  readonly #removed: Set<WireRecord> = new Set();

  constructor(path: Path, all: () => readonly WireRecord[]) {
    this.path = path;
    this.#all = all;
    this.#order = Object.freeze({ path, descending: false, nullsFirst: true });
    this.#tied = comparatorOf([this.#order]);
    this.#compare = path.root === "id" ? this.#tied : comparatorOf([this.#order, byId]);
    const get = getterOf(path);
    const types = typesOf(path);
    this.#classOf = (record) => classOf(get(record), types(record), path.pointer);
    this.#against = (record, operand) =>
      compareKey(get(record), this.#classOf(record), operand.value, operand.class, this.#order);
  }

  change(before: WireRecord | undefined, after: WireRecord | undefined): void {
    if (this.#sorted === undefined) return;
    if (before !== undefined && !this.#added.delete(before)) this.#removed.add(before);
    if (after !== undefined) this.#added.add(after);
  }

  forget(): void {
    this.#sorted = undefined;
    this.#added.clear();
    this.#removed.clear();
  }

  records(): readonly WireRecord[] {
    if (this.#sorted === undefined) this.#sorted = [...this.#all()].sort(this.#compare);
    else if (this.#added.size + this.#removed.size > 0) this.#sorted = this.#merge(this.#sorted);
    return this.#sorted;
  }

  #merge(old: readonly WireRecord[]): readonly WireRecord[] {
    const added = [...this.#added].sort(this.#compare);
    const merged =
      added.length + this.#removed.size > fewChanges ? this.#rebuilt(old, added) : this.#spliced(old, added);
    this.#added.clear();
    this.#removed.clear();
    return merged;
  }

  #rebuilt(old: readonly WireRecord[], added: readonly WireRecord[]): WireRecord[] {
    const merged: WireRecord[] = [];
    let at = 0;
    const copy = (to: number): void => {
      for (; at < to; at++) {
        const record = old[at] as WireRecord;
        if (!this.#removed.has(record)) merged.push(record);
      }
    };
    for (const record of added) {
      copy(firstWhere(old, (other) => this.#compare(other, record) > 0, at));
      merged.push(record);
    }
    copy(old.length);
    return merged;
  }

  /** The same for a few changes: what lies between them is copied as a whole, ten times faster. */
  #spliced(old: readonly WireRecord[], added: readonly WireRecord[]): WireRecord[] {
    const places = added.map((record) => ({
      from: firstWhere(old, (other) => this.#compare(other, record) > 0),
      skipped: 0,
      put: [record],
    }));
    for (const record of this.#removed) {
      const from = firstWhere(old, (other) => this.#compare(other, record) >= 0);
      places.push({ from, skipped: 1, put: [] });
    }
    // what goes in at a place goes in before what is taken out there
    places.sort((a, b) => a.from - b.from || a.skipped - b.skipped);
    const parts: (readonly WireRecord[])[] = [];
    let at = 0;
    for (const { from, skipped, put } of places) {
      parts.push(old.slice(at, from), put);
      at = from + skipped;
    }
    return ([] as WireRecord[]).concat(...parts, old.slice(at));
  }

  /** What `records` will cost, in comparisons. */
  catchUpCost(): number {
    if (this.#sorted === undefined) return this.#all().length;
    return this.#added.size + this.#removed.size === 0 ? 0 : this.#sorted.length / 50;
  }

  /** Whether both hold level values, whatever their ids. */
  tied(a: WireRecord, b: WireRecord): boolean {
    return this.#tied(a, b) === 0;
  }

  /** Where null and missing end. */
  present(): number {
    return firstWhere(this.records(), (record) => this.#classOf(record) !== "null");
  }

  /** Just the records that a leaf on this path selects; `undefined` where {@link isRange} says no. */
  ranges(leaf: Leaf): Ranges | undefined {
    if (!isRange(leaf)) return undefined;
    switch (leaf.kind) {
      case "exists":
        return rangeOf(this.present(), this.records().length);
      case "equals":
        return this.#equal(leaf.operand);
      case "in":
        return unite(...leaf.operands.map((operand) => this.#equal(operand)));
      case "compare":
        return this.#compared(leaf.op, leaf.operand);
      case "between":
        return rangeOf(this.#lower(leaf.lower), this.#upper(leaf.upper));
      case "prefix":
        return this.#prefixed(leaf.prefix);
      case "after":
        return this.#after(leaf.operand, leaf.order);
      case "tied":
        return leaf.operand === undefined ? rangeOf(0, this.present()) : this.#equal(leaf.operand);
      default:
        return undefined;
    }
  }

  /** Of the records level with the operand, those whose id comes after `id`. */
  tiedAfter(operand: Operand | undefined, id: string): Ranges {
    const records = this.records();
    const from = operand === undefined ? 0 : this.#lower(operand);
    const to = operand === undefined ? this.present() : this.#upper(operand);
    return rangeOf(
      firstWhere(records, (record) => compareText(record.id, id) > 0, from, to),
      to,
    );
  }

  #lower(operand: Operand): number {
    return firstWhere(this.records(), (record) => this.#against(record, operand) >= 0);
  }

  #upper(operand: Operand): number {
    return firstWhere(this.records(), (record) => this.#against(record, operand) > 0);
  }

  #equal(operand: Operand): Ranges {
    return rangeOf(this.#lower(operand), this.#upper(operand));
  }

  #compared(op: "<" | "<=" | ">" | ">=", operand: Operand): Ranges {
    const records = this.records();
    const rank = rankOf(operand.class);
    const below = op === "<" || op === "<=";
    const edge = op === "<" || op === ">=" ? this.#lower(operand) : this.#upper(operand);
    return below
      ? rangeOf(
          firstWhere(records, (record) => rankOf(this.#classOf(record)) >= rank),
          edge,
        )
      : rangeOf(
          edge,
          firstWhere(records, (record) => rankOf(this.#classOf(record)) > rank),
        );
  }

  #prefixed(prefix: string): Ranges {
    const from = this.#lower({ value: prefix, types: null, class: "string" });
    const get = getterOf(this.path);
    const to = firstWhere(
      this.records(),
      (record) => this.#classOf(record) !== "string" || !(get(record) as string).startsWith(prefix),
      from,
    );
    return rangeOf(from, to);
  }

  #after(operand: Operand | undefined, order: Order): Ranges {
    const { length } = this.records();
    const present = this.present();
    if (operand === undefined) return order.nullsFirst ? rangeOf(present, length) : [];
    const values = order.descending ? rangeOf(present, this.#lower(operand)) : rangeOf(this.#upper(operand), length);
    return order.nullsFirst ? values : unite(rangeOf(0, present), values);
  }
}

/** The first position in `[from, to)` where the test holds; it must not fail again after that. */
export function firstWhere(
  records: readonly WireRecord[],
  test: (record: WireRecord) => boolean,
  from = 0,
  to: number = records.length,
): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (test(records[middle] as WireRecord)) high = middle;
    else low = middle + 1;
  }
  return low;
}
