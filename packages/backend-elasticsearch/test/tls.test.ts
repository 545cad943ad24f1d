/**
 * TLS, users and API keys: an end of TLS before the real server that lets nobody in without the right header, as
 * proxies and clouds have it. The server that the tests can have everywhere comes without the module that has these.
 */
import { createHash, X509Certificate } from "node:crypto";
import { request as askServer } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { type ElasticsearchOptions, elasticsearch } from "@dataknobs/backend-elasticsearch";
import { DataknobsError, openDatabase } from "@dataknobs/core";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { certificate } from "../../../tooling/testing/certificates.js";
import { freshName, removeAll, serverUrl } from "./server.js";

const authority = certificate("the tests' authority");
const ca = authority.cert;
const user = `Basic ${Buffer.from("ada:right secret").toString("base64")}`;
const key = "ApiKey dGhlOmtleQ==";
let server: Server;
let hosts: string;
/** Requests that came through. */
let asked = 0;

beforeAll(async () => {
  const own = certificate("localhost", authority);
  // the authority too, of which a client may know no more than the fingerprint
  server = createServer({ key: own.key, cert: own.cert + ca }, (request, answer) => {
    asked++;
    const { authorization } = request.headers;
    if (authorization !== user && authorization !== key) {
      answer.writeHead(401, { "content-type": "application/json", "x-elastic-product": "Elasticsearch" });
      answer.end('{"error":{"type":"security_exception","reason":"missing authentication"},"status":401}');
      return;
    }
    const { method, url, headers } = request;
    const behind = askServer(new URL(url ?? "/", serverUrl()), { method, headers }, (found) => {
      answer.writeHead(found.statusCode ?? 502, found.headers);
      found.pipe(answer);
    });
    request.pipe(behind);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  hosts = `https://localhost:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await removeAll();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function use(options: ElasticsearchOptions): Promise<void> {
  await using db = await openDatabase(elasticsearch({ hosts, index: freshName(), replicas: 0, ...options }));
  await db.createMany([{ id: "a", data: { n: 1 } }]);
  expect((await db.search({ limit: 5 })).map(({ data }) => data)).toEqual([{ n: 1 }]);
}

async function failure(options: ElasticsearchOptions): Promise<DataknobsError> {
  try {
    await use(options);
  } catch (error) {
    if (!DataknobsError.is(error)) throw error;
    expect(error.message).not.toMatch(/secret|dGhl/);
    return error as DataknobsError;
  }
  throw new Error("It did not fail.");
}

const login = { username: "ada", password: "right secret" } as const;

describe("whom it lets in", () => {
  it("a user with a password", () => use({ tls: { ca }, ...login }));
  it("an API key", () => use({ tls: { ca }, apiKey: "dGhlOmtleQ==" }));
  it.each([
    ["another password", { username: "ada", password: "wrong secret" }],
    ["another key", { apiKey: "b3RoZXI6a2V5" }],
    ["nobody", {}],
  ])("not %s: PERMISSION_DENIED, not to be tried again", async (_, given) => {
    const error = await failure({ tls: { ca }, ...given });
    expect([error.code, error.retryable]).toEqual(["PERMISSION_DENIED", false]);
  });
});

describe("whom it believes", () => {
  it("the authority by its fingerprint", () => {
    const fingerprint = createHash("sha256").update(new X509Certificate(ca).raw).digest("hex").toUpperCase();
    return use({ caFingerprint: fingerprint.replace(/..(?=.)/g, "$&:"), tls: { rejectUnauthorized: false }, ...login });
  });
  // the client drops the code of what TLS throws: it cannot be told from a server that is down but by words
  it.each<[string, ElasticsearchOptions, RegExp]>([
    ["another authority", { tls: { ca: certificate(authority.name).cert } }, /certificate/],
    ["no authority", {}, /certificate/],
    ["another name than the certificate's", { tls: { ca, servername: "elsewhere.example" } }, /altnames/],
    [
      "another fingerprint",
      { caFingerprint: `AA${":AA".repeat(31)}`, tls: { rejectUnauthorized: false } },
      /fingerprint/,
    ],
  ])("not with %s: it fails, coded, before anything is sent", async (_, options, cause) => {
    asked = 0;
    const error = await failure({ ...options, ...login });
    expect(error.code).toBe("UNAVAILABLE");
    expect(error.message).toMatch(/certificate/);
    expect(String((error.cause as Error).message)).toMatch(cause);
    expect(asked).toBe(0);
  });
});
