/** What the tests of this package share: a store at the level of the SPI, and random records and conditions. */
import {
  type Backend,
  classOf,
  encode,
  type IndexSpec,
  type InsertOp,
  idPath,
  type JsonObject,
  type Leaf,
  type Lowered,
  type Operand,
  type Order,
  type Path,
  resolvePath,
  type ScanRequest,
  type WireRecord,
  type WriteOp,
} from "@dataknobs/core/backend";
import fc from "fast-check";
import { type MemoryOptions, memory } from "../src/index.js";

// biome-ignore lint/suspicious/noExplicitAny: the code's type is the backend's own business
type AnyBackend = Backend<any>;

/** The backend with its optional methods there and their answers at hand. */
export type Store = { readonly [K in keyof Required<AnyBackend>]: NonNullable<AnyBackend[K]> };

export function index(path: string, kind: "plain" | "unique" | "text" = "plain"): IndexSpec {
  const suffix = kind === "plain" ? "" : `:${kind}`;
  const flags = { unique: kind === "unique", text: kind === "text" };
  return { path: resolvePath(path), type: undefined, ...flags, name: `${path}${suffix}` };
}

export function store(indexes: readonly IndexSpec[] = [], options: MemoryOptions = {}): Store {
  const backend = memory(options);
  backend.open?.({ indexes });
  return backend as Store;
}

let minted = 0;

export function insert(id: string, data: object, metadata: object = {}): InsertOp {
  const options = { subject: "data", code: "INVALID_RECORD", freeze: true } as const;
  const encoded = encode(data, options);
  return {
    kind: "insert",
    id,
    data: encoded.json as JsonObject,
    types: encoded.types,
    metadata: encode(metadata, options).json as JsonObject,
    metadataTypes: null,
    version: `v${minted++}`,
    at: 1_700_000_000_000 + minted,
  };
}

export function write(target: Pick<Store, "write">, ...ops: readonly WriteOp[]): readonly { status: string }[] {
  return target.write(ops, { atomic: true }) as readonly { status: string }[];
}

export function read(target: Pick<Store, "read">, id: string): WireRecord | undefined {
  return (target.read([id], {}) as readonly (WireRecord | undefined)[])[0];
}

export function scan(target: Pick<Store, "scan">, request: Partial<ScanRequest<unknown>> = {}): WireRecord[] {
  const batches = target.scan({
    where: undefined,
    match: undefined,
    order: [],
    limit: undefined,
    offset: 0,
    select: undefined,
    batchSize: 3,
    ...request,
  }) as Iterable<readonly WireRecord[]>;
  return [...batches].flat();
}

export function idsOf(records: readonly WireRecord[]): string[] {
  return records.map(({ id }) => id);
}

export const source = { path: "x", op: "exists" } as const;

export function operand(value: unknown): Operand {
  const { json, types } = encode(value, { subject: "operand", code: "INVALID_QUERY", freeze: true });
  const kept = Object.entries(types ?? {}).filter(([, tag]) => tag === "bigint" || tag === "bytes");
  const map = kept.length === 0 ? null : Object.fromEntries(kept);
  return { value: json, types: map, class: classOf(json, map, "") };
}

export function equals(path: string, value: unknown): Lowered {
  return { kind: "equals", path: resolvePath(path), operand: operand(value), source };
}

export function compare(path: string, op: "<" | "<=" | ">" | ">=", value: unknown): Lowered {
  return { kind: "compare", path: resolvePath(path), op, operand: operand(value), source };
}

export function orderBy(path: string, descending = false, nullsFirst = !descending): readonly Order[] {
  const order = { path: resolvePath(path), descending, nullsFirst };
  return order.path.root === "id" ? [order] : [order, { path: idPath, descending: false, nullsFirst: true }];
}

// ---------- random data: few different values, so that they meet

const scalars = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, 0, 1, 2, -1.5, 10, 1e21),
  fc.constantFrom<unknown>(0n, 1n, 10n, -2n, 123_456_789_012_345_678_901n),
  fc.constantFrom<unknown>(
    "",
    "a",
    "ab",
    "abc",
    "b",
    "1",
    "é",
    "\u{ff5e}",
    "\u{1f600}",
    "\u{1f600}x",
    "%",
    "2024-01-31T00:00:00.000Z",
  ),
  fc.constantFrom<unknown>(
    new Date("2024-01-31T00:00:00.000Z"),
    new Uint8Array([1, 2]),
    new Uint8Array([1, 200]),
    new Uint8Array(),
  ),
);

const values: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: scalars },
  { weight: 2, arbitrary: fc.array(scalars, { maxLength: 3 }) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>({}, { a: 1 }, { a: 1n }, { a: null }, [[1]], [{ a: "1" }]) },
);

export const fields = ["a", "b", "n.x", "__proto__"] as const;

export const records: fc.Arbitrary<{ data: object; metadata: object }> = fc
  .record({ a: values, b: values, x: values, proto: values, m: values }, { requiredKeys: [] })
  .map(({ a, b, x, proto, m }) => {
    const data: { [key: string]: unknown } = {};
    if (a !== undefined) data["a"] = a;
    if (b !== undefined) data["b"] = b;
    if (x !== undefined) data["n"] = { x };
    if (proto !== undefined) Object.defineProperty(data, "__proto__", { value: proto, enumerable: true });
    return { data, metadata: m === undefined ? {} : { m: typeof m === "string" ? m : 1 } };
  });

const ids = fc.constantFrom("", "a", "b", "k1", "k2", "é", "\u{1f600}", "\u{ff5e}", "a/b", "a'b");
export const recordIds: fc.Arbitrary<string> = fc.tuple(ids, fc.nat(9)).map(([id, n]) => `${id}${n}`);

const orderable = scalars.filter((value) => value !== null).map(operand);
const present = values.filter((value) => value !== null).map(operand);

function leaves(path: Path): fc.Arbitrary<Leaf> {
  const base = { path, source };
  const own = orderBy(path.text)[0] as Order;
  const operands = path.root === "id" ? recordIds.map(operand) : present;
  const ordered = path.root === "id" ? recordIds.map(operand) : orderable;
  const element: fc.Arbitrary<Leaf>[] =
    path.root === "id"
      ? []
      : [
          present.map((one): Leaf => ({ kind: "contains", ...base, operand: one })),
          fc.array(present, { maxLength: 3 }).map((list): Leaf => ({ kind: "overlaps", ...base, operands: list })),
        ];
  const cursor = fc.option(ordered, { nil: undefined });
  return fc.oneof(
    fc.constant<Leaf>({ kind: "exists", ...base }),
    operands.map((one): Leaf => ({ kind: "equals", ...base, operand: one })),
    fc.array(operands, { maxLength: 4 }).map((list): Leaf => ({ kind: "in", ...base, operands: list })),
    fc
      .tuple(fc.constantFrom("<", "<=", ">", ">=" as const), ordered)
      .map(([op, one]): Leaf => ({ kind: "compare", ...base, op, operand: one }) as Leaf),
    fc
      .tuple(ordered, ordered)
      .filter(([lower, upper]) => lower.class === upper.class)
      .map(([lower, upper]): Leaf => ({ kind: "between", ...base, lower, upper })),
    fc.constantFrom("", "a", "ab", "\u{1f600}", "k").map((prefix): Leaf => ({ kind: "prefix", ...base, prefix })),
    fc
      .constantFrom("", "a", "a%", "%", "ab_", "a\\%", "%b", "\u{1f600}%", "\\%")
      .map((pattern): Leaf => ({ kind: "like", ...base, pattern, insensitive: false })),
    fc.tuple(cursor, fc.boolean(), fc.boolean()).map(
      ([one, descending, nullsFirst]): Leaf => ({
        kind: "after",
        ...base,
        operand: one,
        order: { ...own, descending, nullsFirst },
      }),
    ),
    cursor.map((one): Leaf => ({ kind: "tied", ...base, operand: one })),
    ...element,
  );
}

/** Conditions on the paths, nested. */
export function conditions(paths: readonly string[]): fc.Arbitrary<Lowered> {
  const leaf = fc.oneof(...paths.map((path) => leaves(resolvePath(path))));
  return fc.letrec<{ node: Lowered }>((tie) => ({
    node: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      { weight: 4, arbitrary: leaf },
      {
        weight: 2,
        arbitrary: fc
          .array(tie("node"), { maxLength: 3 })
          .map((parts): Lowered => ({ kind: "and", conditions: parts })),
      },
      {
        weight: 2,
        arbitrary: fc.array(tie("node"), { maxLength: 3 }).map((parts): Lowered => ({ kind: "or", conditions: parts })),
      },
      { weight: 1, arbitrary: tie("node").map((condition): Lowered => ({ kind: "not", condition })) },
    ),
  })).node;
}
