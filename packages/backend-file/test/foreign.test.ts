/** Files of other programs. */
import { readFileSync, writeFileSync } from "node:fs";
import { openDatabase } from "@dataknobs/core";
import { describe, expect, test } from "@jest/globals";
import { parquetWriteBuffer } from "hyparquet-writer";
import { file } from "../src/index.js";
import { place } from "./scratch.js";

async function read(
  name: string,
  content: string | Uint8Array,
  settings: Parameters<typeof openDatabase>[1] = {},
): Promise<[string, unknown][]> {
  const path = place(name);
  writeFileSync(path, content);
  const found: (readonly [string, unknown])[][] = [];
  // twice: ids and versions stay the same
  for (let round = 0; round < 2; round++) {
    await using db = await openDatabase(file({ path }), settings as object);
    const all = await db.search({ sort: [{ path: "id" }] });
    found.push(all.map(({ id, data, version }) => [id, { data, version }] as const));
  }
  expect(found[1]).toEqual(found[0]);
  return (found[0] ?? []).map(([id, one]) => [id, (one as { data: unknown }).data]);
}

describe("JSON", () => {
  test("a list of objects with ids", async () => {
    expect(await read("a.json", '[{"id":"x","n":1},{"id":7,"n":null}]')).toEqual([
      ["7", { n: null }],
      ["x", { n: 1 }],
    ]);
  });
  test("an object of ids and objects", async () => {
    expect(await read("a.json", '{"x":{"n":1},"y":{"id":5}}')).toEqual([
      ["x", { n: 1 }],
      ["y", { id: 5 }],
    ]);
  });
  test("a list without ids, or with one twice, gets ids by row", async () => {
    expect(await read("a.json", '[{"id":1},{"id":1}]')).toEqual([
      ["row-000000001", { id: 1 }],
      ["row-000000002", { id: 1 }],
    ]);
  });
  test("text that is no JSON, or no list of objects, is CORRUPT", async () => {
    for (const text of ["{", "[1]", '"x"', '{"a":1}', "\xff"]) {
      await expect(read("a.json", Buffer.from(text, "latin1"))).rejects.toMatchObject({ code: "CORRUPT" });
    }
  });
});

describe("JSON Lines", () => {
  test("plain objects, with a BOM, CRLF, empty lines and without an end", async () => {
    expect(await read("a.ndjson", '\ufeff{"id":"x","n":1}\r\n\r\n{"id":"y"}')).toEqual([
      ["x", { n: 1 }],
      ["y", {}],
    ]);
  });
  test("the first write turns it into a log with the same ids", async () => {
    const path = place("a.jsonl");
    writeFileSync(path, '{"n":1}\n{"n":2}\n');
    await using db = await openDatabase(file({ path }));
    await db.delete("row-000000001");
    await db.create({ n: 3 }, { id: "new" });
    expect(readFileSync(path, "utf8")).toMatch(/^\{"dataknobs":/);
    await using other = await openDatabase(file({ path }));
    expect((await other.search({ sort: [{ path: "n" }] })).map(({ id }) => id)).toEqual(["row-000000002", "new"]);
  });
  test("a line that is cut off is CORRUPT: it is nobody's log", async () => {
    await expect(read("a.jsonl", '{"n":1}\n{"n":')).rejects.toMatchObject({ code: "CORRUPT", details: { line: 2 } });
  });
});

describe("CSV", () => {
  test("types are told by column; what would not be written the same way stays text", async () => {
    const text = 'id,n,ok,zip,list,mixed,empty\n1,10,true,007,"[1,2]",5,\n2,-1.5,false,123,[],x,\n';
    expect(await read("a.csv", text)).toEqual([
      ["1", { n: 10, ok: true, zip: "007", list: [1, 2], mixed: "5" }],
      ["2", { n: -1.5, ok: false, zip: "123", list: [], mixed: "x" }],
    ]);
  });
  test("declared types hold, where the text can be one", async () => {
    const settings = {
      indexes: [
        { path: "when", type: "date" },
        { path: "zip", type: "number" },
        { path: "big", type: "bigint" },
      ],
    } as const;
    expect(await read("a.csv", "when,zip,big\n2024-01-02,007,12345678901234567890\nsoon,x,\n", settings)).toEqual([
      ["row-000000001", { when: new Date("2024-01-02"), zip: 7, big: 12345678901234567890n }],
      ["row-000000002", { when: "soon", zip: "x" }],
    ]);
  });
  test("a BOM, CRLF, quotes, newlines and formulas stay what they are", async () => {
    const text = '\ufeffid,a,b\r\nx,"say ""hi"", then\r\ngo",=1+1\r\ny,@SUM(A1),"+x"\r\n';
    expect(await read("a.csv", text)).toEqual([
      ["x", { a: 'say "hi", then\r\ngo', b: "=1+1" }],
      ["y", { a: "@SUM(A1)", b: "+x" }],
    ]);
  });
  test("shorter rows lack the last fields; longer ones are CORRUPT, with the line", async () => {
    expect(await read("a.csv", "id,a,b\nx,1\n\ny,2,3\n")).toEqual([
      ["x", { a: 1 }],
      ["y", { a: 2, b: 3 }],
    ]);
    await expect(read("a.csv", "id,a\nx,1\ny,2,3\n")).rejects.toMatchObject({ code: "CORRUPT", details: { line: 3 } });
  });
  test.each([
    ["a NUL", "id,a\nx,\0\n"],
    ["a quote that does not close", 'id,a\nx,"1\n'],
    ["a quote in the middle", 'id,a\nx,1"2\n'],
    ["one name twice", "a,a\n1,2\n"],
  ])("%s is CORRUPT", async (_, text) => {
    await expect(read("a.csv", text)).rejects.toMatchObject({ code: "CORRUPT" });
  });
  test("null, missing, empty text and every type survive our own writing, readable by others", async () => {
    const path = place("a.csv");
    const data = {
      n: null,
      e: "",
      s: "36",
      i: 36,
      q: 'a"b\r\n',
      f: "=1",
      id: "data's own",
      "data.x": 1,
      "dataknobs:": 2,
      blank: " ",
    };
    {
      await using db = await openDatabase(file({ path }));
      await db.create(data, { id: "x", metadata: { by: 1n } });
      await db.create({}, { id: "y" });
    }
    await using db = await openDatabase(file({ path }));
    expect(await db.read("x")).toMatchObject({ data, metadata: { by: 1n } });
    expect((await db.read("y"))?.data).toEqual({});
    const [first] = readFileSync(path, "utf8").split("\n");
    expect(first).toMatch(/^id,n,e,s,i,q,f,data\.id,data\.data\.x,data\.dataknobs:,blank,/);
  });
});

describe("Parquet", () => {
  test("others' columns become fields: typed, nested, null left out", async () => {
    const bytes = parquetWriteBuffer({
      columnData: [
        { name: "id", data: ["a", "b"], type: "STRING" },
        { name: "n", data: [1n, 2n], type: "INT64" },
        { name: "big", data: [2n ** 60n, null], type: "INT64" },
        { name: "x", data: [0.5, Number.NaN], type: "DOUBLE" },
        { name: "when", data: [new Date(0), null], type: "TIMESTAMP" },
        { name: "ok", data: [true, false], type: "BOOLEAN" },
        { name: "doc", data: [{ a: [1] }, null], type: "JSON" },
      ],
    });
    expect(await read("a.parquet", new Uint8Array(bytes))).toEqual([
      ["a", { n: 1, big: 2n ** 60n, x: 0.5, when: new Date(0), ok: true, doc: { a: [1] } }],
      ["b", { n: 2, ok: false }],
    ]);
  });

  test("our own: only the columns and row groups that a query needs", async () => {
    const path = place("a.parquet");
    const indexes = [{ path: "n", type: "integer" }] as const;
    {
      await using db = await openDatabase(file({ path, rowGroupSize: 100 }), { indexes });
      await db.createMany(
        Array.from({ length: 1000 }, (_, n) => ({ data: { n, text: `t${n}`, more: "x".repeat(100) } })),
      );
    }
    await using db = await openDatabase(file({ path }), { indexes });
    const query = { where: { path: "n", op: "between", value: [250, 260] }, select: ["text"] } as const;
    const { native, clauses } = db.explain(query);
    expect(native).toMatchObject({ rowGroups: { read: 1, of: 10 } });
    const { columns, bytes } = native as { columns: string[]; bytes: { read: number; of: number } };
    expect(columns).toEqual(expect.arrayContaining(["n", "text"]));
    expect(columns).not.toContain("more");
    expect(bytes.read).toBeLessThan(bytes.of / 10);
    expect(clauses[0]).toMatchObject({ narrowed: true, index: "statistics of n" });
    expect((await db.search(query)).map(({ data }) => data["text"])).toHaveLength(11);
  });

  test("a value of another class than its column's is found all the same", async () => {
    const path = place("a.parquet");
    {
      await using db = await openDatabase(file({ path, rowGroupSize: 2 }));
      await db.createMany(
        [1, 2, 3, 4, "3", true, null, [3], new Date(0), 5n].map((value, n) => ({ id: `r${n}`, data: { value } })),
      );
    }
    await using db = await openDatabase(file({ path }));
    const found = async (op: string, value: unknown): Promise<string[]> =>
      (await db.search({ where: { path: "value", op, value } as never, sort: [{ path: "id" }] })).map(({ id }) => id);
    expect(await found("=", 3)).toEqual(["r2"]);
    expect(await found("=", "3")).toEqual(["r4"]);
    expect(await found(">", 2)).toEqual(["r2", "r3"]);
    expect(await found("=", true)).toEqual(["r5"]);
    expect(await found("contains", 3)).toEqual(["r7"]);
    expect(await found("<", "2")).toEqual(["r8"]);
    expect((await db.read("r6"))?.data).toEqual({ value: null });
    expect((await db.read("r9"))?.data).toEqual({ value: 5n });
  });
});

test.each(["a.jsonl", "a.json", "a.csv", "a.parquet"])(
  "%s: field names with escapes keep their own names",
  async (name) => {
    const path = place(name);
    const records = ["\\", "\t", '"', "\n", "/~", "a\\b"].map((field, n) => ({
      id: `r${n}`,
      data: { deep: { [field]: 1n }, [field]: n },
    }));
    {
      await using db = await openDatabase(file({ path }));
      await db.createMany(records);
    }
    await using db = await openDatabase(file({ path }));
    for (const { id, data } of records) expect((await db.read(id))?.data).toEqual(data);
  },
);
