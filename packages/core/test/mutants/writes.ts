/** Bugs in writing and in keeping what was written. */
import type { WriteOp } from "../../src/backend/spi.js";
import type { Json, JsonObject, WireRecord } from "../../src/record/json.js";
import { type Mutant, mutant } from "./mutant.js";
import type { Tiny } from "./tiny.js";

type StoreOp = Exclude<WriteOp, { kind: "delete" }>;

/** Changes every record on its way into the store. */
function storing(
  change: (record: WireRecord, op: StoreOp, current: WireRecord | undefined) => WireRecord,
): (tiny: Tiny) => void {
  return (tiny) => {
    const { recordOf } = tiny;
    tiny.recordOf = (op, current) => change(recordOf.call(tiny, op, current), op, current);
  };
}

/** Changes every operation before it is applied. */
function applying(change: (op: WriteOp, current: WireRecord | undefined) => WriteOp): (tiny: Tiny) => void {
  return (tiny) => {
    const { apply } = tiny;
    tiny.apply = (op, into) => apply.call(tiny, change(op, into.get(op.id)), into);
  };
}

function withoutTag(tag: string): (tiny: Tiny) => void {
  return storing((record) => ({
    ...record,
    types: Object.fromEntries(Object.entries(record.types ?? {}).filter(([, type]) => type !== tag)),
  }));
}

function mapNumbers(json: Json, change: (number: number) => number): Json {
  if (typeof json === "number") return change(json);
  if (Array.isArray(json)) return json.map((item: Json) => mapNumbers(item, change));
  if (typeof json !== "object" || json === null) return json;
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, mapNumbers(value as Json, change)]));
}

let shared: ReadonlyMap<string, WireRecord> = new Map();

export const writeMutants: readonly Mutant[] = [
  mutant("update inserts", "write/update/never-inserts", (tiny) => {
    const { apply } = tiny;
    tiny.apply = (op, into) => {
      if (op.kind !== "update" || into.has(op.id)) return apply.call(tiny, op, into);
      return apply.call(tiny, { ...op, kind: "upsert", metadata: op.metadata ?? {} }, into);
    };
  }),
  mutant(
    "update clears the metadata",
    "write/update/metadata-stays-when-not-given",
    applying((op) => (op.kind === "update" ? { ...op, metadata: op.metadata ?? {} } : op)),
  ),
  mutant(
    "update keeps metadata but forgets its types",
    "write/update/metadata-stays-when-not-given",
    storing((record, op) => (op.metadata === undefined ? { ...record, metadataTypes: null } : record)),
  ),
  mutant(
    "update never replaces the metadata",
    "write/update/metadata-is-replaced-when-given",
    storing((record, op, current) =>
      op.kind === "update" && current !== undefined
        ? { ...record, metadata: current.metadata, metadataTypes: current.metadataTypes }
        : record,
    ),
  ),
  mutant(
    "update merges instead of replacing",
    "write/update/replaces-all-data",
    storing((record, op, current) =>
      op.kind === "update" ? { ...record, data: { ...current?.data, ...record.data } } : record,
    ),
  ),
  mutant(
    "upsert merges instead of replacing",
    "write/upsert/replaces-the-whole-record",
    storing((record, op, current) =>
      op.kind === "upsert" ? { ...record, data: { ...current?.data, ...record.data } } : record,
    ),
  ),
  mutant(
    "upsert keeps the old metadata",
    "write/upsert/replaces-the-whole-record",
    storing((record, op, current) =>
      op.kind === "upsert" && current !== undefined ? { ...record, metadata: current.metadata } : record,
    ),
  ),
  mutant(
    "upsert resets createdAt",
    "write/upsert/createdAt-stays",
    storing((record, op) => (op.kind === "upsert" ? { ...record, createdAt: op.at } : record)),
  ),
  mutant(
    "createdAt moves at every write",
    "write/times/createdAt-stays-and-updatedAt-moves",
    storing((record, op) => ({ ...record, createdAt: op.at })),
  ),
  mutant(
    "updatedAt stays",
    "write/times/createdAt-stays-and-updatedAt-moves",
    storing((record) => ({ ...record, updatedAt: record.createdAt })),
  ),
  mutant(
    "update accepts a stale version",
    "versions/update/a-stale-version-is-a-conflict-and-writes-nothing",
    applying((op) => (op.kind === "update" ? { ...op, ifVersion: undefined } : op)),
  ),
  mutant(
    "upsert ignores ifVersion",
    "versions/upsert/a-stale-version-is-a-conflict-and-writes-nothing",
    applying((op) => (op.kind === "upsert" ? { ...op, ifVersion: undefined } : op)),
  ),
  mutant(
    "delete ignores ifVersion",
    "versions/delete/a-stale-version-is-a-conflict-and-writes-nothing",
    applying((op) => (op.kind === "delete" ? { ...op, ifVersion: undefined } : op)),
  ),
  mutant(
    "a missing record is missing though a version was given",
    "versions/delete/on-a-missing-record-is-a-conflict",
    applying((op, current) => (op.kind === "delete" && current === undefined ? { ...op, ifVersion: undefined } : op)),
  ),
  mutant(
    "upsert with a version inserts",
    "versions/upsert/on-a-missing-record-is-a-conflict",
    applying((op, current) => (op.kind === "upsert" && current === undefined ? { ...op, ifVersion: undefined } : op)),
  ),
  mutant(
    "the version is a hash of the content",
    "versions/every-write-makes-a-fresh-one",
    storing((record) => ({ ...record, version: JSON.stringify(record.data) })),
  ),
  mutant(
    "the version is a counter per id, begun anew",
    "versions/are-not-reused-after-delete-and-create",
    storing((record, _, current) => ({
      ...record,
      version: `v${Number(current?.version.slice(1) ?? 0) + 1}`,
    })),
  ),
  mutant("a refused write burns the version", "versions/a-refused-write-keeps-it", (tiny) => {
    const { apply } = tiny;
    tiny.apply = (op, into) => {
      const outcome = apply.call(tiny, op, into);
      const current = into.get(op.id);
      if (outcome.status === "exists" && current !== undefined && op.kind === "insert") {
        tiny.records = new Map(tiny.records).set(op.id, { ...current, version: op.version });
      }
      return outcome;
    };
  }),
  mutant(
    "create overwrites",
    "write/create/rejects-an-existing-id",
    applying((op) => (op.kind === "insert" ? { ...op, kind: "upsert" } : op)),
  ),
  mutant("create says written and writes nothing", "write/create/rejects-an-existing-id", (tiny) => {
    const { apply } = tiny;
    tiny.apply = (op, into) => {
      const outcome = apply.call(tiny, op, into);
      return outcome.status === "exists" ? { status: "written", createdAt: 0 } : outcome;
    };
  }),
  mutant("delete always says true", "write/delete/says-whether-the-record-was-there", (tiny) => {
    const { apply } = tiny;
    tiny.apply = (op, into) => {
      const outcome = apply.call(tiny, op, into);
      return op.kind === "delete" && outcome.status === "missing" ? { status: "deleted" } : outcome;
    };
  }),
  mutant("a batch is not atomic", "batches/createMany/an-existing-id-undoes-all", (tiny) => {
    const { write } = tiny;
    tiny.write = (ops, request) => write.call(tiny, ops, { ...request, atomic: false });
  }),
  mutant("an atomic batch writes up to the first refusal", "batches/updateMany/a-stale-version-undoes-all", (tiny) => {
    const { write } = tiny;
    tiny.write = (ops, request) => {
      const outcomes = write.call(tiny, ops, request);
      const refused = outcomes.findIndex(
        ({ status }) => status !== "rolledBack" && status !== "written" && status !== "deleted",
      );
      if (request.atomic && refused > 0) write.call(tiny, ops.slice(0, refused), { ...request, atomic: false });
      return outcomes;
    };
  }),
  mutant("outcomes come in another order", "batches/createMany/gives-records-in-input-order", (tiny) => {
    const { write } = tiny;
    tiny.write = (ops, request) => write.call(tiny, ops, request).reverse();
  }),
  mutant("a large batch loses its tail", "batches/any-size-works", (tiny) => {
    const { write } = tiny;
    tiny.write = (ops, request) => {
      const outcomes = write.call(tiny, ops.slice(0, 1000), request);
      return [...outcomes, ...ops.slice(1000).map(() => ({ status: "written", createdAt: 0 }) as const)];
    };
  }),
  mutant("Dates come back as text", "values/keeps/dates", withoutTag("date")),
  mutant("bigints come back as text", "values/keeps/bigints", withoutTag("bigint")),
  mutant("bytes come back as text", "values/keeps/bytes", withoutTag("bytes")),
  mutant("vectors come back as lists", "values/keeps/vectors", withoutTag("float32")),
  mutant(
    "types of metadata are lost",
    "values/keeps/dates",
    storing((record) => ({ ...record, metadataTypes: null })),
  ),
  mutant(
    "types of replaced fields stay",
    "values/types-of-replaced-values-are-forgotten",
    storing((record, _, current) => ({
      ...record,
      types: { ...current?.types, ...record.types },
    })),
  ),
  mutant(
    "numbers go through 32 bits",
    "values/keeps/fractions",
    storing((record) => ({ ...record, data: mapNumbers(record.data, Math.fround) as JsonObject })),
  ),
  mutant(
    "large integers lose digits",
    "values/keeps/the-largest-safe-integers",
    storing((record) => ({
      ...record,
      data: mapNumbers(record.data, (number) =>
        Math.abs(number) > 2 ** 52 ? Number(number.toPrecision(15)) : number,
      ) as JsonObject,
    })),
  ),
  mutant(
    "null fields are dropped",
    "values/keeps/null",
    storing((record) => ({
      ...record,
      data: Object.fromEntries(Object.entries(record.data).filter(([, value]) => value !== null)),
    })),
  ),
  mutant(
    "text is trimmed",
    "values/keeps/control-characters-but-U+0000",
    storing((record) => ({
      ...record,
      data: Object.fromEntries(
        Object.entries(record.data).map(([key, value]) => [key, typeof value === "string" ? value.trim() : value]),
      ),
    })),
  ),
  mutant("results share the store's objects", "values/changing-a-result-never-changes-the-store", (tiny) => {
    Object.assign(tiny, { ownership: "serialise" });
  }),
  mutant(
    "a field named __proto__ is lost",
    "hostile/field-names-are-kept-and-found",
    storing((record) => {
      const data: { [key: string]: Json } = {};
      for (const key of Object.keys(record.data)) data[key] = record.data[key] as Json;
      return { ...record, data };
    }),
  ),
  mutant(
    "dots in field names make objects",
    "hostile/field-names-are-kept-and-found",
    storing((record) => ({
      ...record,
      data: Object.fromEntries(
        Object.entries(record.data).map(([key, value]) => (key === "a.b" ? ["a", { b: value }] : [key, value])),
      ),
    })),
  ),
  mutant(
    "ids fold case",
    "ids/that-differ-in-any-way-are-different-records",
    applying((op) => ({ ...op, id: op.id.toLowerCase() })),
  ),
  mutant(
    "ids are normalised",
    "ids/that-differ-in-any-way-are-different-records",
    applying((op) => ({ ...op, id: op.id.normalize() })),
  ),
  mutant(
    "ids are taken for paths",
    "ids/any-well-formed-text-works",
    applying((op) => ({ ...op, id: op.id.replace(/\.json$/, "") })),
  ),
  mutant("reads leave out what is missing", "write/read/many-are-positional", (tiny) => {
    const { read } = tiny;
    tiny.read = (ids) => read.call(tiny, ids).filter((record) => record !== undefined);
  }),
  mutant("reads come in stored order", "write/read/many-are-positional", (tiny) => {
    const { read } = tiny;
    tiny.read = (ids) => read.call(tiny, [...ids].sort());
  }),
  mutant("clear leaves one", "write/clear/removes-every-record-and-counts", (tiny) => {
    const { deleteWhere } = tiny;
    tiny.deleteWhere = (where) => {
      const last = [...tiny.records].at(-1);
      const size = deleteWhere.call(tiny, where);
      if (where === undefined && last !== undefined) tiny.records = new Map([last]);
      return size;
    };
  }),
  mutant("deleteWhere deletes everything", "where-writes/deleteWhere/deletes-what-matches-and-counts", (tiny) => {
    const { deleteWhere } = tiny;
    tiny.deleteWhere = () => deleteWhere.call(tiny, undefined);
  }),
  mutant("deleteWhere counts nothing", "where-writes/deleteWhere/deletes-what-matches-and-counts", (tiny) => {
    const { deleteWhere } = tiny;
    tiny.deleteWhere = (where) => deleteWhere.call(tiny, where) * 0;
  }),
  mutant("two stores are one", "lifecycle/two-stores-know-nothing-of-each-other", (tiny) => {
    Object.defineProperty(tiny, "records", {
      get: () => shared,
      set: (records: ReadonlyMap<string, WireRecord>) => {
        shared = records;
      },
    });
  }),
  mutant("unique is not enforced", "unique/create-refuses-a-second-record-with-the-value", (tiny) => {
    tiny.isTaken = () => false;
  }),
  mutant("unique is enforced at inserts only", "unique/every-other-write-refuses-it-too", (tiny) => {
    const { isTaken } = tiny;
    tiny.isTaken = (spec, record, among) => !among.has(record.id) && isTaken.call(tiny, spec, record, among);
  }),
  mutant("the unique error names no index", "unique/create-refuses-a-second-record-with-the-value", (tiny) => {
    const { apply } = tiny;
    tiny.apply = (op, into) => {
      const outcome = apply.call(tiny, op, into);
      return outcome.status === "duplicate" ? { status: "duplicate", index: "" } : outcome;
    };
  }),
  mutant("unique takes null for a value", "unique/null-and-missing-are-free", (tiny) => {
    tiny.isTaken = ({ path }, record, among) => {
      const key = (one: WireRecord): string => JSON.stringify(one.data[path.segments[0] ?? ""] ?? null);
      return [...among.values()].some((other) => other.id !== record.id && key(other) === key(record));
    };
  }),
  mutant("unique compares texts", "unique/values-of-different-classes-differ", (tiny) => {
    tiny.isTaken = ({ path }, record, among) => {
      const key = (one: WireRecord): string => String(one.data[path.segments[0] ?? ""] ?? `none ${one.id}`);
      return [...among.values()].some((other) => other.id !== record.id && key(other) === key(record));
    };
  }),
  mutant("a record collides with itself", "unique/a-record-may-keep-its-own-value", (tiny) => {
    const { isTaken } = tiny;
    tiny.isTaken = (spec, record, among) => isTaken.call(tiny, spec, { ...record, id: "another" }, among);
  }),
  mutant("a batch does not see itself", "unique/two-of-one-batch-collide", (tiny) => {
    const { isTaken } = tiny;
    tiny.isTaken = (spec, record) => isTaken.call(tiny, spec, record, tiny.records);
  }),
];
