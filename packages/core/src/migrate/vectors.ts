/**
 * Any vector store to any other.
 *
 * Guaranteed: bounded memory; the source is only read; every vector read is written, skipped, dropped or failed, and the
 * report says how many; vectors arrive to the bit, with their metadata, its types and their text. Not guaranteed: that an
 * id which another writes into the target meanwhile is noticed, since vector stores have no insert.
 */
import { internals } from "../database/internals.js";
import { asDataknobsError, type CallOptions, callOf, misuse } from "../database/session.js";
import { DataknobsError } from "../errors.js";
import type { Condition } from "../query/ast.js";
import { VectorOperations } from "../vector/operations.js";
import { countRows } from "../vector/scan.js";
import { throwIfAborted, type VectorSession } from "../vector/session.js";
import { checkScope } from "../vector/settings.js";
import { Account } from "./account.js";
import {
  type Checkpoint,
  type CheckpointStore,
  checkpointFile,
  readCheckpoint,
  writeCheckpoint,
} from "./checkpoint.js";
import { type ContentHash, Digest, hashOf } from "./digest.js";
import type { MigrationReport, Verification } from "./options.js";
import { type CheckedVectorOptions, checkVectorOptions, type MigrateVectorsOptions } from "./vector-options.js";
import {
  compareRows,
  copyRows,
  filterOf,
  rowsIn,
  type VectorBatch,
  type VectorSide,
  vectorText,
} from "./vector-rows.js";
import { verifyCount } from "./verify.js";

const mostExamples = 100;

/**
 * Copies the vectors of one store, or of one scope of it, into another; gives a report of plain JSON.
 *
 * Errors: `INVALID_CONFIG` before anything is read, as where dimensions differ; the first vector's error that `onError`
 * does not let pass; what either store throws; `CONFLICT` where verification finds a difference. All of them have the
 * report so far as `details.report`.
 *
 * @example
 * const report = await migrateVectors(memory, pgvector, { verify: "content" });
 * report.written;
 */
export function migrateVectors(
  source: VectorOperations,
  target: VectorOperations,
  options: MigrateVectorsOptions = {},
): Promise<MigrationReport> {
  if (!(source instanceof VectorOperations) || !(target instanceof VectorOperations)) {
    throw misuse("migrateVectors takes two open vector stores and options.");
  }
  const run = async (): Promise<MigrationReport> => {
    const checked = checkVectorOptions(options);
    const call = callOf(checked);
    throwIfAborted(call);
    const sides = {
      from: source[internals].session("migrateVectors"),
      to: target[internals].session("migrateVectors"),
    };
    const lanes = lanesOf(sides.from, sides.to, checked).map(({ from, to }) => ({
      from: { session: from, call },
      to: { session: to, call },
    }));
    return new VectorJob(lanes, checked).run();
  };
  return source[internals].track(target[internals].track(run()));
}

interface Lane<S> {
  readonly from: S;
  readonly to: S;
}

/** A pair of scopes each. Throws `INVALID_CONFIG`. */
function lanesOf(from: VectorSession, to: VectorSession, { scopes }: CheckedVectorOptions): Lane<VectorSession>[] {
  if (from.dimensions !== to.dimensions) {
    throw bad(`The source has vectors of ${from.dimensions} dimensions, the target of ${to.dimensions}.`);
  }
  if (scopes !== undefined && (from.scope !== "" || to.scope !== "")) {
    throw bad("`scopes` needs both stores opened without a scope: who was given one tenant's store stays within it.");
  }
  const lanes =
    scopes === undefined
      ? [{ from, to }]
      : scopes.map((name) => {
          const scope = checkScope(name);
          return { from: { ...from, scope }, to: { ...to, scope } };
        });
  if (from.backend === to.backend && lanes.some((lane) => lane.from.scope === lane.to.scope)) {
    throw bad("The vectors of a scope are not migrated into themselves.");
  }
  return lanes;
}

class VectorJob {
  readonly #lanes: readonly Lane<VectorSide>[];
  readonly #options: CheckedVectorOptions;
  readonly #store: CheckpointStore | undefined;
  readonly #account: Account;

  constructor(lanes: readonly Lane<VectorSide>[], options: CheckedVectorOptions) {
    this.#lanes = lanes;
    this.#options = options;
    const { from, to } = this.#first;
    this.#account = new Account({ ...options, source: from.session.name, target: to.session.name });
    const { checkpoint } = options;
    this.#store = typeof checkpoint === "string" ? checkpointFile(checkpoint) : checkpoint;
    // checked before anything is read
    for (const lane of lanes) filterOf(lane.from, options);
  }

  get #first(): Lane<VectorSide> {
    return this.#lanes[0] as Lane<VectorSide>;
  }

  async run(): Promise<MigrationReport> {
    try {
      const start = await this.#start();
      this.#account.total = await this.#count("from");
      if (start.state === "copying") await this.#copy(start);
      return this.#account.report(await this.#verify());
    } catch (error) {
      throw this.#account.withReport(asDataknobsError(error, this.#first.from.session, "migrateVectors"));
    }
  }

  async #start(): Promise<Checkpoint> {
    const job = this.#store === undefined ? "" : await this.#fingerprint();
    const known = this.#store === undefined ? undefined : await readCheckpoint(this.#store, job);
    if (known !== undefined) {
      this.#account.resume(known);
      // of a run that did not end, the counts are made anew
      if (known.state === "done") this.#account.take(known);
      return known;
    }
    this.#account.before = await this.#count("to");
    const fresh: Checkpoint = { job, ...this.#state("copying") };
    if (this.#store !== undefined) await writeCheckpoint(this.#store, fresh);
    return fresh;
  }

  #state(state: Checkpoint["state"]): Omit<Checkpoint, "job"> {
    const { tally, replaced, before, startedAt } = this.#account;
    return { state, after: null, window: 0, tally: { ...tally }, replaced, before, startedAt, since: null };
  }

  async #copy({ job }: Checkpoint): Promise<void> {
    for (const { from, to } of this.#lanes) {
      let underWay: Promise<VectorBatch> | undefined;
      const settle = async (): Promise<void> => {
        if (underWay === undefined) return;
        const batch = await underWay;
        underWay = undefined;
        this.#account.add(batch);
        if (batch.stop !== undefined) throw batch.stop;
        this.#account.tell("copy");
      };
      try {
        // one batch is written while the next is read
        for await (const rows of rowsIn(from, filterOf(from, this.#options), this.#options.batchSize)) {
          await settle();
          throwIfAborted(from.call);
          underWay = copyRows(rows, to, this.#options, this.#account.resumed);
          // whoever waits for it gets the error; until then it is nobody's
          underWay.catch(() => undefined);
        }
        await settle();
      } finally {
        // nothing is written after this call has ended, and what was is counted
        if (underWay !== undefined) await underWay.then((batch) => this.#account.add(batch)).catch(() => undefined);
      }
    }
    if (this.#store === undefined) return;
    await this.#save();
    await writeCheckpoint(this.#store, { job, ...this.#state("done") });
  }

  /** A job is done when what it wrote is in its file. */
  async #save(): Promise<void> {
    const { session, call } = this.#first.to;
    const { backend, capabilities, turns } = session;
    if (capabilities.persistence !== "save" || backend.unsaved !== true) return;
    await turns.exclusive(async () => backend.save?.({ ...call, force: false }));
  }

  async #verify(): Promise<Verification | null> {
    const { verify: asked } = this.#options;
    if (asked === "none") return null;
    // which of the equal ones a killed run wrote, and which were there before it, numbers cannot tell
    const verify = this.#account.resumed ? "content" : asked;
    const result =
      verify === "count" ? verifyCount(await this.#count("to"), this.#account.copied()) : await this.#compare();
    if (result.ok) return result;
    const what =
      verify === "count"
        ? `it has ${result.found} vectors where ${result.expected} are expected`
        : `${result.missing} vectors are missing and ${result.different} differ`;
    throw new DataknobsError(
      "CONFLICT",
      `The target does not agree with the source: ${what}. Something else writes to one of them, or the transform is not pure.`,
      { operation: "migrateVectors", report: this.#account.report(result) },
    );
  }

  async #compare(): Promise<Verification> {
    const [expected, found] = [new Digest(), new Digest()];
    const examples: string[] = [];
    let [missing, different] = [0, 0];
    for (const { from, to } of this.#lanes) {
      for await (const rows of rowsIn(from, filterOf(from, this.#options), this.#options.batchSize)) {
        const compared = await compareRows(rows, to, this.#options);
        await expected.add(compared.theirs);
        await found.add(compared.ours);
        missing += compared.missing.length;
        different += compared.different.length;
        for (const id of [...compared.missing, ...compared.different])
          if (examples.length < mostExamples) examples.push(id);
        this.#account.verified += compared.theirs.length;
        this.#account.tell("verify");
      }
    }
    const counts = { missing, different, changedMeanwhile: 0, examples };
    const wrong = missing + different;
    return {
      mode: "content",
      ok: wrong <= this.#account.tally.skipped + this.#account.tally.failed,
      expected: this.#account.verified,
      found: this.#account.verified - wrong,
      ...counts,
      sourceHash: expected.result().hash,
      targetHash: found.result().hash,
    };
  }

  async #count(side: "from" | "to"): Promise<number> {
    let sum = 0;
    for (const lane of this.#lanes) {
      const { session, call } = lane[side];
      const filter = side === "from" ? this.#options.filter : undefined;
      sum += await countRows(session, filterOf(lane[side], { filter }), call);
    }
    return sum;
  }

  #fingerprint(): Promise<string> {
    const { from, to } = this.#first;
    const { filter, scopes, onConflict, transform } = this.#options;
    const stores = [from, to].map(({ session: { name, scope, dimensions, backend } }) => [
      name,
      backend.location ?? null,
      scope,
      dimensions,
    ]);
    const lanes = scopes?.map((scope) => scope ?? null);
    return hashOf(JSON.stringify(["vectors", stores, lanes, filter, onConflict, String(transform ?? "")]));
  }
}

function bad(message: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", message, { operation: "migrateVectors" });
}

/**
 * A number that tells the content of a vector store's scope, or of what a filter selects of it, whatever store it is in:
 * ids, every bit of the vectors, metadata with its types, texts; in any order. Reads every vector once, in bounded memory.
 *
 * @example
 * (await vectorContentHash(here)).hash === (await vectorContentHash(there)).hash;
 */
export function vectorContentHash(
  store: VectorOperations,
  options: { readonly filter?: Condition | undefined } & CallOptions = {},
): Promise<ContentHash> {
  if (!(store instanceof VectorOperations)) throw misuse("vectorContentHash takes an open vector store and options.");
  const session = store[internals].session("vectorContentHash");
  const run = async (): Promise<ContentHash> => {
    const call = callOf(options);
    throwIfAborted(call);
    const side = { session, call };
    const digest = new Digest();
    for await (const rows of rowsIn(side, filterOf(side, options), session.batchSize)) {
      await digest.add(rows.map((row) => vectorText(row, "")));
    }
    return digest.result();
  };
  return store[internals].track(run());
}
