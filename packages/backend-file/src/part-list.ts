/** The list of the parts of a folder, and which part a record belongs to. */
import { crc32 } from "node:zlib";
import { keyOf, type Path, valueAt, type WireRecord } from "@dataknobs/core/backend";
import { corrupt } from "./errors.js";
import { hex8, isFields, layout } from "./formats/format.js";
import { newerLayout } from "./formats/jsonl.js";
import type { Settings } from "./options.js";

export const listName = "dataknobs.json";

export interface PartList {
  readonly next: number;
  readonly parts: readonly { readonly key: string; readonly file: string }[];
}

export function parseList(bytes: Buffer, path: string, { format, verify }: Settings): PartList {
  const text = bytes.toString("utf8");
  const [, crc, body] = /^\{"crc":"([0-9a-f]{8})","dataknobs":(\{.*\})\}\n$/s.exec(text) ?? [];
  if (body === undefined || (verify && crc !== hex8(crc32(body)))) {
    throw corrupt(path, "the list of parts was cut off or changed", { position: 0 });
  }
  const list = JSON.parse(body) as unknown;
  if (!isFields(list) || list["format"] !== format) {
    throw corrupt(path, `the parts are not of the format ${format}`, { position: 0 });
  }
  if (list["layout"] !== layout) throw newerLayout(path, list["layout"]);
  return list as unknown as PartList;
}

export function listText(list: PartList, { format }: Settings): string {
  const body = JSON.stringify({ format, layout, ...list }, undefined, 1);
  return `{"crc":"${hex8(crc32(body))}","dataknobs":${body}}\n`;
}

/** By the value of a field. */
export function partitionOf(path: Path): (record: WireRecord) => string {
  const value = valueAt(path);
  return (record) => {
    const found = value(record);
    if (found.value === undefined || found.class === "null") return "null";
    const types = path.root === "metadata" ? record.metadataTypes : record.types;
    return `=${String(keyOf(found.value, types, path.pointer))}`;
  };
}
