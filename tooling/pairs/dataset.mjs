// Records that hold all that a record may: every type of value, null beside missing, metadata, names and ids as hostile as
// the contract allows. Pure: the same records at every call.

/** One of each, and the edges of each. */
const values = {
  null: null,
  true: true,
  false: false,
  zero: 0,
  "negative number": -1.5,
  "largest safe integer": Number.MAX_SAFE_INTEGER,
  "beyond 2^53": 2 ** 60,
  "smallest number": 5e-324,
  "largest number": Number.MAX_VALUE,
  fraction: 0.1 + 0.2,
  "empty text": "",
  "text beyond ASCII": "é e\u0301 日本語 😀 \u{10FFFF} \uE000 ﬁ",
  "control characters": "\u0001\t\n\r\u001f\u007f\u2028\uFEFF",
  quotes: `'"\`\\ ';-- {"a":1} %_ $1 ? :a @p`,
  "text like a number": "10",
  "text like null": "null",
  "text like a date": "2024-01-31T00:00:00.000Z",
  "long text": "é😀x".repeat(3000),
  date: new Date("2024-01-31T12:34:56.789Z"),
  "early date": new Date("0001-01-01T00:00:00.000Z"),
  "last date": new Date(8.64e15),
  bigint: 2n ** 70n,
  "negative bigint": -(10n ** 40n),
  "bigint zero": 0n,
  bytes: Uint8Array.from({ length: 256 }, (_, byte) => byte),
  "no bytes": new Uint8Array(),
  vector: Float32Array.of(0.1, -2.5, 3e38, 1e-40),
  "empty vector": new Float32Array(),
  "empty list": [],
  "empty object": {},
  "mixed list": [1, "1", true, null, 1n, new Date(1), [2, [3n]], { a: [Uint8Array.of(4)] }],
  "null inside": { a: null, b: [null, { c: null }] },
  nested: { a: { b: { c: { d: [{ e: new Date(5), f: Float32Array.of(6) }] } } } },
};

/** Names of fields, and ids: each is both. */
const names = [
  "a.b",
  "a b",
  "a/b",
  "../x",
  "~0~1",
  "%",
  "100%",
  "'",
  '"',
  "`",
  "\\",
  "$date",
  "$where",
  "__proto__",
  "constructor",
  "toString",
  "id",
  "data",
  "metadata",
  "createdAt",
  "version",
  "type",
  "value",
  "fields",
  "_id",
  "_source",
  "ORDER BY 1; DROP TABLE records",
  "naïve",
  "ключ",
  "😀",
  "\u0001\n\t",
  "*",
  "?",
  "#",
  "a.json",
  "CON",
  " leading and trailing ",
  "é".repeat(200),
];

/** An own field, `__proto__` too. */
function withField(fields, name, value) {
  return Object.defineProperty(fields, name, { value, enumerable: true, configurable: true, writable: true });
}

/** `{ id, data, metadata }` of each record. */
export function makeDataset() {
  const records = [];
  for (const [name, value] of Object.entries(values)) {
    records.push({ id: `value: ${name}`, data: { kind: "value", v: value, list: [value] }, metadata: { m: value } });
  }
  for (const [at, name] of names.entries()) {
    const inside = withField({ kind: "name", at }, name, new Date(at));
    records.push({
      id: name,
      data: withField({ ...inside, o: withField({}, name, BigInt(at)) }, name, at),
      metadata: withField({}, name, Uint8Array.of(at)),
    });
  }
  records.push(
    { id: "an empty record", data: {}, metadata: {} },
    { id: "null against missing: null", data: { kind: "null", x: null }, metadata: { x: null } },
    { id: "null against missing: missing", data: { kind: "null" }, metadata: {} },
    { id: "all at once", data: { kind: "all", ...values }, metadata: { ...values } },
    { id: "x".repeat(512), data: { kind: "long id" }, metadata: {} },
    { id: "a long name", data: { kind: "long name", ["n".repeat(1024)]: 1 }, metadata: {} },
  );
  for (let n = 0; n < 60; n++) {
    records.push({
      id: `plain ${n}`,
      data: { kind: "plain", n, even: n % 2 === 0 },
      metadata: n % 3 === 0 ? { n } : {},
    });
  }
  return records;
}
