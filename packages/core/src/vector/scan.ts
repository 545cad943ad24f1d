/** Scans of a store, with the part of the filter that the engine leaves to core. */
import type { Call } from "../backend/spi.js";
import { type FilterPlan, rowMatcherOf } from "./filter.js";
import { throwIfAborted, type VectorSession } from "./session.js";
import type { PartialRow, VectorPart } from "./spi.js";

/** Batches of the rows that satisfy the filter; none is empty. */
export async function* scanRows(
  session: VectorSession,
  filter: FilterPlan,
  include: readonly VectorPart[],
  call: Call,
): AsyncGenerator<readonly PartialRow[], void> {
  const matcher = filter.residual === undefined ? undefined : rowMatcherOf(filter.residual);
  const batches = session.backend.scan({
    ...call,
    scope: session.scope,
    where: filter.pushed,
    include: neededParts(include, filter),
    batchSize: session.batchSize,
  });
  for await (const batch of batches) {
    throwIfAborted(call);
    const rows = matcher === undefined ? batch : matcher.filter(batch);
    if (rows.length > 0) yield rows;
  }
}

/** What the answer shows and what core's part of the filter looks at. */
export function neededParts(include: readonly VectorPart[], { residual }: FilterPlan): readonly VectorPart[] {
  return residual === undefined || include.includes("metadata") ? include : [...include, "metadata"];
}

export async function countRows(session: VectorSession, filter: FilterPlan, call: Call): Promise<number> {
  const { backend, scope } = session;
  if (filter.residual === undefined && backend.count !== undefined) {
    return backend.count({ ...call, scope, where: filter.pushed });
  }
  let n = 0;
  for await (const rows of scanRows(session, filter, [], call)) n += rows.length;
  return n;
}
