/**
 * Ids of a collection's records: its name, a colon, and the key, so that a collection is a range of ids. Every name and
 * every key has an id of its own, whatever characters are in them. Pure.
 */
import { DataknobsError } from "../errors.js";

/** A number is another key than its text. */
export type KeyPart = string | number | bigint;
/** One part, or several in order. A list of one is that one. */
export type Key = KeyPart | readonly KeyPart[];

/** What ids of the collection begin with: it has no other colon, so that none begins with another's. */
export function prefixOf(name: string): string {
  return `${escapeText(name)}:`;
}

/** The key as text: colons only between parts, `#` only before a number. Throws `INVALID_RECORD`. */
export function keyText(key: unknown): string {
  const parts: readonly unknown[] = Array.isArray(key) ? key : [key];
  if (parts.length === 0) throw invalid("A key has one part at least.");
  return parts.map(partText).join(":");
}

function partText(part: unknown): string {
  switch (typeof part) {
    case "string":
      return part.startsWith("#") ? `%23${escapeText(part.slice(1))}` : escapeText(part);
    case "bigint":
      return `#${part}n`;
    case "number":
      if (Number.isFinite(part)) return `#${part === 0 ? 0 : part}`;
      break;
    case "object":
    case "undefined":
      if (part === undefined || part === null) throw invalid("The record has no value where its key should be.");
      break;
  }
  throw invalid(`A key is a text, a finite number, a bigint, or a list of them; got ${describe(part)}.`);
}

/** The key that the text stands for; `undefined` where no key is written so. */
export function keyOfText(text: string): Key | undefined {
  const parts = text.split(":").map(partOfText);
  const key = parts.length === 1 ? parts[0] : (parts as KeyPart[]);
  // only one text stands for a key: what another program wrote in another way is no key of ours
  try {
    return key !== undefined && keyText(key) === text ? key : undefined;
  } catch {
    return undefined;
  }
}

function partOfText(text: string): KeyPart | undefined {
  if (!text.startsWith("#")) return text.replaceAll("%3A", ":").replaceAll("%23", "#").replaceAll("%25", "%");
  if (/^#-?\d+n$/.test(text)) return BigInt(text.slice(1, -1));
  const number = text.length > 1 ? Number(text.slice(1)) : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
}

function escapeText(text: string): string {
  return text.replaceAll("%", "%25").replaceAll(":", "%3A");
}

function describe(part: unknown): string {
  return Array.isArray(part) ? "a list" : typeof part === "number" ? String(part) : `a value of type ${typeof part}`;
}

function invalid(message: string): DataknobsError {
  return new DataknobsError("INVALID_RECORD", message);
}
