/** The suite: joins cases, a backend and a test runner. */
import assert from "node:assert/strict";
import type { Backend, Capabilities, MaybePromise } from "../backend/spi.js";
import { type DatabaseSource, openDatabase } from "../database/open.js";
import { DataknobsError } from "../errors.js";
import type { Fields } from "../record/values.js";
import type { SyncDatabase } from "../sync/database.js";
import { openDatabaseSync } from "../sync/open.js";
import type { Case, Deviation, Mode } from "./case.js";
import { allCases } from "./cases.js";
import type { SuiteSize } from "./differential.js";
import { withoutPushdown } from "./emulated.js";
import { same } from "./expect.js";
import type { OpenOptions, Session, TestDatabase } from "./session.js";
import { asAsync, transactAsync, transactSync } from "./stepwise.js";

export interface BackendSuite {
  /** Of Jest, Vitest, node:test, or anything of their shape. */
  readonly describe: (name: string, body: () => void) => unknown;
  readonly it: (name: string, body: () => Promise<void>, timeout?: number) => unknown;
  /** A backend object over a fresh, empty store, each call. Not opened. */
  readonly open: () => MaybePromise<Backend>;
  /**
   * What the backend is expected to declare. What is not given is expected to be absent: not durable, no
   * transactions, nothing native. `pushdown` and `limits` are compared only where given.
   */
  readonly capabilities?: Partial<Capabilities>;
  /** Known gaps by case id, or `id [mode]`. Each must fail; one that passes turns the run red. */
  readonly deviations?: { readonly [caseId: string]: Deviation };
  /** Run over `openDatabaseSync`. */
  readonly sync?: boolean;
  /** Default: `plain` and `indexed`. Differential cases run in `emulated` too. */
  readonly modes?: readonly Mode[];
  /** A backend object over the same store as the closed one. Required where the backend is durable. */
  readonly reopen?: (previous: Backend) => MaybePromise<Backend>;
  /** Called with every backend object that `open` gave, after its database is closed. */
  readonly dispose?: (backend: Backend) => MaybePromise<void>;
  /** Random queries of the differential part, in all. Default 2,100, or DATAKNOBS_RUNS. */
  readonly runs?: number;
  /** Default: DATAKNOBS_SEED, or one of the suite's. */
  readonly seed?: number;
  /** Milliseconds for a case, passed to `it`. Default 60,000. */
  readonly timeout?: number;
  /** Called at the end of the differential part with its coverage as a table. */
  readonly onCoverage?: (table: string) => void;
}

const floor: Capabilities = Object.freeze({
  durable: false,
  transactions: false,
  atomicBatch: false,
  unique: false,
  snapshotStreams: false,
  fullText: "emulated",
  analyzers: [],
  aggregation: "emulated",
  percentile: "exact",
  cancel: false,
  synchronous: false,
  pushdown: [],
  limits: {},
});

/**
 * Defines the conformance suite of a backend: every case of the contract as a test of the given runner.
 *
 * A case that needs what the backend lacks runs its twin instead, "refuses with UNSUPPORTED and writes nothing";
 * nothing is skipped. A declared deviation must fail, and turns the run red when it is mended.
 *
 * Throws at once for deviations that name no case, and for a durable backend without `reopen`.
 *
 * @example
 * import { describe, it } from "node:test";
 * import { testBackend } from "@dataknobs/core/conformance";
 * import { memory } from "@dataknobs/backend-memory";
 *
 * testBackend({
 *   describe,
 *   it,
 *   open: () => memory(),
 *   capabilities: memory().capabilities,
 * });
 */
export function testBackend(suite: BackendSuite): void {
  const expected: Capabilities = { ...floor, ...suite.capabilities };
  const size = sizeOf(suite);
  const cases = allCases(size, expected, suite.onCoverage);
  checkSuite(suite, cases, expected);
  suite.describe(`conformance${suite.sync === true ? " (sync)" : ""}`, () => {
    suite.it(
      "capabilities/are-those-that-the-suite-was-told",
      () => checkCapabilities(suite, expected),
      suite.timeout ?? 60_000,
    );
    for (const one of cases) {
      for (const mode of modesOf(one, suite)) define(suite, one, mode, expected);
    }
  });
}

/** Every case of the suite, as data. */
export function casesOf(capabilities: Partial<Capabilities> = {}, size: Partial<SuiteSize> = {}): readonly Case[] {
  return allCases({ ...sizeOf({}), ...size }, { ...floor, ...capabilities }, undefined);
}

/** What the suite was told, else the environment, else the default. */
export function sizeOf({ runs, seed }: Pick<BackendSuite, "runs" | "seed">, otherwise = 2100): SuiteSize {
  const number = (name: string): number | undefined => {
    const text = process.env[name];
    return text === undefined || text === "" ? undefined : Number(text);
  };
  return { runs: runs ?? number("DATAKNOBS_RUNS") ?? otherwise, seed: seed ?? number("DATAKNOBS_SEED") ?? 20_240_131 };
}

function checkSuite(suite: BackendSuite, cases: readonly Case[], expected: Capabilities): void {
  if (expected.durable && suite.reopen === undefined) {
    throw new TypeError(
      "testBackend: a durable backend passes `reopen`, so that the suite can look whether data survive.",
    );
  }
  const names = new Set(cases.flatMap((one) => [one.id, ...modesOf(one, suite).map((mode) => `${one.id} [${mode}]`)]));
  const stray = Object.keys(suite.deviations ?? {}).filter((id) => !names.has(id));
  if (stray.length > 0) throw new TypeError(`testBackend: deviations name no such case: ${stray.join(", ")}`);
}

function modesOf(one: Case, suite: BackendSuite): readonly Mode[] {
  if (suite.sync === true && one.asyncOnly === true) return [];
  if (one.modes !== undefined) return one.modes;
  const modes = suite.modes ?? ["plain", "indexed"];
  return one.indexes === undefined ? modes.filter((mode) => mode !== "indexed").slice(0, 1) : modes;
}

function define(suite: BackendSuite, one: Case, mode: Mode, expected: Capabilities): void {
  const supported = one.requires?.(expected) ?? true;
  const deviation = suite.deviations?.[one.id] ?? suite.deviations?.[`${one.id} [${mode}]`];
  const several = modesOf(one, suite).length > 1 || mode !== "plain";
  const name =
    one.id +
    (several ? ` [${mode}]` : "") +
    (supported ? "" : " (unsupported: says so)") +
    (deviation === undefined ? "" : ` (deviates, ${deviation.because}: ${deviation.reason})`);
  const run = (): Promise<void> => runCase(suite, one, mode, expected, supported);
  suite.it(name, deviation === undefined ? run : () => mustFail(one.id, run), suite.timeout ?? 60_000);
}

/** What a declared deviation is held to. */
export async function mustFail(id: string, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch {
    return;
  }
  assert.fail(`The deviation "${id}" is mended: the case passes. Remove it from \`deviations\`.`);
}

/** Runs one case on a fresh store. */
export async function runCase(
  suite: Pick<BackendSuite, "open" | "reopen" | "dispose" | "sync">,
  one: Case,
  mode: Mode,
  expected: Capabilities,
  supported: boolean = one.requires?.(expected) ?? true,
): Promise<void> {
  const bench = new Bench(suite, one, mode, expected);
  try {
    const session = await bench.session();
    if (supported) await one.run(session);
    else if (one.unsupported !== undefined) await one.unsupported(session);
    else await refusesToRun(one, session);
  } finally {
    await bench.close();
  }
}

async function refusesToRun(one: Case, session: Session): Promise<void> {
  await assert.rejects(
    () => one.run(session),
    (error) => DataknobsError.is(error, "UNSUPPORTED") || rethrow(error),
  );
  assert.equal(await session.db.count(), 0, "a refused call wrote something");
}

function rethrow(error: unknown): never {
  throw error;
}

async function checkCapabilities(suite: BackendSuite, expected: Capabilities): Promise<void> {
  await runCase(
    suite,
    { id: "", run: async ({ db }) => compareCapabilities(suite, db.capabilities, expected) },
    "plain",
    expected,
  );
}

function compareCapabilities(suite: BackendSuite, declared: Capabilities, expected: Capabilities): void {
  const named = { ...declared, ...expected };
  if (suite.capabilities?.pushdown === undefined) named.pushdown = declared.pushdown;
  if (suite.capabilities?.limits === undefined) named.limits = declared.limits;
  same(declared, named, "what the backend declares");
}

/** Opens what a case needs and closes all of it. */
class Bench {
  readonly #suite: Pick<BackendSuite, "open" | "reopen" | "dispose" | "sync">;
  readonly #case: Case;
  readonly #mode: Mode;
  readonly #expected: Capabilities;
  readonly #made: Backend[] = [];
  readonly #open = new Map<
    TestDatabase,
    { readonly backend: Backend; readonly sync: SyncDatabase<Fields> | undefined }
  >();

  constructor(
    suite: Pick<BackendSuite, "open" | "reopen" | "dispose" | "sync">,
    one: Case,
    mode: Mode,
    expected: Capabilities,
  ) {
    this.#suite = suite;
    this.#case = one;
    this.#mode = mode;
    this.#expected = expected;
  }

  async session(): Promise<Session> {
    const { indexes } = this.#case;
    const db = await this.#openBackend(
      await this.#backend(),
      this.#mode === "indexed" && indexes !== undefined ? { indexes } : {},
    );
    return {
      db,
      capabilities: this.#expected,
      mode: this.#mode,
      sync: this.#suite.sync === true,
      open: async (options) => this.#openBackend(await this.#backend(), options),
      backend: () => this.#backend(),
      openBackend: (backend, options) => this.#openBackend(backend, options),
      reopen: (previous, options) => this.#reopen(previous, options),
      transact: (on, steps, options = {}) => {
        const sync = this.#open.get(on)?.sync;
        return sync === undefined ? transactAsync(on, steps, options) : transactSync(sync, steps);
      },
    };
  }

  async close(): Promise<void> {
    for (const db of this.#open.keys()) await db.close();
    for (const backend of this.#made) await this.#suite.dispose?.(backend);
  }

  async #backend(): Promise<Backend> {
    const backend = await this.#suite.open();
    this.#made.push(backend);
    return backend;
  }

  async #openBackend(backend: Backend, options: OpenOptions = {}): Promise<TestDatabase> {
    const source: DatabaseSource = this.#mode === "emulated" ? withoutPushdown(backend) : backend;
    const sync =
      this.#suite.sync === true ? (openDatabaseSync(source, options) as unknown as SyncDatabase<Fields>) : undefined;
    const db = sync === undefined ? ((await openDatabase(source, options)) as unknown as TestDatabase) : asAsync(sync);
    this.#open.set(db, { backend, sync });
    return db;
  }

  async #reopen(previous: TestDatabase, options?: OpenOptions): Promise<TestDatabase> {
    const entry = this.#open.get(previous);
    if (entry === undefined || this.#suite.reopen === undefined)
      throw new TypeError("reopen: a durable backend's database.");
    await previous.close();
    this.#open.delete(previous);
    return this.#openBackend(await this.#suite.reopen(entry.backend), options);
  }
}
