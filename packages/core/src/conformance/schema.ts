/** Standard Schema on write: what does not fit is refused, what is stored is the schema's output. */

import type { StandardSchemaV1 } from "../database/schema.js";
import { where } from "../query/builder.js";
import type { Fields } from "../record/values.js";
import type { Case } from "./case.js";
import { idSet, refuses, same } from "./expect.js";
import type { TestDatabase } from "./session.js";

/** `{ name: string, age?: number ≥ 0, role: string = "user" }`, other fields dropped. */
const person: StandardSchemaV1<Fields, Fields> = {
  "~standard": {
    version: 1,
    vendor: "conformance",
    validate: (value) => {
      const { name, age, role = "user" } = value as Fields;
      const issues: StandardSchemaV1.Issue[] = [];
      if (typeof name !== "string") issues.push({ message: "must be a string", path: ["name"] });
      if (age !== undefined && (typeof age !== "number" || age < 0))
        issues.push({ message: "must be 0 or more", path: [{ key: "age" }] });
      return issues.length > 0 ? { issues } : { value: age === undefined ? { name, role } : { name, age, role } };
    },
  },
};

const late: StandardSchemaV1<Fields, Fields> = {
  "~standard": { version: 1, vendor: "conformance", validate: async (value) => person["~standard"].validate(value) },
};

async function withSchema(
  open: (options: { schema: StandardSchemaV1 }) => Promise<TestDatabase>,
): Promise<TestDatabase> {
  return open({ schema: person });
}

export const schemaCases: readonly Case[] = [
  {
    id: "schema/what-does-not-fit-is-refused-by-every-write",
    run: async ({ open }) => {
      const db = await withSchema(open);
      await db.create({ name: "Ada", age: 36 }, { id: "a" });
      const before = await db.read("a");
      const bad = { name: "Bob", age: -1 };
      const error = await refuses("INVALID_RECORD", () => db.create(bad));
      same(error.details.field, "age");
      same(error.details["issues"], [{ message: "must be 0 or more", path: "age" }]);
      await refuses("INVALID_RECORD", () => db.createMany([{ data: { name: "ok" } }, { data: bad }]));
      await refuses("INVALID_RECORD", () => db.update("a", bad));
      await refuses("INVALID_RECORD", () => db.upsert("a", bad));
      await refuses("INVALID_RECORD", () => db.upsertMany([{ id: "a", data: bad }]));
      await refuses("INVALID_RECORD", () => db.updateMany([{ id: "a", data: bad }]));
      await refuses("INVALID_RECORD", () => db.patch("a", { age: -1 }));
      await refuses("INVALID_RECORD", () => db.updateWhere(where("name", "=", "Ada"), { age: -1 }));
      same(await db.search(), [before]);
    },
  },
  {
    id: "schema/what-is-stored-is-its-output",
    run: async ({ open }) => {
      const db = await withSchema(open);
      same((await db.create({ name: "Ada", extra: 1 }, { id: "a" })).data, { name: "Ada", role: "user" });
      same((await db.read("a"))?.data, { name: "Ada", role: "user" });
      same((await db.upsert("b", { name: "Bob", role: "admin" })).data, { name: "Bob", role: "admin" });
      same((await db.patch("a", { age: 5 }))?.data, { name: "Ada", age: 5, role: "user" });
      same(idSet(await db.search({ where: where("role", "=", "user") })), ["a"]);
    },
  },
  {
    id: "schema/an-asynchronous-one-works",
    asyncOnly: true,
    run: async ({ open }) => {
      const db = await open({ schema: late });
      same((await db.create({ name: "Ada" }, { id: "a" })).data, { name: "Ada", role: "user" });
      await refuses("INVALID_RECORD", () => db.patch("a", { name: 1 }));
      same((await db.read("a"))?.data, { name: "Ada", role: "user" });
    },
  },
  {
    id: "schema/missing-records-stay-missing",
    run: async ({ open }) => {
      const db = await withSchema(open);
      same(await db.update("nobody", { name: "x" }), undefined);
      same(await db.patch("nobody", { age: 1 }), undefined);
      same(await db.updateWhere(where("name", "=", "x"), { age: 1 }), 0);
      same(await db.count(), 0);
    },
  },
  {
    id: "schema/what-it-makes-is-checked-like-any-data",
    run: async ({ open }) => {
      const hostile: StandardSchemaV1<Fields, Fields> = {
        "~standard": { version: 1, vendor: "conformance", validate: () => ({ value: { n: Number.NaN } }) },
      };
      const db = await open({ schema: hostile });
      await refuses("INVALID_RECORD", () => db.create({}));
      same(await db.count(), 0);
    },
  },
];
