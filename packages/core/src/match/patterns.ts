/** `like` patterns: `%` any run, `_` one code point, `\` escapes; anchored at both ends. */

export type LikePart = { readonly kind: "text"; readonly text: string } | { readonly kind: "any" | "one" };

/** The parts of a pattern; `undefined` for a trailing `\`, which means nothing. */
export function parseLike(pattern: string): readonly LikePart[] | undefined {
  const parts: LikePart[] = [];
  let text = "";
  const flush = (): void => {
    if (text !== "") parts.push({ kind: "text", text });
    text = "";
  };
  for (let index = 0; index < pattern.length; index++) {
    const character = pattern[index] as string;
    if (character === "\\") {
      if (++index === pattern.length) return undefined;
      text += pattern[index];
    } else if (character === "%") {
      flush();
      if (parts.at(-1)?.kind !== "any") parts.push({ kind: "any" });
    } else if (character === "_") {
      flush();
      parts.push({ kind: "one" });
    } else {
      text += character;
    }
  }
  flush();
  return parts;
}

/**
 * A test for the pattern, in time linear in the text for every pattern: each part after a `%` is looked for from
 * where the one before it ended, and the first place found is as good as any later one.
 */
export function likeTest(parts: readonly LikePart[]): (text: string) => boolean {
  const groups: LikePart[][] = [[]];
  for (const part of parts) {
    if (part.kind === "any") groups.push([]);
    else (groups.at(-1) as LikePart[]).push(part);
  }
  const head = groups[0] as readonly LikePart[];
  if (groups.length === 1) return (text) => endOf(head, text, 0) === text.length;
  const tail = groups.at(-1) as readonly LikePart[];
  const middle = groups.slice(1, -1).filter((group) => group.length > 0);
  return (text) => {
    let at = endOf(head, text, 0);
    if (at < 0) return false;
    for (const group of middle) {
      at = find(group, text, at);
      if (at < 0) return false;
    }
    const start = startOf(tail, text);
    return start >= at;
  };
}

/** Where the group ends when it begins at `at`; -1 where it does not fit. */
function endOf(group: readonly LikePart[], text: string, at: number): number {
  for (const part of group) {
    if (part.kind === "text") {
      if (!text.startsWith(part.text, at)) return -1;
      at += part.text.length;
    } else {
      if (at >= text.length) return -1;
      at += (text.codePointAt(at) as number) > 0xffff ? 2 : 1;
    }
  }
  return at;
}

/** The end of the group's first place at or after `from`; -1 where there is none. */
function find(group: readonly LikePart[], text: string, from: number): number {
  const [first] = group;
  if (first?.kind === "text" && group.length === 1) {
    const at = text.indexOf(first.text, from);
    return at < 0 ? -1 : at + first.text.length;
  }
  for (let at = from; at <= text.length; at++) {
    if (first?.kind === "text") {
      at = text.indexOf(first.text, at);
      if (at < 0) return -1;
    }
    const end = endOf(group, text, at);
    if (end >= 0) return end;
    // never begin inside a surrogate pair
    if (at < text.length && (text.codePointAt(at) as number) > 0xffff) at++;
  }
  return -1;
}

/** Where the group begins when it ends the text; -1 where it does not fit. */
function startOf(group: readonly LikePart[], text: string): number {
  let at = text.length;
  for (let index = group.length - 1; index >= 0; index--) {
    const part = group[index] as LikePart;
    if (part.kind === "text") {
      at -= part.text.length;
      if (at < 0 || !text.startsWith(part.text, at)) return -1;
    } else {
      if (at <= 0) return -1;
      const unit = text.charCodeAt(at - 1);
      at -= unit >= 0xdc00 && unit <= 0xdfff ? 2 : 1;
    }
  }
  return at;
}
