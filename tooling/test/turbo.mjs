import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { foreground } from "../bootstrap/foreground.mjs";

/**
 * Runs turbo tasks (`build` over all packages, `name#build` of one), going on after failures, and answers with each
 * task's end: `{ package, task, ok, cached }`. A task that was held back by a failed one is not ok.
 */
export async function runTurbo(tasks) {
  const runs = join(".turbo", "runs");
  rmSync(runs, { recursive: true, force: true });
  mkdirSync(runs, { recursive: true });
  const args = ["node_modules/turbo/bin/turbo", "run", ...tasks, "--concurrency=2", "--ui=stream"];
  const status = await foreground(process.execPath, [
    ...args,
    "--continue=dependencies-successful",
    "--output-logs=errors-only",
    "--summarize",
  ]);
  const summary = readdirSync(runs).find((name) => name.endsWith(".json"));
  if (summary === undefined) throw new Error(`turbo ended with ${status} and left no summary.`);
  return JSON.parse(readFileSync(join(runs, summary), "utf8")).tasks.map((task) => ({
    package: task.package,
    task: task.task,
    ok: task.execution?.exitCode === 0,
    cached: task.cache?.status === "HIT",
  }));
}
