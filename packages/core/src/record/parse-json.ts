/**
 * JSON.parse for stored text. V8 (Node 24 and 26, nodejs/node#63785) gives an object key with an escape in it the
 * name of another: after `{"\\":1}` was parsed, the key of `{"\t":1}` comes back as a backslash. Texts without such a
 * key, nearly all, go straight to JSON.parse.
 */
import type { Json } from "./json.js";

export function parseJson(text: string): Json {
  return hasEscapedKey(text) ? parseCarefully(text) : (JSON.parse(text) as Json);
}

const stringToken = /"(?:[^"\\]|\\.)*"/sy;
const colon = /\s*:/y;

/** Looks at strings with a backslash only: before the first one, and after each of these, quotes pair up. */
function hasEscapedKey(text: string): boolean {
  let at = text.indexOf("\\");
  while (at >= 0) {
    stringToken.lastIndex = text.lastIndexOf('"', at);
    // not a string at all: for JSON.parse to refuse
    if (!stringToken.test(text)) return false;
    colon.lastIndex = stringToken.lastIndex;
    if (colon.test(text)) return true;
    at = text.indexOf("\\", stringToken.lastIndex);
  }
  return false;
}

const anyString = /"(?:[^"\\]|\\.)*"(\s*:)?/gs;

/** Every key under a plain name while JSON.parse works, and under its own afterwards. */
function parseCarefully(text: string): Json {
  const names: string[] = [];
  const plain = text.replace(anyString, (token, after: string | undefined) => {
    if (after === undefined) return token;
    // the escapes of a string by itself are read rightly
    names.push(JSON.parse(token.slice(0, token.length - after.length)) as string);
    return `"k${names.length - 1}"${after}`;
  });
  return renamed(JSON.parse(plain) as Json, names);
}

function renamed(value: Json, names: readonly string[]): Json {
  if (Array.isArray(value)) return value.map((item: Json) => renamed(item, names));
  if (typeof value !== "object" || value === null) return value;
  // entries, so that `__proto__` is a key like any other
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [names[Number(key.slice(1))] as string, renamed(item as Json, names)]),
  );
}
