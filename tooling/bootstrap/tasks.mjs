const turbo = (...args) => ["node", "node_modules/turbo/bin/turbo", "run", ...args, "--concurrency=2"];
const biome = (...args) => ["node", "node_modules/@biomejs/biome/bin/biome", ...args];
const changeset = (...args) => ["node", "node_modules/@changesets/cli/bin.js", ...args];

/** Backends that need no server, and those whose name is their server's too. */
const embedded = ["memory", "file", "sqlite", "duckdb"];
const served = ["postgres", "elasticsearch", "s3"];

/** What each `npm run` task runs, as commands one after the other. */
export const tasks = {
  setup: () => [],
  build: (args) => [turbo("build", ...args)],
  typecheck: (args) => [turbo("typecheck", ...args)],
  unit: (args) => [turbo("test", ...args)],
  lint: (args) => [biome("ci", ...args)],
  // Formatted first: the import rules look at blank lines.
  format: (args) => [biome("format", "--write", ...args), biome("check", "--write", ...args)],
  test: (args) => [["node", "tooling/test/run.mjs", ...args]],
  check: (args) => [["node", "tooling/test/run.mjs", "--only=static", ...args]],
  demo: (args) => {
    const all = args.includes("--all");
    const filters = [...embedded, ...(all ? served : [])].map((name) => `--filter=@dataknobs/backend-${name}`);
    const demo = ["node", "examples/demo/demo.mjs", ...args];
    return [
      turbo("build", ...filters, "--output-logs=errors-only"),
      all ? ["node", "tooling/services/with.mjs", ...served, "--", ...demo] : demo,
    ];
  },
  docs: () => [turbo("build"), ["node", "tooling/docs/support-matrix.mjs"], ["node", "tooling/docs/run.mjs"]],
  bench: (args) => [turbo("build"), ["node", "tooling/bench/run.mjs", ...args]],
  services: (args) => [["node", "tooling/services/run.mjs", ...args]],
  changeset: (args) => [changeset(...args)],
  "release:version": () => [changeset("version"), biome("check", "--write")],
  "release:publish": () => [changeset("publish")],
  pnpm: (args) => [["pnpm", ...args]],
};
