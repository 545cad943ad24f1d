/** The query that the options of a command stand for. */
import { type Condition, DataknobsError, operators, type Query } from "@dataknobs/core";

export interface QuestionOptions {
  readonly where?: readonly string[] | undefined;
  readonly match?: string | undefined;
  readonly fields?: string | undefined;
  readonly sort?: readonly string[] | undefined;
  readonly limit?: string | undefined;
  readonly offset?: string | undefined;
  readonly select?: string | undefined;
  readonly query?: string | undefined;
}

/** All conditions joined by and; `--query` is a whole query in JSON, to which the others are added. */
export function questionOf(options: QuestionOptions): Query {
  const base = options.query === undefined ? {} : jsonQuery(options.query);
  const conditions = (options.where ?? []).map(conditionOf);
  const where = [...(base.where === undefined ? [] : [base.where]), ...conditions];
  return {
    ...base,
    ...(where.length > 0 && { where: where.length === 1 ? (where[0] as Condition) : { and: where } }),
    ...(options.match !== undefined && {
      match: { text: options.match, ...(options.fields !== undefined && { fields: list(options.fields) }) },
    }),
    ...(options.sort !== undefined && { sort: options.sort.map(sortOf) }),
    ...(options.limit !== undefined && { limit: Number(options.limit) }),
    ...(options.offset !== undefined && { offset: Number(options.offset) }),
    ...(options.select !== undefined && { select: list(options.select) }),
  };
}

function jsonQuery(text: string): Query {
  try {
    return JSON.parse(text) as Query;
  } catch {
    throw bad("--query takes a query in JSON.");
  }
}

const list = (text: string): string[] => text.split(",").map((part) => part.trim());

function sortOf(text: string): { path: string; direction: "asc" | "desc" } {
  const descending = text.startsWith("-");
  return { path: descending ? text.slice(1) : text, direction: descending ? "desc" : "asc" };
}

const byLength = [...operators].sort((a, b) => b.length - a.length);
const symbols = byLength.filter((op) => !/\w/.test(op));
const words = byLength.filter((op) => /\w/.test(op));

/**
 * `age > 30`, `city = Oslo`, `tags contains "x"`, `name like %a%`, `age between [1, 2]`, `email exists`, or a condition in
 * JSON. A value that is JSON is that; anything else is text.
 */
export function conditionOf(text: string): Condition {
  const trimmed = text.trim();
  if (trimmed.startsWith("{")) {
    try {
      return JSON.parse(trimmed) as Condition;
    } catch {
      throw bad(`The condition is not JSON: ${trimmed}`);
    }
  }
  const word = new RegExp(`^(.+?)\\s+(${words.join("|")})(?:\\s+(.*))?$`, "s").exec(trimmed);
  const symbol = new RegExp(
    `^(.+?)\\s*(${symbols.map((op) => op.replace(/[^\w]/g, "\\$&")).join("|")})\\s*(.*)$`,
    "s",
  ).exec(trimmed);
  const found =
    word !== null && (symbol === null || (word[1] !== undefined && word[1].length <= (symbol[1] as string).length))
      ? word
      : symbol;
  if (found === null) {
    throw bad(`"${text}" is no condition: write a field, an operator (${operators.join(" ")}) and a value.`);
  }
  const [, path, op, value] = found as unknown as [string, string, string, string | undefined];
  if (op === "exists" || op === "not_exists") {
    if (value !== undefined && value !== "") throw bad(`"${op}" takes no value: ${text}`);
    return { path, op } as Condition;
  }
  if (value === undefined || value === "") throw bad(`"${text}" has no value.`);
  return { path, op, value: operandOf(value) } as Condition;
}

function operandOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function bad(message: string): DataknobsError {
  return new DataknobsError("INVALID_QUERY", message);
}
