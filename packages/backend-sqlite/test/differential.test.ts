/** SQL against the reference: random records and conditions, typed values and hostile names included. */
import {
  type AggregatePlan,
  aggregatorOf,
  classOf,
  comparatorOf,
  compareText,
  encode,
  type IndexSpec,
  idPath,
  isHit,
  type JsonObject,
  keyOf,
  type Leaf,
  type Lowered,
  type Match,
  matcherOf,
  type Operand,
  type Order,
  resolvePath,
  type ScanRequest,
  tokenize,
  type WireRecord,
  wordCounter,
} from "@dataknobs/core/backend";
import type { Sql } from "@dataknobs/sql";
import { afterEach, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { type SqliteOptions, settingsOf } from "../src/options.js";
import { SyncSqlite } from "../src/sync.js";

const seed = Number(process.env["DATAKNOBS_SEED"] ?? 20_240_131);
const numRuns = Number(process.env["DATAKNOBS_SQL_RUNS"] ?? 1500);

// ---------- values

const strings = [
  "",
  "a",
  "A",
  "ab",
  "abc",
  "b",
  "30",
  "1",
  "true",
  "null",
  "[1]",
  '{"a":1}',
  "é",
  "É",
  "e\u0301",
  "ß",
  "ẞ",
  "İ",
  "i̇",
  "K",
  "K",
  "k",
  "漢字",
  "😀",
  "\uffff",
  "\ue000",
  "𐀀",
  "a%b",
  "a_b",
  "a\\b",
  "a\nb",
  "*",
  "?",
  "[a]",
  "quick brown fox",
  "2024-01-31",
  "2024-01-31T10:20:30.000Z",
  "-5",
  "AQI=",
  "'",
  '"',
  "--",
  "\u0001",
  "\u007f",
  "ſ",
  "\ud7ff",
  "\u{10ffff}",
];
const numbers = [
  0,
  1,
  -1,
  2,
  10,
  0.1,
  1.5,
  -2.5,
  30,
  2 ** 53,
  2 ** 60,
  2 ** 53 - 1,
  -(2 ** 60),
  2 ** 63,
  5e-324,
  1e308,
  -1e308,
  1e21,
  123456789.123,
];
const bigints = [
  0n,
  1n,
  -1n,
  10n,
  -10n,
  9n,
  -9n,
  2n ** 60n,
  2n ** 64n,
  -(2n ** 64n),
  10n ** 40n,
  -(10n ** 40n),
  99n,
  100n,
  -99n,
  -100n,
];
const bytes = [[], [0], [1, 2], [1, 2, 3], [255], [0, 255], [49], [97]].map((list) => Uint8Array.from(list));
const dates = ["2024-01-31T10:20:30.000Z", "1969-12-31T23:59:59.999Z", "2024-02-29T00:00:00.000Z"].map(
  (text) => new Date(text),
);

const scalar = fc.oneof(
  fc.constantFrom<unknown>(null, true, false),
  fc.constantFrom<unknown>(...numbers),
  fc.constantFrom<unknown>(...strings),
  fc.constantFrom<unknown>(...bigints),
  fc.constantFrom<unknown>(...bytes),
  fc.constantFrom<unknown>(...dates),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const names = [
  "v",
  "w",
  "a.b",
  'q"q',
  "it's",
  "$",
  "[0]",
  "--",
  "__proto__",
  "",
  "naïve",
  "漢",
  "😀",
  "\\",
  "\\u0041",
  "\n",
  "\u0001",
  "a/b",
  "a~b",
  "~1",
  "id",
  "toString",
  "0",
  "x".repeat(1000),
];
const name = fc.constantFrom(...names);
const small = fc.constantFrom<unknown>(1, 2, "a", "1", true, 1n, Uint8Array.from([1]), null, dates[0]);
const deep = fc.oneof(
  fc.array(small, { maxLength: 3 }),
  fc.array(
    fc.oneof(
      small,
      fc.array(small, { maxLength: 2 }),
      fc.dictionary(fc.constantFrom("a", "b", "a/b"), small, { maxKeys: 2 }),
    ),
    { maxLength: 3 },
  ),
  fc.dictionary(fc.constantFrom("a", "b", "__proto__", "a/b"), small, { maxKeys: 3 }),
  fc.constantFrom<unknown>(
    [1, 2],
    { a: 1, b: 2 },
    { b: 2, a: 1 },
    { a: null },
    {},
    [],
    [[1]],
    [{ a: 1n }],
    Float32Array.from([1, 0.5]),
  ),
);
const value = fc.oneof({ weight: 3, arbitrary: scalar }, { weight: 1, arbitrary: deep });

function own(entries: readonly (readonly [string, unknown])[]): { [key: string]: unknown } {
  return Object.fromEntries(entries);
}

const options = { subject: "value", code: "INVALID_RECORD", freeze: false } as const;

const recordData = fc
  .array(
    fc.tuple(
      name,
      fc.oneof(
        value,
        fc.tuple(name, value).map(([key, inner]) => own([[key, inner]])),
      ),
    ),
    { maxLength: 3 },
  )
  .chain((fields) => fc.option(value, { nil: undefined, freq: 8 }).map((v) => own([...fields, ["v", v]])));

const record = fc.tuple(
  recordData,
  fc.option(
    fc.tuple(name, value).map(([key, v]) => own([[key, v]])),
    { nil: {}, freq: 2 },
  ),
);

function toRecord(index: number, [data, metadata]: readonly [object, object]): WireRecord {
  const one = encode(data, options);
  const two = encode(metadata, options);
  return {
    id: index % 3 === 0 ? `r${index}` : index % 3 === 1 ? `${index}😀'"` : `\uffff${index}`,
    data: one.json as JsonObject,
    types: one.types,
    metadata: two.json as JsonObject,
    metadataTypes: two.types,
    version: `v${index}`,
    createdAt: 1_700_000_000_000 + (index % 4) * 1000,
    updatedAt: 1_700_000_000_000 + index,
  };
}

// ---------- conditions

const path = fc.oneof(
  { weight: 5, arbitrary: fc.constant(resolvePath("v")) },
  { weight: 3, arbitrary: name.map((one) => resolvePath(["data", one])) },
  { weight: 2, arbitrary: fc.tuple(name, name).map((two) => resolvePath(["data", ...two])) },
  { weight: 1, arbitrary: name.map((one) => resolvePath(["metadata", one])) },
  { weight: 1, arbitrary: fc.constantFrom(resolvePath("id"), resolvePath("createdAt"), resolvePath("updatedAt")) },
);

function operandOf(input: unknown): Operand {
  const { json, types } = encode(input, options);
  const kept = Object.fromEntries(Object.entries(types ?? {}).filter(([, tag]) => tag === "bigint" || tag === "bytes"));
  const map = Object.keys(kept).length === 0 ? null : kept;
  return { value: json, types: map, class: classOf(json, map, "") };
}

const operand = value.filter((one) => one !== null && one !== undefined).map(operandOf);
const ordered = operand.filter(({ class: one }) => one !== "array" && one !== "object");
const source = { path: "v", op: "=" } as const;
const pattern = fc
  .array(fc.constantFrom("%", "_", "a", "b", "A", "é", "É", "İ", "k", "\\%", "\\_", "*", "?", "[", "😀", "\n", "30"), {
    maxLength: 4,
  })
  .map((parts) => parts.join(""));
const order: fc.Arbitrary<Order> = fc.record({ path, descending: fc.boolean(), nullsFirst: fc.boolean() });

const leaf: fc.Arbitrary<Leaf> = path.chain((at) => {
  const base = { path: at, source };
  return fc.oneof<fc.Arbitrary<Leaf>[]>(
    fc.constant({ ...base, kind: "exists" }),
    operand.map((one) => ({ ...base, kind: "equals", operand: one })),
    fc
      .tuple(ordered, fc.constantFrom("<", "<=", ">", ">="))
      .map(([one, op]) => ({ ...base, kind: "compare", op: op as "<", operand: one })),
    fc.tuple(ordered, ordered).map(([lower, upper]) => ({
      ...base,
      kind: "between",
      lower,
      upper: upper.class === lower.class ? upper : lower,
    })),
    fc.array(operand, { maxLength: 4 }).map((operands) => ({ ...base, kind: "in", operands })),
    fc
      .tuple(fc.oneof(pattern, fc.constantFrom(...strings.filter((one) => !one.includes("\\")))), fc.boolean())
      .map(([one, insensitive]) => ({ ...base, kind: "like", pattern: one, insensitive })),
    fc
      .constantFrom("^a", "[0-9]+", "b$", ".", "\\p{Lu}", "^$")
      .chain((one) =>
        fc.constantFrom("u", "iu", "su").map((flags) => ({ ...base, kind: "regex" as const, pattern: one, flags })),
      ),
    fc
      .constantFrom("", "a", "ab", "é", "\ud7ff", "\uffff", "\u{10ffff}", "😀", "2024", "[", "1")
      .map((prefix) => ({ ...base, kind: "prefix", prefix })),
    operand.map((one) => ({ ...base, kind: "contains", operand: one })),
    fc.array(operand, { maxLength: 3 }).map((operands) => ({ ...base, kind: "overlaps", operands })),
    fc
      .tuple(fc.option(operand, { nil: undefined }), order)
      .map(([one, by]) => ({ ...base, kind: "after", operand: one, order: { ...by, path: at } })),
    fc.option(operand, { nil: undefined }).map((one) => ({ ...base, kind: "tied", operand: one })),
  );
});

const condition: fc.Arbitrary<Lowered> = fc.letrec<{ node: Lowered }>((tie) => ({
  node: fc.oneof(
    { weight: 6, arbitrary: leaf },
    {
      weight: 1,
      arbitrary: fc.array(tie("node"), { maxLength: 3 }).map((conditions) => ({ kind: "and" as const, conditions })),
    },
    {
      weight: 1,
      arbitrary: fc.array(tie("node"), { maxLength: 3 }).map((conditions) => ({ kind: "or" as const, conditions })),
    },
    { weight: 1, arbitrary: tie("node").map((one) => ({ kind: "not" as const, condition: one })) },
  ),
})).node;

/** A compiler may withhold a part; this one never does. */
function made(code: Sql | undefined): Sql {
  if (code === undefined) throw new Error("withheld");
  return code;
}

/** Everything pushed: fails where a leaf is not, unless it may be left to core. */
function push(backend: SyncSqlite, node: Lowered): Sql {
  const { compiler } = backend;
  switch (node.kind) {
    case "and":
      return made(compiler.and(node.conditions.map((one) => push(backend, one))));
    case "or":
      return made(compiler.or(node.conditions.map((one) => push(backend, one))));
    case "not":
      return made(compiler.not(push(backend, node.condition)));
    default: {
      const compiled = (compiler.leaf[node.kind] as (one: Leaf) => { code: Sql; exact: boolean } | undefined)(node);
      if (compiled === undefined) throw new Error(`${node.kind} on ${node.path.text} is not pushed`);
      expect(compiled.exact).toBe(true);
      return compiled.code;
    }
  }
}

const plain: Omit<ScanRequest<Sql>, "where"> = {
  match: undefined,
  order: [],
  limit: undefined,
  offset: 0,
  select: undefined,
  batchSize: 7,
};

const open: SyncSqlite[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

function store(
  records: readonly WireRecord[],
  indexes: readonly IndexSpec[],
  settings: SqliteOptions = {},
): SyncSqlite {
  const backend = new SyncSqlite(settingsOf(settings));
  backend.open({ indexes });
  open.push(backend);
  const ops = records.map((one) => ({ ...one, kind: "upsert" as const, at: one.createdAt }));
  for (const outcome of backend.write(ops, { atomic: false })) expect(outcome.status).toBe("written");
  return backend;
}

const idsOf = (batches: Iterable<readonly WireRecord[]>): string[] => [...batches].flat().map(({ id }) => id);

const declare = (of: string | readonly string[], more: Partial<IndexSpec> = {}): IndexSpec => {
  const at = resolvePath(of as string);
  return { path: at, type: undefined, unique: false, text: false, name: at.text, ...more };
};
const declared = [
  declare("v"),
  ...names.map((one) => declare(["data", one])),
  declare(["metadata", "v"]),
  declare(["metadata", 'q"q']),
];

const records = fc.array(record, { minLength: 1, maxLength: 25 }).map((list) =>
  list.map((one, index) => {
    const made = toRecord(index, one);
    return { ...made, updatedAt: made.createdAt };
  }),
);

describe.each([
  ["undeclared", [] as readonly IndexSpec[]],
  ["declared", declared],
])("%s", (_, indexes) => {
  const unique = new Map(indexes.map((one) => [one.name, one]));
  const specs = [...unique.values()];

  it("records come back as they were written", () => {
    fc.assert(
      fc.property(records, (list) => {
        const backend = store(list, specs);
        expect(
          [...backend.scan({ ...plain, where: undefined })].flat().sort((a, b) => compareText(a.id, b.id)),
        ).toEqual([...list].sort((a, b) => compareText(a.id, b.id)));
        expect(backend.read(list.map(({ id }) => id))).toEqual(list);
        backend.close();
        open.pop();
      }),
      { seed, numRuns: 40 },
    );
  });

  it("conditions select what the reference selects", () => {
    fc.assert(
      fc.property(records, fc.array(condition, { minLength: 15, maxLength: 15 }), (list, conditions) => {
        const backend = store(list, specs);
        for (const one of conditions) {
          const where = push(backend, one);
          const expected = list
            .filter(matcherOf(one))
            .map(({ id }) => id)
            .sort();
          expect({ one, found: idsOf(backend.scan({ ...plain, where })).sort() }).toEqual({ one, found: expected });
          expect(backend.count(where, undefined)).toBe(expected.length);
        }
        backend.close();
        open.pop();
      }),
      { seed, numRuns: Math.ceil(numRuns / 15) },
    );
  });

  it("orders are those of the reference, pages and ties included", () => {
    fc.assert(
      fc.property(
        records,
        fc.array(fc.array(order, { minLength: 1, maxLength: 2 }), { minLength: 5, maxLength: 5 }),
        (list, orders) => {
          const backend = store(list, specs);
          for (const keys of orders) {
            const by = [...keys, { path: idPath, descending: false, nullsFirst: true }];
            expect(backend.compiler.order?.(by)).toBeDefined();
            const expected = [...list].sort(comparatorOf(by)).map(({ id }) => id);
            expect({ by, found: idsOf(backend.scan({ ...plain, where: undefined, order: by })) }).toEqual({
              by,
              found: expected,
            });
            expect(idsOf(backend.scan({ ...plain, where: undefined, order: by, limit: 3, offset: 2 }))).toEqual(
              expected.slice(2, 5),
            );
          }
          backend.close();
          open.pop();
        },
      ),
      { seed, numRuns: Math.ceil(numRuns / 15) },
    );
  });

  it("aggregates are those of the reference", () => {
    const key = fc.oneof(
      path.map((at) => ({ kind: "path" as const, column: "k", path: at })),
      fc
        .tuple(path, fc.constantFrom(1, 0.5, 10, 1e9))
        .map(([at, width]) => ({ kind: "bucket" as const, column: "k", path: at, width })),
      fc
        .tuple(path, fc.constantFrom("hour", "day", "week", "month", "quarter", "year"))
        .map(([at, unit]) => ({ kind: "dateBucket" as const, column: "k", path: at, unit: unit as "day" })),
    );
    const fn = fc.oneof(
      fc.constant({ kind: "count" as const, column: "f", path: undefined }),
      fc
        .tuple(fc.constantFrom("count", "countDistinct", "sum", "avg", "min", "max"), path)
        .map(([kind, at]) => ({ kind: kind as "sum", column: "f", path: at })),
      fc
        .tuple(path, fc.constantFrom(0, 0.25, 0.5, 0.95, 1))
        .map(([at, fraction]) => ({ kind: "percentile" as const, column: "f", path: at, fraction })),
    );
    const plan = fc.record({
      keys: fc.array(key, { maxLength: 2 }),
      functions: fc.array(fn, { minLength: 1, maxLength: 4 }),
    });
    const moderate = records.map((list) => list.filter((one) => !JSON.stringify(one).includes("e+308")));
    fc.assert(
      fc.property(moderate, fc.array(plan, { minLength: 6, maxLength: 6 }), (list, plans) => {
        const backend = store(list, specs);
        for (const one of plans as AggregatePlan[]) {
          const aggregator = aggregatorOf(one);
          for (const each of list) aggregator.add(each);
          const normal = (rows: ReturnType<typeof aggregator.rows>): unknown =>
            rows
              .map(({ keys, values }) => [
                keys.map((cell) => [keyOf(cell.json, cell.types ?? null, ""), cell.types?.[""] ?? null]),
                values.map((cell) => [
                  typeof cell.json === "number" ? Number(cell.json.toPrecision(12)) : cell.json,
                  cell.types?.[""] ?? null,
                ]),
              ])
              .map((row) => JSON.stringify(row))
              .sort();
          expect({ one, rows: normal(backend.aggregate({ where: undefined, match: undefined, plan: one })) }).toEqual({
            one,
            rows: normal(aggregator.rows()),
          });
        }
        backend.close();
        open.pop();
      }),
      { seed, numRuns: Math.ceil(numRuns / 12) },
    );
  });
});

describe("full text", () => {
  const vocabulary = [
    "quick",
    "Fox",
    "漢字",
    "naïve",
    "ÉCOLE",
    "x1",
    "don't",
    "日本",
    "ก",
    "ß",
    "e\u0301",
    "a_b",
    "Ⅷ",
    "٣",
    "𝒳",
    "क्ष",
    "İ",
    "--",
    "AND",
    '"',
    "*",
  ];
  const text = fc.array(fc.constantFrom(...vocabulary), { maxLength: 5 }).map((words) => words.join(" "));
  const field = fc.oneof(
    text,
    fc.array(fc.oneof(text, fc.constant(1n), fc.constant(3)), { maxLength: 3 }),
    fc.constantFrom<unknown>(null, 5, 10n, { a: "quick" }),
  );
  const specs = [
    declare("t", { text: true, name: "t:text" }),
    declare("u.deep", { text: true, name: "u:text" }),
    declare("metadata.m", { text: true, name: "m:text" }),
  ];

  it("finds what the reference finds, whatever was written since", () => {
    const documents = fc.array(
      fc.tuple(fc.record({ t: field, u: fc.record({ deep: field }) }), fc.record({ m: field })),
      { minLength: 1, maxLength: 12 },
    );
    const match = fc
      .tuple(
        text,
        fc.subarray(
          specs.map((one) => one.path),
          { minLength: 1 },
        ),
        fc.constantFrom("all", "any"),
      )
      .map(
        ([words, fields, mode]): Match => ({
          text: words,
          words: [...new Set(tokenize(words))],
          fields,
          mode: mode as "all",
        }),
      );
    fc.assert(
      fc.property(documents, documents, fc.array(match, { minLength: 8, maxLength: 8 }), (first, second, matches) => {
        const before = first.map((one, index) => toRecord(index, one));
        const backend = store(before, specs);
        const after = new Map(before.map((one) => [one.id, one]));
        second.forEach((one, index) => {
          const made = toRecord(index * 2, one);
          after.set(made.id, made);
          backend.write([{ ...made, kind: "upsert", at: 1 }], { atomic: true });
        });
        const [gone] = after.keys();
        backend.write([{ kind: "delete", id: gone as string }], { atomic: true });
        after.delete(gone as string);
        const [kept] = after.keys();
        if (kept !== undefined) {
          const old = after.get(kept) as WireRecord;
          backend.merge({ id: kept, data: { t: "quick merged" }, types: null, version: "m", at: 2 });
          after.set(kept, {
            ...old,
            data: { ...old.data, t: "quick merged" },
            types: Object.fromEntries(
              Object.entries(old.types ?? {}).filter(([at]) => at !== "/t" && !at.startsWith("/t/")),
            ),
          });
        }
        for (const one of matches) {
          if (one.words.length === 0) continue;
          const compiled = backend.compiler.match?.(one);
          expect(compiled?.exact).toBe(true);
          const count = wordCounter(one);
          const expected = [...after.values()]
            .filter((each) => isHit(one, count(each)))
            .map(({ id }) => id)
            .sort();
          const rows = [...backend.scan({ ...plain, where: undefined, match: compiled?.code })].flat();
          expect({ one, found: rows.map(({ id }) => id).sort() }).toEqual({ one, found: expected });
          expect(backend.count(undefined, compiled?.code)).toBe(expected.length);
          for (let index = 1; index < rows.length; index++) {
            const [a, b] = [rows[index - 1] as WireRecord, rows[index] as WireRecord];
            expect(
              (a.score as number) > (b.score as number) || (a.score === b.score && compareText(a.id, b.id) < 0),
            ).toBe(true);
          }
        }
        backend.close();
        open.pop();
      }),
      { seed, numRuns: Math.ceil(numRuns / 10) },
    );
  });
});
