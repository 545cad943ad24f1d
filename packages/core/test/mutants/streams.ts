/** Bugs in scans, transactions, full text, aggregation and lifecycle. */
import { aggregatorOf } from "../../src/aggregate/run.js";
import type { AggregateRow, Cell } from "../../src/backend/spi.js";
import { valueAt } from "../../src/match/matcher.js";
import { tokenize } from "../../src/match/tokens.js";
import type { Match, Path } from "../../src/query/lowered.js";
import type { WireRecord } from "../../src/record/json.js";
import { type Mutant, mutant } from "./mutant.js";
import type { Code, Tiny } from "./tiny.js";

type Batch = readonly WireRecord[];

/** Changes the batches of a scan. */
function scanning(change: (batches: readonly Batch[]) => readonly Batch[]): (tiny: Tiny) => void {
  return (tiny) => {
    const { scan } = tiny;
    tiny.scan = function* (request) {
      yield* change([...scan.call(tiny, request)]);
    };
  };
}

/** Finds text in another way. */
function matching(
  test: (match: Match, textsOf: (record: WireRecord) => string[]) => (record: WireRecord) => boolean,
): (tiny: Tiny) => void {
  const text =
    (path: Path) =>
    (record: WireRecord): string => {
      const { value } = valueAt(path)(record);
      return Array.isArray(value) ? value.join(" ") : typeof value === "string" ? value : "";
    };
  return (tiny) => {
    tiny.compileMatch = (match): Code => {
      const readers = match.fields.map(text);
      return Object.assign(
        test(match, (record) => readers.map((read) => read(record))),
        { match },
      );
    };
  };
}

/** Changes the rows of an aggregation. */
function aggregating(change: (rows: readonly AggregateRow[]) => AggregateRow[]): (tiny: Tiny) => void {
  return (tiny) => {
    const { aggregate } = tiny;
    tiny.aggregate = (request) => change(aggregate.call(tiny, request));
  };
}

const cells = (row: AggregateRow, change: (cell: Cell) => Cell): AggregateRow => ({
  keys: row.keys,
  values: row.values.map(change),
});

export const streamMutants: readonly Mutant[] = [
  mutant(
    "a scan drops its last batch",
    "streaming/gives-every-record-once",
    scanning((batches) => (batches.length > 5 ? batches.slice(0, -1) : batches)),
  ),
  mutant(
    "a scan repeats a row at the border of batches",
    "streaming/gives-every-record-once",
    scanning((batches) =>
      batches.map((batch, index) =>
        index > 0 && batches.length > 5 ? [...(batches[index - 1] ?? []).slice(-1), ...batch] : batch,
      ),
    ),
  ),
  mutant("a scan gives batches in another order", "streaming/gives-the-rows-and-order-of-search", (tiny) => {
    const { scan } = tiny;
    let scans = 0;
    tiny.scan = function* (request) {
      const batches = [...scan.call(tiny, request)];
      yield* scans++ % 2 === 0 ? batches : batches.reverse();
    };
  }),
  mutant(
    "a scan by position loses rows when others are deleted",
    "streaming/deleting-what-is-streamed-works",
    (tiny) => {
      tiny.scan = function* (request) {
        for (let offset = 0; ; offset += 3) {
          const batch = tiny.rows({ ...request, offset: request.offset + offset, limit: 3 });
          if (batch.length === 0) return;
          yield batch;
        }
      };
    },
  ),
  mutant(
    "a stream is promised to be a snapshot and is not",
    "streaming/shows-the-store-as-it-was-when-it-began",
    (tiny) => {
      tiny.scan = function* (request) {
        const ids = tiny.rows(request).map(({ id }) => id);
        for (const id of ids) yield [tiny.records.get(id)].filter((record) => record !== undefined);
      };
    },
  ),
  mutant(
    "writes are refused while a scan is open, and return() does not end it",
    "streaming/can-be-left-early-and-begun-again",
    (tiny) => {
      const { scan, write } = tiny;
      let open = 0;
      tiny.scan = (request) => {
        const inner = scan.call(tiny, request);
        open++;
        const next = (): IteratorResult<Batch> => {
          const step = inner.next();
          if (step.done === true) open--;
          return step;
        };
        return { next, [Symbol.iterator]: () => ({ next }) } as unknown as ReturnType<Tiny["scan"]>;
      };
      tiny.write = (ops, request) => {
        if (open > 0) throw new Error("a statement is open");
        return write.call(tiny, ops, request);
      };
    },
  ),
  mutant(
    "a transaction's writes are seen before the commit",
    "transactions/others-see-nothing-before-the-commit",
    (tiny) => {
      tiny.begin = () => {
        const before = tiny.records;
        return {
          read: (ids) => tiny.read(ids),
          write: (ops, request) => tiny.write(ops, request),
          scan: (request) => tiny.scan(request),
          commit: () => undefined,
          rollback: () => {
            tiny.records = before;
          },
        };
      };
    },
  ),
  mutant("a rollback leaves the writes", "transactions/a-throw-undoes-all-and-is-passed-on", (tiny) => {
    const { begin } = tiny;
    tiny.begin = () => {
      const tx = begin.call(tiny);
      return { ...tx, rollback: () => tx.commit() };
    };
  }),
  mutant("a commit writes half", "transactions/commit-together-and-give-the-bodys-result", (tiny) => {
    const { commit } = tiny;
    tiny.commit = (before, after, changedSince) =>
      commit.call(tiny, before, new Map([...after].slice(0, -1)), changedSince);
  }),
  mutant("a commit forgets deletions", "transactions/unique-indexes-hold-inside", (tiny) => {
    const { commit } = tiny;
    tiny.commit = (before, after, changedSince) =>
      commit.call(tiny, before, new Map([...before, ...after]), changedSince);
  }),
  mutant("reads in a transaction do not see its writes", "transactions/reads-and-queries-see-own-writes", (tiny) => {
    const { begin } = tiny;
    tiny.begin = () => ({ ...begin.call(tiny), read: (ids) => tiny.read(ids) });
  }),
  mutant("queries in a transaction do not see its writes", "transactions/reads-and-queries-see-own-writes", (tiny) => {
    const { begin } = tiny;
    tiny.begin = () => ({ ...begin.call(tiny), scan: (request) => tiny.scan(request) });
  }),
  mutant("the last of two transactions wins unnoticed", "transactions/racing-increments-lose-none", (tiny) => {
    const { commit } = tiny;
    tiny.commit = (before, after) => commit.call(tiny, before, after, () => false);
  }),
  mutant("a lost race is no CONFLICT", "transactions/a-lost-race-is-CONFLICT-and-retryable", (tiny) => {
    const { commit } = tiny;
    tiny.commit = (before, after, changedSince) => {
      try {
        commit.call(tiny, before, after, changedSince);
      } catch {
        throw new Error("SQLITE_BUSY");
      }
    };
  }),
  mutant("a commit replaces the whole store", "transactions/a-write-outside-never-slips-in", (tiny) => {
    const { begin } = tiny;
    tiny.begin = () => {
      const before = tiny.records;
      const tx = begin.call(tiny);
      return {
        ...tx,
        rollback: () => {
          tiny.records = before;
        },
      };
    };
  }),
  mutant("match takes any word for all", "fulltext/every-word-or-any", (tiny) => {
    const { compileMatch } = tiny;
    tiny.compileMatch = (match) => compileMatch.call(tiny, { ...match, mode: "any" });
  }),
  mutant(
    "match finds parts of words",
    "fulltext/whole-words-only-no-stems-no-stop-words",
    matching((match, textsOf) => (record) => {
      const text = textsOf(record).join(" ").toLowerCase();
      return match.words.every((word) => text.includes(word));
    }),
  ),
  mutant(
    "match wants all words in one field",
    "fulltext/words-may-be-in-different-fields",
    matching(
      (match, textsOf) => (record) =>
        textsOf(record).some((text) => match.words.every((word) => tokenize(text).includes(word))),
    ),
  ),
  mutant(
    "match splits at spaces only",
    "fulltext/case-and-punctuation-do-not-matter",
    matching((match, textsOf) => (record) => {
      const words = textsOf(record).join(" ").toLowerCase().split(/\s+/);
      return match.words.every((word) => words.includes(word));
    }),
  ),
  mutant(
    "match knows ASCII only",
    "fulltext/letters-marks-and-numbers-make-words",
    matching((match, textsOf) => (record) => {
      const words = textsOf(record)
        .join(" ")
        .toLowerCase()
        .split(/[^a-z0-9]+/);
      return match.words.every((word) => words.includes(word));
    }),
  ),
  mutant(
    "match drops stop words",
    "fulltext/whole-words-only-no-stems-no-stop-words",
    matching((match, textsOf) => (record) => {
      const words = textsOf(record)
        .flatMap(tokenize)
        .filter((word) => word !== "the");
      return match.words.every((word) => words.includes(word));
    }),
  ),
  mutant("scores ascend", "fulltext/scores-descend-and-ties-go-by-id", (tiny) => {
    const { rank } = tiny;
    tiny.rank = (rows, match) => rank.call(tiny, rows, match).reverse();
  }),
  mutant("hits have no score", "fulltext/scores-descend-and-ties-go-by-id", (tiny) => {
    tiny.rank = (rows) => [...rows];
  }),
  mutant(
    "aggregation drops the null group",
    "aggregate/groups-by-path-with-null-and-missing-as-one",
    aggregating((rows) => rows.filter(({ keys }) => keys.every(({ json }) => json !== null))),
  ),
  mutant(
    "null and missing are two groups",
    "aggregate/groups-by-path-with-null-and-missing-as-one",
    aggregating((rows) => rows.flatMap((row) => (row.keys[0]?.json === null ? [row, row] : [row]))),
  ),
  mutant(
    "the mean of nothing is 0",
    "aggregate/functions-on-nothing",
    aggregating((rows) => rows.map((row) => cells(row, (cell) => (cell.json === null ? { json: 0 } : cell)))),
  ),
  mutant(
    "the sum of nothing is null",
    "aggregate/functions-on-nothing",
    aggregating((rows) => rows.map((row) => cells(row, (cell) => (cell.json === 0 ? { json: null } : cell)))),
  ),
  mutant(
    "counts are one too high",
    "aggregate/functions-on-numbers",
    aggregating((rows) =>
      rows.map((row) => cells(row, (cell) => (typeof cell.json === "number" ? { json: cell.json + 1 } : cell))),
    ),
  ),
  mutant(
    "min and max lose the type",
    "aggregate/min-and-max-keep-the-type",
    aggregating((rows) => rows.map((row) => cells(row, ({ json }) => ({ json })))),
  ),
  mutant(
    "aggregation stops at 1000 groups",
    "aggregate/groups-and-counts-are-exact-however-many",
    aggregating((rows) => rows.slice(0, 1000)),
  ),
  mutant("aggregation ignores the condition", "aggregate/where-comes-before-grouping", (tiny) => {
    const { aggregate } = tiny;
    tiny.aggregate = (request) => aggregate.call(tiny, { ...request, where: undefined });
  }),
  mutant(
    "sums read numbers out of texts",
    "aggregate/sum-avg-and-percentile-take-numbers-and-skip-the-rest",
    (tiny) => {
      tiny.aggregate = ({ plan }) => {
        const aggregator = aggregatorOf(plan);
        for (const record of tiny.records.values()) {
          const { v } = record.data;
          aggregator.add(
            typeof v === "string" && v !== "" && record.types === null && Number.isFinite(Number(v))
              ? { ...record, data: { v: Number(v) } }
              : record,
          );
        }
        return aggregator.rows();
      };
    },
  ),
  mutant(
    "weeks begin on Sunday",
    "aggregate/weeks-begin-on-Monday",
    aggregating((rows) =>
      rows.map(({ keys, values }) => ({
        keys: keys.map((cell) =>
          typeof cell.json === "string"
            ? { ...cell, json: new Date(Date.parse(cell.json) - 86_400_000).toISOString() }
            : cell,
        ),
        values,
      })),
    ),
  ),
  mutant("closing never ends", "lifecycle/close-twice-is-nothing", (tiny) => {
    Object.assign(tiny, { close: () => new Promise(() => undefined) });
  }),
  mutant("closing fails", "lifecycle/close-twice-is-nothing", (tiny) => {
    tiny.close = () => {
      throw new Error("cannot close");
    };
  }),
];
