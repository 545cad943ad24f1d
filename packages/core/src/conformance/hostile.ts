/** Hostile names and texts: they work as they are, and nothing is ever injected. */
import assert from "node:assert/strict";
import { count, min } from "../aggregate/functions.js";
import { where } from "../query/builder.js";
import type { Fields } from "../record/values.js";
import type { Case } from "./case.js";
import { idSet, idsOf, refuses, same } from "./expect.js";
import { hostileNames, hostileTexts } from "./strings.js";

/** An object with one field, whatever it is called. */
function field(name: string, value: Fields[string]): Fields {
  return Object.defineProperty({}, name, { value, enumerable: true, configurable: true, writable: true }) as Fields;
}

const declared = [
  "x'y",
  'x"y',
  "`",
  "$.a",
  "a.b",
  "--",
  "__proto__",
  "naïve",
  "ORDER BY",
  "[0]",
  "\\",
  "~1",
  "a/b",
  "",
];

export const hostileCases: readonly Case[] = [
  {
    id: "hostile/field-names-are-kept-and-found",
    run: async ({ db }) => {
      await db.createMany(
        hostileNames.map((name, index) => ({
          id: `r${index}`,
          data: field(name, index),
          metadata: field(name, index),
        })),
      );
      for (const [index, name] of hostileNames.entries()) {
        const what = `the field ${JSON.stringify(name.slice(0, 40))}`;
        same((await db.read(`r${index}`))?.data, field(name, index), what);
        same(idsOf(await db.search({ where: where(["data", name], "=", index) })), [`r${index}`], what);
        same(
          idsOf(await db.search({ where: where(["metadata", name], "=", index) })),
          [`r${index}`],
          `metadata, ${what}`,
        );
        same(await db.count({ where: where(["data", name], "exists") }), 1, `exists, ${what}`);
      }
    },
  },
  {
    id: "hostile/field-names-inside-objects",
    run: async ({ db }) => {
      await db.createMany(
        hostileNames.map((name, index) => ({ id: `r${index}`, data: { o: field(name, { n: index }) } })),
      );
      for (const [index, name] of hostileNames.entries()) {
        const what = `the field ${JSON.stringify(name.slice(0, 40))}`;
        same(
          idsOf(await db.search({ where: where(["o", name, "n"], ">=", index), sort: [{ path: ["o", name, "n"] }] })),
          [`r${index}`],
          what,
        );
        const [selected] = await db.search({ where: where("id", "=", `r${index}`), select: [["o", name]] });
        same(selected?.data, { o: field(name, { n: index }) }, `select, ${what}`);
      }
    },
  },
  {
    id: "hostile/field-names-sort-group-and-change",
    run: async ({ db }) => {
      for (const name of hostileNames) {
        const what = `the field ${JSON.stringify(name.slice(0, 40))}`;
        const path = ["data", name];
        await db.createMany([
          { id: "b", data: field(name, 1) },
          { id: "a", data: field(name, 2) },
          { id: "c", data: {} },
        ]);
        same(idsOf(await db.search({ sort: [{ path, direction: "desc" }] })), ["a", "b", "c"], `sort, ${what}`);
        const rows = await db.aggregate({ groupBy: { g: path }, select: { n: count(), least: min(path) } });
        same(
          rows,
          [
            { g: null, n: 1, least: null },
            { g: 1, n: 1, least: 1 },
            { g: 2, n: 1, least: 2 },
          ],
          `group, ${what}`,
        );
        await db.patch("c", field(name, new Date(7)));
        same((await db.read("c"))?.data, field(name, new Date(7)), `patch, ${what}`);
        await db.clear();
      }
    },
  },
  {
    id: "hostile/declared-fields-may-have-any-name",
    run: async ({ open }) => {
      const db = await open({
        indexes: declared.flatMap((name) => [{ path: ["data", name] }, { path: ["o", name], text: true }]),
      });
      await db.createMany(
        declared.map((name, index) => ({
          id: `r${index}`,
          data: { ...field(name, index), o: field(name, `word${index}`) },
        })),
      );
      for (const [index, name] of declared.entries()) {
        // a spread drops nothing here: field() defines __proto__ as an own property and the spread copies it
        same(idsOf(await db.search({ where: where(["data", name], "=", index) })), [`r${index}`], name);
        same(idsOf(await db.search({ match: { text: `WORD${index}`, fields: [["o", name]] } })), [`r${index}`], name);
      }
    },
  },
  {
    id: "hostile/texts-are-kept-and-found",
    indexes: [{ path: "v" }],
    run: async ({ db }) => {
      await db.createMany(hostileTexts.map((v, index) => ({ id: `r${index}`, data: { v, list: [v] } })));
      for (const [index, v] of hostileTexts.entries()) {
        const what = `the text ${JSON.stringify(v)}`;
        same(idsOf(await db.search({ where: where("v", "=", v) })), [`r${index}`], what);
        same(idsOf(await db.search({ where: where("v", "in", [v, "no such text"]) })), [`r${index}`], what);
        same(idsOf(await db.search({ where: where("list", "contains", v) })), [`r${index}`], what);
        const pattern = v.replace(/[\\%_]/g, "\\$&");
        same(idsOf(await db.search({ where: where("v", "like", pattern) })), [`r${index}`], `like, ${what}`);
        const starting = hostileTexts.flatMap((text, at) => (text.startsWith(v) ? [`r${at}`] : []));
        same(idSet(await db.search({ where: where("v", "starts_with", v) })), starting.sort(), `starts_with, ${what}`);
      }
    },
  },
  {
    id: "hostile/texts-sort-by-code-point",
    indexes: [{ path: "v" }],
    run: async ({ db }) => {
      await db.createMany(hostileTexts.map((v) => ({ data: { v } })));
      const sorted = (await db.search({ sort: [{ path: "v" }] })).map(({ data }) => data["v"]);
      const points = (text: string): number[] => Array.from(text, (character) => character.codePointAt(0) as number);
      const expected = [...hostileTexts].sort((a, b) => {
        const [x, y] = [points(a), points(b)];
        const at = x.findIndex((point, index) => point !== y[index]);
        return at < 0 ? x.length - y.length : y[at] === undefined ? 1 : (x[at] as number) - y[at];
      });
      same(sorted, expected);
    },
  },
  {
    id: "hostile/an-object-is-never-polluted",
    run: async ({ db }) => {
      const hostile = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}') as Fields;
      await db.create(hostile, { id: "a" });
      await db.patch("a", hostile);
      await db.search({ where: where(["__proto__", "polluted"], "=", 1), select: [["__proto__", "polluted"]] });
      assert.equal(({} as { polluted?: number }).polluted, undefined);
      same(await db.count({ where: where("polluted", "exists") }), 0);
      same(await db.count({ where: where(["data", "toString"], "exists") }), 0);
      same((await db.read("a"))?.data, hostile);
    },
  },
  {
    id: "hostile/a-field-name-of-1-kB-works-and-a-longer-one-is-refused",
    run: async ({ db }) => {
      await db.create({ ["n".repeat(1024)]: 1 }, { id: "a" });
      for (const name of ["n".repeat(1025), "é".repeat(513), "n".repeat(10_000)]) {
        await refuses("LIMIT_EXCEEDED", () => db.create({ [name]: 1 }, { id: "b" }));
        await refuses("LIMIT_EXCEEDED", () => db.create({ o: { [name]: 1 } }, { id: "b" }));
        await refuses("LIMIT_EXCEEDED", () => db.patch("a", { [name]: 1 }));
        await refuses("LIMIT_EXCEEDED", () => db.search({ where: where([name], "=", 1) }));
        await refuses("LIMIT_EXCEEDED", () => db.search({ sort: [{ path: [name] }] }));
      }
      same(idsOf(await db.search()), ["a"]);
    },
  },
];
