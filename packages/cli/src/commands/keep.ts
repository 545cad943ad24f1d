/** index, bench, conformance: what looks after a store. */
import { DataknobsError, openDatabase } from "@dataknobs/core";
import { type Backend, backendFrom } from "@dataknobs/core/backend";
import type { Command } from "commander";
import { type Context, withStore } from "../context.js";
import { exitCodes } from "../exit.js";
import { printRows } from "../output.js";
import { indexOf, sourceOf } from "../store.js";
import { formatOf, formats } from "./ask.js";

export function addKeeping(program: Command, context: Context): void {
  formats(program.command("index <store> [fields...]"), "table")
    .description("compare declared indexes with those of a live store: path, path:type, path:unique, path:text")
    .option("--apply", "make those that are missing")
    .option("--drop", "with --apply: remove those that are not named")
    .addHelpText("after", "\nExample: dataknobs index sqlite:app.db age:number email:unique bio:text --apply")
    .action(async (store: string, fields: string[], options: { apply?: boolean; drop?: boolean; json?: boolean }) => {
      const source = sourceOf(store, { config: context.config(), env: context.env });
      const none = typeof source === "string" ? source : { ...source, indexes: [] };
      // opening with declarations would make them at once: the plan is asked for first
      await using db = await openDatabase(none);
      const declared = fields.map(indexOf);
      const plan = await planned(db, declared, { apply: options.apply === true, drop: options.drop === true }, source);
      printRows(plan, formatOf(options, "table"), context.out);
    });

  formats(program.command("bench <store>"), "table")
    .description("time reads, writes and queries on records of its own, which it removes again")
    .option("--records <number>", "how many", "1000")
    .action(async (store: string, options: { records: string; json?: boolean }) => {
      const count = Number(options.records);
      if (!Number.isSafeInteger(count) || count < 10) {
        throw new DataknobsError("INVALID_CONFIG", "--records takes a whole number, 10 or more.");
      }
      await withStore(context, store, async (db) => {
        const rows = await bench(db, count, context.signal);
        printRows(rows, formatOf(options, "table"), context.out);
      });
    });

  program
    .command("conformance <store>")
    .description("run the conformance suite on an EMPTY store, which is cleared again and again")
    .requiredOption("--erase", "yes, everything in this store may be erased")
    .option("--failures-only", "print only what fails")
    .action(async (store: string, options: { failuresOnly?: boolean }) => {
      const source = sourceOf(store, { config: context.config(), env: context.env });
      const { failed } = await conform(source, context, options.failuresOnly === true);
      if (failed > 0) context.exit(exitCodes.failed);
    });
}

type Declared = ReturnType<typeof indexOf>;

async function planned(
  db: Awaited<ReturnType<typeof openDatabase>>,
  declared: readonly Declared[],
  { apply, drop }: { apply: boolean; drop: boolean },
  source: ReturnType<typeof sourceOf>,
): Promise<{ index: string; state: string }[]> {
  const before = await db.indexes.plan();
  const there = new Set([...before.drop, ...before.keep].map(({ name }) => name));
  const nameOf = ({ path, unique, text }: Declared): string =>
    `${[path].flat().join(".")}${unique === true ? ":unique" : text === true ? ":text" : ""}`;
  const wanted = new Map(declared.map((one) => [nameOf(one), one]));
  const rows = [
    ...[...wanted.keys()].map((index) => ({ index, state: there.has(index) ? "there" : apply ? "made" : "missing" })),
    ...[...there]
      .filter((index) => !wanted.has(index))
      .map((index) => ({ index, state: drop && apply ? "removed" : "not named" })),
  ];
  if (!apply) return rows;
  await db.close();
  const settings = { indexes: declared };
  await using changed = await openDatabase(source, settings);
  await changed.indexes.apply({ drop });
  return rows;
}

async function bench(
  db: Awaited<ReturnType<typeof openDatabase>>,
  count: number,
  signal: AbortSignal,
): Promise<{ operation: string; "per second": number; "ms each": string }[]> {
  const prefix = `dataknobs-bench-${Date.now().toString(36)}-`;
  const ids = Array.from({ length: count }, (_, n) => `${prefix}${String(n).padStart(7, "0")}`);
  const inputs = ids.map((id, n) => ({ id, data: { bench: prefix, n, name: `record ${n}`, even: n % 2 === 0 } }));
  const rows: { operation: string; "per second": number; "ms each": string }[] = [];
  const time = async (operation: string, per: number, work: () => Promise<unknown>): Promise<void> => {
    const started = performance.now();
    await work();
    const ms = performance.now() - started;
    rows.push({ operation, "per second": Math.round((per / ms) * 1000), "ms each": (ms / per).toFixed(3) });
  };
  const few = ids.slice(0, Math.min(200, count));
  const call = { signal };
  try {
    await time(`createMany, ${count}`, count, () => db.createMany(inputs, call));
    await time("read, one after the other", few.length, async () => {
      for (const id of few) await db.read(id, call);
    });
    await time("read, all at a time", few.length, () => Promise.all(few.map((id) => db.read(id, call))));
    await time("patch, one after the other", few.length, async () => {
      for (const id of few) await db.patch(id, { even: null }, call);
    });
    const mine = { path: "bench", op: "=" as const, value: prefix };
    await time("count by a field", 1, () => db.count({ where: mine }, call));
    await time("the last 10 by a field", 1, () =>
      db.search({ where: mine, sort: [{ path: "n", direction: "desc" }], limit: 10 }, call),
    );
  } finally {
    await time(`deleteMany, ${count}`, count, () => db.deleteMany(ids));
  }
  return rows;
}

/** A backend over the store with nothing in it. */
async function erased(source: ReturnType<typeof sourceOf>): Promise<Backend> {
  await using db = await openDatabase(source);
  await db.clear();
  return backendFrom(source);
}

/** The suite under a runner of a few lines; each case opens the store and clears it. */
async function conform(
  source: ReturnType<typeof sourceOf>,
  { out, signal }: Context,
  failuresOnly: boolean,
): Promise<{ failed: number }> {
  const { testBackend } = await import("@dataknobs/core/conformance");
  let capabilities: Backend["capabilities"];
  {
    await using db = await openDatabase(source);
    const count = await db.count();
    if (count > 0) {
      throw new DataknobsError(
        "CONFLICT",
        `The store has ${count} records. The suite needs one that is empty and stays so.`,
      );
    }
    capabilities = db.capabilities;
  }
  const tests: { readonly name: string; readonly body: () => Promise<void> }[] = [];
  testBackend({
    describe: (_, body) => body(),
    it: (name, body) => tests.push({ name, body }),
    open: () => erased(source),
    capabilities: { ...capabilities, durable: false },
    modes: ["plain"],
    runs: 100,
  });
  let failed = 0;
  for (const { name, body } of tests) {
    signal.throwIfAborted();
    try {
      await body();
      if (!failuresOnly) out.write(`ok      ${name}\n`);
    } catch (error) {
      failed++;
      out.write(`FAILED  ${name}\n        ${String((error as Error).message).split("\n")[0]}\n`);
    }
  }
  out.write(`${tests.length - failed} passed, ${failed} failed\n`);
  return { failed };
}
