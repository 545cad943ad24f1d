/** Sets of ids as ranges in code point order: what conditions on `id` come to. Pure. */
import { compareText } from "@dataknobs/core/backend";
import { longestId } from "./keys.js";

/** From an id, included, up to another, excluded; `undefined`: no end. */
export interface Range {
  readonly from: string;
  readonly to: string | undefined;
}
/** Sorted, apart from each other, none empty. */
export type IdSet = readonly Range[];

export const everyId: IdSet = Object.freeze([Object.freeze({ from: "", to: undefined })]);

/** The least text after this one: U+0000 is in no id. */
export function next(text: string): string {
  return `${text}\0`;
}

export function range(from: string, to: string | undefined): IdSet {
  return isBefore(from, to) ? [{ from, to }] : [];
}

/** The id, where the range holds just one and it is one that a record can have. */
export function onlyId({ from, to }: Range): string | undefined {
  const isId = to === next(from) && from !== "" && from.isWellFormed() && !from.includes("\0");
  return isId && Buffer.byteLength(from) <= longestId ? from : undefined;
}

export function startingWith(prefix: string): IdSet {
  const points = Array.from(prefix, (letter) => letter.codePointAt(0) as number);
  while (points.at(-1) === 0x10ffff) points.pop();
  const last = points.pop();
  if (last === undefined) return range(prefix, undefined);
  // no text has a lone surrogate
  points.push(last === 0xd7ff ? 0xe000 : last + 1);
  return range(prefix, String.fromCodePoint(...points));
}

export function includes({ from, to }: Range, id: string): boolean {
  return compareText(from, id) <= 0 && isBefore(id, to);
}

function isBefore(id: string, end: string | undefined): boolean {
  return end === undefined || compareText(id, end) < 0;
}

function compareEnds(a: string | undefined, b: string | undefined): number {
  if (a === undefined) return b === undefined ? 0 : 1;
  return b === undefined ? -1 : compareText(a, b);
}

export function union(sets: readonly IdSet[]): IdSet {
  const merged: Range[] = [];
  for (const one of sets.flat().sort((a, b) => compareText(a.from, b.from))) {
    const last = merged.at(-1);
    if (last === undefined || compareEnds(last.to, one.from) < 0) merged.push(one);
    else if (compareEnds(last.to, one.to) < 0) merged[merged.length - 1] = { from: last.from, to: one.to };
  }
  return merged;
}

export function complement(set: IdSet): IdSet {
  const gaps: Range[] = [];
  let from: string | undefined = "";
  for (const one of set) {
    gaps.push(...range(from as string, one.from));
    from = one.to;
  }
  if (from !== undefined) gaps.push({ from, to: undefined });
  return gaps;
}

export function intersection(sets: readonly IdSet[]): IdSet {
  return complement(union(sets.map(complement)));
}
