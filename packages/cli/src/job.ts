/** What commands that move records or vectors have in common: options, progress, the report. */
import { type ContentHash, DataknobsError, type MigrationProgress, type MigrationReport } from "@dataknobs/core";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Context } from "./context.js";
import { exitCodes } from "./exit.js";
import { progressOn } from "./progress.js";
import { label } from "./store.js";

export interface JobOptions {
  readonly onConflict: "fail" | "skip" | "replace";
  readonly batchSize?: number;
  readonly checkpoint?: string;
  readonly verify: "none" | "count" | "content";
  readonly dryRun?: boolean;
  readonly continue?: boolean;
  readonly json?: boolean;
}

export function whole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError("It is a whole number, 1 or more.");
  return value;
}

/** `things` are moved. */
export function jobOptions(command: Command, things: string): Command {
  return command
    .addOption(
      new Option("--on-conflict <policy>", "what an id that is there already means")
        .choices(["fail", "skip", "replace"])
        .default("fail"),
    )
    .option("--batch-size <number>", `${things} per read and write`, whole)
    .option("--checkpoint <file>", "keep the state there: the same command goes on after a stop or a crash")
    .addOption(
      new Option("--verify <how>", "compare afterwards").choices(["none", "count", "content"]).default("count"),
    )
    .option("--dry-run", "tell what would be, and write nothing")
    .option("--continue", `go on after ${things} that cannot be moved, and list them`)
    .option("--json", "the report as JSON");
}

/** Runs a migration with a bar for each phase, and prints its report, of a failed one too. */
export async function runJob(
  context: Context,
  what: string,
  { json, checkpoint }: Pick<JobOptions, "json" | "checkpoint">,
  job: (onProgress: (progress: MigrationProgress) => void) => Promise<MigrationReport>,
): Promise<void> {
  const bars = { copy: progressOn(what, context.err), verify: progressOn("verifying", context.err) };
  const print = (report: MigrationReport): unknown =>
    json === true ? context.out.write(`${JSON.stringify(report)}\n`) : context.out.write(reportText(report));
  const end = (): void => {
    for (const bar of Object.values(bars)) bar.end();
  };
  try {
    const report = await job(({ phase, read, verified, total }) => {
      if (phase === "verify") bars.copy.end();
      bars[phase].update(phase === "copy" ? read : verified, total);
    });
    end();
    print(report);
    if (report.failed > 0) context.exit(exitCodes.conflict);
  } catch (error) {
    end();
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

/** Two hashes side by side; exit code 5 where they differ. */
export function printHashes(
  context: Context,
  json: boolean,
  [from, here]: readonly [string, ContentHash],
  [to, there]: readonly [string, ContentHash],
  things = "records",
): void {
  const equal = here.hash === there.hash && here.count === there.count;
  if (json) context.out.write(`${JSON.stringify({ equal, from: here, to: there })}\n`);
  else {
    for (const [name, { count, hash }] of [
      [from, here],
      [to, there],
    ] as const) {
      context.out.write(`${hash.slice(0, 16)}…  ${count} ${things}  ${label(name)}\n`);
    }
    context.out.write(equal ? "equal\n" : "NOT EQUAL\n");
  }
  if (!equal) context.exit(exitCodes.conflict);
}
