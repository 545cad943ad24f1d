/** What every operation on vectors needs to know, and what it gives. */
import type { Call } from "../backend/spi.js";
import { abortError } from "../database/steps.js";
import { DataknobsError } from "../errors.js";
import { nearest } from "../query/nearest.js";
import type { Fields } from "../record/values.js";
import { decode } from "../record/values.js";
import type { CheckedVectorSettings } from "./settings.js";
import { type PartialRow, type VectorBackend, type VectorCapabilities, type VectorPart, vectorParts } from "./spi.js";
import type { Turns } from "./turns.js";

export interface VectorSession extends CheckedVectorSettings {
  readonly name: string;
  readonly backend: VectorBackend;
  readonly capabilities: VectorCapabilities;
  readonly turns: Turns;
}

interface Parts {
  /** As it was given, rounded to 32-bit floats. Yours: changing it changes nothing. */
  readonly vector: Float32Array;
  readonly metadata: Fields;
  /** Where there is one. */
  readonly text?: string;
}

/** A row with those of its parts that were asked for. */
export type StoredVector<I extends VectorPart = VectorPart> = { readonly id: string } & Pick<Parts, I>;

/** `include`, checked. */
export function checkInclude(include: unknown, otherwise: readonly VectorPart[]): readonly VectorPart[] {
  if (include === undefined) return otherwise;
  if (!Array.isArray(include)) {
    throw new DataknobsError("INVALID_QUERY", `\`include\` is a list of ${vectorParts.join(", ")}.`);
  }
  for (const part of include as readonly unknown[]) {
    if ((vectorParts as readonly unknown[]).includes(part)) continue;
    throw new DataknobsError(
      "INVALID_QUERY",
      `\`include\` has no "${String(part)}".${nearest(String(part), vectorParts)} It takes ${vectorParts.join(", ")}.`,
    );
  }
  return vectorParts.filter((part) => include.includes(part));
}

/** The row as users get it. */
export function toStoredVector(row: PartialRow, include: readonly VectorPart[]): StoredVector {
  const { id, vector, metadata, metadataTypes, text } = row;
  const stored: { id: string; vector?: Float32Array; metadata?: Fields; text?: string } = { id };
  if (include.includes("vector")) stored.vector = vector as Float32Array;
  if (include.includes("metadata")) stored.metadata = decode(metadata ?? {}, metadataTypes ?? null) as Fields;
  if (text !== undefined && include.includes("text")) stored.text = text;
  return stored as StoredVector;
}

export function throwIfAborted({ signal }: Call): void {
  if (signal?.aborted === true) throw abortError(signal);
}

/** The list in pieces of at most `size`. */
export function* chunksOf<T>(list: readonly T[], size: number | undefined): Generator<readonly T[]> {
  if (size === undefined || list.length <= size) {
    if (list.length > 0) yield list;
    return;
  }
  for (let at = 0; at < list.length; at += size) yield list.slice(at, at + size);
}
