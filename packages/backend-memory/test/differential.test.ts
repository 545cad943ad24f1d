/** The indexes against the reference: whatever is asked by index is what matcher and comparator say. */

import {
  type AggregateRow,
  aggregatorOf,
  type Compiled,
  comparatorOf,
  keyOf,
  type Leaf,
  type Lowered,
  matcherOf,
  resolvePath,
  type WireRecord,
} from "@dataknobs/core/backend";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import {
  compare,
  conditions,
  fields,
  idsOf,
  index,
  insert,
  orderBy,
  recordIds,
  records,
  type Store,
  scan,
  store,
  write,
} from "./support.js";

const seed = Number(process.env["DATAKNOBS_SEED"] ?? 20_261_123);
const runs = Number(process.env["DATAKNOBS_RUNS"] ?? 1500);

/** The condition as the backend compiles it; leaves that it only narrows are given back too. */
function compile(backend: Store, condition: Lowered): { code: Lowered; exact: boolean } {
  const { compiler } = backend;
  if (condition.kind === "and" || condition.kind === "or") {
    const parts = condition.conditions.map((part) => compile(backend, part));
    const codes = parts.map(({ code }) => code);
    const code = condition.kind === "and" ? compiler.and(codes) : compiler.or(codes);
    return { code, exact: parts.every(({ exact }) => exact) };
  }
  if (condition.kind === "not") {
    const part = compile(backend, condition.condition);
    return part.exact
      ? { code: compiler.not(part.code), exact: true }
      : { code: { kind: "and", conditions: [] }, exact: false };
  }
  const handler = compiler.leaf[condition.kind] as ((leaf: Leaf) => Compiled<Lowered> | undefined) | undefined;
  return handler?.(condition) ?? { code: { kind: "and", conditions: [] }, exact: false };
}

const changes = fc.array(fc.tuple(recordIds, fc.option(records, { nil: undefined })), { maxLength: 25 });
type Changes = typeof changes extends fc.Arbitrary<infer T> ? T : never;

/** Writes to the target, and to the model. */
function apply(target: Pick<Store, "write">, model: Map<string, WireRecord>, list: Changes): void {
  for (const [id, record] of list) {
    if (record === undefined) {
      write(target, { kind: "delete", id });
      model.delete(id);
      continue;
    }
    const op = { ...insert(id, record.data, record.metadata), kind: "upsert" } as const;
    write(target, op);
    const { kind: _, at, ...rest } = op;
    model.set(id, { ...rest, createdAt: model.get(id)?.createdAt ?? at, updatedAt: at });
  }
}

const paths = [...fields, "metadata.m", "id"];

/** Small stores meet every corner; only in large ones is an index walked rather than a few candidates sorted. */
const scenarioOf = (first: fc.Arbitrary<Changes>) =>
  fc.record({
    declared: fc.subarray([...fields, "metadata.m"], { minLength: 1 }),
    first,
    between: changes,
    second: changes,
  });
const manyChanges: fc.Arbitrary<Changes> = fc.array(fc.tuple(fc.uuid(), records), { minLength: 100, maxLength: 300 });

function check(
  backend: Pick<Store, "scan" | "count" | "aggregate">,
  whole: Store,
  model: Map<string, WireRecord>,
  condition: Lowered,
  request: {
    path: string;
    descending: boolean;
    nullsFirst: boolean;
    offset: number;
    limit: number | undefined;
  },
): void {
  const { code, exact } = compile(whole, condition);
  const all = [...model.values()];
  const test = matcherOf(condition);
  const wanted = all.filter(test);
  const found = scan(backend, { where: code });
  if (!exact) {
    // a narrowed leaf selects more, never less
    expect(idsOf(found)).toEqual(expect.arrayContaining(idsOf(wanted)));
    return;
  }
  expect(idsOf(found).sort()).toEqual(idsOf(wanted).sort());
  expect(backend.count(code, undefined, {})).toBe(wanted.length);
  const order = orderBy(request.path, request.descending, request.nullsFirst);
  if (whole.compiler.order?.(order) === undefined) throw new Error(`${request.path} is not ordered by its index`);
  const { offset, limit } = request;
  const sorted = [...wanted].sort(comparatorOf(order)).slice(offset, limit === undefined ? undefined : offset + limit);
  expect(scan(backend, { where: code, order, offset, limit })).toEqual(sorted);
  const plan = {
    keys: [{ kind: "path", column: "k", path: resolvePath(request.path) }],
    functions: [{ kind: "count", column: "n", path: undefined }],
  } as const;
  const aggregator = aggregatorOf(plan);
  for (const record of wanted) aggregator.add(record);
  const counts = (rows: readonly AggregateRow[]): Map<unknown, unknown> =>
    new Map(rows.map(({ keys: [key], values: [n] }) => [keyOf(key?.json ?? null, key?.types ?? null, ""), n?.json]));
  expect(counts(backend.aggregate({ where: code, match: undefined, plan }) as readonly AggregateRow[])).toEqual(
    counts(aggregator.rows()),
  );
}

function request(declared: readonly string[]): fc.Arbitrary<Parameters<typeof check>[4]> {
  return fc.record({
    path: fc.constantFrom("id", ...declared),
    descending: fc.boolean(),
    nullsFirst: fc.boolean(),
    offset: fc.nat(5),
    limit: fc.option(fc.nat(8), { nil: undefined }),
  });
}

const questionsOf = (first: fc.Arbitrary<Changes>) =>
  scenarioOf(first).chain((one) =>
    fc.record({
      scenario: fc.constant(one),
      questions: fc.array(
        fc.tuple(
          conditions(paths.filter((path) => path === "id" || one.declared.includes(path))),
          request(one.declared),
        ),
        {
          minLength: 1,
          maxLength: 4,
        },
      ),
    }),
  );

describe("the indexes against the reference", () => {
  const sizes = [
    { size: "small", questions: questionsOf(changes), numRuns: runs, endOnFailure: false },
    { size: "large", questions: questionsOf(manyChanges), numRuns: Math.ceil(runs / 10), endOnFailure: true },
  ];
  it.each(sizes)(
    `random writes between queries: same records, same order ($size, seed ${seed})`,
    ({ questions, ...parameters }) => {
      fc.assert(
        fc.property(questions, ({ scenario: { declared, first, between, second }, questions: asked }) => {
          const backend = store(declared.map((path) => index(path)));
          const model = new Map<string, WireRecord>();
          for (const list of [first, between, second]) {
            apply(backend, model, list);
            for (const [condition, one] of asked) check(backend, backend, model, condition, one);
          }
        }),
        { seed, ...parameters },
      );
    },
  );

  it.each(sizes)(
    `a transaction sees its snapshot and its own writes ($size, seed ${seed})`,
    ({ questions, ...parameters }) => {
      fc.assert(
        fc.property(questions, ({ scenario: { declared, first, between, second }, questions: asked }) => {
          const backend = store(declared.map((path) => index(path)));
          const model = new Map<string, WireRecord>();
          apply(backend, model, first);
          const inside = new Map(model);
          const transaction = backend.begin({}) as unknown as Store;
          apply(backend, model, between);
          for (const [condition, one] of asked) check(transaction, backend, inside, condition, one);
          apply(transaction, inside, second);
          apply(backend, model, first);
          for (const [condition, one] of asked) {
            check(transaction, backend, inside, condition, one);
            check(backend, backend, model, condition, one);
          }
        }),
        { seed, ...parameters },
      );
    },
  );

  it("keyset: the pages of a sorted query are its rows, whatever the order", () => {
    fc.assert(
      fc.property(
        fc.oneof(changes, manyChanges),
        fc.boolean(),
        fc.boolean(),
        fc.integer({ min: 1, max: 50 }),
        (list, descending, nullsFirst, size) => {
          const backend = store([index("a")]);
          const model = new Map<string, WireRecord>();
          apply(backend, model, list);
          const order = orderBy("a", descending, nullsFirst);
          const [key] = order as [(typeof order)[number]];
          const pages: WireRecord[] = [];
          let where: Lowered | undefined;
          for (;;) {
            const page = scan(backend, { where, order, limit: size });
            pages.push(...page);
            const last = page.at(-1);
            if (last === undefined) break;
            const [row] = [...model.values()].filter(({ id }) => id === last.id) as [WireRecord];
            const value = row.data["a"];
            const types = row.types?.["/a"] === undefined ? null : { "": row.types["/a"] };
            const kept = types?.[""] === "bigint" || types?.[""] === "bytes" ? types : null;
            const valueClass = kept?.[""] ?? (Array.isArray(value) ? "array" : typeof value);
            const operand =
              value === undefined || value === null ? undefined : ({ value, types: kept, class: valueClass } as never);
            const base = { path: key.path, source: { path: "a", op: "exists" } as const, operand };
            where = {
              kind: "or",
              conditions: [
                { kind: "after", ...base, order: key },
                { kind: "and", conditions: [{ kind: "tied", ...base }, compare("id", ">", last.id)] },
              ],
            };
          }
          expect(pages).toEqual([...model.values()].sort(comparatorOf(order)));
        },
      ),
      { seed, numRuns: Math.ceil(runs / 3) },
    );
  });
});
