/**
 * The differential part: seeded random records and questions; what a backend answers, rows, order, data and types,
 * is what the reference answers over the same records. A failure prints the least counterexample found.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Capabilities } from "../backend/spi.js";
import type { Condition, Operator, Query } from "../query/ast.js";
import { operators } from "../query/ast.js";
import { lowerCondition } from "../query/parse.js";
import { parseJson } from "../record/parse-json.js";
import type { Case } from "./case.js";
import { Coverage, classesIn } from "./coverage.js";
import { collect, idsOf, isSame, show } from "./expect.js";
import { type Question, questionOf, sweep } from "./random-queries.js";
import { declared, poolOf, type RandomRecord, randomRecords } from "./random-records.js";
import { Reference } from "./reference.js";
import type { Session, TestDatabase } from "./session.js";
import { truthFields, truthNames, truthTable } from "./truth.js";

export interface SuiteSize {
  /** Random queries in all, over the three modes. */
  readonly runs: number;
  readonly seed: number;
}

const modes = ["plain", "indexed", "emulated"] as const;
const perCase = 100;

export function differentialCases(
  { runs, seed }: SuiteSize,
  capabilities: Capabilities,
  onCoverage: ((table: string) => void) | undefined,
): readonly Case[] {
  const coverage = new Coverage();
  const asked = new Set<string>();
  const cases = Math.max(1, Math.ceil(runs / (modes.length * perCase)));
  const every: Case = {
    id: "differential/every-operator-and-pair-of-classes",
    modes,
    indexes: declared,
    run: async (session) => {
      asked.add(session.mode);
      const records = randomRecords(seed);
      await load(session.db, records);
      const bench: Bench = { reference: new Reference(records), coverage, classes: classesIn(records) };
      for (const query of sweep(poolOf(records), seed)) await answersAlike(session.db, { ask: "search", query }, bench);
      const table = truthNames.map((name) => ({ id: name, data: truthFields(name), metadata: {} }));
      await session.db.clear();
      await load(session.db, table);
      const truth: Bench = { reference: new Reference(table), coverage, classes: () => new Set() };
      for (const { op, operand } of truthTable) {
        const where = { path: "v", op, ...(operand !== undefined && { value: operand }) };
        for (const condition of [where, { not: where }] as readonly Condition[]) {
          await answersAlike(session.db, { ask: "count", query: { where: condition } }, truth);
        }
      }
    },
  };
  const random = Array.from(
    { length: cases },
    (_, index): Case => ({
      id: `differential/random-queries/${index + 1}`,
      modes,
      indexes: declared,
      run: (session) => runRandom(session, seed + index, coverage),
    }),
  );
  const covered: Case = {
    id: "differential/has-asked-for-every-operator-and-pair-of-classes",
    run: async () => {
      const table = coverage.table();
      onCoverage?.(table);
      if (process.env["DATAKNOBS_COVERAGE"] === "1") process.stdout.write(`${table}\n`);
      if (asked.size < modes.length) return;
      assert.deepEqual(coverage.missing(["pushed", "emulated"]), []);
      assert.deepEqual(coverage.missing(["emulated"]), []);
      const pushed = coverage.operators("pushed");
      // a handler may serve some operators of its kind only, as `like` and not `ilike`; it must have served one
      const alive = new Set(operators.filter((op) => pushed.has(op)).map((op) => kindsOf(op).join()));
      const silent = operators.filter((op) => isPushed(op, capabilities) && !alive.has(kindsOf(op).join()));
      assert.deepEqual(silent, [], "operators that the capabilities list as pushed, but never were");
    },
  };
  return [every, ...random, covered];
}

/** Whether the compiler has a handler for every part of the operator. */
function isPushed(op: Operator, { pushdown }: Capabilities): boolean {
  const kinds = kindsOf(op);
  return kinds.length > 0 && kinds.every((kind) => (pushdown as readonly string[]).includes(kind));
}

/** The kinds of leaves that the operator is lowered to. */
function kindsOf(op: Operator): readonly string[] {
  const row = truthTable.find((one) => one.op === op && one.operand !== null);
  if (row === undefined) return [];
  const kinds: string[] = [];
  const visit = (condition: ReturnType<typeof lowerCondition>): void => {
    if (condition.kind === "and" || condition.kind === "or") condition.conditions.forEach(visit);
    else if (condition.kind === "not") visit(condition.condition);
    else kinds.push(condition.kind);
  };
  visit(lowerCondition({ path: "v", op, ...(row.operand !== undefined && { value: row.operand }) }));
  return kinds;
}

interface Bench {
  readonly reference: Reference;
  readonly coverage: Coverage;
  readonly classes: ReturnType<typeof classesIn>;
}

async function load(db: TestDatabase, records: readonly RandomRecord[]): Promise<void> {
  await db.createMany(records);
}

async function runRandom(session: Session, seed: number, coverage: Coverage): Promise<void> {
  const records = randomRecords(seed);
  await load(session.db, records);
  const bench: Bench = { reference: new Reference(records), coverage, classes: classesIn(records) };
  const property = fc.asyncProperty(questionOf(poolOf(records)), (question) =>
    answersAlike(session.db, question, bench),
  );
  const result = await fc.check(property, { seed, numRuns: perCase });
  if (!result.failed) return;
  const [question] = (result.counterexample ?? []) as [Question?];
  if (question === undefined) throw result.errorInstance;
  throw await explainFailure(session, seed, records, question);
}

/** Throws when the database and the reference disagree. */
async function answersAlike(
  db: TestDatabase,
  question: Question,
  { reference, coverage, classes }: Bench,
): Promise<void> {
  if (question.ask === "aggregate") {
    const { aggregation } = question;
    const { where } = aggregation;
    coverage.note(where, db.explain(where === undefined ? {} : { where }), classes);
    const [actual, expected] = [await db.aggregate(aggregation), reference.aggregate(aggregation)];
    if (!alike(actual, expected)) throw disagreement(actual, expected);
    return;
  }
  const { query } = question;
  coverage.note(query.where, db.explain(query), classes);
  if (question.ask === "count") {
    const [actual, expected] = [await db.count(query), reference.count(query)];
    if (actual !== expected) throw disagreement(actual, expected);
    return;
  }
  const found = question.ask === "stream" ? await collect(db.stream(query)) : await db.search(asJson(query));
  const actual = found.map(({ id, data, metadata }) => ({ id, data, metadata }));
  const { rows, order, size } = reference.search(query);
  if (order === "exact") {
    if (!isSame(actual, rows)) throw disagreement(actual, rows);
    return;
  }
  const known = new Map(rows.map((row) => [row.id, row]));
  const good = actual.every((row) => isSame(row, known.get(row.id)));
  const unique = new Set(idsOf(actual)).size === actual.length;
  if (!good || !unique || actual.length !== size) throw disagreement(byId(actual), byId(rows));
}

/** Every other query goes by way of its JSON text. */
function asJson(query: Query): Query {
  return query.limit !== undefined && query.limit % 2 === 0
    ? (parseJson(JSON.stringify(query)) as unknown as Query)
    : query;
}

function byId<T extends { readonly id: string }>(rows: readonly T[]): T[] {
  return [...rows].sort((a, b) => (a.id < b.id ? -1 : 1));
}

function disagreement(actual: unknown, expected: unknown): Error {
  return new assert.AssertionError({
    message: `expected ${show(expected)}\n     got ${show(actual)}`,
    actual,
    expected,
  });
}

/** Rows alike but for the last bits of sums and means. */
function alike(actual: unknown, expected: unknown): boolean {
  if (typeof actual === "number" && typeof expected === "number") {
    return Object.is(actual, expected) || Math.abs(actual - expected) <= 1e-9 * Math.abs(expected);
  }
  if (!Array.isArray(expected)) {
    if (typeof expected !== "object" || expected === null || Object.getPrototypeOf(expected) !== Object.prototype)
      return isSame(actual, expected);
    const [a, b] = [Object.entries(actual as object), Object.entries(expected)];
    return (
      a.length === b.length &&
      b.every(([key, value]) => alike((actual as { readonly [key: string]: unknown })[key], value))
    );
  }
  return (
    Array.isArray(actual) &&
    actual.length === expected.length &&
    expected.every((item, index) => alike(actual[index], item))
  );
}

/** Leaves out records as long as the answers still differ, and says all there is to say. */
async function explainFailure(
  session: Session,
  seed: number,
  records: readonly RandomRecord[],
  question: Question,
): Promise<Error> {
  const differs = async (kept: readonly RandomRecord[]): Promise<Error | undefined> => {
    const db = session.mode === "indexed" ? await session.open({ indexes: declared }) : await session.open();
    try {
      await load(db, kept);
      const bench: Bench = { reference: new Reference(kept), coverage: new Coverage(), classes: () => new Set() };
      await answersAlike(db, question, bench);
      return undefined;
    } catch (error) {
      return error as Error;
    } finally {
      await db.close();
    }
  };
  let kept: readonly RandomRecord[] = records;
  let error = await differs(kept);
  for (let step = Math.ceil(kept.length / 2); step >= 1; step = step === 1 ? 0 : Math.ceil(step / 2)) {
    for (let at = 0; at < kept.length; ) {
      const fewer = [...kept.slice(0, at), ...kept.slice(at + step)];
      const still = await differs(fewer);
      if (still === undefined) at += step;
      else [kept, error] = [fewer, still];
    }
  }
  if (kept.length <= 8) {
    for (const [at, one] of kept.entries()) {
      for (const name of Object.keys(one.data)) {
        const { [name]: _, ...data } = (kept[at] as RandomRecord).data;
        const leaner = kept.with(at, { ...(kept[at] as RandomRecord), data });
        const still = await differs(leaner);
        if (still !== undefined) [kept, error] = [leaner, still];
      }
    }
  }
  const { where } = question.ask === "aggregate" ? question.aggregation : question.query;
  const plan = session.db.explain(
    question.ask === "aggregate" ? (where === undefined ? {} : { where }) : question.query,
  );
  return new assert.AssertionError({
    message: [
      `the backend and the reference disagree (seed ${seed}, mode ${session.mode})`,
      `${question.ask}: ${show(question.ask === "aggregate" ? question.aggregation : question.query)}`,
      `records: ${show(kept)}`,
      error?.message ?? "only with what was stored and asked before",
      `plan: ${show(plan)}`,
    ].join("\n"),
  });
}
