/** Standard Schema (standardschema.dev) on write: what is stored is the schema's output, defaults applied. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { DataknobsError } from "../errors.js";
import { type Steps, wait } from "./steps.js";

export type { StandardSchemaV1 };

export type InferInput<S> = S extends StandardSchemaV1 ? StandardSchemaV1.InferInput<S> : never;
export type InferOutput<S> = S extends StandardSchemaV1 ? StandardSchemaV1.InferOutput<S> : never;

/** Throws `INVALID_CONFIG` unless the value is a Standard Schema. */
export function checkSchema(schema: unknown): asserts schema is StandardSchemaV1 | undefined {
  if (schema === undefined) return;
  const standard = (schema as { "~standard"?: { validate?: unknown } } | null)?.["~standard"];
  if (typeof standard?.validate === "function") return;
  throw new DataknobsError(
    "INVALID_CONFIG",
    "`schema` is a Standard Schema: one of Zod 4, Valibot, ArkType or another that has `~standard`.",
  );
}

/** The data as the schema wants it. Throws `INVALID_RECORD` with the issues in its details. */
export function* validate(schema: StandardSchemaV1 | undefined, data: unknown): Steps<unknown> {
  if (schema === undefined) return data;
  const result = yield* wait(schema["~standard"].validate(data));
  if (result.issues === undefined) return result.value;
  const issues = result.issues.map(({ message, path }) => ({ message, path: pathText(path) }));
  const first = issues[0];
  throw new DataknobsError(
    "INVALID_RECORD",
    `The data does not fit the schema${first === undefined ? "" : `: ${first.path === "" ? "" : `"${first.path}": `}${first.message}`}` +
      `${issues.length > 1 ? ` (and ${issues.length - 1} more)` : ""}.`,
    { issues, ...(first !== undefined && first.path !== "" && { field: first.path }) },
  );
}

/** What is wrong with stored data, or `undefined`. */
export function* issuesOf(
  schema: StandardSchemaV1 | undefined,
  data: unknown,
): Steps<readonly StandardSchemaV1.Issue[] | undefined> {
  if (schema === undefined) return undefined;
  return (yield* wait(schema["~standard"].validate(data))).issues;
}

function pathText(path: StandardSchemaV1.Issue["path"]): string {
  return (path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".");
}
