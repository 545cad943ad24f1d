/**
 * The file that a vector store is saved in: open, so that any program can read it, and checksummed throughout.
 *
 *     dataknobs-vectors 1 <CRC-32 of the header> <bytes of the header>\n
 *     <header: one line of JSON>\n
 *     <sections, one after another, as long as the header says>
 *
 * The header has `kind` and `token` (new with every save), `info` (the store's own), and `sections`: name, bytes and
 * CRC-32 of each. CRC-32 is zlib's, in 8 hexadecimal digits. Nothing follows the last section.
 */

import { DataknobsError } from "../../errors.js";
import type { JsonObject } from "../../record/json.js";
import { parseJson } from "../../record/parse-json.js";
import { corruptFile } from "./errors.js";

const magic = "dataknobs-vectors";
const formatVersion = 1;
/** No first line is longer. */
export const firstLineBytes = 64;
/** A header lists sections and little else: one that claims more is no header. */
const mostHeaderBytes = 256 * 1024 * 1024;

export interface SectionEntry {
  readonly name: string;
  readonly bytes: number;
  readonly crc32: string;
}

export interface FileHeader {
  /** Which store's file it is: `memory`, `faiss`. */
  readonly kind: string;
  readonly token: string;
  readonly info: JsonObject;
  readonly sections: readonly SectionEntry[];
}

export type Checksum = (bytes: Uint8Array, before: number) => number;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

export function hexOf(crc: number): string {
  return (crc >>> 0).toString(16).padStart(8, "0");
}

export function encodeHeader(header: FileHeader, crc32: Checksum): Uint8Array {
  const json = encoder.encode(JSON.stringify(header));
  const line = encoder.encode(`${magic} ${formatVersion} ${hexOf(crc32(json, 0))} ${json.length}\n`);
  const bytes = new Uint8Array(line.length + json.length + 1);
  bytes.set(line);
  bytes.set(json, line.length);
  bytes[bytes.length - 1] = 0x0a;
  return bytes;
}

export interface FirstLine {
  readonly crc32: string;
  /** Where the header begins, and its length without the line's end. */
  readonly start: number;
  readonly length: number;
}

/** Throws `CORRUPT` for what is no such file, `UNSUPPORTED` for one of a later version. */
export function decodeFirstLine(bytes: Uint8Array, path: string, backend: string): FirstLine {
  const end = bytes.indexOf(0x0a);
  // Latin-1 by hand: what is no text must not throw here
  const line = String.fromCharCode(...bytes.subarray(0, Math.max(0, end)));
  const match = /^dataknobs-vectors (\d{1,6}) ([0-9a-f]{8}) (\d{1,10})$/.exec(line);
  const [, version, crc32 = "", length] = match ?? [];
  if (version === undefined) throw corruptFile(path, "is no file of vectors, or its beginning is damaged", backend);
  if (Number(version) > formatVersion) {
    throw new DataknobsError(
      "UNSUPPORTED",
      `The file ${path} was written in version ${version} of its format; this package knows version ${formatVersion}. ` +
        "Upgrade the package. The file was left as it is.",
      { backend, path, version: Number(version) },
    );
  }
  if (Number(length) > mostHeaderBytes) throw corruptFile(path, "has a damaged beginning", backend);
  return { crc32, start: end + 1, length: Number(length) };
}

/** Throws `CORRUPT`. */
export function decodeHeader(
  bytes: Uint8Array,
  line: FirstLine,
  crc32: Checksum,
  path: string,
  backend: string,
): FileHeader {
  if (bytes.length < line.length + 1) throw corruptFile(path, "is cut short within its header", backend);
  const json = bytes.subarray(0, line.length);
  if (hexOf(crc32(json, 0)) !== line.crc32 || bytes[line.length] !== 0x0a) {
    throw corruptFile(path, "has a header that was altered", backend);
  }
  let header: unknown;
  try {
    header = parseJson(decoder.decode(json));
  } catch (error) {
    throw corruptFile(path, "has a header that is no JSON", backend, error);
  }
  if (!isHeader(header)) throw corruptFile(path, "has a header without its parts", backend);
  return header;
}

function isHeader(value: unknown): value is FileHeader {
  const { kind, token, info, sections } = (value ?? {}) as { readonly [key: string]: unknown };
  return (
    typeof kind === "string" &&
    // it becomes part of a file's name
    typeof token === "string" &&
    /^[\w-]{1,80}$/.test(token) &&
    typeof info === "object" &&
    info !== null &&
    Array.isArray(sections) &&
    sections.every(isSection)
  );
}

function isSection(value: unknown): value is SectionEntry {
  const { name, bytes, crc32 } = (value ?? {}) as { readonly [key: string]: unknown };
  return typeof name === "string" && Number.isSafeInteger(bytes) && (bytes as number) >= 0 && typeof crc32 === "string";
}

/** Floats as the file has them: little-endian, whatever this machine is. Changes the array in place. */
export function toLittleEndian(floats: Float32Array): Float32Array {
  if (new Uint8Array(new Uint16Array([1]).buffer)[0] === 1) return floats;
  const view = new DataView(floats.buffer, floats.byteOffset, floats.byteLength);
  for (let at = 0; at < floats.byteLength; at += 4) view.setUint32(at, view.getUint32(at, true), false);
  return floats;
}
