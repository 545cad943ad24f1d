// Chroma's own server, which is the Rust library inside its Python wheel. Python only calls its command line.
import { delimiter, join } from "node:path";
import { canRun } from "../process.mjs";
import { missingFor, python, wheel } from "../python.mjs";
import { versions } from "../versions.mjs";

const version = versions.chroma.chromadb;
const cli = "import sys, chromadb_rust_bindings as b; b.cli(['chroma', *sys.argv[1:]])";

export const chroma = {
  name: "chroma",
  variable: "DATAKNOBS_CHROMA_URL",
  seconds: 60,
  stopSignal: "SIGTERM",

  url: ({ port }) => `http://127.0.0.1:${port}`,

  missing: () => missingFor("chromadb", version) ?? (canRun(python(), ["--version"]) ? undefined : python()),

  install: (signal) => wheel("chromadb", version, signal),

  start(program, { home, port }) {
    return {
      command: python(),
      args: ["-c", cli, "run", "--path", join(home, "data"), "--host", "127.0.0.1", "--port", String(port)],
      env: {
        ...process.env,
        PYTHONPATH: [program, process.env.PYTHONPATH].filter(Boolean).join(delimiter),
        PYTHONDONTWRITEBYTECODE: "1",
        ANONYMIZED_TELEMETRY: "False",
        CHROMA_ANONYMIZED_TELEMETRY: "false",
      },
    };
  },

  async ready({ port }) {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v2/heartbeat`, { signal: AbortSignal.timeout(2000) });
    return answer.status === 200;
  },
};
