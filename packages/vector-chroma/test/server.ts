/** The server of the tests, and collections on it that nobody else has. */
import { randomBytes } from "node:crypto";
import type { VectorBackend } from "@dataknobs/core/vector";
import { afterAll, jest } from "@jest/globals";
import { ChromaClient } from "chromadb";
import { type ChromaOptions, chroma } from "../src/index.js";

const variable = "DATAKNOBS_CHROMA_URL";

export const url = process.env[variable] ?? "";
if (url === "") {
  throw new Error(
    `These tests need a Chroma server. \`npm run services -- start chroma\` starts one and prints what ${variable} must be.`,
  );
}

const { hostname, port } = new URL(url);

// requests of a busy server take their time
jest.setTimeout(60_000);

/** A client of chromadb, for looking behind the library's back. */
export const client = new ChromaClient({ host: hostname, port: Number(port), ssl: false });

const prefix = `dk-test-${randomBytes(6).toString("hex")}`;
const made = new Set<string>();
const names = new WeakMap<VectorBackend, string>();

/** The name of a collection that is not there yet; it is removed at the end. */
export function newName(): string {
  const name = `${prefix}-${made.size}`;
  made.add(name);
  return name;
}

/** A backend over a collection that is not there yet. */
export function open(options: ChromaOptions = {}): VectorBackend {
  const collection = options.collection ?? newName();
  const backend = chroma({ url, ...options, collection });
  names.set(backend, collection);
  return backend;
}

export const nameOf = (backend: VectorBackend): string => names.get(backend) as string;

export async function drop(name: string): Promise<void> {
  made.delete(name);
  await client.deleteCollection({ name }).catch((error: unknown) => {
    if (!(error instanceof Error && error.name === "ChromaNotFoundError")) throw error;
  });
}

afterAll(async () => {
  for (const name of made) await drop(name);
});
