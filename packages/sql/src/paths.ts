/** JSON paths as SQL engines write them: `$."address"."city"`. */
import { quoteText } from "./sql.js";

/** One segment. JSON's own escapes inside the quotes say every key, quotes and control characters included. */
export function jsonPathSegment(segment: string): string {
  return `.${JSON.stringify(segment)}`;
}

export function jsonPath(segments: readonly string[]): string {
  return `$${segments.map(jsonPathSegment).join("")}`;
}

/** The path as a text literal: index definitions take no parameters, and queries must say the same as those. */
export function jsonPathLiteral(segments: readonly string[]): string {
  return quoteText(jsonPath(segments));
}
