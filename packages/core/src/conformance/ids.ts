/** Ids: any well-formed text of 1 to 512 bytes, made when not given, never taken from the data. */
import assert from "node:assert/strict";
import { where } from "../query/builder.js";
import type { Case } from "./case.js";
import { idSet, idsOf, refuses, same } from "./expect.js";
import { goodIds } from "./strings.js";

const badIds: { readonly [name: string]: unknown } = {
  empty: "",
  "of-513-bytes": "a".repeat(513),
  "of-513-bytes-in-few-characters": `${"é".repeat(256)}a`,
  "with-U+0000": "a\0b",
  "with-a-lone-surrogate": "a\ud800",
  "of-another-type": 1,
  null: null,
};

export const idCases: readonly Case[] = [
  {
    id: "ids/any-well-formed-text-works",
    run: async ({ db }) => {
      await db.createMany(goodIds.map((id, n) => ({ id, data: { n } })));
      for (const [n, id] of goodIds.entries()) {
        same((await db.read(id))?.data, { n }, `record ${JSON.stringify(id)}`);
        same(idsOf(await db.search({ where: where("id", "=", id) })), [id]);
      }
      same(idSet(await db.search()), [...goodIds].sort());
      for (const id of goodIds) {
        assert.equal((await db.update(id, { again: true }))?.id, id);
        assert.equal(await db.exists(id), true);
        assert.equal(await db.delete(id), true);
        assert.equal(await db.exists(id), false);
      }
      assert.equal(await db.count(), 0);
    },
  },
  {
    id: "ids/that-differ-in-any-way-are-different-records",
    run: async ({ db }) => {
      const ids = ["a", "A", "a ", " a", "á", "a\u0301", "a/", "a\\", "1", "01", "1.0"];
      await db.createMany(ids.map((id) => ({ id, data: { id } })));
      for (const id of ids) same((await db.read(id))?.data, { id });
      assert.equal(await db.delete("a"), true);
      assert.equal(await db.count(), ids.length - 1);
    },
  },
  {
    id: "ids/of-512-bytes-work",
    run: async ({ db }) => {
      for (const id of ["a".repeat(512), "é".repeat(256), "😀".repeat(128)]) {
        await db.create({ n: 1 }, { id });
        assert.equal((await db.read(id))?.id, id);
      }
    },
  },
  ...Object.entries(badIds).map(
    ([name, bad]): Case => ({
      id: `ids/refuses-one-${name}`,
      run: async ({ db }) => {
        const id = bad as string;
        const code = name.startsWith("of-513") ? "LIMIT_EXCEEDED" : "INVALID_RECORD";
        await refuses(code, () => db.create({}, { id }));
        await refuses(code, () =>
          db.createMany([
            { id: "ok", data: {} },
            { id, data: {} },
          ]),
        );
        await refuses(code, () => db.upsert(id, {}));
        await refuses(code, () => db.upsertMany([{ id, data: {} }]));
        await refuses(code, () => db.update(id, {}));
        await refuses(code, () => db.patch(id, {}));
        await refuses(code, () => db.delete(id));
        await refuses(code, () => db.deleteMany(["ok", id]));
        assert.equal(await db.count(), 0);
      },
    }),
  ),
  {
    id: "ids/a-bad-id-is-refused-by-reads-too",
    run: async ({ db }) => {
      for (const bad of Object.values(badIds)) {
        const codes = ["INVALID_QUERY", "INVALID_RECORD", "LIMIT_EXCEEDED"];
        for (const call of [
          () => db.read(bad as string),
          () => db.readMany([bad as string]),
          () => db.exists(bad as string),
        ]) {
          let code: unknown = "none";
          try {
            await call();
          } catch (error) {
            ({ code } = error as { code: unknown });
          }
          assert.ok(codes.includes(code as string), `reading ${JSON.stringify(bad)} gave ${String(code)}`);
        }
      }
    },
  },
  {
    id: "ids/not-given-a-uuidv7-is-made",
    run: async ({ db }) => {
      const made = await db.create({ id: "mine", key: "x" });
      assert.match(made.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      same((await db.read(made.id))?.data, { id: "mine", key: "x" });
      assert.equal(await db.read("mine"), undefined);
    },
  },
  {
    id: "ids/made-ones-ascend",
    run: async ({ db }) => {
      const created = await db.createMany(Array.from({ length: 200 }, (_, n) => ({ data: { n } })));
      const ids = idsOf(created);
      same(ids, [...ids].sort());
      assert.equal(new Set(ids).size, 200);
      same(
        (await db.search({ sort: [{ path: "id" }] })).map(({ data }) => data["n"]),
        ids.map((_, n) => n),
      );
    },
  },
];
