/** Bugs of engines that find the nearest themselves. */
import type { ScanRequest } from "../../src/backend/spi.js";
import { compareText } from "../../src/match/compare.js";
import { measureOf } from "../../src/match/measure.js";
import type { Nearest } from "../../src/query/lowered.js";
import type { WireRecord } from "../../src/record/json.js";
import { type Mutant, mutant } from "./mutant.js";
import type { Code, Tiny } from "./tiny.js";

type NearestCode = Code & { readonly nearest: Nearest };
type Measure = (record: WireRecord) => number | undefined;
type Find = (request: ScanRequest<Code>, measure: Measure, records: readonly WireRecord[]) => WireRecord[];

/** The best of those that are good, as it should be. */
const find: Find = ({ where, limit }, measure, records) =>
  records
    .filter((record) => where?.(record) ?? true)
    .flatMap((record) => {
      const distance = measure(record);
      return distance === undefined ? [] : [{ record, distance }];
    })
    .sort((a, b) => a.distance - b.distance || compareText(a.record.id, b.record.id))
    .slice(0, limit)
    .map(({ record }) => record);

interface Parts {
  readonly find?: Find;
  /** Of the question, before it is asked. */
  readonly asks?: (nearest: Nearest) => Nearest;
  readonly measure?: (right: Measure) => Measure;
  readonly records?: (tiny: Tiny) => readonly WireRecord[];
}

/** An engine that finds the nearest; right where no part says otherwise. */
function engine(parts: Parts): (tiny: Tiny) => void {
  return (tiny) => {
    tiny.compiler = {
      ...tiny.compiler,
      nearest: (nearest) => ({ code: Object.assign(() => true, { nearest }), exact: true }),
    };
    const { scan } = tiny;
    tiny.scan = function* (this: Tiny, request): Generator<readonly WireRecord[]> {
      if (request.nearest === undefined) {
        yield* scan.call(this, request);
        return;
      }
      const { nearest } = request.nearest as NearestCode;
      const right = measureOf(parts.asks?.(nearest) ?? nearest);
      const records = parts.records?.(this) ?? [...this.records.values()];
      yield (parts.find ?? find)(request, parts.measure?.(right) ?? right, records);
    };
  };
}

/** What they are mutants of. */
export const rightEngine: (tiny: Tiny) => void = engine({});

const random = "nearest/random-filters-by-cosine";

export const vectorMutants: readonly Mutant[] = [
  mutant(
    "the filter is asked of the nearest that were cut already",
    random,
    engine({
      find: (request, measure, records) =>
        find({ ...request, where: undefined }, measure, records).filter((record) => request.where?.(record) ?? true),
    }),
  ),
  mutant(
    "nearest forgets the filter",
    random,
    engine({ find: (request, measure, records) => find({ ...request, where: undefined }, measure, records) }),
  ),
  mutant("cosine is measured as a straight line", random, engine({ asks: (one) => ({ ...one, metric: "euclidean" }) })),
  mutant(
    "an inner product is measured as an angle",
    "nearest/random-filters-by-dot",
    engine({ asks: (one) => ({ ...one, metric: "cosine" }) }),
  ),
  mutant(
    "the farthest come first",
    random,
    engine({
      measure: (right) => (record) => {
        const distance = right(record);
        return distance === undefined ? undefined : -distance;
      },
    }),
  ),
  mutant(
    "distances are rounded",
    "nearest/rounding-changes-no-places",
    engine({
      find: ({ limit = 0, ...request }, measure, records) =>
        find(
          { ...request, limit: Math.min(limit, 13) },
          (record) => {
            const distance = measure(record);
            return distance === undefined ? undefined : Math.fround(distance);
          },
          records,
        ),
    }),
  ),
  mutant(
    "fewer than there are",
    random,
    engine({
      find: ({ limit = 0, ...request }, ...rest) => find({ ...request, limit: Math.ceil(limit / 4) }, ...rest),
    }),
  ),
  mutant(
    "vectors that a record got later are not known",
    "nearest/every-write-is-found-at-once",
    engine({
      find: (request, measure, records) =>
        find(
          request,
          measure,
          records.filter((one) => one.createdAt === one.updatedAt),
        ),
    }),
  ),
  mutant("vectors as they were at first are given", "nearest/every-write-is-found-at-once", (tiny) => {
    const first = new Map<string, WireRecord>();
    const { apply } = tiny;
    tiny.apply = (op, into) => {
      const outcome = apply.call(tiny, op, into);
      const record = into.get(op.id);
      if (record !== undefined && !first.has(op.id)) first.set(op.id, record);
      return outcome;
    };
    engine({ records: ({ records }) => [...records.values()].map((record) => first.get(record.id) ?? record) })(tiny);
  }),
  mutant("a transaction does not find its own vectors", "nearest/a-transaction-sees-its-own/interactive", (tiny) =>
    engine({ records: () => [...tiny.records.values()] })(tiny),
  ),
];
