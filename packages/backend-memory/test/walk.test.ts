/** Large, regular stores, in which indexes are walked and seeked rather than a few candidates sorted. */

import { comparatorOf, type Leaf, type Lowered, matcherOf, type Order, resolvePath } from "@dataknobs/core/backend";
import { describe, expect, it } from "@jest/globals";
import {
  compare,
  equals,
  idsOf,
  index,
  insert,
  operand,
  orderBy,
  type Store,
  scan,
  source,
  store,
  write,
} from "./support.js";

const path = resolvePath;
const size = 2000;

function filled(): Store {
  const backend = store([index("n"), index("group"), index("tags")]);
  // ids in no order of n; a third of the records lacks n
  const ops = Array.from({ length: size }, (_, i) =>
    insert(`r${(i * 7919) % size}`, {
      ...(i % 3 > 0 && { n: i % 700 }),
      group: (i >> 3) % 10,
      tags: [`t${i % 4}`, `u${i % 5}`],
    }),
  );
  write(backend, ...ops);
  return backend;
}

function check(target: Store, where: Lowered | undefined, order: readonly Order[], limit: number, offset = 0): void {
  const test = where === undefined ? () => true : matcherOf(where);
  const wanted = scan(target).filter(test).sort(comparatorOf(order));
  expect(idsOf(scan(target, { where, order, limit, offset }))).toEqual(idsOf(wanted.slice(offset, offset + limit)));
}

const not = (condition: Lowered): Lowered => ({ kind: "not", condition });
const and = (...conditions: Lowered[]): Lowered => ({ kind: "and", conditions });
const groupIn = (...values: number[]): Leaf => ({
  kind: "in",
  path: path("group"),
  operands: values.map(operand),
  source,
});

const orders = [
  ["up, null first", orderBy("n", false, true)],
  ["up, null last", orderBy("n", false, false)],
  ["down, null first", orderBy("n", true, true)],
  ["down, null last", orderBy("n", true, false)],
] as const;

describe.each(orders)("a walk %s", (_, order) => {
  it("gives the first records, and those after an offset into the middle and the end", () => {
    const backend = filled();
    for (const offset of [0, 5, 660, 1330, 1990]) check(backend, undefined, order, 20, offset);
  });

  it("keeps to conditions on other fields", () => {
    const backend = filled();
    check(backend, not(groupIn(1, 2, 3, 4, 5)), order, 50);
    check(backend, and(not(equals("group", 4)), compare("n", ">=", 100)), order, 50);
    check(backend, and(not(equals("n", 50)), not(equals("group", 4))), order, 50, 300);
  });

  it("in a transaction, puts its own records in their places and leaves out what it deleted", () => {
    const backend = filled();
    const transaction = backend.begin({}) as unknown as Store;
    write(
      transaction,
      ...[10, 20.5, 20, 699, -1].map((n) => insert(`own${n}`, { n, group: 1, tags: [] })),
      insert("a-null", { group: 1 }),
      insert("z-null", { group: 1 }),
      { kind: "delete", id: "r0" },
    );
    write(backend, ...Array.from({ length: 100 }, (__, i) => insert(`other${i}`, { n: i, group: 1 })));
    for (const offset of [0, 30, 670, 1320, 1990]) check(transaction, undefined, order, 30, offset);
    check(transaction, not(groupIn(2, 3)), order, 100);
  });
});

describe("a page", () => {
  it("deep inside level values begins where the last one ended", () => {
    const backend = filled();
    const order = orderBy("group");
    const last = scan(backend, { order, offset: 1150, limit: 1 })[0];
    const [key] = order as readonly [Order, ...Order[]];
    const base = { path: path("group"), source, operand: operand(5) };
    const where: Lowered = {
      kind: "or",
      conditions: [
        { kind: "after", ...base, order: key },
        and({ kind: "tied", ...base }, compare("id", ">", last?.id)),
      ],
    };
    expect(last?.data["group"]).toBe(5);
    expect(idsOf(scan(backend, { where, order, limit: 60 }))).toEqual(
      idsOf(scan(backend, { order, offset: 1151, limit: 60 })),
    );
  });
});

describe("lists", () => {
  it("overlaps: a record that shares two elements is found once", () => {
    const backend = filled();
    const where: Leaf = { kind: "overlaps", path: path("tags"), operands: ["t1", "u1", "t1"].map(operand), source };
    const wanted = scan(backend).filter(matcherOf(where));
    expect(idsOf(scan(backend, { where })).sort()).toEqual(idsOf(wanted).sort());
    expect(backend.count(where, undefined, {})).toBe(wanted.length);
  });

  it("in: a value given twice counts once", () => {
    const backend = filled();
    expect(backend.count(groupIn(1, 1, 2), undefined, {})).toBe(400);
    expect(scan(backend, { where: groupIn(1, 1, 2) })).toHaveLength(400);
  });
});
