/** Regular expressions from a query: valid, within limits, and not able to hang the process. */
import { isSafePattern } from "redos-detector";
import { DataknobsError } from "../errors.js";
import { limits } from "../record/limits.js";
import { isPortableText } from "../record/text.js";

/**
 * Whether the checker must look. Without a repeated group nothing is exponential, and with two unbounded quantifiers
 * at most the time is a low power of the text's length; `a*a*a*a*a*b` is as bad as exponential in practice.
 */
function mayExplode(pattern: string): boolean {
  const plain = pattern.replace(/\\./gsu, "a").replace(/\[[^\]]*\]/g, "a");
  return /\)(?:[*+]|\{)/.test(plain) || (plain.match(/[*+]|\{\d+,\d*\}/g) ?? []).length > 2;
}

/** Verdicts, since a checked pattern is often asked again; bounded. */
const verdicts = new Map<string, boolean>();

/** The flags with `u`, sorted. Throws `INVALID_QUERY` for what is no regular expression of the contract's. */
export function checkRegex(pattern: string, flags: string, trusted: boolean, field: string): string {
  checkPattern(pattern, "regex", field);
  if (!/^[ismu]*$/.test(flags) || new Set(flags).size !== flags.length) {
    throw new DataknobsError("INVALID_QUERY", `The flags of a regex on "${field}" are of i, s and m, each once.`, {
      field,
    });
  }
  const all = [...new Set(`${flags}u`)].sort().join("");
  try {
    new RegExp(pattern, all);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "it does not parse";
    throw new DataknobsError("INVALID_QUERY", `The regex on "${field}" is not valid: ${reason}.`, { field });
  }
  if (!trusted && !isSafe(pattern, all)) {
    throw new DataknobsError(
      "INVALID_QUERY",
      `The regex on "${field}" may take time without bounds. Write it without repetitions that overlap, or say ` +
        "{ pattern, trusted: true } where it does not come from a stranger.",
      { field },
    );
  }
  return all;
}

/** A text pattern of any kind: a string within limits. */
export function checkPattern(pattern: unknown, op: string, field: string): asserts pattern is string {
  if (typeof pattern !== "string") {
    throw new DataknobsError("INVALID_QUERY", `"${op}" on "${field}" takes a string.`, { field });
  }
  if (pattern.length > limits.patternLength) {
    throw new DataknobsError(
      "LIMIT_EXCEEDED",
      `A pattern has at most ${limits.patternLength} characters; the one on "${field}" has ${pattern.length}.`,
      { field, limit: limits.patternLength },
    );
  }
  if (!isPortableText(pattern)) {
    throw new DataknobsError("INVALID_QUERY", `The pattern on "${field}" holds U+0000 or a lone surrogate.`, { field });
  }
}

function isSafe(pattern: string, flags: string): boolean {
  if (!mayExplode(pattern)) return true;
  const key = `${flags}/${pattern}`;
  const known = verdicts.get(key);
  if (known !== undefined) return known;
  if (verdicts.size >= 1000) verdicts.clear();
  const verdict = ask(pattern, flags);
  verdicts.set(key, verdict);
  return verdict;
}

function ask(pattern: string, flags: string): boolean {
  try {
    // Anchored: an unanchored search only multiplies by the length of the text, which is no explosion. Steps
    // bound the check, not time, so that the verdict is the same on every machine; their cost grows with their
    // square, and 1000 take about 0.1 s.
    return isSafePattern(`^(?:${pattern})`, {
      unicode: true,
      caseInsensitive: flags.includes("i"),
      dotAll: flags.includes("s"),
      multiLine: flags.includes("m"),
      maxScore: 1000,
      maxSteps: 1000,
      timeout: Number.POSITIVE_INFINITY,
    }).safe;
  } catch {
    // syntax that the checker does not know is not proven safe
    return false;
  }
}
