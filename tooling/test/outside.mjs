import { missingChromium } from "../browser/chromium.mjs";
import { missingFaiss } from "../faiss/build.mjs";
import { provide } from "../services/manager.mjs";
import { servers } from "../services/servers/index.mjs";

/** Servers between which, and between each and the embedded stores, every ordered pair is migrated. */
const recordServers = ["postgres", "elasticsearch", "s3"];
/** All that pairs of stores need, those of vectors too. */
export const pairServers = [...recordServers, "chroma"];
/** What one run of the pairs takes: no server, one, or two. */
const pairSets = [
  { what: "embedded", title: "between the embedded stores", names: [] },
  ...recordServers.map((name) => ({ what: name, title: `between ${name} and the embedded stores`, names: [name] })),
  ...recordServers.flatMap((a, at) =>
    recordServers.slice(at + 1).map((b) => ({ what: `${a},${b}`, title: `between ${a} and ${b}`, names: [a, b] })),
  ),
];

/** As many vector stores at a time as a machine has: one that lacks some moves vectors between the others. */
const vectorSets = [
  { what: "memory,faiss", names: [], native: true },
  { what: "memory,chroma", names: ["chroma"], native: false },
  { what: "memory,pgvector", names: ["postgres"], native: false },
  { what: "chroma,pgvector", names: ["chroma", "postgres"], native: false },
  { what: "faiss,chroma", names: ["chroma"], native: true },
  { what: "faiss,pgvector", names: ["postgres"], native: true },
];

/**
 * Suites that need something which not every machine can have: a server, Python, a browser.
 * Each is run where `missing()` answers undefined; elsewhere its answer says what is missing, the suite is listed
 * at the end of the run, and under CI=true that is a failure.
 *
 * `command` runs in the repository's root and leaves its counts, in the form of Jest's JSON, at `results`.
 * It is never cached: what it depends on is not in the repository.
 *
 * @type {ReadonlyArray<{
 *   name: string,
 *   missing: () => Promise<string | undefined>,
 *   command: readonly string[],
 *   results: string,
 * }>}
 */
export const outsideSuites = [
  {
    name: "core, backend-memory and vector-memory in Chromium",
    missing: async () => missingChromium(),
    command: ["node", "tooling/browser/run.mjs", ".results/chromium.json"],
    results: ".results/chromium.json",
  },
  ...pairSets.map(({ what, title, names }) => {
    const results = `.results/pairs-${what}.json`;
    return {
      name: `migration ${title}`,
      missing: async () => withoutAddress(names),
      command: ["node", "tooling/pairs/run.mjs", what, results],
      results,
    };
  }),
  ...vectorSets.map(({ what, names, native }) => {
    const results = `.results/pairs-vectors-${what}.json`;
    return {
      name: `migration between the vector stores ${what}`,
      missing: async () => withoutAddress(names) ?? (native ? missingFaiss() : undefined),
      command: ["node", "tooling/pairs/vectors.mjs", what, results],
      results,
    };
  }),
  {
    name: "services: manager",
    missing: async () => undefined,
    command: ["node", "tooling/services/tests/manager.mjs", ".results/services-manager.json"],
    results: ".results/services-manager.json",
  },
  {
    name: "services: session",
    missing: () => missingServer(servers.postgres),
    command: ["node", "tooling/services/tests/session.mjs", ".results/services-session.json"],
    results: ".results/services-session.json",
  },
  ...Object.values(servers).map((server) => ({
    name: `services: ${server.name}`,
    missing: () => missingServer(server),
    command: ["node", "tooling/services/tests/server.mjs", server.name, `.results/services-${server.name}.json`],
    results: `.results/services-${server.name}.json`,
  })),
];

/** Of servers that the run has started already, or been given. */
function withoutAddress(names) {
  const missing = names.filter((name) => !process.env[servers[name].variable]);
  return missing.length === 0 ? undefined : `no server of ${missing.join(", ")}`;
}

async function missingServer(server) {
  try {
    await provide(server);
    return undefined;
  } catch (error) {
    return error.message;
  }
}
