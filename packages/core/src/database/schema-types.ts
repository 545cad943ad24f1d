/** The types of declared fields, from a schema that can give its JSON Schema (StandardJSONSchemaV1). */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { FieldType, IndexSpec } from "./indexes.js";

interface JsonSchema {
  readonly type?: unknown;
  readonly format?: unknown;
  readonly properties?: { readonly [name: string]: JsonSchema };
  readonly anyOf?: readonly JsonSchema[];
}

/** Declarations without a type get the one that the schema has there; no schema, or one that cannot tell: as they are. */
export function typedBySchema(
  indexes: readonly IndexSpec[],
  schema: StandardSchemaV1 | undefined,
): readonly IndexSpec[] {
  const json = jsonSchemaOf(schema);
  if (json === undefined) return indexes;
  return indexes.map((spec) => {
    if (spec.type !== undefined || spec.path.root !== "data") return spec;
    const type = typeAt(json, spec.path.segments);
    return type === undefined ? spec : Object.freeze({ ...spec, type });
  });
}

function jsonSchemaOf(schema: StandardSchemaV1 | undefined): JsonSchema | undefined {
  const standard = schema?.["~standard"] as
    | { readonly jsonSchema?: { output?(options: { target: string }): JsonSchema } }
    | undefined;
  try {
    return standard?.jsonSchema?.output?.({ target: "draft-2020-12" });
  } catch {
    // a part that JSON Schema cannot say (a Date, a transform): the schema still validates, it just tells no types
    return undefined;
  }
}

function typeAt(schema: JsonSchema, segments: readonly string[]): FieldType | undefined {
  let at: JsonSchema | undefined = schema;
  for (const segment of segments) {
    const properties: { readonly [name: string]: JsonSchema } | undefined = at?.properties;
    at = properties !== undefined && Object.hasOwn(properties, segment) ? properties[segment] : undefined;
  }
  const kinds = [at, ...(at?.anyOf ?? [])].flatMap((one) => one?.type ?? []).filter((kind) => kind !== "null");
  const [only] = kinds;
  if (kinds.length !== 1) return undefined;
  if (only === "string") return at?.format === "date-time" || at?.format === "date" ? "date" : "string";
  return only === "number" || only === "integer" || only === "boolean" ? only : undefined;
}
