/** The suite of vector stores: joins cases, a store and a test runner. */
import assert from "node:assert/strict";
import type { MaybePromise } from "../../backend/spi.js";
import { DataknobsError } from "../../errors.js";
import { openVectorStore } from "../../vector/open.js";
import type { VectorSettings } from "../../vector/settings.js";
import type { VectorBackend, VectorCapabilities } from "../../vector/spi.js";
import type { VectorStore } from "../../vector/store.js";
import type { Deviation } from "../case.js";
import { same } from "../expect.js";
import { mustFail, sizeOf } from "../suite.js";
import { type VectorCase, type VectorMode, type VectorTestSession, vectorModes } from "./case.js";
import { allVectorCases } from "./cases.js";
import { withoutExtras } from "./emulated.js";

export interface VectorBackendSuite {
  /** Of Jest, Vitest, node:test, or anything of their shape. */
  readonly describe: (name: string, body: () => void) => unknown;
  readonly it: (name: string, body: () => Promise<void>, timeout?: number) => unknown;
  /** A backend object over a fresh, empty store, each call. Not opened. */
  readonly open: () => MaybePromise<VectorBackend>;
  /**
   * What the store is expected to declare. What is not given is expected to be the least: nothing kept, approximate,
   * incomplete. `pushdown` and `limits` are compared only where given.
   */
  readonly capabilities?: Partial<VectorCapabilities>;
  /** Known gaps by case id, or `id [mode]`. Each must fail; one that passes turns the run red. */
  readonly deviations?: { readonly [caseId: string]: Deviation };
  /** Default: both. */
  readonly modes?: readonly VectorMode[];
  /**
   * Another backend object over the same store as the previous one, which may be open still. Required where something
   * is kept: `persistence` is not false.
   */
  readonly reopen?: (previous: VectorBackend) => MaybePromise<VectorBackend>;
  /** Called with every backend object that `open` and `reopen` gave, after its store is closed. */
  readonly dispose?: (backend: VectorBackend) => MaybePromise<void>;
  /** What an approximate index must find of the true nearest ten, on average. Default 0.9; exact ones: all. */
  readonly recall?: number;
  /** Random filters of the differential part, in all. Default 600, or DATAKNOBS_RUNS. */
  readonly runs?: number;
  /** Default: DATAKNOBS_SEED, or one of the suite's. */
  readonly seed?: number;
  /** Milliseconds for a case, passed to `it`. Default 60,000. */
  readonly timeout?: number;
}

const floor: VectorCapabilities = Object.freeze({
  persistence: false,
  metrics: ["cosine", "euclidean", "dot"] as const,
  index: "approximate",
  exactSearch: false,
  complete: false,
  ties: "any",
  atomicBatch: false,
  cancel: false,
  pushdown: [],
  limits: {},
});

const defaults: VectorSettings = { dimensions: 3 };

/**
 * Defines the conformance suite of a vector store: every case of the contract as a test of the given runner.
 *
 * A case that needs what the store lacks runs its twin instead; nothing is skipped. A declared deviation must fail, and
 * turns the run red when it is mended.
 *
 * Throws at once for deviations that name no case, and for a store that keeps something without `reopen`.
 *
 * @example
 * import { describe, it } from "node:test";
 * import { testVectorBackend } from "@dataknobs/core/conformance";
 * import { vectorMemory } from "@dataknobs/vector-memory";
 *
 * testVectorBackend({
 *   describe,
 *   it,
 *   open: () => vectorMemory(),
 *   capabilities: vectorMemory().capabilities,
 * });
 */
export function testVectorBackend(suite: VectorBackendSuite): void {
  const expected: VectorCapabilities = { ...floor, ...suite.capabilities };
  const cases = vectorCasesOf(expected, suite);
  checkSuite(suite, cases, expected);
  suite.describe("conformance of vectors", () => {
    suite.it(
      "capabilities/are-those-that-the-suite-was-told",
      () => checkCapabilities(suite, expected),
      suite.timeout ?? 60_000,
    );
    for (const one of cases) for (const mode of modesOf(one, suite)) define(suite, one, mode, expected);
  });
}

/** Every case of the suite, as data. */
export function vectorCasesOf(
  capabilities: Partial<VectorCapabilities> = {},
  size: Pick<VectorBackendSuite, "runs" | "seed"> = {},
): readonly VectorCase[] {
  return allVectorCases({ ...floor, ...capabilities }, sizeOf(size, 600));
}

function checkSuite(suite: VectorBackendSuite, cases: readonly VectorCase[], expected: VectorCapabilities): void {
  if (expected.persistence !== false && suite.reopen === undefined) {
    throw new TypeError(
      "testVectorBackend: a store that keeps its vectors passes `reopen`, so that the suite can look whether they survive.",
    );
  }
  const names = new Set(cases.flatMap((one) => [one.id, ...modesOf(one, suite).map((mode) => `${one.id} [${mode}]`)]));
  const stray = Object.keys(suite.deviations ?? {}).filter((id) => !names.has(id));
  if (stray.length > 0) throw new TypeError(`testVectorBackend: deviations name no such case: ${stray.join(", ")}`);
}

function modesOf(one: VectorCase, suite: Pick<VectorBackendSuite, "modes">): readonly VectorMode[] {
  const modes = suite.modes ?? vectorModes;
  return one.modes === undefined ? modes : one.modes.filter((mode) => modes.includes(mode));
}

function define(suite: VectorBackendSuite, one: VectorCase, mode: VectorMode, expected: VectorCapabilities): void {
  const supported = one.requires?.(expected) ?? true;
  const deviation = suite.deviations?.[one.id] ?? suite.deviations?.[`${one.id} [${mode}]`];
  const name =
    `${one.id} [${mode}]` +
    (supported ? "" : " (unsupported: says so)") +
    (deviation === undefined ? "" : ` (deviates, ${deviation.because}: ${deviation.reason})`);
  const run = (): Promise<void> => runVectorCase(suite, one, mode, expected);
  suite.it(name, deviation === undefined ? run : () => mustFail(one.id, run), suite.timeout ?? 60_000);
}

type Means = Pick<VectorBackendSuite, "open" | "reopen" | "dispose" | "recall" | "seed">;

/** Runs one case on a fresh store. */
export async function runVectorCase(
  suite: Means,
  one: VectorCase,
  mode: VectorMode,
  expected: VectorCapabilities,
): Promise<void> {
  const bench = new Bench(suite, one, mode, expected);
  try {
    const session = await bench.session();
    if (one.requires?.(expected) ?? true) await one.run(session);
    else if (one.unsupported !== undefined) await one.unsupported(session);
    else await refusesToRun(one, session);
  } finally {
    await bench.close();
  }
}

async function refusesToRun(one: VectorCase, session: VectorTestSession): Promise<void> {
  await assert.rejects(
    () => one.run(session),
    (error) => {
      if (!DataknobsError.is(error, "UNSUPPORTED")) throw error;
      return true;
    },
  );
}

async function checkCapabilities(suite: VectorBackendSuite, expected: VectorCapabilities): Promise<void> {
  const run = async ({ store }: VectorTestSession): Promise<void> => {
    const declared = store.capabilities;
    const named = { ...declared, ...expected };
    if (suite.capabilities?.pushdown === undefined) named.pushdown = declared.pushdown;
    if (suite.capabilities?.limits === undefined) named.limits = declared.limits;
    same(declared, named, "what the store declares");
  };
  await runVectorCase(suite, { id: "", run }, "plain", expected);
}

/** Opens what a case needs and closes all of it. */
class Bench {
  readonly #suite: Means;
  readonly #case: VectorCase;
  readonly #mode: VectorMode;
  readonly #expected: VectorCapabilities;
  readonly #made: VectorBackend[] = [];
  readonly #open = new Map<VectorStore, VectorBackend>();

  constructor(suite: Means, one: VectorCase, mode: VectorMode, expected: VectorCapabilities) {
    this.#suite = suite;
    this.#case = one;
    this.#mode = mode;
    this.#expected = expected;
  }

  async session(): Promise<VectorTestSession> {
    return {
      store: await this.#openBackend(await this.#backend(), this.#case.settings),
      capabilities: this.#expected,
      mode: this.#mode,
      seed: sizeOf(this.#suite, 0).seed,
      recall: this.#expected.index === "exact" ? 1 : (this.#suite.recall ?? 0.9),
      open: async (settings) => this.#openBackend(await this.#backend(), settings),
      backend: () => this.#backend(),
      reopen: async (store, settings) => {
        const backend = this.#backendOf(store);
        await store.close();
        this.#open.delete(store);
        return this.#openBackend(await this.#again(backend), settings ?? this.#case.settings);
      },
      again: async (store, settings) =>
        this.#openBackend(await this.#again(this.#backendOf(store)), settings ?? this.#case.settings),
    };
  }

  /** Whatever a case left unsaved is nobody's. */
  async close(): Promise<void> {
    for (const store of this.#open.keys()) await store.close({ save: false });
    for (const backend of this.#made) await this.#suite.dispose?.(backend);
  }

  async #backend(): Promise<VectorBackend> {
    const backend = await this.#suite.open();
    this.#made.push(backend);
    return backend;
  }

  async #openBackend(backend: VectorBackend, settings: VectorSettings = {}): Promise<VectorStore> {
    const source = this.#mode === "emulated" ? withoutExtras(backend) : backend;
    const store = await openVectorStore(source, { ...defaults, ...settings });
    this.#open.set(store, backend);
    return store;
  }

  #backendOf(store: VectorStore): VectorBackend {
    const backend = this.#open.get(store);
    if (backend === undefined) throw new TypeError("reopen: a store that the suite opened.");
    return backend;
  }

  async #again(previous: VectorBackend): Promise<VectorBackend> {
    if (this.#suite.reopen === undefined) throw new TypeError("reopen: a store that keeps something.");
    const backend = await this.#suite.reopen(previous);
    this.#made.push(backend);
    return backend;
  }
}
