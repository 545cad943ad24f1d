/** Logs: what writes did, a line of JSON for each record's new state or its deletion. Pure. */
import { crc32 } from "node:zlib";
import { fromLine, hex8, isLine, toLine } from "@dataknobs/backend-file/kit";
import { freezeRecord, parseJson, type WireRecord } from "@dataknobs/core/backend";

/** Records by id; `null`: deleted. */
export type Changes = ReadonlyMap<string, WireRecord | null>;

export interface LogBody {
  readonly text: string;
  readonly lines: number;
  readonly crc: string;
}

/** More than one where they would be large. */
const maxLength = 16 * 1024 * 1024;

export function logBodies(changes: Changes): LogBody[] {
  const bodies: LogBody[] = [];
  let lines: string[] = [];
  let length = 0;
  const end = (): void => {
    if (lines.length === 0) return;
    const text = `${lines.join("\n")}\n`;
    bodies.push({ text, lines: lines.length, crc: hex8(crc32(text)) });
    lines = [];
    length = 0;
  };
  for (const [id, record] of changes) {
    const line = record === null ? JSON.stringify({ id, deleted: true }) : toLine(record);
    if (length > 0 && length + line.length > maxLength) end();
    lines.push(line);
    length += line.length + 1;
  }
  end();
  return bodies;
}

/** Puts what a log says into `into`; what is wrong with it, where it is none. */
export function readLog(
  bytes: Uint8Array,
  { crc, lines }: { readonly crc: string; readonly lines: number },
  into: Map<string, WireRecord | null>,
): string | undefined {
  if (hex8(crc32(bytes)) !== crc) return "it does not fit its checksum";
  const texts = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8").split("\n");
  if (texts.length !== lines + 1) return "it has another number of lines than the manifest says";
  for (const text of texts) {
    if (text === "") continue;
    const line = parseJson(text);
    const { id, deleted } = line as { readonly id?: unknown; readonly deleted?: unknown };
    if (deleted === true && typeof id === "string") into.set(id, null);
    else if (isLine(line)) {
      const record = fromLine(line);
      freezeRecord(record);
      into.set(record.id, Object.freeze(record));
    } else return "a line is no record";
  }
  return undefined;
}
