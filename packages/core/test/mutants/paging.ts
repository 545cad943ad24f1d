/** Bugs in order, paging, projection and what is declared. */
import { comparatorOf } from "../../src/match/compare.js";
import { valueAt } from "../../src/match/matcher.js";
import type { Order } from "../../src/query/lowered.js";
import type { Json, WireRecord } from "../../src/record/json.js";
import { compiling } from "./compiling.js";
import { type Mutant, mutant } from "./mutant.js";
import type { Tiny } from "./tiny.js";

/** Sorts with another comparator. */
function ordering(
  comparator: (order: readonly Order[]) => (a: WireRecord, b: WireRecord) => number,
): (tiny: Tiny) => void {
  return (tiny) => {
    const { rows } = tiny;
    tiny.rows = (request) => {
      if (request.order.length === 0) return rows.call(tiny, request);
      const { limit, offset } = request;
      const all = rows
        .call(tiny, { ...request, order: [], limit: undefined, offset: 0 })
        .sort(comparator(request.order));
      return all.slice(offset, limit === undefined ? undefined : offset + limit);
    };
  };
}

function firstText(order: readonly Order[]): (record: WireRecord) => Json | undefined {
  const read = valueAt((order[0] as Order).path);
  return (record) => read(record).value;
}

export const pagingMutants: readonly Mutant[] = [
  mutant("count ignores the condition", "paging/count-ignores-sort-limit-and-offset", (tiny) => {
    tiny.count = () => tiny.records.size;
  }),
  mutant(
    "the order ignores ids in ties",
    "order/ties-are-broken-by-id-ascending",
    ordering((order) => comparatorOf(order.slice(0, -1))),
  ),
  mutant(
    "descending order turns ties round",
    "order/ties-are-broken-by-id-ascending",
    ordering((order) => comparatorOf(order.map((one) => ({ ...one, descending: order[0]?.descending ?? false })))),
  ),
  mutant(
    "nulls come last",
    "order/classes-come-in-one-order",
    ordering((order) => comparatorOf(order.map((one) => ({ ...one, nullsFirst: false })))),
  ),
  mutant(
    "the place of nulls cannot be chosen",
    "order/nulls-go-where-they-are-told",
    ordering((order) => comparatorOf(order.map((one) => ({ ...one, nullsFirst: !one.descending })))),
  ),
  mutant(
    "numbers sort as text",
    "order/numbers-by-value",
    ordering((order) => {
      const read = firstText(order);
      return (a, b) =>
        (String(read(a)) < String(read(b)) ? -1 : String(read(a)) > String(read(b)) ? 1 : 0) ||
        comparatorOf(order)(a, b);
    }),
  ),
  mutant(
    "texts sort by locale",
    "order/texts-by-code-point",
    ordering((order) => {
      const read = firstText(order);
      return (a, b) => String(read(a)).localeCompare(String(read(b)), "en") || comparatorOf(order)(a, b);
    }),
  ),
  mutant(
    "texts sort by UTF-16 units",
    "order/texts-by-code-point",
    ordering((order) => {
      const read = firstText(order);
      const sign = order[0]?.descending === true ? -1 : 1;
      return (a, b) => sign * (String(read(a)) < String(read(b)) ? -1 : String(read(a)) > String(read(b)) ? 1 : 0);
    }),
  ),
  mutant(
    "only the first sort key counts",
    "order/several-keys",
    ordering((order) => comparatorOf([order[0] as Order, order.at(-1) as Order])),
  ),
  mutant(
    "an order is promised and not given",
    "order/numbers-by-value",
    ordering(() => () => 0),
  ),
  mutant("the limit comes before the filter", "paging/limit-and-offset-come-after-the-filter", (tiny) => {
    const { rows } = tiny;
    tiny.rows = (request) => {
      const page = rows.call(tiny, { ...request, where: undefined });
      return page.filter((record) => request.where?.(record) ?? true);
    };
  }),
  mutant("the offset is off by one", "paging/every-window-of-a-sorted-answer", (tiny) => {
    const { rows } = tiny;
    tiny.rows = (request) => rows.call(tiny, { ...request, offset: request.offset > 0 ? request.offset - 1 : 0 });
  }),
  mutant("an offset without limit is ignored", "paging/an-offset-without-limit-works", (tiny) => {
    const { rows } = tiny;
    tiny.rows = (request) => rows.call(tiny, { ...request, offset: request.limit === undefined ? 0 : request.offset });
  }),
  mutant(
    "keyset paging leaves nulls out",
    "paging/pages-over-every-class-nulls-and-ties",
    compiling(
      "after",
      (leaf, right) => (record) => right(record) && (valueAt(leaf.path)(record).value ?? null) !== null,
    ),
  ),
  mutant(
    "keyset paging repeats ties",
    "paging/pages-over-every-class-nulls-and-ties",
    compiling("tied", () => () => false),
  ),
  mutant("select drops the types", "projection/keeps-the-named-paths-in-their-shape", (tiny) => {
    const { scan } = tiny;
    tiny.scan = function* (request) {
      for (const batch of scan.call(tiny, request)) {
        yield request.select === undefined ? batch : batch.map((record) => ({ ...record, types: null }));
      }
    };
  }),
  mutant("select drops the metadata", "projection/id-metadata-version-and-times-stay", (tiny) => {
    const { scan } = tiny;
    tiny.scan = function* (request) {
      for (const batch of scan.call(tiny, request)) {
        yield request.select === undefined
          ? batch
          : batch.map((record) => ({ ...record, metadata: {}, metadataTypes: null }));
      }
    };
  }),
  mutant("capabilities list what the compiler lacks", "capabilities/pushdown-lists-the-compilers-handlers", (tiny) => {
    const { like: _, ...leaf } = tiny.compiler.leaf;
    tiny.compiler = { ...tiny.compiler, leaf };
  }),
];
