import { isHit, type Match, resolvePath, tokenize, type WireRecord, wordCounter } from "@dataknobs/core/backend";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { compare, idsOf, index, insert, orderBy, type Store, scan, store, write } from "./support.js";

const seed = Number(process.env["DATAKNOBS_SEED"] ?? 20_261_123);

function match(text: string, fields: readonly string[], mode: "all" | "any" = "all"): Match {
  return { text, words: [...new Set(tokenize(text))], fields: fields.map(resolvePath), mode };
}

/** As core asks: the compiled match, or nothing where it is left to core. */
function compiled(backend: Store, one: Match): unknown {
  const code = backend.compiler.match?.(one);
  return code?.exact === true ? code.code : undefined;
}

const words = fc.constantFrom("fox", "Fox", "quick", "brown", "naïve", "東", "京", "x1", "", "-");
const text = fc.array(words, { maxLength: 6 }).map((list) => list.join(" "));
const value = fc.oneof(
  text,
  fc.array(fc.oneof(text, fc.constant(7)), { maxLength: 3 }),
  fc.constantFrom<unknown>(5n, null, 12, { a: "fox" }),
);
const documents = fc.array(
  fc.tuple(fc.nat(20), fc.option(fc.record({ a: value, b: value }, { requiredKeys: [] }), { nil: undefined, freq: 5 })),
  { maxLength: 25 },
);
const questions = fc.record({
  text: text.filter((one) => tokenize(one).length > 0),
  fields: fc.constantFrom(["a"], ["b"], ["a", "b"]),
  mode: fc.constantFrom("all" as const, "any" as const),
});

describe("full text", () => {
  it(`the index finds what the reference finds, while records come and go (seed ${seed})`, () => {
    fc.assert(
      fc.property(documents, documents, documents, questions, (first, second, inside, asked) => {
        const backend = store([index("a", "text"), index("b", "text")]);
        const one = match(asked.text, asked.fields, asked.mode);
        const code = compiled(backend, one);
        const count = wordCounter(one);
        const check = (target: Pick<Store, "scan" | "count">): void => {
          const wanted = scan(target).filter((record) => isHit(one, count(record)));
          const found = scan(target, { match: code });
          expect(idsOf(found).sort()).toEqual(idsOf(wanted).sort());
          expect(target.count(undefined, code, {})).toBe(wanted.length);
          const scores = found.map(({ score }) => score as number);
          expect(scores.every((score) => score > 0)).toBe(true);
          expect(scores).toEqual([...scores].sort((x, y) => y - x));
        };
        const apply = (target: Pick<Store, "write">, list: typeof first): void => {
          for (const [n, data] of list) {
            write(
              target,
              data === undefined ? { kind: "delete", id: `r${n}` } : { ...insert(`r${n}`, data), kind: "upsert" },
            );
          }
        };
        apply(backend, first);
        check(backend);
        const tx = backend.begin({}) as unknown as Store;
        apply(backend, second);
        check(backend);
        check(tx);
        apply(tx, inside);
        check(tx);
      }),
      { seed, numRuns: 400 },
    );
  });

  it("rare words and short texts rank higher; ties go by id; score and page fit", () => {
    const backend = store([index("t", "text")]);
    write(
      backend,
      insert("b", { t: "red fox" }),
      insert("a", { t: "red fox" }),
      insert("long", { t: "red fox and many other words that make it long" }),
      insert("none", { t: "red" }),
    );
    const code = compiled(backend, match("fox", ["t"]));
    const found = scan(backend, { match: code });
    expect(idsOf(found)).toEqual(["a", "b", "long"]);
    expect(found[0]?.score).toBe(found[1]?.score);
    expect(idsOf(scan(backend, { match: code, offset: 1, limit: 1 }))).toEqual(["b"]);
    expect(scan(backend).every((record) => record.score === undefined)).toBe(true);
  });

  it("joins conditions by and, and an order by an index", () => {
    const backend = store([index("t", "text"), index("n")]);
    write(backend, ...[1, 2, 3, 4].map((n) => insert(`r${n}`, { n, t: n === 2 ? "hen" : "fox" })));
    const code = compiled(backend, match("fox", ["t"]));
    const where = compare("n", ">", 1);
    expect(idsOf(scan(backend, { match: code, where, order: orderBy("n", true) }) as WireRecord[])).toEqual([
      "r4",
      "r3",
    ]);
    expect(backend.count(where, code, {})).toBe(2);
  });

  it("is left to core for fields without a text index, and for an analyzer", () => {
    const backend = store([index("t", "text"), index("n")]);
    expect(compiled(backend, match("fox", ["t"]))).toBeDefined();
    expect(compiled(backend, match("fox", ["t", "n"]))).toBeUndefined();
    expect(compiled(backend, { ...match("fox", ["t"]), analyzer: "english" })).toBeUndefined();
  });
});
