/**
 * Full text: tsvectors of the words that core's tokenizer makes, so that they are found as core finds them. A vector
 * says in a column beside it of which version of the record it is; a row whose vector is of another one is stale and
 * gets a new one before anything is looked for.
 */
import { createHash } from "node:crypto";
import { type Compiler, type Match, samePath, type WireRecord, wordsOf } from "@dataknobs/core/backend";
import { all, any, join, raw, type Sql, sql } from "@dataknobs/sql";
import { type Layout, textFields, wordColumns } from "./layout.js";

/** PostgreSQL takes lexemes below 2 kB, and rows many of them only while they are short. */
const longestWord = 200;
/** Beyond these, places say nothing more to PostgreSQL. */
const lastPlace = 16_383;
const mostPlaces = 255;

/** Long words by a digest that no word can be. */
function lexemeOf(word: string): string {
  if (word.length <= longestWord) return word;
  return `~${createHash("sha256").update(word).digest("hex")}`;
}

/** Words have letters, marks and digits only: nothing in them needs an escape. */
function vectorOf(words: readonly string[]): string {
  const places = new Map<string, number[]>();
  words.forEach((word, index) => {
    const lexeme = lexemeOf(word);
    const list = places.get(lexeme);
    if (list === undefined) places.set(lexeme, [index + 1]);
    else if (list.length < mostPlaces) list.push(index + 1);
  });
  const parts: string[] = [];
  for (const [lexeme, list] of places) {
    const near = list.filter((place) => place <= lastPlace);
    parts.push(near.length === 0 ? `'${lexeme}'` : `'${lexeme}':${near.join(",")}`);
  }
  return parts.join(" ");
}

type Content = Pick<WireRecord, "data" | "types" | "metadata" | "metadataTypes">;

/** One vector per text field, as text. */
export type VectorMaker = (record: Content) => readonly string[];

export function vectorMaker(layout: Layout): VectorMaker {
  const readers = textFields(layout).map(({ path }) => wordsOf(path));
  return (record) => readers.map((read) => vectorOf(read(record as WireRecord)));
}

/** Scores go with the code of a match: a scan selects them. */
const scores = new WeakMap<Sql, Sql>();

export function scoreOf(match: Sql): Sql {
  return scores.get(match) ?? raw("0::float8");
}

/** Where every field of the match is declared. */
export function compileMatch(layout: Layout, match: Match): ReturnType<NonNullable<Compiler<Sql>["match"]>> {
  if (match.analyzer !== undefined) return undefined;
  const declared = match.fields.map((path) => textFields(layout).find((spec) => samePath(spec.path, path)));
  if (declared.some((spec) => spec === undefined)) return undefined;
  const columns = match.fields.map((path) => raw(wordColumns(path).words));
  const lexemes = match.words.map((word) => `'${lexemeOf(word)}'`);
  const finds = (query: string): Sql => any(columns.map((column) => sql`${column} @@ ${query}::tsquery`));
  const whole = match.mode === "any" || columns.length === 1;
  const code = whole ? finds(lexemes.join(match.mode === "any" ? " | " : " & ")) : all(lexemes.map(finds));
  // 1: a word among few counts for more than one among many
  const ranks = columns.map((column) => sql`coalesce(ts_rank(${column}, ${lexemes.join(" | ")}::tsquery, 1), 0)`);
  scores.set(code, sql`(${join(ranks, " + ")})::float8`);
  return { code, exact: true, index: declared.map((spec) => spec?.name).join(", ") };
}
