/** The texts that indexes hold, and statements with more parameters than the protocol takes. */
import { compareKey, type Operand, resolvePath, toBase64, type ValueClass } from "@dataknobs/core/backend";
import { sql as fragment, join } from "@dataknobs/sql";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { arrayText } from "../src/arrays.js";
import { decodeKey, keyOfOperand } from "../src/keys.js";
import { keyExpression, sameExpression } from "../src/layout.js";
import { finish } from "../src/select.js";
import { sql } from "./server.js";

const operand = (valueClass: ValueClass, value: Operand["value"]): Operand => ({
  class: valueClass,
  value,
  types: null,
});

const scalar = fc.oneof(
  fc.boolean().map((value) => operand("boolean", value)),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => operand("number", value + 0)),
  fc.bigInt().map((value) => operand("bigint", String(value))),
  fc.bigInt({ min: -(10n ** 120n), max: 10n ** 120n }).map((value) => operand("bigint", String(value))),
  fc
    .string({ unit: "binary" })
    .filter((text) => !text.includes("\0"))
    .map((value) => operand("string", value)),
  fc.uint8Array({ maxLength: 12 }).map((value) => operand("bytes", toBase64(value))),
);

const order = { path: resolvePath("x"), descending: false, nullsFirst: true };
const sign = (difference: number): number => Math.sign(difference);
const byCodePoint = (a: string, b: string): number => sign(Buffer.compare(Buffer.from(a), Buffer.from(b)));

describe("keys", () => {
  it("come in the order of their values, and give these back", () => {
    fc.assert(
      fc.property(scalar, scalar, (a, b) => {
        const [x, y] = [keyOfOperand(a), keyOfOperand(b)];
        expect(byCodePoint(x, y)).toBe(sign(compareKey(a.value, a.class, b.value, b.class, order)));
        expect(decodeKey(Number(x[0]), x.slice(1))).toEqual(a.value);
      }),
      { numRuns: 5000, seed: 1 },
    );
  });

  it("are the same in SQL", async () => {
    const path = resolvePath("x");
    const samples = fc.sample(scalar, { numRuns: 2000, seed: 2 });
    const rows = samples.map(({ class: one, value }) => [
      JSON.stringify({ x: value }),
      one === "bigint" || one === "bytes" ? JSON.stringify({ "/x": one }) : null,
    ]);
    for (const shared of [false, true]) {
      const found = await sql.unsafe(
        `SELECT ${keyExpression({ shared }, path)} AS key FROM unnest($1::jsonb[], $2::jsonb[]) WITH ORDINALITY AS v(data, types, n) ORDER BY n`,
        [arrayText(rows.map(([data]) => data)), arrayText(rows.map(([, types]) => types))],
      );
      expect(found.map((row) => row["key"])).toEqual(samples.map(keyOfOperand));
    }
  });

  it("of lists and objects tell apart what equality does", async () => {
    const path = resolvePath("x");
    const rows: [string, string | null][] = [
      ['{"x": [1, "10"]}', null],
      ['{"x": [1.0, "10"]}', null],
      ['{"x": [1, "10"]}', '{"/x/1": "bigint"}'],
      ['{"x": [1, "10"]}', '{"/x/1": "date"}'],
      ['{"x": [1, "10"], "y": "1"}', '{"/y": "bigint"}'],
      ['{"x": {"a\\\\": null, "b": []}}', null],
      ['{"x": {"b": [], "a\\\\": null}}', null],
      ['{"x": {}}', null],
      ['{"x": null}', null],
    ];
    const found = await sql.unsafe(
      `SELECT ${sameExpression({ shared: false }, path)} AS same FROM unnest($1::jsonb[], $2::jsonb[]) WITH ORDINALITY AS v(data, types, n) ORDER BY n`,
      [arrayText(rows.map(([data]) => data)), arrayText(rows.map(([, types]) => types))],
    );
    const keys = found.map((row) => row["same"] as string | null);
    // numbers of ours have no trailing zeros, which jsonb would keep
    expect(keys.map((key) => keys.indexOf(key))).toEqual([0, 1, 2, 0, 0, 5, 5, 7, 8]);
    expect(keys[8]).toBeNull();
  });
});

describe("parameters beyond the protocol's limit", () => {
  it("are literals, whatever they hold", async () => {
    const hostile = ["it's", 'a "b"', "a\\b", "\\'; DROP TABLE x; --", "$1", "漢😀", "a\nb", ""];
    const texts = [...Array.from({ length: 60_000 }, (_, n) => `t${n}`), ...hostile];
    const rows = join(
      texts.map((text) => fragment`(${text}::text)`),
      ", ",
    );
    const { text, params } = finish(fragment`SELECT x FROM (VALUES ${rows}) AS v(x) OFFSET 60000`);
    expect(params.length).toBe(60_000);
    const found = await sql.unsafe(text, params as string[]);
    expect(found.map((row) => row["x"])).toEqual(hostile);
  });
});
