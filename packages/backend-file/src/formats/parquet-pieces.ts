/**
 * What becomes of the row groups of a file when some of its records change: most are kept as they are, byte for byte; those
 * with a changed record are encoded anew, and so are the new records. What is encoded takes in neighbours that are not full
 * and no larger than it is, so that a file that is written record by record has few small groups, and each record is encoded
 * a few times only.
 */
export interface GroupState {
  /** Rows once the changes are made. */
  readonly rows: number;
  /** Whether it has to be encoded anew. */
  readonly touched: boolean;
}

/** A row group of the old file, or the new records. */
export type Origin = number | "new";

export type Piece = { readonly keep: number } | { readonly encode: readonly Origin[] };

interface Item {
  readonly origins: readonly Origin[];
  readonly rows: number;
  readonly loose: boolean;
}

/** In the order of the file. `size`: rows of a full group. */
export function planPieces(groups: readonly GroupState[], added: number, size: number): readonly Piece[] {
  const items: Item[] = groups.map(({ rows, touched }, index) => ({ origins: [index], rows, loose: touched }));
  items.push({ origins: ["new"], rows: added, loose: true });
  const planned: Item[] = [];
  for (const item of items) {
    if (item.loose && item.rows === 0) continue;
    let last = item;
    for (let before = planned.at(-1); before !== undefined && belong(before, last, size); before = planned.at(-1)) {
      planned.pop();
      last = { origins: [...before.origins, ...last.origins], rows: before.rows + last.rows, loose: true };
    }
    planned.push(last);
  }
  return planned.map(({ origins, loose }) => (loose ? { encode: origins } : { keep: origins[0] as number }));
}

function belong(a: Item, b: Item, size: number): boolean {
  if (a.loose && b.loose) return true;
  if (!a.loose && !b.loose) return false;
  const [loose, kept] = a.loose ? [a, b] : [b, a];
  return kept.rows < size && kept.rows <= loose.rows;
}
