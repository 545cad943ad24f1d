/** What `openVectorStore` takes beside the backend, checked. */
import type { CallOptions } from "../database/session.js";
import { DataknobsError } from "../errors.js";
import { nearest } from "../query/nearest.js";
import { checkId } from "../record/ids.js";
import { type Metric, metrics } from "./metric.js";
import type { VectorBackend } from "./spi.js";

export interface VectorSettings extends CallOptions {
  /** Numbers in every vector. */
  readonly dimensions?: number | undefined;
  /** Default `"cosine"`. */
  readonly metric?: Metric | undefined;
  /**
   * The tenant: the store sees, counts and changes the rows of this scope only. A store without a scope has the rows that
   * were added without one.
   */
  readonly scope?: string | undefined;
  /** `"error"`: refuse filters of which core would evaluate a part in memory. Default `"allow"`. */
  readonly residual?: "allow" | "error" | undefined;
  /** Rows per batch within streams and bulk changes. Default 1000. */
  readonly batchSize?: number | undefined;
}

export const vectorSettingKeys = [
  "dimensions",
  "metric",
  "scope",
  "residual",
  "batchSize",
  "signal",
  "timeout",
] as const;

export interface CheckedVectorSettings {
  readonly dimensions: number;
  readonly metric: Metric;
  /** `""`: none. */
  readonly scope: string;
  readonly residual: "allow" | "error";
  readonly batchSize: number;
}

/** Throws `INVALID_CONFIG`, or `UNSUPPORTED` and `LIMIT_EXCEEDED` for what the backend cannot do. */
export function checkVectorSettings(settings: VectorSettings, backend: VectorBackend): CheckedVectorSettings {
  for (const key of Object.keys(settings)) {
    if ((vectorSettingKeys as readonly string[]).includes(key)) continue;
    throw bad(
      `A vector store has no option "${key}".${nearest(key, vectorSettingKeys)} It has ${vectorSettingKeys.join(", ")}.`,
    );
  }
  const { dimensions, metric = "cosine", scope, residual = "allow", batchSize = 1000 } = settings;
  if (!isCount(dimensions)) {
    throw bad("`dimensions` says how many numbers every vector has: a whole number, 1 or more.");
  }
  if (!metrics.includes(metric)) {
    throw bad(
      `There is no metric "${String(metric)}".${nearest(String(metric), metrics)} Known: ${metrics.join(", ")}.`,
    );
  }
  if (residual !== "allow" && residual !== "error") throw bad('`residual` is "allow" or "error".');
  if (!isCount(batchSize)) throw bad("`batchSize` is a whole number, 1 or more.");
  const { limits, metrics: able } = backend.capabilities;
  if (!able.includes(metric)) {
    throw new DataknobsError(
      "UNSUPPORTED",
      `The ${backend.name} store has no metric "${metric}"; it has ${able.join(", ")}.`,
      { backend: backend.name, metric },
    );
  }
  if (limits.dimensions !== undefined && dimensions > limits.dimensions) {
    throw new DataknobsError(
      "LIMIT_EXCEEDED",
      `The ${backend.name} store keeps vectors of at most ${limits.dimensions} dimensions; ${dimensions} were asked for.`,
      { backend: backend.name, limit: limits.dimensions },
    );
  }
  return Object.freeze({ dimensions, metric, scope: checkScope(scope), residual, batchSize });
}

/** `""` for none: that is how backends get it. A scope is a text like an id. */
export function checkScope(scope: unknown): string {
  if (scope === undefined) return "";
  if (scope === "") throw bad("`scope` is not empty; leave it out for a store without one.");
  try {
    checkId(scope, "INVALID_CONFIG");
  } catch (error) {
    if (!DataknobsError.is(error)) throw error;
    throw new DataknobsError(error.code, error.message.replace(/^An id/, "A scope"), error.details);
  }
  return scope;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 1;
}

function bad(message: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", message);
}
