/**
 * What one migration does to the data of a record, there and back. Pure: a new object comes out, shared with the old one
 * only where nothing changed.
 */
import { DataknobsError, toError } from "../errors.js";
import { resolvePath } from "../query/paths.js";
import { type Fields, setOwn, type Value } from "../record/values.js";

/** A value, or what makes it of the data. */
export type Made = Value | ((data: Fields) => Value);
type Change = (value: Value, data: Fields) => Value;

/**
 * From one shape of records to the next. Names are paths in the data: `address.city`, `a\.b`. In this order: `remove`,
 * `rename` (all at once), `change` (by the new names), `add`; going back the other way round.
 */
export interface RecordMigration {
  readonly from: string | number;
  readonly to: string | number;
  /** Fields that go. A list cannot be undone; an object says what a field gets on the way back. */
  readonly remove?: readonly string[] | { readonly [path: string]: Made } | undefined;
  /** Old name to new. A record that has both is refused. */
  readonly rename?: { readonly [path: string]: string } | undefined;
  /** New value of the old, where there is one. A function alone cannot be undone. */
  readonly change?: { readonly [path: string]: Change | { readonly up: Change; readonly down: Change } } | undefined;
  /** Fields that come, where they are missing. On the way back they go. */
  readonly add?: { readonly [path: string]: Made } | undefined;
}

type Segments = readonly string[];

export interface Steps {
  up(data: Fields): Fields;
  /** `undefined`: cannot be undone; `oneWay` says why. */
  readonly down: ((data: Fields) => Fields) | undefined;
  readonly oneWay: string | undefined;
}

/** Throws `INVALID_CONFIG`. */
export function stepsOf({ remove, rename = {}, change = {}, add = {} }: RecordMigration): Steps {
  const removed = Array.isArray(remove)
    ? remove.map((path: string) => [path, undefined] as const)
    : Object.entries(remove ?? {});
  const removals = removed.map(([path, made]) => ({ at: segmentsOf(path), made: made as Made }));
  const renames = Object.entries(rename).map(([from, to]) => ({
    from: segmentsOf(from),
    to: segmentsOf(to),
    names: [from, to] as const,
  }));
  const changes = Object.entries(change).map(([path, how]) => ({ at: segmentsOf(path), path, ...bothWays(path, how) }));
  const additions = Object.entries(add).map(([path, made]) => ({ at: segmentsOf(path), made }));
  const oneWay = Array.isArray(remove)
    ? "what it removed is not kept"
    : changes.some(({ down }) => down === undefined)
      ? "a change has no `down`"
      : undefined;
  const up = (data: Fields): Fields => {
    let next = data;
    for (const { at } of removals) next = without(next, at);
    next = renamed(next, renames);
    for (const { at, path, up: to } of changes) next = changed(next, at, path, to);
    for (const { at, made } of additions)
      if (valueAt(next, at) === undefined) next = withValue(next, at, madeOf(made, next));
    return next;
  };
  const down = (data: Fields): Fields => {
    let next = data;
    for (const { at } of additions.toReversed()) next = without(next, at);
    for (const { at, path, down: to } of changes.toReversed()) next = changed(next, at, path, to as Change);
    next = renamed(
      next,
      renames.map(({ from, to, names: [old, other] }) => ({ from: to, to: from, names: [other, old] as const })),
    );
    for (const { at, made } of removals.toReversed()) {
      if (valueAt(next, at) === undefined) next = withValue(next, at, madeOf(made, next));
    }
    return next;
  };
  return { up, down: oneWay === undefined ? down : undefined, oneWay };
}

function bothWays(
  path: string,
  how: Change | { readonly up: Change; readonly down: Change },
): { up: Change; down: Change | undefined } {
  if (typeof how === "function") return { up: how, down: undefined };
  if (typeof how?.up === "function" && typeof how.down === "function") return how;
  throw bad(`\`change\` of "${path}" is a function, or { up, down }.`);
}

function segmentsOf(path: string): Segments {
  if (typeof path !== "string") throw bad("A migration names fields by their paths, which are texts.");
  const { root, segments } = resolvePath(path);
  if (root === "data" && segments.length > 0) return segments;
  throw bad(`A migration changes data fields; "${path}" is none: a field so called is "data.${path}".`);
}

function madeOf(made: Made, data: Fields): Value {
  return typeof made === "function" ? guarded("add", () => made(data)) : made;
}

function changed(data: Fields, at: Segments, path: string, to: Change): Fields {
  const value = valueAt(data, at);
  return value === undefined
    ? data
    : withValue(
        data,
        at,
        guarded(path, () => to(value, data)),
      );
}

function guarded<R>(path: string, work: () => R): R {
  try {
    return work();
  } catch (cause) {
    if (DataknobsError.is(cause)) throw cause;
    const told = toError(cause);
    throw new DataknobsError("UNEXPECTED", `The migration of "${path}" threw: ${told.message}`, {}, { cause: told });
  }
}

interface Rename {
  readonly from: Segments;
  readonly to: Segments;
  readonly names: readonly [string, string];
}

/** All are taken before any is put, so that names may be exchanged. */
function renamed(data: Fields, renames: readonly Rename[]): Fields {
  const moved = renames
    .map((one) => ({ ...one, value: valueAt(data, one.from) }))
    .filter(({ value }) => value !== undefined);
  let next = data;
  for (const { from } of moved) next = without(next, from);
  for (const {
    to,
    value,
    names: [old, other],
  } of moved) {
    if (valueAt(next, to) !== undefined) {
      throw new DataknobsError(
        "INVALID_RECORD",
        `The record has both "${old}" and "${other}": one would be lost by the renaming.`,
        {
          field: other,
        },
      );
    }
    next = withValue(next, to, value);
  }
  return next;
}

function isObject(value: Value): value is Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.prototype.toString.call(value) === "[object Object]";
}

function valueAt(data: Fields, segments: Segments): Value {
  let value: Value = data;
  for (const segment of segments) {
    if (!isObject(value) || !Object.hasOwn(value, segment)) return undefined;
    value = value[segment];
  }
  return value;
}

function copyOf(data: Fields): { [key: string]: Value } {
  const copy: { [key: string]: Value } = {};
  for (const key of Object.keys(data)) setOwn(copy, key, data[key]);
  return copy;
}

function withValue(data: Fields, [first, ...rest]: Segments, value: Value): Fields {
  const name = first as string;
  const copy = copyOf(data);
  if (rest.length === 0) {
    setOwn(copy, name, value);
    return copy;
  }
  const inner = Object.hasOwn(data, name) ? data[name] : undefined;
  if (inner !== undefined && !isObject(inner)) {
    throw new DataknobsError("INVALID_RECORD", `"${name}" is no object, so that no field can be put into it.`, {
      field: name,
    });
  }
  setOwn(copy, name, withValue(inner ?? {}, rest, value));
  return copy;
}

function without(data: Fields, [first, ...rest]: Segments): Fields {
  const name = first as string;
  if (!Object.hasOwn(data, name)) return data;
  const inner = data[name];
  if (rest.length > 0 && !isObject(inner)) return data;
  const copy = copyOf(data);
  if (rest.length === 0) delete copy[name];
  else setOwn(copy, name, without(inner as Fields, rest));
  return copy;
}

function bad(message: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", message);
}
