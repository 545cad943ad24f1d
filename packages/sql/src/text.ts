/** What a `like` pattern or a prefix comes to in SQL. */
import { parseLike } from "@dataknobs/core/backend";

/**
 * The least text above all texts that begin with the prefix, by code point; `undefined` where there is none.
 * Never a lone surrogate, which no engine could bind.
 */
export function prefixEnd(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) as number);
  while (points.length > 0) {
    const last = points.pop() as number;
    if (last === 0x10ffff) continue;
    points.push(last === 0xd7ff ? 0xe000 : last + 1);
    return String.fromCodePoint(...points);
  }
  return undefined;
}

/** A pattern by the cheapest test that is exact for it. */
export type LikeShape =
  | { readonly kind: "equals" | "prefix" | "suffix" | "includes"; readonly text: string }
  /** Every string. */
  | { readonly kind: "any" }
  /** `prefix` is the literal text that it begins with. */
  | { readonly kind: "pattern"; readonly glob: string; readonly prefix: string };

export function likeShape(pattern: string): LikeShape {
  const parts = parseLike(pattern) ?? [];
  const kinds = parts.map(({ kind }) => kind).join(" ");
  const texts = parts.flatMap((part) => (part.kind === "text" ? [part.text] : []));
  const [text = ""] = texts;
  switch (kinds) {
    case "":
    case "text":
      return { kind: "equals", text };
    case "any":
      return { kind: "any" };
    case "text any":
      return { kind: "prefix", text };
    case "any text":
      return { kind: "suffix", text };
    case "any text any":
      return { kind: "includes", text };
  }
  const glob = parts.map((part) => (part.kind === "text" ? globText(part.text) : part.kind === "any" ? "*" : "?"));
  return { kind: "pattern", glob: glob.join(""), prefix: parts[0]?.kind === "text" ? parts[0].text : "" };
}

function globText(text: string): string {
  return text.replace(/[*?[]/g, "[$&]");
}
