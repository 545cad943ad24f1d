/**
 * Who may replace a file: one process for each of its versions. The claim is a file beside it whose name has the token
 * of the version to be replaced and a number; only one process can create it. A claim of a process that is gone is
 * passed over by taking the next number, which again only one can.
 */
import { DataknobsError } from "../../errors.js";
import { errnoOf, type Node } from "./node.js";

const patience = 30_000;
const pause = 20;

interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly start: string;
}

/**
 * Takes the claim on one version of a file, waiting for whoever has it; gives the claim's own path. The version may be
 * replaced by then: look again. `UNAVAILABLE` where the holder does not end, or cannot be looked at.
 */
export async function claimVersion(node: Node, prefix: string, version: string, path: string): Promise<string> {
  const me = await holderOf(node);
  const mine = `${prefix}${node.process.pid}-${crypto.randomUUID()}.claiming`;
  await node.files.writeFile(mine, JSON.stringify(me), { flag: "wx" });
  try {
    const deadline = Date.now() + patience;
    for (let number = 1; ; ) {
      const claim = `${prefix}${version}.${number}.claim`;
      try {
        // a link appears with its text, or not at all
        await node.files.link(mine, claim);
        return claim;
      } catch (error) {
        if (errnoOf(error) !== "EEXIST") throw error;
      }
      const holder = await readHolder(node, claim);
      if (holder !== undefined && holder.host === me.host && !(await isAlive(node, holder))) {
        number++;
        continue;
      }
      if (holder !== undefined && Date.now() > deadline) throw unavailable(path, claim, holder);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  } finally {
    await node.files.rm(mine, { force: true });
  }
}

async function readHolder(node: Node, claim: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await node.files.readFile(claim, "utf8")) as Holder;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function holderOf(node: Node): Promise<Holder> {
  const { pid } = node.process;
  const boot = await readText(node, "/proc/sys/kernel/random/boot_id");
  // process ids mean the same within one start of one machine, and on Linux within one container
  const space = await node.files.realpath("/proc/self/ns/pid").catch(() => "");
  return { pid, host: `${node.hostname()} ${boot} ${space}`, start: await startOf(node, pid) };
}

async function isAlive(node: Node, { pid, start }: Holder): Promise<boolean> {
  try {
    node.process.kill(pid, 0);
  } catch (error) {
    if (errnoOf(error) === "ESRCH") return false;
  }
  // the number may be another process's by now
  return (await startOf(node, pid)) === start;
}

/** When a process was started, in the system's own units; empty where that cannot be told. */
async function startOf(node: Node, pid: number): Promise<string> {
  const stat = await readText(node, `/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

/** Of the system's own files, which only Linux has. */
async function readText(node: Node, path: string): Promise<string> {
  return (await node.files.readFile(path, "utf8").catch(() => "")).trim();
}

function unavailable(path: string, claim: string, { pid, host }: Holder): DataknobsError {
  return new DataknobsError(
    "UNAVAILABLE",
    `The file ${path} is being saved by process ${pid} on ${host.split(" ")[0]}, for more than ${patience / 1000} s. If ` +
      `that process is gone, remove ${claim} and save again.`,
    { path, pid },
  );
}
