/** Stretches of a sorted array as `[from, to)` pairs: ascending, apart from each other, none empty. */

export type Ranges = readonly (readonly [from: number, to: number])[];

const noRanges: Ranges = [];

export function rangeOf(from: number, to: number): Ranges {
  return from < to ? [[from, to]] : noRanges;
}

export function sizeOf(ranges: Ranges): number {
  let size = 0;
  for (const [from, to] of ranges) size += to - from;
  return size;
}

export function unite(...lists: readonly Ranges[]): Ranges {
  const united: [number, number][] = [];
  for (const [from, to] of lists.flat().sort((a, b) => a[0] - b[0])) {
    const last = united.at(-1);
    if (last !== undefined && from <= last[1]) last[1] = Math.max(last[1], to);
    else united.push([from, to]);
  }
  return united;
}

export function intersect(a: Ranges, b: Ranges): Ranges {
  const common: [number, number][] = [];
  let left = 0;
  let right = 0;
  while (left < a.length && right < b.length) {
    const [aFrom, aTo] = a[left] as readonly [number, number];
    const [bFrom, bTo] = b[right] as readonly [number, number];
    const from = Math.max(aFrom, bFrom);
    const to = Math.min(aTo, bTo);
    if (from < to) common.push([from, to]);
    if (aTo < bTo) left++;
    else right++;
  }
  return common;
}

export function complement(ranges: Ranges, length: number): Ranges {
  const gaps: [number, number][] = [];
  let at = 0;
  for (const [from, to] of ranges) {
    if (at < from) gaps.push([at, from]);
    at = to;
  }
  if (at < length) gaps.push([at, length]);
  return gaps;
}
