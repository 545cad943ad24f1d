/** import, export, migrate, verify: from one store into another. */
import {
  contentHash,
  type Database,
  DataknobsError,
  type MigrateOptions,
  type MigrationReport,
  migrate,
} from "@dataknobs/core";
import { type Command, InvalidArgumentError, Option } from "commander";
import { type Context, withStore } from "../context.js";
import { exitCodes } from "../exit.js";
import { progressOn } from "../progress.js";
import { type QuestionOptions, questionOf } from "../question.js";
import { isDataFile, label } from "../store.js";
import { asking } from "./ask.js";

interface MoveOptions extends QuestionOptions {
  readonly onConflict: "fail" | "skip" | "replace";
  readonly batchSize?: number;
  readonly concurrency?: number;
  readonly checkpoint?: string;
  readonly incremental?: boolean;
  readonly verify: "none" | "count" | "content";
  readonly dryRun?: boolean;
  readonly continue?: boolean;
  readonly json?: boolean;
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError("It is a whole number, 1 or more.");
  return value;
}

function moving(command: Command): Command {
  return asking(command)
    .addOption(
      new Option("--on-conflict <policy>", "what an id that is there already means")
        .choices(["fail", "skip", "replace"])
        .default("fail"),
    )
    .option("--batch-size <number>", "records per read and write", whole)
    .option("--concurrency <number>", "batches written at a time", whole)
    .option("--checkpoint <file>", "keep the state there: the same command goes on after a stop or a crash")
    .option("--incremental", "with --checkpoint: bring over what was written since the last run")
    .addOption(
      new Option("--verify <how>", "compare afterwards").choices(["none", "count", "content"]).default("count"),
    )
    .option("--dry-run", "tell what would be, and write nothing")
    .option("--continue", "go on after records that cannot be moved, and list them")
    .option("--json", "the report as JSON");
}

export function addMoving(program: Command, context: Context): void {
  moving(program.command("migrate <from> <to>"))
    .description("copy the records of one store into another")
    .addHelpText(
      "after",
      "\nExample: dataknobs migrate sqlite:app.db postgres://app@db/app?table=users --checkpoint move.json --verify content",
    )
    .action((from: string, to: string, options: MoveOptions) => move(context, from, to, options));

  moving(program.command("import <file> <store>"))
    .description("bring the records of a data file into a store: JSON Lines, JSON, CSV or Parquet, also .gz")
    .action((file: string, store: string, options: MoveOptions) => move(context, dataFile(file), store, options));

  moving(program.command("export <store> <file>"))
    .description("write the records of a store into a data file; its name tells the format")
    .action((store: string, file: string, options: MoveOptions) => move(context, store, dataFile(file), options));

  program
    .command("verify <from> <to>")
    .description("compare the content of two stores, whatever the order of records; differs: exit code 5")
    .option("--json", "the answer as JSON")
    .action((from: string, to: string, options: { json?: boolean }) => verify(context, from, to, options));
}

function dataFile(path: string): string {
  if (isDataFile(path)) return `file:${path}`;
  throw new DataknobsError(
    "INVALID_CONFIG",
    `The format of ${path} is told by its name: .jsonl, .json, .csv or .parquet, also with .gz.`,
  );
}

async function move(context: Context, from: string, to: string, options: MoveOptions): Promise<void> {
  const query = questionOf(options);
  const { onConflict, batchSize, concurrency, checkpoint, incremental, dryRun } = options;
  const asked: MigrateOptions = {
    query,
    onConflict: incremental === true ? "replace" : onConflict,
    verify: dryRun === true ? "none" : options.verify,
    signal: context.signal,
    ...(batchSize !== undefined && { batchSize }),
    ...(concurrency !== undefined && { concurrency }),
    ...(checkpoint !== undefined && { checkpoint }),
    ...(incremental !== undefined && { incremental }),
    ...(dryRun !== undefined && { dryRun }),
    ...(options.continue === true && { onError: () => true }),
  };
  await withStore(context, from, (source) =>
    withStore(context, to, async (target) => {
      const report = await watched(context, source, target, asked, `${label(from)} → ${label(to)}`, options);
      if (report.failed > 0) context.exit(exitCodes.conflict);
    }),
  );
}

async function watched(
  context: Context,
  source: Database,
  target: Database,
  options: MigrateOptions,
  what: string,
  { json, checkpoint }: MoveOptions,
): Promise<MigrationReport> {
  const bars = { copy: progressOn(what, context.err), verify: progressOn("verifying", context.err) };
  const print = (report: MigrationReport): unknown =>
    json === true ? context.out.write(`${JSON.stringify(report)}\n`) : context.out.write(reportText(report));
  try {
    const report = await migrate(source, target, {
      ...options,
      onProgress: ({ phase, read, verified, total }) => {
        if (phase === "verify") bars.copy.end();
        bars[phase].update(phase === "copy" ? read : verified, total);
      },
    });
    for (const bar of Object.values(bars)) bar.end();
    print(report);
    return report;
  } catch (error) {
    for (const bar of Object.values(bars)) bar.end();
    if (DataknobsError.is(error)) {
      const report = error.details["report"] as MigrationReport | undefined;
      if (report !== undefined) print(report);
      if (checkpoint !== undefined) context.err.write(`The same command goes on from ${checkpoint}.\n`);
    }
    throw error;
  }
}

function reportText(report: MigrationReport): string {
  const { read, written, skipped, dropped, failed, ms, verification, errors, dryRun, resumed } = report;
  const lines = [
    `${dryRun ? "would write" : "written"} ${written}, skipped ${skipped}, dropped ${dropped}, failed ${failed} of ${read} read` +
      ` in ${(ms / 1000).toFixed(1)} s${resumed ? ", in all runs of this job" : ""}`,
  ];
  for (const { id, code, message } of errors.slice(0, 20)) lines.push(`  ${code} ${id}: ${message}`);
  if (errors.length > 20) lines.push(`  … and ${errors.length - 20} more; --json has them`);
  if (verification !== null) {
    const { mode, ok, expected, found } = verification;
    lines.push(`verified by ${mode}: ${ok ? "equal" : "NOT EQUAL"}, ${found} of ${expected} as they should be`);
  }
  return `${lines.join("\n")}\n`;
}

async function verify(context: Context, from: string, to: string, { json }: { json?: boolean }): Promise<void> {
  const { signal } = context;
  const hashes = await withStore(context, from, (here) =>
    withStore(context, to, async (there) => ({
      from: await contentHash(here, { signal }),
      to: await contentHash(there, { signal }),
    })),
  );
  const equal = hashes.from.hash === hashes.to.hash && hashes.from.count === hashes.to.count;
  if (json === true) context.out.write(`${JSON.stringify({ equal, ...hashes })}\n`);
  else {
    for (const [name, { count, hash }] of [
      [from, hashes.from],
      [to, hashes.to],
    ] as const) {
      context.out.write(`${hash.slice(0, 16)}…  ${count} records  ${label(name)}\n`);
    }
    context.out.write(equal ? "equal\n" : "NOT EQUAL\n");
  }
  if (!equal) context.exit(exitCodes.conflict);
}
