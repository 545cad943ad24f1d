/** A server of the tests' own, to be killed and started again, by the programs of the one that DATAKNOBS_POSTGRES_URL names. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { appendFileSync, chownSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import driver from "postgres";
import { sql } from "./server.js";

export interface Instance {
  readonly port: number;
  readonly url: string;
  /** As kill -9 does. */
  kill(): Promise<void>;
  /** Nothing where it runs. */
  start(): Promise<void>;
  remove(): Promise<void>;
}

/** `of`: a replica of that one. */
export async function makeInstance(of?: Instance): Promise<Instance> {
  const [row] =
    await sql`SELECT setting, current_setting('data_directory') AS data FROM pg_config WHERE name = 'BINDIR'`;
  const programs = String(row?.["setting"]);
  if (!existsSync(join(programs, "initdb"))) {
    throw new Error(
      `These tests start a server of their own, and the programs of yours (${programs}) are not on this machine.`,
    );
  }
  const folder = mkdtempSync(join(tmpdir(), "dataknobs-postgres-"));
  const as = asUser(folder, String(row?.["data"]));
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
    async start() {
      if (server?.exitCode === null && server.signalCode === null) return;
      // the programs of a server that was killed end one after the other, and the next one waits for them
      for (let attempt = 0; attempt < 100; attempt++) {
        server = spawn(join(programs, "postgres"), ["-D", data], { ...as, env, stdio: "ignore" });
        const ended = new Promise<boolean>((resolve) => server?.once("exit", () => resolve(true)));
        if (!(await Promise.race([ended, answers(url).then(() => false)]))) return;
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

/** PostgreSQL does not run as root: the user of the other server may run its programs, wherever they are. */
function asUser(folder: string, data: string): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const { uid, gid } = statSync(data);
  chownSync(folder, uid, gid);
  return { uid, gid };
}

async function answers(url: string): Promise<void> {
  for (;;) {
    const client = driver(url, { max: 1, connect_timeout: 5, onnotice: () => undefined });
    try {
      await client`SELECT 1`;
      return;
    } catch {
      // not yet
      await new Promise((resolve) => setTimeout(resolve, 50));
    } finally {
      await client.end({ timeout: 0 });
    }
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
