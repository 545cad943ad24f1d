/**
 * One JSON document, rewritten by every write:
 *
 *     {"dataknobs":{"format":"json","layout":1,"records":2,"crc":"9a3c01f2"},
 *     "records":[
 *     {"id":"ada","data":{…},"version":"…","createdAt":…,"updatedAt":…},
 *     {"id":"bob","data":{…},…}
 *     ]}
 *
 * The checksum is of all bytes after the first line. Files of others: a list of objects, or one object of id → object.
 */
import { isUtf8 } from "node:buffer";
import { crc32 } from "node:zlib";
import { type JsonObject, parseJson, type WireRecord } from "@dataknobs/core/backend";
import { corrupt } from "../errors.js";
import { fromObjects, fromRows, isId } from "./foreign.js";
import { type DecodeContext, type Format, fromLine, hex8, isFields, isLine, layout, toLine } from "./format.js";
import { newerLayout } from "./jsonl.js";

export const json: Format = {
  encode(records) {
    const body = Buffer.from(`"records":[\n${records.map(toLine).join(",\n")}\n]}\n`);
    const header = { format: "json", layout, records: records.length, crc: hex8(crc32(body)) };
    return Buffer.concat([Buffer.from(`{"dataknobs":${JSON.stringify(header)},\n`), body]);
  },

  decode(bytes, context) {
    const document = parse(bytes, context);
    if (isFields(document) && isFields(document["dataknobs"]) && Array.isArray(document["records"])) {
      return { records: own(document, bytes, context), foreign: false };
    }
    return { records: foreign(document, context), foreign: true };
  },
};

function own(document: JsonObject, bytes: Buffer, context: DecodeContext): readonly WireRecord[] {
  const header = document["dataknobs"] as JsonObject;
  const records = document["records"] as readonly unknown[];
  const bodyStart = bytes.indexOf(10) + 1;
  if (context.verify && header["crc"] !== hex8(crc32(bytes.subarray(bodyStart)))) {
    throw corrupt(context.path, "its checksum does not fit what was written", { position: bodyStart });
  }
  if (header["format"] !== "json" || (context.verify && header["records"] !== records.length)) {
    throw corrupt(context.path, "its first line does not fit what follows", { position: 0 });
  }
  if (header["layout"] !== layout) throw newerLayout(context.path, header["layout"]);
  return records.map((line, index) => {
    if (isLine(line)) return fromLine(line);
    throw corrupt(context.path, `record ${index + 1} is no record of ours`, { position: bodyStart, line: index + 3 });
  });
}

function foreign(document: unknown, context: DecodeContext): readonly WireRecord[] {
  if (Array.isArray(document)) return fromObjects(document, context);
  if (!isFields(document) || !Object.entries(document).every(([id, value]) => isFields(value) && isId(id))) {
    throw corrupt(context.path, "it is neither a list of objects nor an object of ids and objects", { position: 0 });
  }
  return fromRows(
    Object.entries(document).map(([id, data]) => ({ id, data: data as JsonObject })),
    context,
  );
}

function parse(bytes: Buffer, { path }: DecodeContext): unknown {
  if (!isUtf8(bytes)) throw corrupt(path, "it is not UTF-8 text", { position: 0 });
  const text = bytes.toString("utf8");
  try {
    return parseJson(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
  } catch (cause) {
    throw corrupt(path, "it is not JSON: it was cut off or changed", { position: errorPosition(bytes, cause), cause });
  }
}

/** The engine tells the place in its message only; in our own layout a record has a line to itself. */
function errorPosition(bytes: Buffer, cause: unknown): number {
  const told = /position (\d+)/.exec(String(cause))?.[1];
  if (told !== undefined) return Buffer.byteLength(bytes.toString("utf8").slice(0, Number(told)));
  return bytes.length;
}
