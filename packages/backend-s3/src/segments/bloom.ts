/** A set of ids that may say yes too often, and never no wrongly: ten bits an id, one in a hundred wrong. Pure. */

const bitsPerId = 10;
const probes = 7;

export function bloomOf(ids: readonly string[]): Uint8Array {
  const bloom = new Uint8Array(Math.max(8, Math.ceil((ids.length * bitsPerId) / 8)));
  for (const id of ids) {
    visit(bloom, id, (at, bit) => {
      bloom[at] = (bloom[at] as number) | bit;
      return true;
    });
  }
  return bloom;
}

export function mayContain(bloom: Uint8Array, id: string): boolean {
  return visit(bloom, id, (at, bit) => ((bloom[at] as number) & bit) !== 0);
}

/** Bits for an id, until `test` says no. The hash is part of the layout: a change makes old files unreadable. */
function visit(bloom: Uint8Array, id: string, test: (at: number, bit: number) => boolean): boolean {
  let first = 0xdeadbeef;
  let second = 0x41c6ce57;
  for (let index = 0; index < id.length; index++) {
    const unit = id.charCodeAt(index);
    first = Math.imul(first ^ unit, 2654435761);
    second = Math.imul(second ^ unit, 1597334677);
  }
  first = Math.imul(first ^ (first >>> 16), 2246822507) ^ Math.imul(second ^ (second >>> 13), 3266489909);
  second = Math.imul(second ^ (second >>> 16), 2246822507) ^ Math.imul(first ^ (first >>> 13), 3266489909);
  const size = bloom.length * 8;
  let bit = first >>> 0;
  const step = (second >>> 0) | 1;
  for (let probe = 0; probe < probes; probe++) {
    const position = bit % size;
    if (!test(position >>> 3, 1 << (position & 7))) return false;
    bit = (bit + step) >>> 0;
  }
  return true;
}
