/**
 * A PostgreSQL server of a test's own, to be killed and started again: by the native programs of `tooling/services`,
 * whatever runs the server that the other tests talk to.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { appendFileSync, chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Instance {
  readonly port: number;
  readonly url: string;
  /** Of the user whom the server runs as. */
  readonly folder: string;
  /** As kill -9 does. */
  kill(): Promise<void>;
  /** Nothing where it runs. */
  start(): Promise<void>;
  remove(): Promise<void>;
}

interface Programs {
  /** Throws where this machine cannot have them. */
  nativePrograms(
    name: "postgres",
    home: string,
  ): Promise<{ readonly folder: string; readonly as?: { uid: number; gid: number } }>;
}

/** Imported by a name that is made here: it has no declarations. */
const tooling = (): Promise<Programs> => import(new URL("../services/programs.mjs", import.meta.url).href);

export interface InstanceOptions {
  /** A replica of that one. */
  readonly of?: Instance;
}

export async function makeInstance({ of }: InstanceOptions = {}): Promise<Instance> {
  const folder = mkdtempSync(join(tmpdir(), "dataknobs-postgres-"));
  const { folder: programs, as } = await (await tooling()).nativePrograms("postgres", folder);
  if (as !== undefined) chownSync(folder, as.uid, as.gid);
  const data = join(folder, "data");
  const env = { PATH: "/usr/bin:/bin", LC_ALL: "C.UTF-8" };
  const make = (program: string, args: readonly string[]): void => {
    const made = spawnSync(join(programs, program), ["-D", data, ...args], { ...as, env, encoding: "utf8" });
    if (made.status !== 0) throw new Error(`${program} failed: ${made.stderr}${made.error?.message ?? ""}`);
  };
  if (of === undefined) {
    make("initdb", ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]);
    // one that needs its password, the others not
    const rules = [
      "all locked 127.0.0.1/32 scram-sha-256",
      "all all 127.0.0.1/32 trust",
      "replication all 127.0.0.1/32 trust",
    ];
    writeFileSync(join(data, "pg_hba.conf"), rules.map((rule) => `host ${rule}\n`).join(""));
  } else make("pg_basebackup", ["-d", of.url, "-R", "-X", "stream", "-c", "fast", "--no-sync"]);
  const port = await freePort();
  const settings = [
    "listen_addresses='127.0.0.1'",
    `port=${port}`,
    "unix_socket_directories=''",
    "fsync=off",
    "max_connections=60",
  ];
  appendFileSync(join(data, "postgresql.conf"), `\n${settings.join("\n")}\n`);
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  let server: ChildProcess | undefined;
  const instance: Instance = {
    port,
    url,
    folder,
    async start() {
      if (server?.exitCode === null && server.signalCode === null) return;
      // the programs of a server that was killed end one after the other, and the next one waits for them
      for (let attempt = 0; attempt < 100; attempt++) {
        server = spawn(join(programs, "postgres"), ["-D", data], { ...as, env, stdio: "ignore" });
        const ended = new Promise<boolean>((resolve) => server?.once("exit", () => resolve(true)));
        const asked = new AbortController();
        const ready = answers(join(programs, "pg_isready"), port, asked.signal).then(() => false);
        if (!(await Promise.race([ended, ready]))) return;
        asked.abort();
      }
      throw new Error("The server of the tests did not start.");
    },
    async kill() {
      const ended = new Promise((resolve) => server?.once("exit", resolve));
      const { stdout } = spawnSync("ps", ["-o", "pid=", "--ppid", String(server?.pid)], { encoding: "utf8" });
      server?.kill("SIGKILL");
      for (const pid of stdout.split("\n").map(Number)) if (pid > 0) killQuietly(pid);
      await ended;
    },
    async remove() {
      const ended = new Promise((resolve) => server?.once("exit", resolve));
      if (server?.exitCode === null && server.signalCode === null) {
        server.kill("SIGINT");
        await ended;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await instance.start();
  return instance;
}

/** Without their parent the processes of single connections end soon, if not at once. */
function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as { code?: string }).code !== "ESRCH") throw error;
  }
}

/** `pg_isready` asks as a client does, and is content only when connections are taken. */
async function answers(program: string, port: number, signal: AbortSignal): Promise<void> {
  const args = ["--quiet", "--host", "127.0.0.1", "--port", String(port), "--timeout", "2"];
  while (!signal.aborted) {
    const asked = spawn(program, args, { stdio: "ignore" });
    if ((await new Promise((resolve) => asked.once("exit", resolve))) === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
