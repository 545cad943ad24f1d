/** A script of a test in a process of its own. */
import { spawn } from "node:child_process";

/** What it printed, and the signal that ended it. `plan` is its argument, as JSON. */
export function runScript(
  script: string,
  plan: object,
): Promise<{ readonly text: string; readonly signal: string | null }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, JSON.stringify(plan)], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    child.on("error", reject);
    child.on("close", (_, signal) => resolve({ text, signal }));
  });
}
