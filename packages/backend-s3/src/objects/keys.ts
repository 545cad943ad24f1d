/**
 * Ids as names of objects, and back.
 *
 * Guaranteed, for all ids that there are: names sort by byte as ids sort by code point; no name is a folder of another,
 * which servers over a file system need; names have only letters, digits and `-,.=_~!/`, at most 206 bytes between
 * slashes and at most 860 in all; two ids never have one name.
 *
 * Letters, digits and hyphens stand for themselves. Any other byte of the id's UTF-8 is a mark and two hexadecimal digits,
 * where the mark sorts as the byte does: `a/b é` is `a.2fb,20~c3~a9!.json`. From the 97th byte on, six bits are a letter
 * (base64, its alphabet in the order of ASCII), so that the longest id still fits into a key. A slash comes after every 200
 * letters. `!` ends the name: it sorts before everything that could follow in a longer one.
 */

const marks: readonly (readonly [below: number, mark: string])[] = [
  [0x2d, ","],
  [0x30, "."],
  [0x41, "="],
  [0x61, "_"],
  [0x100, "~"],
];
const itself = /^[-0-9A-Za-z]$/;

const byByte: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const letter = String.fromCharCode(byte);
  if (itself.test(letter)) return letter;
  const [, mark] = marks.find(([below]) => byte < below) as readonly [number, string];
  return mark + byte.toString(16).padStart(2, "0");
});

const base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const ordered = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
/** In bytes. */
export const longestId = 512;
const plainBytes = 96;
/** Letters between two slashes of a long name. */
export const segment = 200;
const end = "!.json";

/** The name of an id's object. */
export function nameOf(id: string): string {
  return stemOf(id) + end;
}

/** Sorts before the names of this id and of all greater ones, and after those of lesser ones. */
export function stemOf(id: string): string {
  if (simple.test(id)) return id;
  const bytes = Buffer.from(id);
  let text = "";
  for (const byte of bytes.subarray(0, plainBytes)) text += byByte[byte];
  text += denseOf(bytes.subarray(plainBytes));
  return text.length <= segment ? text : (text.match(pieces) as RegExpMatchArray).join("/");
}

const simple = /^[-0-9A-Za-z]{1,96}$/;
const pieces = new RegExp(`.{1,${segment}}`, "g");

/** Base64 fills up its last letter with zero bits, which sort before any continuation: ids have no zero byte. */
function denseOf(bytes: Buffer): string {
  return translate(bytes.toString("base64url"), base64, ordered);
}

function translate(text: string, from: string, to: string): string {
  return text.replace(/./g, (letter) => to[from.indexOf(letter)] ?? "");
}

const token = /[-0-9A-Za-z]|[,.=_~]([0-9a-f]{2})/y;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The id of a name; `undefined` where it is not a name that `nameOf` makes. */
export function idOf(name: string): string | undefined {
  if (!name.endsWith(end)) return undefined;
  const text = name.slice(0, -end.length).replaceAll("/", "");
  const bytes: number[] = [];
  token.lastIndex = 0;
  while (token.lastIndex < text.length && bytes.length < plainBytes) {
    const start = token.lastIndex;
    const found = token.exec(text);
    if (found === null) return undefined;
    bytes.push(found[1] === undefined ? text.charCodeAt(start) : Number.parseInt(found[1], 16));
  }
  const rest = Buffer.from(translate(text.slice(token.lastIndex), ordered, base64), "base64url");
  let id: string;
  try {
    id = decoder.decode(Buffer.from([...bytes, ...rest]));
  } catch {
    // not UTF-8: somebody else's object
    return undefined;
  }
  return id !== "" && nameOf(id) === name ? id : undefined;
}
