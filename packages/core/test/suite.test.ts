import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import { type BackendSuite, testBackend } from "../src/conformance/index.js";
import { Bare } from "./mutants/bare.js";
import { Tiny } from "./mutants/tiny.js";

const { capabilities } = new Tiny();

interface Collected {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** The tests that the suite would define. */
function collect(suite: Partial<BackendSuite>): Collected[] {
  const tests: Collected[] = [];
  testBackend({
    describe: (_, body) => body(),
    it: (name, run) => tests.push({ name, run }),
    open: () => new Tiny(),
    capabilities,
    runs: 300,
    ...suite,
  });
  return tests;
}

function named(tests: readonly Collected[], name: string): Collected {
  const found = tests.find((one) => one.name === name);
  assert.ok(found !== undefined, `no test ${name}`);
  return found;
}

const id = "write/update/never-inserts";
const deviation = { because: "not-yet", reason: "upstream is slow" } as const;

function inserting(): Tiny {
  const tiny = new Tiny();
  const { apply } = tiny;
  tiny.apply = (op, into) =>
    apply.call(tiny, op.kind === "update" && !into.has(op.id) ? { ...op, kind: "upsert", metadata: {} } : op, into);
  return tiny;
}

describe("testBackend", () => {
  it("defines more than 500 tests, each name once", () => {
    const names = collect({}).map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    assert.ok(names.length > 500, String(names.length));
  });

  it("a case that fails, fails", async () => {
    await assert.rejects(named(collect({ open: inserting }), id).run());
  });

  it("a declared deviation passes as long as the case fails", async () => {
    const tests = collect({ open: inserting, deviations: { [id]: deviation } });
    await named(tests, `${id} (deviates, not-yet: upstream is slow)`).run();
  });

  it("a deviation that is mended turns red", async () => {
    const tests = collect({ deviations: { [id]: deviation } });
    await assert.rejects(named(tests, `${id} (deviates, not-yet: upstream is slow)`).run(), /mended/);
  });

  it("a deviation may be of one mode", () => {
    const tests = collect({ deviations: { "conditions/truth/= [indexed]": deviation } });
    assert.deepEqual(
      tests.filter(({ name }) => name.startsWith("conditions/truth/= [")).map(({ name }) => name),
      ["conditions/truth/= [plain]", "conditions/truth/= [indexed] (deviates, not-yet: upstream is slow)"],
    );
  });

  it("a deviation that names no case is an error", () => {
    assert.throws(() => collect({ deviations: { "write/updat": deviation } }), /write\/updat/);
  });

  it("capabilities that differ from the declared ones fail", async () => {
    const name = "capabilities/are-those-that-the-suite-was-told";
    await named(collect({}), name).run();
    await assert.rejects(named(collect({ capabilities: { ...capabilities, unique: false } }), name).run());
    await assert.rejects(named(collect({ capabilities: {} }), name).run());
    await assert.rejects(named(collect({ capabilities: { ...capabilities, pushdown: ["like"] } }), name).run());
    await named(collect({ open: () => new Bare(), capabilities: {} }), name).run();
  });

  it("what the backend lacks is tested by its twin, never skipped", async () => {
    const tests = collect({ open: () => new Bare(), capabilities: {} });
    const twin = "transactions/commit-together-and-give-the-bodys-result [plain] (unsupported: says so)";
    await named(tests, twin).run();
    const able = collect({ open: () => new Tiny(), capabilities: {} });
    await assert.rejects(named(able, twin).run(), /expected the error UNSUPPORTED/);
  });

  it("a durable backend must say how to reopen it", () => {
    assert.throws(() => collect({ capabilities: { ...capabilities, durable: true } }), /reopen/);
  });

  it("modes choose how often a case runs", () => {
    const count = (modes: BackendSuite["modes"]): number =>
      collect(modes === undefined ? {} : { modes }).filter(({ name }) => name.startsWith("order/numbers-by-value"))
        .length;
    assert.deepEqual([count(undefined), count(["plain"]), count(["plain", "indexed", "emulated"])], [2, 1, 3]);
  });

  it("backends are disposed of after every case, failed ones too", async () => {
    let open = 0;
    const tests = collect({
      open: () => {
        open++;
        return inserting();
      },
      dispose: () => {
        open--;
      },
    });
    await assert.rejects(named(tests, id).run());
    await named(tests, "lifecycle/two-stores-know-nothing-of-each-other").run();
    assert.equal(open, 0);
  });

  it("a disagreement is told with the least records and the question", async () => {
    const open = (): Tiny => {
      const tiny = new Tiny();
      const { compiler } = tiny;
      tiny.compiler = { ...compiler, or: (parts) => compiler.or(parts.slice(0, 1)) };
      return tiny;
    };
    const failure = await named(collect({ open }), "differential/random-queries/1 [plain]")
      .run()
      .then(
        () => assert.fail("not noticed"),
        (error: Error) => error.message,
      );
    assert.match(failure, /seed \d+, mode plain/);
    assert.match(failure, /or: \[/);
    const [, records = ""] = /records: (.*?)\nexpected /s.exec(failure) ?? [];
    assert.equal(records.match(/\{\s*id: '/g)?.length, 1, failure);
  });

  it("prints its coverage where asked", async () => {
    let table = "";
    const tests = collect({ onCoverage: (text) => (table = text) }).filter(({ name }) =>
      name.startsWith("differential/"),
    );
    for (const { run } of tests) await run();
    assert.match(table, /^not_between\s+bigint/m);
  });
});
