import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "@jest/globals";
import { defineBackend } from "../src/backend/options.js";
import type { Backend } from "../src/backend/spi.js";
import { DataknobsError, type ErrorCode } from "../src/errors.js";
import { type DatabaseSource, openDatabase, openDatabaseSync, registerBackend } from "../src/index.js";
import { Bare } from "./mutants/bare.js";
import { Tiny } from "./mutants/tiny.js";

interface ShelfOptions {
  readonly path?: string;
  readonly poolSize?: number;
  readonly readOnly?: boolean;
  readonly mode?: "a" | "b";
  readonly password?: string;
  readonly client?: unknown;
}

const seen: ShelfOptions[] = [];

const shelf = defineBackend<ShelfOptions>({
  name: "shelf",
  options: {
    path: { type: "string" },
    poolSize: { type: "number", min: 1, integer: true },
    readOnly: { type: "boolean" },
    mode: { type: "string", oneOf: ["a", "b"] },
    password: { type: "string", secret: true },
    client: { type: "any" },
  },
  create: (options) => {
    seen.push(options);
    return new Tiny();
  },
  fromUrl: ({ rest }) => (rest === "" ? {} : { path: rest }),
});

registerBackend(shelf);

async function optionsOf(source: DatabaseSource): Promise<ShelfOptions> {
  await using _ = await openDatabase(source);
  return seen.at(-1) ?? assert.fail();
}

async function fails(code: ErrorCode, source: unknown, message: RegExp = /./): Promise<void> {
  await assert.rejects(
    async () => openDatabase(source as DatabaseSource),
    (error) => {
      assert.ok(DataknobsError.is(error, code), String(error));
      assert.match(error.message, message);
      return true;
    },
  );
}

describe("openDatabase", () => {
  it("takes a backend, a configuration or a URL", async () => {
    assert.deepEqual(await optionsOf(shelf({ path: "x" })), { path: "x" });
    assert.deepEqual(await optionsOf({ backend: "shelf", path: "x", indexes: [{ path: "a" }] }), { path: "x" });
    assert.deepEqual(await optionsOf("shelf:./x.db?poolSize=3&readOnly=true&mode=b"), {
      path: "./x.db",
      poolSize: 3,
      readOnly: true,
      mode: "b",
    });
    assert.deepEqual(await optionsOf("shelf:"), {});
  });

  it("takes names in snake_case from configurations and URLs", async () => {
    assert.deepEqual(await optionsOf({ backend: "shelf", pool_size: 2, read_only: false }), {
      poolSize: 2,
      readOnly: false,
    });
    assert.deepEqual(await optionsOf("shelf:?pool_size=2"), { poolSize: 2 });
  });

  it("refuses options that are unknown, with the nearest name", async () => {
    await fails("INVALID_CONFIG", { backend: "shelf", paht: "x" }, /paht.*path/s);
    await fails("INVALID_CONFIG", { backend: "shelf", path: "x", pool_size: 1, poolSize: 2 }, /twice/);
    await fails("INVALID_CONFIG", "shelf:x?colour=red", /colour/);
  });

  it("refuses options of a wrong type", async () => {
    for (const bad of [
      { path: 1 },
      { poolSize: 0 },
      { poolSize: 1.5 },
      { poolSize: "2" },
      { readOnly: "yes" },
      { mode: "c" },
      { path: null },
    ]) {
      await fails("INVALID_CONFIG", { backend: "shelf", ...bad });
    }
    await fails("INVALID_CONFIG", "shelf:x?poolSize=many");
    await fails("INVALID_CONFIG", "shelf:x?client=y", /in code/);
  });

  it("never prints a secret", async () => {
    const secret = "hunter2hunter2";
    for (const source of [
      { backend: "shelf", password: [secret] },
      { backend: "nowhere", password: secret },
      `shelf:x?password=${secret}&bad=1`,
      `${secret}`,
    ]) {
      await assert.rejects(
        async () => openDatabase(source as DatabaseSource),
        (error: Error) => !`${error.message}${JSON.stringify(error)}`.includes(secret),
      );
    }
  });

  it("refuses an unknown backend, with the nearest name", async () => {
    await fails("INVALID_CONFIG", { backend: "shelv" }, /Did you mean "shelf"/);
    await fails("INVALID_CONFIG", "sqlte:app.db", /Did you mean "sqlite"/);
    await fails("INVALID_CONFIG", { backend: null });
    await fails("INVALID_CONFIG", {});
    await fails("INVALID_CONFIG", { backend: "__proto__" });
    await fails("INVALID_CONFIG", "no url at all");
  });

  it("says how to install a backend whose package is not there", () => {
    // this workspace has them all: a project with core alone
    const project = mkdtempSync(join(tmpdir(), "dataknobs-alone-"));
    try {
      const modules = join(project, "node_modules");
      cpSync("dist", join(modules, "@dataknobs", "core", "dist"), { recursive: true });
      cpSync("package.json", join(modules, "@dataknobs", "core", "package.json"));
      for (const name of ["fastest-levenshtein", "redos-detector"]) {
        symlinkSync(realpathSync(join("node_modules", name)), join(modules, name));
      }
      writeFileSync(
        join(project, "open.mjs"),
        `import { openDatabase, openDatabaseSync } from "@dataknobs/core";
        const tell = ({ code, message }) => console.log(code, message);
        await openDatabase({ backend: "duckdb" }).catch(tell);
        await openDatabase("postgres://localhost/app").catch(tell);
        try { openDatabaseSync({ backend: "memory" }); } catch (error) { tell(error); }`,
      );
      const { stdout, stderr } = spawnSync(process.execPath, ["open.mjs"], { cwd: project, encoding: "utf8" });
      const lines = stdout.trim().split("\n");
      assert.equal(lines.length, 3, stderr);
      for (const [index, name] of ["duckdb", "postgres", "memory"].entries()) {
        assert.match(lines[index] ?? "", new RegExp(`^MISSING_DRIVER .*npm install @dataknobs/backend-${name}$`));
      }
    } finally {
      rmSync(project, { recursive: true, force: true });
    }
  });

  it("refuses what is no source at all", async () => {
    for (const source of [null, undefined, 1, [], () => 1]) await fails("INVALID_CONFIG", source);
  });

  it("tells errors of opening as its own, and closes nothing twice", async () => {
    const broken = Object.assign(new Tiny(), {
      open: () => {
        throw new Error("driver text with a secret");
      },
    });
    await assert.rejects(
      openDatabase(broken),
      (error) =>
        DataknobsError.is(error, "UNEXPECTED") &&
        !error.message.includes("secret") &&
        (error.cause as Error).message.includes("secret"),
    );
  });

  it("gives up when it is aborted, and closes what opened in spite of it", async () => {
    let closed = 0;
    const slow: Backend = Object.assign(new Tiny(), {
      open: () => new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 20)),
      close: () => {
        closed++;
      },
    });
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 5);
    await assert.rejects(openDatabase(slow, { signal: controller.signal }), (error) =>
      DataknobsError.is(error, "ABORTED"),
    );
    await new Promise((resolve) => setTimeout(resolve, 40));
    assert.equal(closed, 1);
  });

  it("narrows the capabilities by what opening found, once, frozen", async () => {
    const narrow = Object.assign(new Tiny(), { open: () => ({ unique: false, limits: { batch: 10 } }) });
    await using db = await openDatabase(narrow as unknown as Backend);
    assert.equal(db.capabilities.unique, false);
    assert.deepEqual(db.capabilities.limits, { batch: 10 });
    assert.ok(Object.isFrozen(db.capabilities) && Object.isFrozen(db.capabilities.limits));
  });
});

describe("openDatabaseSync", () => {
  it("opens what is synchronous, by object and by configuration", () => {
    using db = openDatabaseSync(new Tiny());
    assert.equal(db.create({ n: 1 }).data["n"], 1);
    using other = openDatabaseSync({ backend: "shelf", path: "x" });
    assert.equal(other.count(), 0);
  });

  it("refuses what is not", () => {
    assert.throws(
      () => openDatabaseSync(new Bare()),
      (error) => DataknobsError.is(error, "UNSUPPORTED"),
    );
  });
});

describe("registerBackend", () => {
  it("takes one backend of a name, twice the same", () => {
    registerBackend(shelf);
    assert.throws(
      () => registerBackend(defineBackend({ name: "shelf", options: {}, create: () => new Tiny() })),
      (error) => DataknobsError.is(error, "INVALID_CONFIG"),
    );
  });
});

describe("errors", () => {
  it("are told by brand and code, from another copy of the class too", () => {
    const error = new DataknobsError("CONFLICT", "x", { id: "a" });
    assert.ok(DataknobsError.is(error) && DataknobsError.is(error, "CONFLICT") && !DataknobsError.is(error, "TIMEOUT"));
    const copy = Object.assign(new Error("x"), {
      code: "CONFLICT",
      details: {},
      [Symbol.for("@dataknobs/error")]: true,
    });
    assert.ok(DataknobsError.is(copy, "CONFLICT"));
    for (const other of [null, undefined, "CONFLICT", new Error("x"), { code: "CONFLICT" }])
      assert.ok(!DataknobsError.is(other));
  });

  it("say whether another try may help", () => {
    const retryable = (code: ErrorCode): boolean => new DataknobsError(code, "x").retryable;
    assert.deepEqual((["CONFLICT", "TIMEOUT", "UNAVAILABLE", "VERSION_CONFLICT"] as const).map(retryable), [
      true,
      true,
      true,
      true,
    ]);
    assert.deepEqual(
      (["ALREADY_EXISTS", "INVALID_QUERY", "UNSUPPORTED", "CORRUPT", "ABORTED"] as const).map(retryable),
      [false, false, false, false, false],
    );
  });
});
