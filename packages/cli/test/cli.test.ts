import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main } from "@dataknobs/cli";
import { type MigrationReport, openDatabase, openVectorStore } from "@dataknobs/core";
import { afterAll, beforeAll, describe, it } from "@jest/globals";

const folder = mkdtempSync(join(tmpdir(), "dataknobs-cli-"));
const at = (name: string): string => join(folder, name);
const store = `sqlite:${at("people.db")}`;

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  let [out, err] = ["", ""];
  const code = await main(args, {
    out: {
      write: (text) => {
        out += text;
      },
    },
    err: {
      write: (text) => {
        err += text;
      },
    },
    env,
  });
  return { code, out, err };
}

async function well(...args: string[]): Promise<string> {
  const { code, out, err } = await run(args);
  assert.equal(code, 0, err);
  return out;
}

async function ends(code: number, message: RegExp, ...args: string[]): Promise<Ended> {
  const ended = await run(args);
  assert.equal(ended.code, code, ended.err);
  assert.match(ended.err, message);
  assert.ok(!ended.err.includes("    at "), "a stack trace");
  return ended;
}

beforeAll(async () => {
  await using db = await openDatabase(store, { indexes: [{ path: "age" }] });
  await db.createMany([
    { id: "ada", data: { name: "Ada", age: 36, born: new Date("1815-12-10"), big: 2n ** 70n }, metadata: { m: 1 } },
    { id: "bob", data: { name: "Bob", age: 24, tags: ["x", "y"] } },
    { id: "eve", data: { name: 'Eve "the", one', age: null, note: "line\nbreak" } },
  ]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("dataknobs query", () => {
  it("prints a line of JSON per record, with all that it has", async () => {
    const lines = (await well("query", store, "-s", "-age")).trim().split("\n");
    const [first] = lines.map((line) => JSON.parse(line));
    assert.equal(lines.length, 3);
    assert.deepEqual(
      [first.id, first.data.age, first.data.big, first.metadata],
      ["ada", 36, String(2n ** 70n), { m: 1 }],
    );
  });

  for (const [condition, ids] of [
    ["age > 30", ["ada"]],
    ["age>=24", ["ada", "bob"]],
    ["name = Ada", ["ada"]],
    ['name = "Ada"', ["ada"]],
    ["name != Ada", ["bob", "eve"]],
    ["tags contains x", ["bob"]],
    ["age between [20, 30]", ["bob"]],
    ["age in [24, 36]", ["ada", "bob"]],
    ["age not_exists", ["eve"]],
    ["name ilike %B%", ["bob"]],
    ["born < 1900-01-01", ["ada"]],
    ["note like %\nbreak", ["eve"]],
    ['{ "not": { "path": "age", "op": "exists" } }', ["eve"]],
  ] as const) {
    it(`finds by --where ${JSON.stringify(condition)}`, async () => {
      const out = await well("query", store, "--where", condition, "-s", "id", "--csv", "--select", "id");
      assert.deepEqual(out.trim().split("\n").slice(1), ids);
    });
  }

  it("joins conditions, sorts, pages and selects", async () => {
    const out = await well(
      "query",
      store,
      "-w",
      "age exists",
      "-w",
      "age < 100",
      "-s",
      "age",
      "-n",
      "1",
      "--offset",
      "1",
      "--csv",
      "--select",
      "name",
    );
    assert.equal(out, "id,name\nada,Ada\n");
  });

  it("takes a whole query, and full text", async () => {
    const query = '{"where":{"path":"age","op":">","value":1},"sort":[{"path":"age"}]}';
    assert.equal(
      (await well("query", store, "-q", query, "-w", "age < 30", "--csv", "--select", "id")).trim(),
      "id\nbob",
    );
    assert.equal(await well("count", store, "--match", "ADA", "--fields", "name,note"), "1\n");
  });

  it("prints tables and CSV that hold what they should", async () => {
    const table = await well("query", store, "--table", "-s", "id");
    assert.match(table, /id\s+name\s+age/);
    assert.match(table, /eve\s+Eve "the", one/);
    const csv = await well("query", store, "--csv", "-w", "name like Eve%", "--select", "name,note");
    assert.equal(csv, 'id,name,note\neve,"Eve ""the"", one","line\nbreak"\n');
    assert.equal(await well("query", store, "--table", "-w", "age > 1000"), "no rows\n");
  });
});

describe("dataknobs info, count, explain, index", () => {
  it("tells what a store is and can do", async () => {
    const info = JSON.parse(await well("info", store, "--json"));
    assert.deepEqual([info.backend, info.records, info.transactions], ["sqlite", 3, "interactive"]);
    assert.match(await well("info", store), /records\s+3/);
  });

  it("counts", async () => {
    assert.equal(await well("count", store), "3\n");
    assert.equal(await well("count", store, "-w", "age > 30"), "1\n");
  });

  it("explains what is done by whom", async () => {
    assert.match(await well("explain", store, "-w", "age > 30", "-n", "5"), /age >\s+pushed\s+age/);
    assert.equal(JSON.parse(await well("explain", store, "-w", "age > 30", "--json")).scan, "index");
    assert.match(await well("explain", store, "-w", "age > 30", "--native"), /SEARCH/);
  });

  it("compares indexes with those named, and makes and removes them", async () => {
    assert.match(await well("index", store, "age", "name:text"), /age\s+there[\s\S]*name:text\s+missing/);
    assert.match(await well("index", store, "age", "name:text", "--apply"), /name:text\s+made/);
    assert.match(await well("index", store, "name:text"), /name:text\s+there[\s\S]*age\s+not named/);
    assert.match(await well("index", store, "age", "--apply", "--drop"), /name:text\s+removed/);
    assert.doesNotMatch(await well("index", store, "age"), /name:text/);
  });
});

describe("dataknobs import, export, migrate, verify", () => {
  for (const name of ["out.jsonl", "out.json", "out.csv", "out.parquet", "out.jsonl.gz"]) {
    it(`exports to ${name} and imports it again, every type kept`, async () => {
      assert.match(
        await well("export", store, at(name), "--verify", "content"),
        /written 3.*\nverified by content: equal/s,
      );
      const copy = `sqlite:${at(`${name}.db`)}`;
      await well("import", at(name), copy);
      assert.match(await well("verify", store, copy), /\nequal\n$/);
    });
  }

  it("imports a plain CSV file of another program", async () => {
    writeFileSync(at("plain.csv"), "name,age\nAda,36\nBob,24\n");
    await well("import", at("plain.csv"), `sqlite:${at("plain.db")}`);
    assert.equal(await well("count", `sqlite:${at("plain.db")}`, "-w", "age > 30"), "1\n");
  });

  it("reports in words and in JSON, and fails where records did", async () => {
    const target = `sqlite:${at("conflict.db")}`;
    await well("migrate", store, target);
    const { out } = await ends(5, /ALREADY_EXISTS/, "migrate", store, target, "--json", "--verify", "none");
    const report = JSON.parse(out) as MigrationReport;
    assert.equal(report.read, report.written + report.skipped + report.dropped + report.failed);
    assert.ok(report.failed >= 1);
    const going = await run(["migrate", store, target, "--continue", "--verify", "none"]);
    assert.equal(going.code, 5);
    assert.match(going.out, /written 0.*failed 3 of 3[\s\S]*ALREADY_EXISTS ada/);
    assert.match(await well("migrate", store, target, "--on-conflict", "skip"), /skipped 3/);
    assert.match(await well("migrate", store, target, "--on-conflict", "replace", "--dry-run"), /would write 3/);
  });

  it("goes on from a checkpoint, and brings over what was written since", async () => {
    const target = `sqlite:${at("since.db")}`;
    const job = ["migrate", store, target, "--checkpoint", at("job.json"), "--incremental", "--verify", "none"];
    assert.match(await well(...job), /written 3/);
    assert.match(await well(...job), /written 0, skipped 3/);
  });

  it("tells stores that differ by the exit code", async () => {
    const other = `sqlite:${at("other.db")}`;
    await well("migrate", store, other, "-w", "age exists");
    const { code, out } = await run(["verify", store, other]);
    assert.equal(code, 5);
    assert.match(out, /3 records[\s\S]*2 records[\s\S]*NOT EQUAL/);
    const told = await run(["verify", store, other, "--json"]);
    assert.equal(JSON.parse(told.out).equal, false);
  });
});

describe("dataknobs bench and conformance", () => {
  it("times a store and leaves nothing behind", async () => {
    const rows = (await well("bench", store, "--records", "20", "--json")).trim().split("\n");
    assert.equal(rows.length, 7);
    assert.equal(await well("count", store), "3\n");
  });

  it("runs the suite on an empty store, and refuses one that is not", async () => {
    await ends(5, /has 3 records/, "conformance", store, "--erase");
    await ends(2, /--erase/, "conformance", "memory:");
    const out = await well("conformance", "memory:", "--erase", "--failures-only");
    assert.match(out, /^\d{3,} passed, 0 failed\n$/);
  });
});

describe("what is wrong is told in one line, by the exit code", () => {
  const secret = "s3cr3t-pass";
  const cases: readonly (readonly [number, RegExp, readonly string[]])[] = [
    [2, /unknown command/, ["qery", store]],
    [2, /unknown option/, ["query", store, "--were", "a = 1"]],
    [2, /missing required argument/, ["query"]],
    [2, /names no store/, ["count", "people"]],
    [2, /Did you mean "sqlite"/, ["count", "sqlte:people.db"]],
    [2, /no condition/, ["count", store, "-w", "age"]],
    [2, /has no value/, ["count", store, "-w", "age >"]],
    [2, /not JSON/, ["count", store, "-w", "{ age"]],
    [2, /takes a query in JSON/, ["count", store, "-q", "age > 1"]],
    [2, /limit/, ["query", store, "-n", "-1"]],
    [2, /a whole number/, ["migrate", store, "memory:", "--batch-size", "0"]],
    [2, /cannot be used with option/, ["query", store, "--json", "--csv"]],
    [2, /format of .* is told by its name/, ["export", store, "out.xml"]],
    [2, /needs a configuration/, ["count", "@prod", "--config", "nowhere.json"]],
    [2, /does not exist/, ["query", `sqlite:${join(folder, "no", "such.db")}?readOnly=true`]],
  ];
  for (const [code, message, args] of cases) {
    it(args.map((one) => one.replace(folder, "…")).join(" "), () => ends(code, message, ...args));
  }

  it("never prints a password, wherever it stood", async () => {
    for (const url of [
      `postgres://app:${secret}@127.0.0.1:1/app`,
      `sqlite:${at("x.db")}?pasword=${secret}`,
      `nothing://u:${secret}@h/d`,
    ]) {
      const { code, out, err } = await run(["info", url]);
      assert.notEqual(code, 0);
      assert.ok(!`${out}${err}`.includes(secret), err);
    }
  });

  it("prints a stack for those who ask", async () => {
    const { err } = await run(["--trace", "count", "sqlte:x"]);
    assert.match(err, / {4}at /);
  });
});

describe("migrate-vectors, verify-vectors", () => {
  const [from, to] = [`memory:${at("from.dkv")}`, `memory:${at("to.dkv")}`] as const;
  const sized = ["--dimensions", "2", "--metric", "euclidean"];

  beforeAll(async () => {
    await using vectors = await openVectorStore(from, { dimensions: 2, metric: "euclidean" });
    await vectors.add([
      { id: "a", vector: [0.1, 1e-40], metadata: { lang: "en", at: new Date(1) }, text: "one" },
      { id: "b", vector: [3, 4], metadata: { lang: "fr", big: 2n ** 70n } },
    ]);
    await vectors.scoped("tenant").add([{ id: "a", vector: [5, 6] }]);
  });

  it("copies every bit, verifies, and tells a difference by its exit code", async () => {
    assert.match(await well("migrate-vectors", from, to, ...sized, "-w", "lang = en", "--dry-run"), /would write 1/);
    assert.match(
      await well("migrate-vectors", from, to, ...sized, "-w", "lang = en", "--verify", "content"),
      /written 1, .* of 1 read[\s\S]*verified by content: equal, 1 of 1/,
    );
    const differing = await run(["verify-vectors", from, to, ...sized]);
    assert.equal(differing.code, 5);
    assert.match(differing.out, /2 vectors[\s\S]*1 vectors[\s\S]*NOT EQUAL/);
    await ends(5, /a vector with the id "a" exists already/i, "migrate-vectors", from, to, ...sized);
    const job = [
      "migrate-vectors",
      from,
      to,
      ...sized,
      "--on-conflict",
      "skip",
      "--checkpoint",
      at("vectors.json"),
      "--json",
    ];
    const report = JSON.parse(await well(...job)) as MigrationReport;
    assert.deepEqual([report.written, report.skipped, report.resumed], [1, 1, false]);
    assert.equal((JSON.parse(await well(...job)) as MigrationReport).resumed, true);
    assert.match(await well("verify-vectors", from, `${to}?dimensions=2`, ...sized), /\nequal\n$/);
  });

  it("brings over scopes, each into its own", async () => {
    await well("migrate-vectors", from, to, ...sized, "--scope", "tenant");
    const scoped = [`${from}?scope=tenant`, `${to}?scope=tenant`];
    assert.match(await well("verify-vectors", ...scoped, ...sized), /1 vectors[\s\S]*equal/);
  });

  it("refuses what cannot be right", async () => {
    await ends(2, /dimensions/, "migrate-vectors", from, to);
    await ends(2, /same/, "migrate-vectors", from, from, ...sized);
    await ends(2, /no vector store|unknown|Known/i, "migrate-vectors", "nothing:x", to, ...sized);
  });
});

describe("configuration", () => {
  it("names stores, and takes secrets from the environment", async () => {
    writeFileSync(
      at("stores.json"),
      JSON.stringify({ stores: { people: { backend: "sqlite", path: { env: "PEOPLE_PATH" } } } }),
    );
    const args = ["count", "@people", "--config", at("stores.json")];
    assert.deepEqual((await run(args, { PEOPLE_PATH: at("people.db") })).out, "3\n");
    assert.deepEqual(
      (await run(["count", "@people"], { PEOPLE_PATH: at("people.db"), DATAKNOBS_CONFIG: at("stores.json") })).out,
      "3\n",
    );
    const missing = await run(args);
    assert.equal(missing.code, 2);
    assert.match(missing.err, /PEOPLE_PATH, which is not set/);
    assert.match((await run(["count", "@peple", "--config", at("stores.json")])).err, /it has people/);
  });
});

describe("help and completion", () => {
  it("has examples, and an answer for every command", async () => {
    assert.match(await well("--help"), /Examples:[\s\S]*Exit codes:/);
    for (const command of [
      "info",
      "query",
      "count",
      "explain",
      "import",
      "export",
      "migrate",
      "verify",
      "migrate-vectors",
      "verify-vectors",
      "index",
      "bench",
      "conformance",
      "completion",
    ]) {
      assert.match(await well(command, "--help"), new RegExp(`Usage: dataknobs ${command}`));
    }
    assert.equal((await well("--version")).trim(), JSON.parse(readFileSync("package.json", "utf8")).version);
  });

  it("completes commands in bash", async () => {
    writeFileSync(at("completion.bash"), await well("completion", "bash"));
    const script = `source ${at("completion.bash")}; COMP_WORDS=(dataknobs mi); COMP_CWORD=1; _dataknobs; echo "\${COMPREPLY[@]}"
      COMP_WORDS=(dataknobs migrate a b --ver); COMP_CWORD=4; _dataknobs; echo "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync("bash", ["-c", script], { encoding: "utf8" });
    assert.equal(stdout, "migrate migrate-vectors\n--verify\n", stderr);
    for (const shell of ["zsh", "fish"]) assert.match(await well("completion", shell), /migrate/);
  });
});

describe("as a process", () => {
  it("ends a long job at Ctrl-C with the report, and the same command finishes it", async () => {
    const big = `sqlite:${at("big.db")}`;
    {
      await using db = await openDatabase(big);
      await db.createMany(
        Array.from({ length: 30_000 }, (_, n) => ({ id: `r${String(n).padStart(6, "0")}`, data: { n } })),
      );
    }
    const job = [
      "migrate",
      big,
      at("big.jsonl"),
      "--checkpoint",
      at("big.json"),
      "--batch-size",
      "50",
      "--verify",
      "content",
    ];
    const child = spawn(process.execPath, ["dist/bin.js", ...job], { stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    child.stdout.on("data", (text) => {
      out += String(text);
    });
    const started = Date.now();
    while (Date.now() - started < 30_000) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (
        existsSync(at("big.json")) &&
        JSON.parse(readFileSync(at("big.json"), "utf8")).checkpoint.tally.written >= 500
      )
        break;
    }
    child.kill("SIGINT");
    const code = await new Promise((resolve) => child.on("close", resolve));
    assert.equal(code, 130, out);
    assert.match(out, /written \d+/);
    const { status, stdout, stderr } = spawnSync(process.execPath, ["dist/bin.js", ...job], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    assert.match(stdout, /written 30000.*failed 0 of 30000[\s\S]*verified by content: equal/);
  }, 120_000);
});
