/** Ids and version tokens: how they are made and what is accepted. */
import { DataknobsError, type ErrorCode } from "../errors.js";
import { limits } from "./limits.js";
import { isPortableText, utf8Length } from "./text.js";

/** Randomness, 12 bits at a time. */
const random = new Uint16Array(1024);
let used = random.length;
let lastTime = 0;
let sequence = 0;

function randomBits(): number {
  if (used === random.length) {
    crypto.getRandomValues(random);
    used = 0;
  }
  return (random[used++] as number) & 0xfff;
}

/**
 * The id that was made last, character by character. Joined out of texts, an id would be a tree of them in memory, taken
 * apart and written flat by whoever compares or stores it.
 */
const codes = Array.from("00000000-0000-7000-8000-000000000000", (character) => character.charCodeAt(0));
const digits = Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));

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
  writeBits(15, sequence);
  // the variant, two bits that are 10, and 62 random ones
  codes[19] = digits[(randomBits() & 0x3) | 0x8] as number;
  writeBits(20, randomBits());
  for (let at = 24; at < 36; at += 3) writeBits(at, randomBits());
  return String.fromCharCode.apply(null, codes);
}

/** All before the counter is the same for ids of one millisecond. */
function startAt(time: number): void {
  lastTime = time;
  let rest = time;
  for (let at = 12; at >= 0; at--) {
    if (at === 8) continue;
    codes[at] = digits[rest % 16] as number;
    rest = Math.floor(rest / 16);
  }
}

/** 12 bits as three digits. */
function writeBits(at: number, bits: number): void {
  codes[at] = digits[bits >> 8] as number;
  codes[at + 1] = digits[(bits >> 4) & 0xf] as number;
  codes[at + 2] = digits[bits & 0xf] as number;
}

let versionPrefix = "";
let versionCount = 0;

/** A token that no other write of any process gets: 96 random bits per process, then a counter. */
export function newVersion(): string {
  if (versionPrefix === "") {
    for (let index = 0; index < 8; index++) versionPrefix += randomBits().toString(16).padStart(3, "0");
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
