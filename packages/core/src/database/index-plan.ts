/** `db.indexes`: declared against existing indexes of a live store. */
import type { Backend, Call, ExistingIndex } from "../backend/spi.js";
import { DataknobsError } from "../errors.js";
import { pathKey } from "../query/paths.js";
import type { IndexSpec } from "./indexes.js";
import type { Session } from "./session.js";
import { indexesFor } from "./settings.js";
import { type Steps, wait } from "./steps.js";

export interface IndexPlan {
  /** Declared, but not there. */
  readonly create: readonly IndexSpec[];
  /** Ours, there, but no longer declared. */
  readonly drop: readonly ExistingIndex[];
  /** Declared and there. */
  readonly keep: readonly ExistingIndex[];
}

export interface ApplyOptions {
  /** Also drop indexes of ours that are no longer declared. Default false. */
  readonly drop?: boolean | undefined;
}

export function* planIndexes(session: Session, call: Call): Steps<IndexPlan> {
  const backend = indexable(session);
  const existing = yield* wait(backend.listIndexes(call));
  const ours = existing.filter(({ spec }) => spec !== undefined);
  const wanted = indexesFor(session.capabilities, session.indexes);
  const declared = new Set(wanted.map(keyOf));
  const there = new Set(ours.map(({ spec }) => keyOf(spec as IndexSpec)));
  return {
    create: wanted.filter((spec) => !there.has(keyOf(spec))),
    drop: ours.filter(({ spec }) => !declared.has(keyOf(spec as IndexSpec))),
    keep: ours.filter(({ spec }) => declared.has(keyOf(spec as IndexSpec))),
  };
}

export function* applyIndexes(session: Session, options: ApplyOptions, call: Call): Steps<IndexPlan> {
  const backend = indexable(session);
  const plan = yield* planIndexes(session, call);
  for (const spec of plan.create) yield* wait(backend.createIndex(spec, call));
  if (options.drop === true) for (const { name } of plan.drop) yield* wait(backend.dropIndex(name, call));
  return plan;
}

function keyOf({ path, unique, text, vector }: IndexSpec): string {
  return `${pathKey(path)} ${unique} ${text} ${vector === undefined ? "" : JSON.stringify([vector.dimensions, vector.metric, vector.index])}`;
}

function indexable(session: Session): Required<Pick<Backend, "listIndexes" | "createIndex" | "dropIndex">> {
  const { backend } = session;
  if (backend.listIndexes !== undefined && backend.createIndex !== undefined && backend.dropIndex !== undefined) {
    return backend as Required<Pick<Backend, "listIndexes" | "createIndex" | "dropIndex">>;
  }
  throw new DataknobsError("UNSUPPORTED", `The ${session.name} backend keeps no indexes that could be changed.`, {
    backend: session.name,
  });
}
