/** Bugs in conditions and patterns. */
import { matcherOf, valueAt } from "../../src/match/matcher.js";
import type { LeafKind } from "../../src/query/lowered.js";
import type { Json } from "../../src/record/json.js";
import { compiling, type LeafOf } from "./compiling.js";
import { type Mutant, mutant } from "./mutant.js";
import type { Code, Tiny } from "./tiny.js";

/** A test on the JSON at the path. */
function onJson<K extends LeafKind>(
  kind: K,
  test: (value: Json | undefined, leaf: LeafOf<K>) => boolean,
): (tiny: Tiny) => void {
  return compiling(kind, (leaf) => {
    const read = valueAt(leaf.path);
    return (record) => test(read(record).value, leaf);
  });
}

function onText<K extends LeafKind>(kind: K, test: (text: string, leaf: LeafOf<K>) => boolean): (tiny: Tiny) => void {
  return compiling(kind, (leaf) => {
    const read = valueAt(leaf.path);
    return (record) => {
      const { value, class: valueClass } = read(record);
      return valueClass === "string" && test(value as string, leaf);
    };
  });
}

/** A like pattern as a regular expression, written carelessly. */
function asRegex(
  pattern: string,
  options: { readonly flags: string; readonly escape: boolean; readonly any: string; readonly one: string },
): RegExp {
  let source = "";
  for (let index = 0; index < pattern.length; index++) {
    const character = pattern[index] as string;
    if (character === "\\") source += `\\u${pattern.charCodeAt(++index).toString(16).padStart(4, "0")}`;
    else if (character === "%") source += options.any;
    else if (character === "_") source += options.one;
    else source += options.escape ? character.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&") : character;
  }
  try {
    return new RegExp(`^(?:${source})$`, options.flags);
  } catch {
    return /^$/;
  }
}

const careless = { flags: "s", escape: true, any: ".*", one: "." };

export const queryMutants: readonly Mutant[] = [
  mutant(
    "a text of digits equals the number",
    "conditions/truth/=",
    onJson("equals", (value, { operand }) => String(value) === String(operand.value)),
  ),
  mutant(
    "equality by JSON text, key order and all",
    "conditions/truth/=",
    compiling("equals", (leaf, right) =>
      leaf.operand.class === "object"
        ? (record) =>
            right(record) && JSON.stringify(valueAt(leaf.path)(record).value) === JSON.stringify(leaf.operand.value)
        : undefined,
    ),
  ),
  mutant(
    "a bigint equals its text",
    "conditions/truth/=",
    onJson("equals", (value, { operand }) => JSON.stringify(value) === JSON.stringify(operand.value)),
  ),
  mutant(
    "equals selects too much and says exact",
    "conditions/truth/=",
    onJson("equals", (value) => value !== undefined && value !== null),
  ),
  mutant(
    "the class is not looked at in ranges",
    "conditions/truth/<",
    onJson("compare", (value, { op, operand }) =>
      op.startsWith("<") ? Number(value) < Number(operand.value) : Number(value) > Number(operand.value),
    ),
  ),
  mutant(
    "bigints compare as text",
    "conditions/bigints-beyond-64-bits",
    compiling("compare", (leaf) =>
      leaf.operand.class === "bigint"
        ? (record) => {
            const { value, class: valueClass } = valueAt(leaf.path)(record);
            if (valueClass !== "bigint") return false;
            const [a, b] = [value as string, leaf.operand.value as string];
            return leaf.op === "<" ? a < b : leaf.op === "<=" ? a <= b : leaf.op === ">" ? a > b : a >= b;
          }
        : undefined,
    ),
  ),
  mutant(
    "bytes compare as base64",
    "conditions/bytes-compare-byte-by-byte-not-as-base64",
    compiling("compare", (leaf) =>
      leaf.operand.class === "bytes"
        ? (record) => {
            const { value, class: valueClass } = valueAt(leaf.path)(record);
            return (
              valueClass === "bytes" &&
              (leaf.op.startsWith("<")
                ? (value as string) < (leaf.operand.value as string)
                : (value as string) > (leaf.operand.value as string))
            );
          }
        : undefined,
    ),
  ),
  mutant(
    "text compares by UTF-16 units",
    "conditions/code-points-not-utf-16-units",
    onText("compare", (text, { op, operand }) =>
      op === "<"
        ? text < String(operand.value)
        : op === "<="
          ? text <= String(operand.value)
          : op === ">"
            ? text > String(operand.value)
            : text >= String(operand.value),
    ),
  ),
  mutant(
    "large numbers compare as 32-bit floats",
    "conditions/neighbours-of-2-53-are-told-apart",
    compiling("equals", (leaf) =>
      leaf.operand.class === "number"
        ? (record) => {
            const { value } = valueAt(leaf.path)(record);
            return typeof value === "number" && Math.fround(value) === Math.fround(leaf.operand.value as number);
          }
        : undefined,
    ),
  ),
  mutant(
    "between leaves its ends out",
    "conditions/truth/between",
    compiling("between", ({ path, lower, upper, source }) => {
      const parts = [
        matcherOf({ kind: "compare", op: ">", path, operand: lower, source }),
        matcherOf({ kind: "compare", op: "<", path, operand: upper, source }),
      ];
      return (record) => parts.every((part) => part(record));
    }),
  ),
  mutant(
    "between turns its bounds round",
    "conditions/truth/between",
    compiling("between", (leaf, right) => {
      const turned = matcherOf({ ...leaf, lower: leaf.upper, upper: leaf.lower });
      return (record) => right(record) || turned(record);
    }),
  ),
  mutant(
    "in of nothing selects everything",
    "conditions/truth/in",
    compiling("in", (leaf) => (leaf.operands.length === 0 ? () => true : undefined)),
  ),
  mutant(
    "in looks at the first three values only",
    "differential/random-queries/1",
    compiling("in", (leaf) => matcherOf({ ...leaf, operands: leaf.operands.slice(0, 3) })),
  ),
  mutant(
    "in takes at most 1000 values",
    "conditions/in-takes-100000-values",
    compiling("in", (leaf) => matcherOf({ ...leaf, operands: leaf.operands.slice(0, 1000) })),
  ),
  mutant(
    "exists counts null",
    "conditions/truth/exists",
    onJson("exists", (value) => value !== undefined),
  ),
  mutant(
    "exists takes empty text for none",
    "conditions/truth/exists",
    onJson("exists", (value) => value !== undefined && value !== null && value !== ""),
  ),
  mutant("not is three-valued", "conditions/not/=", (tiny) => {
    tiny.compiler = {
      ...tiny.compiler,
      not: (part) => (record) => record.data["v"] !== undefined && record.data["v"] !== null && !part(record),
    };
  }),
  mutant("not negates only the first of several", "conditions/and-or-not-nest", (tiny) => {
    const { compiler } = tiny;
    const firstOf = new WeakMap<Code, Code>();
    tiny.compiler = {
      ...compiler,
      or: (parts) => {
        const code = compiler.or(parts);
        if (code !== undefined && parts[0] !== undefined) firstOf.set(code, parts[0]);
        return code;
      },
      not: (part) => compiler.not(firstOf.get(part) ?? part),
    };
  }),
  mutant("or of nothing is true", "conditions/empty-and-is-true-empty-or-is-false", (tiny) => {
    const { compiler } = tiny;
    tiny.compiler = { ...compiler, or: (parts) => (parts.length === 0 ? () => true : compiler.or(parts)) };
  }),
  mutant("or forgets its third part", "differential/random-queries/1", (tiny) => {
    const { compiler } = tiny;
    tiny.compiler = { ...compiler, or: (parts) => compiler.or(parts.slice(0, 2)) };
  }),
  mutant(
    "contains looks into texts",
    "conditions/truth/contains",
    compiling("contains", (leaf, right) => (record) => {
      const { value } = valueAt(leaf.path)(record);
      return right(record) || (typeof value === "string" && value.includes(String(leaf.operand.value)));
    }),
  ),
  mutant(
    "contains compares texts of elements",
    "conditions/truth/contains",
    onJson(
      "contains",
      (value, { operand }) =>
        Array.isArray(value) && value.some((item: Json) => String(item) === String(operand.value)),
    ),
  ),
  mutant(
    "overlaps asks for all",
    "conditions/truth/overlaps",
    compiling("overlaps", (leaf) => {
      const parts = leaf.operands.map((operand) =>
        matcherOf({ kind: "contains", path: leaf.path, operand, source: leaf.source }),
      );
      return (record) => parts.length > 0 && parts.every((part) => part(record));
    }),
  ),
  mutant(
    "like folds case",
    "conditions/truth/like",
    compiling("like", (leaf) => matcherOf({ ...leaf, insensitive: true })),
  ),
  mutant(
    "like: percent stops at newlines",
    "patterns/like-percent-crosses-newlines",
    onText("like", (text, { pattern, insensitive }) =>
      asRegex(pattern, { ...careless, flags: insensitive ? "iu" : "u" }).test(text),
    ),
  ),
  mutant(
    "like: underscore is a UTF-16 unit",
    "patterns/like-underscore-is-one-code-point",
    onText("like", (text, { pattern, insensitive }) =>
      asRegex(pattern, { ...careless, flags: insensitive ? "is" : "s" }).test(text),
    ),
  ),
  mutant(
    "like: other characters are taken for a regex",
    "patterns/like-takes-other-meta-characters-literally",
    onText("like", (text, { pattern, insensitive }) =>
      asRegex(pattern, { ...careless, escape: false, flags: insensitive ? "isu" : "su" }).test(text),
    ),
  ),
  mutant(
    "like is not anchored",
    "conditions/truth/like",
    compiling("like", (leaf) => matcherOf({ ...leaf, pattern: `%${leaf.pattern}%` })),
  ),
  mutant(
    "like has no escape",
    "patterns/like-escapes",
    onText("like", (text, { pattern }) =>
      asRegex(pattern.replaceAll("\\", ""), { ...careless, flags: "su" }).test(text),
    ),
  ),
  mutant(
    "like finds the text of Dates only by equality",
    "conditions/truth/like",
    compiling("like", (_, right) => (record) => record.types?.["/v"] !== "date" && right(record)),
  ),
  mutant(
    "ilike folds by upper case",
    "patterns/ilike-folds-as-toLowerCase-does",
    compiling("like", (leaf) => {
      if (!leaf.insensitive) return undefined;
      const upper = matcherOf({ ...leaf, pattern: leaf.pattern.toUpperCase(), insensitive: false });
      const read = valueAt(leaf.path);
      return (record) => {
        const { value, class: valueClass } = read(record);
        return (
          valueClass === "string" &&
          upper({ ...record, data: { [leaf.path.segments[0] ?? ""]: String(value).toUpperCase() }, types: null })
        );
      };
    }),
  ),
  mutant(
    "ilike folds ASCII only",
    "patterns/ilike-lowers-both-sides",
    onText("like", (text, { pattern, insensitive }) => {
      const fold = (one: string): string =>
        insensitive ? one.replace(/[A-Z]/g, (letter) => letter.toLowerCase()) : one;
      return asRegex(fold(pattern), { ...careless, flags: "su" }).test(fold(text));
    }),
  ),
  mutant(
    "regex is anchored",
    "patterns/regex-is-unanchored-and-case-sensitive",
    compiling("regex", (leaf) => matcherOf({ ...leaf, pattern: `^(?:${leaf.pattern})$` })),
  ),
  mutant(
    "regex ignores its flags",
    "patterns/regex-flags",
    compiling("regex", (leaf) => matcherOf({ ...leaf, flags: "u" })),
  ),
  mutant(
    "regex without u",
    "patterns/regex-dot-is-one-code-point",
    compiling("regex", (leaf) => {
      const expression = new RegExp(leaf.pattern, leaf.flags.replace("u", ""));
      const read = valueAt(leaf.path);
      return (record) => read(record).class === "string" && expression.test(String(read(record).value));
    }),
  ),
  mutant(
    "starts_with goes by way of like",
    "patterns/starts-with-is-literal",
    compiling("prefix", ({ path, prefix, source }) =>
      matcherOf({
        kind: "like",
        path,
        pattern: prefix.endsWith("\\") ? `${prefix}\\%` : `${prefix}%`,
        insensitive: false,
        source,
      }),
    ),
  ),
  mutant(
    "starts_with is a range up to U+FFFF",
    "patterns/starts-with-at-the-end-of-unicode",
    onText("prefix", (text, { prefix }) => text >= prefix && text < `${prefix}\uffff` && !prefix.includes("\uffff")),
  ),
  mutant(
    "a number in a path goes into a list",
    "paths/a-number-does-not-go-into-a-list",
    compiling("equals", (leaf, right) => (record) => {
      const [first, second] = leaf.path.segments;
      const list = record.data[first ?? ""];
      return Array.isArray(list) && second !== undefined ? list[Number(second)] === leaf.operand.value : right(record);
    }),
  ),
  mutant(
    "a dotted name is taken for a path",
    "paths/a-segment-with-a-dot-is-escaped-or-listed",
    compiling(
      "equals",
      (leaf, right) => (record) =>
        right(leaf.path.segments.some((segment) => segment.includes(".")) ? { ...record, data: {} } : record),
    ),
  ),
  mutant(
    "metadata is looked for in the data",
    "conditions/reserved-roots-can-be-asked-for",
    compiling(
      "equals",
      (leaf, right) => (record) => right(leaf.path.root === "metadata" ? { ...record, metadata: record.data } : record),
    ),
  ),
];
