/** import, export, migrate, verify: from one store into another. */
import { contentHash, DataknobsError, type MigrateOptions, migrate } from "@dataknobs/core";
import type { Command } from "commander";
import { type Context, withStore } from "../context.js";
import { type JobOptions, jobOptions, printHashes, runJob, whole } from "../job.js";
import { type QuestionOptions, questionOf } from "../question.js";
import { isDataFile, label } from "../store.js";
import { asking } from "./ask.js";

interface MoveOptions extends QuestionOptions, JobOptions {
  readonly concurrency?: number;
  readonly incremental?: boolean;
}

function moving(command: Command): Command {
  return jobOptions(asking(command), "records")
    .option("--concurrency <number>", "batches written at a time", whole)
    .option("--incremental", "with --checkpoint: bring over what was written since the last run");
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
      await runJob(context, `${label(from)} → ${label(to)}`, options, (onProgress) =>
        migrate(source, target, { ...asked, onProgress }),
      );
    }),
  );
}

async function verify(context: Context, from: string, to: string, { json }: { json?: boolean }): Promise<void> {
  const { signal } = context;
  const hashes = await withStore(context, from, (here) =>
    withStore(context, to, async (there) => ({
      from: await contentHash(here, { signal }),
      to: await contentHash(there, { signal }),
    })),
  );
  printHashes(context, json === true, [from, hashes.from], [to, hashes.to]);
}
