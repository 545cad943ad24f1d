/** Checks `nearest` and `fusion`, and lowers them. */
import type { VectorDeclaration } from "../database/indexes.js";
import { type Metric, metrics, normOf } from "../vector/metric.js";
import type { FusionClause, NearestClause } from "./ast.js";
import { checkKeys, invalid } from "./checks.js";
import type { Fusion, Match, Nearest, Path } from "./lowered.js";
import { resolvePath, samePath } from "./paths.js";

/** A path declared for vectors. */
export interface VectorField {
  readonly path: Path;
  readonly vector: VectorDeclaration;
}

/** Throws `INVALID_QUERY`. */
export function lowerNearest(clause: NearestClause, declared: readonly VectorField[]): Nearest {
  checkKeys(clause, ["path", "vector", "k", "metric", "minScore", "exact"], "`nearest`");
  const path = resolvePath(clause.path);
  if (path.root !== "data" && path.root !== "metadata") throw invalid(`"${path.text}" holds no vectors.`);
  const { k, minScore, exact = false } = clause;
  if (!Number.isSafeInteger(k) || k < 1) throw invalid("`k` of `nearest` is a whole number, 1 or more.");
  if (minScore !== undefined && (typeof minScore !== "number" || Number.isNaN(minScore))) {
    throw invalid("`minScore` of `nearest` is a number.");
  }
  if (typeof exact !== "boolean") throw invalid("`exact` of `nearest` is true or false.");
  const field = declared.find((one) => samePath(one.path, path));
  const metric = metricOf(clause.metric, field);
  const vector = vectorOf(clause.vector, path, metric, field);
  return Object.freeze({ path, vector, k, metric, minScore, exact });
}

function metricOf(given: Metric | undefined, field: VectorField | undefined): Metric {
  if (given === undefined) {
    if (field !== undefined) return field.vector.metric;
    throw invalid(
      "`nearest` on a field that is not declared says its `metric`; or declare the field: " +
        "indexes: [{ path, vector: { dimensions, metric } }].",
    );
  }
  if (!metrics.includes(given)) throw invalid(`\`metric\` of \`nearest\` is one of ${metrics.join(", ")}.`);
  return given;
}

function vectorOf(given: unknown, path: Path, metric: Metric, field: VectorField | undefined): Float32Array {
  const isList = Array.isArray(given) || given instanceof Float32Array;
  if (!isList || given.length === 0) throw invalid("`vector` of `nearest` is a list of numbers, with one at least.");
  const dimensions = field?.vector.dimensions ?? given.length;
  if (given.length !== dimensions) {
    throw invalid(`The vector has ${given.length} dimensions; "${path.text}" is declared with ${dimensions}.`);
  }
  const vector = new Float32Array(dimensions);
  for (let index = 0; index < dimensions; index++) {
    const number: unknown = given[index];
    if (typeof number !== "number" || !Number.isFinite(Math.fround(number))) {
      throw invalid(`The vector of \`nearest\` has at ${index} no number that a 32-bit float holds.`);
    }
    // no negative zero
    vector[index] = number + 0;
  }
  if (metric === "cosine" && normOf(vector) === 0) {
    throw invalid("A vector of zeros has no direction: nothing is near to it by cosine.");
  }
  return vector;
}

const ranked: Fusion = Object.freeze({ by: "rank", k: 60, weights: Object.freeze([1, 1] as const) });

/** Throws `INVALID_QUERY`. `match`: where there is a `nearest` too. */
export function lowerFusion(clause: FusionClause | undefined, match: Match | undefined): Fusion | undefined {
  if (match?.analyzer !== undefined) {
    throw invalid("`analyzer` goes with a `match` alone: core ranks what is fused, and has no analyzers.");
  }
  if (clause === undefined) return match === undefined ? undefined : ranked;
  checkKeys(clause, ["by", "k", "weights"], "`fusion`");
  if (match === undefined) throw invalid("`fusion` joins `match` and `nearest`: the query needs both.");
  const { by = "rank", k = 60, weights = {} } = clause;
  if (by !== "rank" && by !== "score") throw invalid('`by` of `fusion` is "rank" or "score".');
  if (typeof k !== "number" || !Number.isFinite(k) || k < 0) throw invalid("`k` of `fusion` is a number, 0 or more.");
  if (by === "score" && clause.k !== undefined) throw invalid("`k` of `fusion` is a constant of ranks, not of scores.");
  checkKeys(weights, ["match", "nearest"], "`weights` of `fusion`");
  const pair = [weights.match ?? 1, weights.nearest ?? 1] as const;
  for (const weight of pair) {
    if (typeof weight !== "number" || !Number.isFinite(weight) || weight < 0) {
      throw invalid("`weights` of `fusion` are numbers, 0 or more.");
    }
  }
  return Object.freeze({ by, k, weights: pair });
}
