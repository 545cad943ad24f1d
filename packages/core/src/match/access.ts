/** Reading a path of a wire record. */
import type { Path } from "../query/lowered.js";
import { isoTime } from "../record/iso.js";
import type { Json, TypeMap, WireRecord } from "../record/json.js";

export type Getter = (record: WireRecord) => Json | undefined;

/** A function from record to the JSON at the path; `undefined` where there is none. Lists have no fields. */
export function getterOf(path: Path): Getter {
  switch (path.root) {
    case "id":
      return (record) => record.id;
    case "createdAt":
      return (record) => isoTime(record.createdAt);
    case "updatedAt":
      return (record) => isoTime(record.updatedAt);
    case "metadata":
      return fieldGetter(path.segments, (record) => record.metadata);
    case "data":
      return fieldGetter(path.segments, undefined);
  }
}

function fieldGetter(segments: readonly string[], from: Getter | undefined): Getter {
  const [first, second] = segments;
  if (first === undefined) return from ?? ((record) => record.data);
  if (from !== undefined) return (record) => walk(from(record), segments, 0);
  if (segments.length > 2 || isInherited(first) || (second !== undefined && isInherited(second))) {
    return (record) => walk(record.data, segments, 0);
  }
  if (second === undefined) return (record) => record.data[first];
  return (record) => {
    const outer = record.data[first];
    return typeof outer === "object" && outer !== null && !Array.isArray(outer)
      ? (outer as { [key: string]: Json })[second]
      : undefined;
  };
}

/** Names that every object has by inheritance need an own-property check; for the rest plain access is right. */
function isInherited(name: string): boolean {
  return name in Object.prototype;
}

/** The JSON below `value`, own properties only. */
export function walk(value: Json | undefined, segments: readonly string[], from: number): Json | undefined {
  for (let index = from; index < segments.length; index++) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    const segment = segments[index] as string;
    if (!Object.hasOwn(value, segment)) return undefined;
    value = (value as { [key: string]: Json })[segment];
  }
  return value;
}

/** The types that go with a path's root. */
export function typesOf(path: Path): (record: WireRecord) => TypeMap | null {
  if (path.root === "data") return (record) => record.types;
  if (path.root === "metadata") return (record) => record.metadataTypes;
  return () => null;
}
