// versitygw, an S3 server over a folder. It honours If-Match and If-None-Match, and keeps versions.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { cached, inCache } from "../cache.mjs";
import { canRun, run } from "../process.mjs";
import { versions } from "../versions.mjs";

const version = versions.s3.versitygw;
const build = `versitygw-${version}`;
const region = "us-east-1";
const user = "dataknobs";

export const s3 = {
  name: "s3",
  variable: "DATAKNOBS_S3_URL",
  seconds: 60,
  stopSignal: "SIGTERM",

  url: ({ port, secret }) => `http://${user}:${secret}@127.0.0.1:${port}/?region=${region}`,

  missing() {
    return inCache(build) || canRun("go", ["version"]) ? undefined : "Go (`go`), which builds versitygw";
  },

  async install(signal) {
    const make = async (folder) => {
      console.error(`dataknobs: building versitygw ${version} with Go, which takes some minutes …`);
      const env = { ...process.env, GOBIN: folder };
      await run("go", ["install", `github.com/versity/versitygw/cmd/versitygw@${version}`], { env, signal });
    };
    return join(await cached(build, make, signal), "versitygw");
  },

  start(program, { home, port, secret }) {
    const data = join(home, "objects");
    const old = join(home, "versions");
    for (const folder of [data, old]) mkdirSync(folder, { recursive: true });
    return {
      command: program,
      args: ["--port", `127.0.0.1:${port}`, "--region", region, "posix", "--versioning-dir", old, data],
      env: { ...process.env, ROOT_ACCESS_KEY: user, ROOT_SECRET_KEY: secret },
    };
  },

  /** It answers 403 to one who has not signed; without a server there is no answer at all. */
  async ready({ port }) {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(2000) });
    return answer.status === 403;
  },
};
