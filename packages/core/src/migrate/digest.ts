/**
 * Content as a number that does not depend on order: the sum, modulo 2^256, of the SHA-256 of every record's id, data
 * and metadata in canonical JSON, types that JSON lacks included. Versions and times are the store's, not content.
 */
import type { Json, JsonObject, TypeMap, WireRecord } from "../record/json.js";

export interface ContentHash {
  readonly count: number;
  /** 64 hexadecimal digits. */
  readonly hash: string;
}

type Content = Pick<WireRecord, "id" | "data" | "types" | "metadata" | "metadataTypes">;

/** The same text for the same content, whatever the order of keys. */
export function contentText({ id, data, types, metadata, metadataTypes }: Content): string {
  return `[${JSON.stringify(id)},${canonical(data)},${typesText(types)},${canonical(metadata)},${typesText(metadataTypes)}]`;
}

function canonical(value: Json): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(canonical).join(",")}]`;
  const fields = value as JsonObject;
  const keys = Object.keys(fields).sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(fields[key] as Json)}`).join(",")}}`;
}

function typesText(types: TypeMap | null): string {
  return types === null ? "null" : canonical(types);
}

interface NodeCrypto {
  createHash(name: string): { update(text: string): { digest(encoding: "hex"): string } };
}
interface NodeLike {
  readonly process?: { getBuiltinModule?(name: string): NodeCrypto | undefined };
}

const modulus = 1n << 256n;

export class Digest {
  #sum = 0n;
  #count = 0;
  readonly #crypto = (globalThis as NodeLike).process?.getBuiltinModule?.("node:crypto");

  async add(texts: readonly string[]): Promise<void> {
    for (const text of texts) {
      const hex =
        this.#crypto === undefined ? await subtle(text) : this.#crypto.createHash("sha256").update(text).digest("hex");
      this.#sum = (this.#sum + BigInt(`0x${hex}`)) % modulus;
      this.#count++;
    }
  }

  result(): ContentHash {
    return { count: this.#count, hash: this.#sum.toString(16).padStart(64, "0") };
  }
}

/** Where there is no Node: a browser's own. */
async function subtle(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** SHA-256 of one text, hexadecimal. */
export async function hashOf(text: string): Promise<string> {
  const digest = new Digest();
  await digest.add([text]);
  return digest.result().hash;
}
