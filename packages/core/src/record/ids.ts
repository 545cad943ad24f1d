/** Ids and version tokens: how they are made and what is accepted. */
import { DataknobsError, type ErrorCode } from "../errors.js";
import { limits } from "./limits.js";
import { isPortableText, utf8Length } from "./text.js";

const random = new Uint8Array(1024);
let used = random.length;
let lastTime = 0;
let sequence = 0;
const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function randomByte(): number {
  if (used === random.length) {
    crypto.getRandomValues(random);
    used = 0;
  }
  return random[used++] as number;
}

/**
 * A UUIDv7 (RFC 9562): 48 bits of time, then a 12-bit counter within the millisecond (method 1), then
 * randomness; ids of one process are ascending, which keeps b-trees, listings and Parquet statistics tight.
 */
export function newId(): string {
  const now = Date.now();
  if (now > lastTime) {
    lastTime = now;
    sequence = (randomByte() << 2) | (randomByte() & 3);
  } else if (++sequence > 0xfff) {
    // the counter is spent within one millisecond: borrow from the future, as the RFC allows
    lastTime++;
    sequence = 0;
  }
  const high = Math.floor(lastTime / 0x10000);
  const low = lastTime % 0x10000;
  return (
    h((high >>> 24) & 255) +
    h((high >>> 16) & 255) +
    h((high >>> 8) & 255) +
    h(high & 255) +
    "-" +
    h(low >>> 8) +
    h(low & 255) +
    "-" +
    h(0x70 | (sequence >>> 8)) +
    h(sequence & 255) +
    "-" +
    h(0x80 | (randomByte() & 0x3f)) +
    h(randomByte()) +
    "-" +
    h(randomByte()) +
    h(randomByte()) +
    h(randomByte()) +
    h(randomByte()) +
    h(randomByte()) +
    h(randomByte())
  );
}

function h(byte: number): string {
  return hex[byte] as string;
}

let versionPrefix = "";
let versionCount = 0;

/** A token that no other write of any process gets: 96 random bits per process, then a counter. */
export function newVersion(): string {
  if (versionPrefix === "") {
    for (let index = 0; index < 12; index++) versionPrefix += h(randomByte());
    versionPrefix += "-";
  }
  return versionPrefix + (versionCount++).toString(36);
}

/** Throws unless `id` is what every backend can keep: 1 to 512 UTF-8 bytes, well formed, without U+0000. */
export function checkId(id: unknown, code: ErrorCode = "INVALID_RECORD"): asserts id is string {
  if (typeof id !== "string") throw new DataknobsError(code, `An id is a string; got ${describe(id)}.`);
  if (id.length === 0) throw new DataknobsError(code, "An id is not empty; leave it out to have one made.");
  if (!isPortableText(id)) {
    throw new DataknobsError(code, "An id is well-formed text without U+0000; this one is not.", {
      id: id.slice(0, 80),
    });
  }
  if (id.length * 3 > limits.idBytes && utf8Length(id) > limits.idBytes) {
    throw new DataknobsError(
      "LIMIT_EXCEEDED",
      `An id has at most ${limits.idBytes} UTF-8 bytes; this one has ${utf8Length(id)}.`,
      { id: `${id.slice(0, 80)}…`, limit: limits.idBytes },
    );
  }
}

function describe(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "an array" : `a value of type ${typeof value}`;
}
