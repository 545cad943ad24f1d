// Runs a command with servers beside it: `node tooling/services/with.mjs postgres s3 -- node demo.mjs`. What already
// runs is used; what is started for the command is stopped after it. A server that cannot be had is told, and the
// command runs without its variable.
import { foreground } from "../bootstrap/foreground.mjs";
import { openServers } from "./whole-run.mjs";

const border = process.argv.indexOf("--");
const names = process.argv.slice(2, border);
const [command, ...args] = process.argv.slice(border + 1);

const servers = openServers(names);
try {
  console.error(`dataknobs: starting ${names.join(", ")} …`);
  for (const { name, problem } of await servers.ready()) console.error(`dataknobs: without ${name}: ${problem}`);
  process.exitCode = await foreground(command === "node" ? process.execPath : command, args);
} finally {
  await servers.close();
}
