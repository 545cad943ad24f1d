/** Ids and version tokens: how they are made and what is accepted. */
import { DataknobsError, type ErrorCode } from "../errors.js";
import { limits } from "./limits.js";
import { isPortableText, utf8Length } from "./text.js";

/** Randomness, 12 bits at a time. */
const random = new Uint16Array(1024);
let used = random.length;
let lastTime = 0;
let prefix = "";
let sequence = 0;
/** Three hexadecimal digits: what 12 bits are written as. */
const hex: readonly string[] = Array.from({ length: 0x1000 }, (_, bits) => bits.toString(16).padStart(3, "0"));

function randomBits(): number {
  if (used === random.length) {
    crypto.getRandomValues(random);
    used = 0;
  }
  return (random[used++] as number) & 0xfff;
}

/**
 * A UUIDv7 (RFC 9562): 48 bits of time, then a 12-bit counter within the millisecond (method 1), then
 * randomness; ids of one process are ascending, which keeps b-trees, listings and Parquet statistics tight.
 */
export function newId(): string {
  const now = Date.now();
  if (now > lastTime) {
    startAt(now);
    sequence = randomBits() & 0x3ff;
  } else if (++sequence > 0xfff) {
    // the counter is spent within one millisecond: borrow from the future, as the RFC allows
    startAt(lastTime + 1);
    sequence = 0;
  }
  // the variant, two bits that are 10, and 62 random ones
  const variant = hex[(randomBits() & 0x3) | 0x8]?.[2] as string;
  return `${prefix}${h(sequence)}-${variant}${h(randomBits())}-${h(randomBits())}${h(randomBits())}${h(randomBits())}${h(randomBits())}`;
}

/** All before the counter is the same for ids of one millisecond. */
function startAt(time: number): void {
  lastTime = time;
  const digits = time.toString(16).padStart(12, "0");
  prefix = `${digits.slice(0, 8)}-${digits.slice(8)}-7`;
}

function h(bits: number): string {
  return hex[bits] as string;
}

let versionPrefix = "";
let versionCount = 0;

/** A token that no other write of any process gets: 96 random bits per process, then a counter. */
export function newVersion(): string {
  if (versionPrefix === "") {
    for (let index = 0; index < 8; index++) versionPrefix += h(randomBits());
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
