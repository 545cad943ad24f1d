/**
 * A compressed log: one gzip member per write, one after the other, which every gzip tool reads as one file. Each member
 * carries its own length in the header's extra field (as BGZF does), so that a cut-off one is told from a damaged one and
 * reading goes on where it ended.
 */
import { crc32, deflateRawSync, inflateRawSync } from "node:zlib";
import { corrupt } from "../errors.js";
import { type LogPosition, type LogReading, type LogSink, readFrames } from "./jsonl.js";

// magic, deflate, FEXTRA, no time, no flags, unknown system, 8 bytes extra: "DK", 4 bytes: length of the member
const head = Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 8, 0, 0x44, 0x4b, 4, 0]);
const headLength = head.length + 4;

export function isMember(bytes: Buffer): boolean {
  return bytes.subarray(0, head.length).equals(head);
}

export function encodeMember(content: Buffer): Buffer {
  const body = deflateRawSync(content);
  const member = Buffer.allocUnsafe(headLength + body.length + 8);
  head.copy(member);
  member.writeUInt32LE(member.length, head.length);
  body.copy(member, headLength);
  member.writeUInt32LE(crc32(content), member.length - 8);
  member.writeUInt32LE(content.length >>> 0, member.length - 4);
  return member;
}

/** As `readFrames`, over members. */
export function readMembers(
  bytes: Buffer,
  from: LogPosition,
  sink: LogSink,
  context: { readonly path: string; readonly verify: boolean },
): LogReading {
  let { chain } = from;
  let lines = 0;
  let at = 0;
  for (; at < bytes.length; ) {
    const position = from.position + at;
    const rest = bytes.length - at;
    if (!bytes.subarray(at, at + head.length).equals(head.subarray(0, Math.min(head.length, rest)))) {
      // blocks that were never written read as zeros, after a power failure
      if (bytes.subarray(at).every((byte) => byte === 0)) break;
      throw corrupt(context.path, "no compressed block of a log begins here", { position });
    }
    if (rest < headLength) break;
    const length = bytes.readUInt32LE(at + head.length);
    if (length > rest) break;
    const content = inflateMember(bytes.subarray(at, at + length), position, context.path);
    const reading = readFrames(
      content,
      { position: at === 0 && from.position === 0 ? 0 : position, chain },
      sink,
      context,
    );
    if (reading.torn) throw corrupt(context.path, "a compressed block ends within a frame", { position });
    chain = reading.end.chain;
    lines += reading.lines;
    at += length;
  }
  return { end: { position: from.position + at, chain }, lines, torn: at < bytes.length };
}

function inflateMember(member: Buffer, position: number, path: string): Buffer {
  let content: Buffer;
  try {
    content = inflateRawSync(member.subarray(headLength, -8));
  } catch (cause) {
    throw corrupt(path, "a compressed block cannot be unpacked", { position, cause });
  }
  const size = member.readUInt32LE(member.length - 4);
  if (size !== content.length >>> 0 || member.readUInt32LE(member.length - 8) !== crc32(content)) {
    throw corrupt(path, "a compressed block does not fit its checksum", { position });
  }
  return content;
}
