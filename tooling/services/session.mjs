// Servers for as long as somebody listens: starts those that it is asked for, each telling its end in a line of JSON,
// and when its input ends it stops those that it started. Whoever started it needs no clean-up: however that process
// ends, its side of the pipe is closed by the system. `session.mjs '{ "start": [name…], "provide": [name…] }'`
import { CannotHave, provide, start, stop } from "./manager.mjs";
import { servers } from "./servers/index.mjs";

const wanted = JSON.parse(process.argv[2]);
const ending = new AbortController();
const tell = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
// A reader that is gone is why we end, not an error.
process.stdout.on("error", () => ending.abort());
// A terminal's signals go to all its processes; ours is to end when our input does.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => undefined);

async function begin(name) {
  try {
    const { url } = await start(servers[name], { signal: ending.signal, session: true });
    tell({ name, url });
  } catch (error) {
    tell({ name, problem: error.message, cannotHave: error instanceof CannotHave });
  }
}

const beginning = wanted.start.map(begin);
// What is only needed later is downloaded now; whoever needs it will see why it is not there.
for (const name of wanted.provide) {
  beginning.push(provide(servers[name], ending.signal).catch((error) => tell({ name, notProvided: error.message })));
}

process.stdin.resume();
await new Promise((ended) => process.stdin.once("close", ended).once("end", ended));
ending.abort();
await Promise.all(beginning);
await Promise.all(wanted.start.map((name) => stop(servers[name], { session: true })));
process.exit();
