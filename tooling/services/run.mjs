// `npm run services -- start|stop|restart|status|env [name…]`; README.md has the details.
import { parseArgs } from "node:util";
import { start, status, stop } from "./manager.mjs";
import { serversOf } from "./packages.mjs";
import { servers } from "./servers/index.mjs";

const usage = `npm run services -- start|stop|restart|status|env [name…] [--package=NAME] [--keep]
  start     starts the servers and prints NAME_OF_VARIABLE=url lines
  stop      stops them and throws their data away; --keep keeps it
  restart   stops and starts them, keeping their data
  status    what runs, where, and the log of each
  env       the variables of those that run, for eval "$(npm run -s services -- env)"
  names     ${Object.keys(servers).join(", ")}; all where none is given, or those that --package needs`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { keep: { type: "boolean" }, package: { type: "string" }, json: { type: "boolean" } },
});
const [command, ...names] = positionals;

async function main() {
  if (!Object.hasOwn(commands, command ?? "")) throw new Error(`usage: ${usage}`);
  await commands[command](chosen());
}

function chosen() {
  const wanted = values.package === undefined ? names : [...names, ...serversOf(values.package)];
  for (const name of wanted) {
    if (!Object.hasOwn(servers, name)) {
      throw new Error(`there is no server ${JSON.stringify(name)}; there are: ${Object.keys(servers).join(", ")}.`);
    }
  }
  if (wanted.length === 0 && values.package === undefined) return Object.values(servers);
  return [...new Set(wanted)].map((name) => servers[name]);
}

/** All at once; every failure is told, and each success too. */
async function each(list, work) {
  const failures = [];
  await Promise.all(list.map((server) => work(server).catch((error) => failures.push(error.message))));
  if (failures.length > 0) throw new Error(failures.join("\ndataknobs: "));
}

const startAll = (list) =>
  each(list, async (server) => {
    const { url, started } = await start(server);
    console.error(`dataknobs: ${server.name} ${started ? "started" : "was running"}`);
    console.log(`${server.variable}=${url}`);
  });

const stopAll = (list, keep) =>
  each(list, async (server) => {
    const was = await stop(server, { keep });
    console.error(`dataknobs: ${server.name} ${was ? "stopped" : "was not running"}`);
  });

const commands = {
  start: startAll,
  stop: (list) => stopAll(list, values.keep),
  async restart(list) {
    await stopAll(list, true);
    await startAll(list);
  },
  status(list) {
    const all = list.map((server) => ({ name: server.name, ...status(server) }));
    if (values.json) return console.log(JSON.stringify(all));
    for (const { name, up, url, how, pid, log } of all) {
      const where = up ? `${url}  ${pid === undefined ? how : `pid ${pid}`}` : "not running";
      console.log(`${name.padEnd(14)} ${where}  log ${log}`);
    }
  },
  env(list) {
    for (const server of list) {
      const { up, url } = status(server);
      if (up) console.log(`export ${server.variable}='${url}'`);
    }
  },
};

try {
  await main();
} catch (error) {
  console.error(`dataknobs: ${error.message}`);
  process.exitCode = 1;
}
