/**
 * Core's tokenizer, the only one: every backend indexes and looks up these words, so that the same records match
 * everywhere.
 */

// Scripts written without spaces: each code point is a word.
const spaceless =
  "\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}";
const word = new RegExp(`[${spaceless}]|(?:(?![${spaceless}])[\\p{L}\\p{M}\\p{N}])+`, "gu");
const spacelessWord = new RegExp(`^[${spaceless}]$`, "u");
const wordCharacter = /^[\p{L}\p{M}\p{N}]$/u;
const asciiWord = /[a-z0-9]+/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
const asciiOnly = /^[\x00-\x7f]*$/;

/** The words of a text in order, repeats included, in lower case. */
export function tokenize(text: string): string[] {
  const lower = text.toLowerCase();
  if (asciiOnly.test(lower)) return lower.match(asciiWord) ?? [];
  return (lower.match(word) ?? []).filter(
    // a mark or sign of a spaceless script is only a word when letters, marks or numbers are
    (token) => !spacelessWord.test(token) || wordCharacter.test(token),
  );
}

/** The words of a value: of a string, or of the strings in a list. */
export function tokensOf(value: unknown): string[] {
  if (typeof value === "string") return tokenize(value);
  if (!Array.isArray(value)) return [];
  return value.flatMap((item) => (typeof item === "string" ? tokenize(item) : []));
}
