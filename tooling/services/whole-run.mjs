// The servers of one test run, in a process beside it: they start while other things are checked, and are stopped
// however the run ends.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { servers } from "./servers/index.mjs";

/**
 * Begins to start the servers `needed`, and to download what is `needed` or `later`. An address in the environment is
 * taken as it is. `ready()` waits for them, sets their variables in our environment, and answers with
 * `{ name, problem, cannotHave }` for those that are not there; `close()` stops what was started.
 */
export function openServers(needed, later = []) {
  const start = needed.filter((name) => !process.env[servers[name].variable]);
  const provide = later.filter((name) => !needed.includes(name));
  if (start.length + provide.length === 0) return { ready: async () => [], close: async () => undefined };

  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL("session.mjs", import.meta.url)), JSON.stringify({ start, provide })],
    // A session of its own, out of reach of the terminal's Ctrl-C.
    { stdio: ["pipe", "pipe", "inherit"], detached: true },
  );
  const ended = new Promise((done) => child.once("close", done));
  const told = new Map();
  const ready = new Promise((done) => {
    const lines = createInterface({ input: child.stdout });
    lines.on("line", (line) => {
      const message = JSON.parse(line);
      told.set(message.name, message);
      if (start.every((name) => told.has(name))) done();
    });
    lines.on("close", done);
    if (start.length === 0) done();
  });

  return {
    async ready() {
      await ready;
      const answers = start.map((name) => told.get(name) ?? { name, problem: "its starter ended without a word" });
      for (const { name, url } of answers) if (url !== undefined) process.env[servers[name].variable] = url;
      return answers.filter(({ problem }) => problem !== undefined);
    },
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}
