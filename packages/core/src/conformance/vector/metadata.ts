/** Metadata and texts: values as records have them, replaced and merged. */
import { where } from "../../query/builder.js";
import type { Fields, Value } from "../../record/values.js";
import { idSet, refuses, same } from "../expect.js";
import type { VectorCase } from "./case.js";

const values: { readonly [name: string]: Value } = {
  null: null,
  booleans: [true, false],
  numbers: [0, -1, 42, 0.1, 1 / 3, 2 ** 53, 1e21, 5e-324],
  "text-beyond-ascii": ["é", "e\u0301", "日本語", "😀", "\u{10FFFF}", ""],
  "text-that-looks-like-other-types": ["10", "true", "null", "2024-01-31T00:00:00.000Z", "AQI=", "[1]", "{}"],
  "control-characters": "\u0001\t\n\r\u007f\u2028",
  dates: [new Date(0), new Date("2024-01-31T12:34:56.789Z"), new Date(-1)],
  bigints: [0n, -1n, 2n ** 64n],
  bytes: [new Uint8Array(), new Uint8Array([0, 255])],
  vectors: new Float32Array([0.5, -1]),
  "empty-containers": [[], {}, { a: [] }],
  "mixed-lists": [1, "1", true, null, 1n, { a: [2] }],
  "nested-objects": { a: { b: { c: [{ d: new Date(5) }] } } },
};

const vector = [1, 2, 3];

export const metadataCases: readonly VectorCase[] = [
  ...Object.entries(values).map(
    ([name, value]): VectorCase => ({
      id: `metadata/keeps/${name}`,
      run: async ({ store }) => {
        const metadata = { v: value, after: "x" };
        await store.add([{ id: "a", vector, metadata }]);
        same((await store.get(["a"]))[0]?.metadata, metadata, "metadata of get");
        same((await store.search(vector))[0]?.metadata, metadata, "metadata of a hit");
        for await (const row of store.stream()) same(row.metadata, metadata, "metadata of the stream");
        await store.updateMetadata("a", { again: value });
        same((await store.get(["a"]))[0]?.metadata, { again: value }, "metadata replaced");
        await store.updateMetadataWhere({ and: [] }, { v: value });
        same((await store.get(["a"]))[0]?.metadata, { again: value, v: value }, "metadata merged");
      },
    }),
  ),
  {
    id: "metadata/undefined-fields-are-left-out",
    run: async ({ store }) => {
      await store.add([{ id: "a", vector, metadata: { x: undefined, y: 1, z: [undefined] } }]);
      same((await store.get(["a"]))[0]?.metadata, { y: 1, z: [null] });
    },
  },
  {
    id: "metadata/marks-of-other-libraries-are-plain-fields",
    run: async ({ store }) => {
      const lookalikes: readonly Fields[] = [
        { $date: "2024-01-31T00:00:00.000Z" },
        { type: "bigint", value: "10" },
        { types: { "/v": "date" }, metadata: {}, vector: [1] },
        { "chroma:document": "x", _id: 1, id: "other", text: 5, score: 1, distance: 2, scope: "s", embedding: [1] },
        JSON.parse('{"__proto__":{"polluted":true},"constructor":1}') as Fields,
      ];
      for (const [n, metadata] of lookalikes.entries()) {
        await store.add([{ id: `v${n}`, vector, metadata }]);
        same((await store.get([`v${n}`]))[0]?.metadata, metadata);
        same((await store.search(vector, { filter: where("id", "=", `v${n}`) }))[0]?.metadata, metadata);
      }
      same(({} as { polluted?: boolean }).polluted, undefined);
    },
  },
  {
    id: "text/is-kept-apart-from-metadata",
    run: async ({ store }) => {
      const texts = ["", "one", "é😀\n\t'\"\\", "x".repeat(20_000)];
      await store.add(texts.map((text, n) => ({ id: `v${n}`, vector, metadata: { n }, text })));
      await store.add([{ id: "none", vector }]);
      const rows = await store.get(["v0", "v1", "v2", "v3", "none"]);
      same(
        rows.map((row) => row?.text),
        [...texts, undefined],
      );
      same(
        rows.map((row) => row?.metadata),
        [{ n: 0 }, { n: 1 }, { n: 2 }, { n: 3 }, {}],
      );
      same((await store.search(vector, { filter: where("n", "=", 2) }))[0]?.text, texts[2]);
      same(await store.count(where("text", "exists")), 0, "the text is no metadata field");
    },
  },
  {
    id: "updateMetadata/replaces-and-leaves-the-rest",
    run: async ({ store }) => {
      await store.add([
        { id: "a", vector, metadata: { x: 1, y: 2 }, text: "t" },
        { id: "b", vector: [3, 2, 1], metadata: { x: 1 } },
      ]);
      same(await store.updateMetadata("a", { z: new Date(5) }), true);
      same(await store.get(["a", "b"]), [
        { id: "a", vector: new Float32Array(vector), metadata: { z: new Date(5) }, text: "t" },
        { id: "b", vector: new Float32Array([3, 2, 1]), metadata: { x: 1 } },
      ]);
      same([await store.count(where("x", "=", 1)), await store.count(where("z", "exists"))], [1, 1]);
      same((await store.search(vector, { k: 1 }))[0]?.id, "a");
      same(await store.updateMetadata("a", {}), true);
      same((await store.get(["a"]))[0]?.metadata, {});
    },
  },
  {
    id: "updateMetadata/of-a-missing-one-is-false-and-adds-nothing",
    run: async ({ store }) => {
      same(await store.updateMetadata("a", { x: 1 }), false);
      same(await store.count(), 0);
      same(await store.get(["a"]), [undefined]);
    },
  },
  {
    id: "updateMetadataWhere/merges-at-the-top-level",
    run: async ({ store }) => {
      await store.add([
        { id: "a", vector, metadata: { g: 1, o: { x: 1, y: 2 }, keep: 1n, gone: 5 }, text: "t" },
        { id: "b", vector, metadata: { g: 1 } },
        { id: "c", vector, metadata: { g: 2, keep: 1 } },
      ]);
      const patch = { o: { x: 9 }, gone: null, left: undefined, at: new Date(7) };
      same(await store.updateMetadataWhere(where("g", "=", 1), patch), 2);
      same(await store.get(["a", "b", "c"]), [
        {
          id: "a",
          vector: new Float32Array(vector),
          metadata: { g: 1, o: { x: 9 }, keep: 1n, gone: null, at: new Date(7) },
          text: "t",
        },
        { id: "b", vector: new Float32Array(vector), metadata: { g: 1, o: { x: 9 }, gone: null, at: new Date(7) } },
        { id: "c", vector: new Float32Array(vector), metadata: { g: 2, keep: 1 } },
      ]);
      same(await store.count(where("gone", "not_exists")), 3);
    },
  },
  {
    id: "updateMetadataWhere/a-type-is-replaced-with-its-field",
    run: async ({ store }) => {
      await store.add([{ id: "a", vector, metadata: { v: 10n, o: { at: new Date(5) }, w: new Uint8Array([1]) } }]);
      await store.updateMetadataWhere({ and: [] }, { v: "10", o: { at: "x" } });
      same((await store.get(["a"]))[0]?.metadata, { v: "10", o: { at: "x" }, w: new Uint8Array([1]) });
      same([await store.count(where("v", "=", "10")), await store.count(where("v", "=", 10n))], [1, 0]);
    },
  },
  {
    id: "updateMetadataWhere/changes-the-field-that-it-filters-by",
    run: async ({ store }) => {
      await store.add(Array.from({ length: 40 }, (_, n) => ({ id: `v${n}`, vector, metadata: { n } })));
      same(await store.updateMetadataWhere(where("n", ">=", 20), { n: 0 }), 20);
      same(await store.count(where("n", "=", 0)), 21);
      same(await store.updateMetadataWhere(where("n", ">=", 20), { n: 0 }), 0);
      same(idSet(await store.search(vector, { k: 100 })).length, 40);
    },
  },
  {
    id: "updateMetadataWhere/needs-a-filter",
    run: async ({ store }) => {
      await store.add([{ id: "a", vector, metadata: { x: 1 } }]);
      await refuses("INVALID_QUERY", () => store.updateMetadataWhere(undefined as never, { x: 2 }));
      same((await store.get(["a"]))[0]?.metadata, { x: 1 });
    },
  },
];
