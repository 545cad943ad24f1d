import { expect, test } from "@jest/globals";
import { applyMerge, applyWrite, isRefusal, type WireRecord, type WriteOp } from "../src/backend/index.js";

const before: WireRecord = {
  id: "x",
  data: { n: 1, at: "2024-01-01T00:00:00.000Z" },
  types: { "/at": "date" },
  metadata: { by: "1" },
  metadataTypes: { "/by": "bigint" },
  version: "v1",
  createdAt: 10,
  updatedAt: 20,
};
const given = { id: "x", data: { n: 2 }, types: null, metadata: {}, metadataTypes: null, version: "v2", at: 30 };
const insert: WriteOp = { kind: "insert", ...given };
const upsert: WriteOp = { kind: "upsert", ...given };
const update: WriteOp = { kind: "update", ...given, metadata: undefined };
const remove: WriteOp = { kind: "delete", id: "x" };

test("insert: the whole record, or exists", () => {
  const { at, ...rest } = given;
  const record = { ...rest, createdAt: 30, updatedAt: 30 };
  expect(applyWrite(insert, undefined)).toEqual({ status: "written", createdAt: 30, record });
  expect(applyWrite(insert, before)).toEqual({ status: "exists" });
});

test("upsert: createdAt stays, metadata does not", () => {
  expect(applyWrite(upsert, before)).toMatchObject({
    createdAt: 10,
    record: { data: { n: 2 }, types: null, metadata: {}, metadataTypes: null, createdAt: 10, updatedAt: 30 },
  });
});

test("update: metadata that is not given stays with its types; missing is missing", () => {
  expect(applyWrite(update, before)).toMatchObject({
    record: { data: { n: 2 }, types: null, metadata: { by: "1" }, metadataTypes: { "/by": "bigint" }, createdAt: 10 },
  });
  expect(applyWrite({ ...update, metadata: { a: 1 } }, before)).toMatchObject({
    record: { metadata: { a: 1 }, metadataTypes: null },
  });
  expect(applyWrite(update, undefined)).toEqual({ status: "missing" });
});

test("delete: deleted or missing", () => {
  expect(applyWrite(remove, before)).toEqual({ status: "deleted" });
  expect(applyWrite(remove, undefined)).toEqual({ status: "missing" });
});

test("merge: fields put over those that were there, types with them", () => {
  const op = { id: "x", data: { at: null }, types: null, version: "v2", at: 30 };
  expect(applyMerge(op, before)).toMatchObject({
    createdAt: 10,
    record: { data: { n: 1, at: null }, types: null, metadata: { by: "1" }, version: "v2", updatedAt: 30 },
  });
  expect(applyMerge(op, undefined)).toEqual({ status: "missing" });
  expect(before.data).toEqual({ n: 1, at: "2024-01-01T00:00:00.000Z" });
});

test.each([upsert, update, remove])("ifVersion: another one, or no record, is stale: $kind", (op) => {
  const wanting = { ...op, ifVersion: "v0" } as WriteOp;
  expect(applyWrite(wanting, before)).toEqual({ status: "stale", actual: "v1" });
  expect(applyWrite(wanting, undefined)).toEqual({ status: "stale", actual: null });
  expect(applyWrite({ ...op, ifVersion: "v1" } as WriteOp, before).status).not.toBe("stale");
});

test("exists, stale and duplicate refuse an atomic batch; missing does not", () => {
  const statuses = ["exists", "missing", "deleted"] as const;
  expect(statuses.filter((status) => isRefusal({ status }))).toEqual(["exists"]);
  expect(isRefusal({ status: "stale", actual: null })).toBe(true);
  expect(isRefusal({ status: "duplicate", index: "i" })).toBe(true);
});
