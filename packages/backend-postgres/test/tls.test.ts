/** TLS: what is encrypted, whom it is believed, and what happens where it cannot be had. */
import { DataknobsError, openDatabase } from "@dataknobs/core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { certificate } from "../../../tooling/testing/certificates.js";
import { type PostgresOptions, postgres } from "../src/index.js";
import { makeSchema, newTable, schemaName } from "./server.js";
import { authority, makeTlsEnd, type TlsEnd } from "./tls-end.js";

const ca = authority.cert;
let secured: TlsEnd;
let plain: TlsEnd;

beforeAll(async () => {
  await makeSchema();
  secured = await makeTlsEnd();
  plain = await makeTlsEnd("N");
});
beforeEach(() => {
  for (const { seen } of [secured, plain]) Object.assign(seen, { encrypted: 0, clear: 0 });
});
afterAll(async () => {
  await secured?.close();
  await plain?.close();
});

/** Single calls, a transaction and a stream: connections of every kind. */
async function use(options: PostgresOptions, server: TlsEnd = secured): Promise<TlsEnd["seen"]> {
  const all = { connectionString: server.url, schemaName, table: newTable(), poolSize: 2, ...options };
  await using db = await openDatabase(postgres(all));
  await db.upsert("a", { n: 1 });
  await db.transaction((tx) => tx.patch("a", { n: 2 }));
  let seen = 0;
  for await (const { data } of db.stream()) seen += data["n"] as number;
  expect(seen).toBe(2);
  return server.seen;
}

async function failure(options: PostgresOptions, server: TlsEnd = secured): Promise<DataknobsError> {
  try {
    await use(options, server);
  } catch (error) {
    if (!DataknobsError.is(error)) throw error;
    expect(error.message).not.toContain(new URL(server.url).password);
    return error as DataknobsError;
  }
  throw new Error("It did not fail.");
}

const encrypted = { encrypted: expect.any(Number), clear: 0 };

describe("a server that speaks TLS", () => {
  it("require encrypts every connection, whoever signed the certificate", async () => {
    expect(await use({ sslmode: "require" })).toEqual(encrypted);
    expect(secured.seen.encrypted).toBeGreaterThan(1);
  });

  it("so does a connection string that says so", async () => {
    expect(await use({ connectionString: `${secured.url}?sslmode=require` })).toEqual(encrypted);
  });

  it("prefer encrypts where the server can", async () => {
    expect(await use({ sslmode: "prefer" })).toEqual(encrypted);
  });

  it("an authority that is given is checked, with the host's name", async () => {
    expect(await use({ ssl: { ca } })).toEqual(encrypted);
    expect(await use({ connectionString: secured.url.replace("localhost", "127.0.0.1"), ssl: { ca } })).toEqual(
      encrypted,
    );
  });

  it("verify-full without the authority: INVALID_CONFIG, not to be tried again", async () => {
    const error = await failure({ sslmode: "verify-full" });
    expect([error.code, error.retryable]).toEqual(["INVALID_CONFIG", false]);
    expect(error.message).toMatch(/certificate/);
  });

  it("another authority: INVALID_CONFIG", async () => {
    expect((await failure({ ssl: { ca: certificate(authority.name).cert } })).code).toBe("INVALID_CONFIG");
  });

  it("another name than the certificate's: INVALID_CONFIG", async () => {
    expect((await failure({ ssl: { ca, servername: "elsewhere.example" } })).code).toBe("INVALID_CONFIG");
  });
});

describe("a server without TLS", () => {
  it("prefer does without", async () => {
    const { encrypted: none, clear } = await use({ sslmode: "prefer" }, plain);
    expect([none, clear > 0]).toEqual([0, true]);
  });

  it("require fails, coded, and sends nothing in the clear", async () => {
    expect((await failure({ sslmode: "require" }, plain)).code).not.toBe("UNEXPECTED");
    expect(plain.seen).toEqual({ encrypted: 0, clear: 0 });
  });
});
