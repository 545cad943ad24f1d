/**
 * `@dataknobs/core/backend`: what an adapter implements, and the reference semantics that it may build on.
 */
export type {
  AggregatePlan,
  DateUnit,
  LoweredFunction,
  LoweredKey,
} from "../aggregate/ast.js";
export { bucketOf, dateBucketOf, timeOfText } from "../aggregate/buckets.js";
export { type Aggregator, aggregatorOf, percentileOf } from "../aggregate/run.js";
export {
  type FieldType,
  type IndexSpec,
  sameVector,
  type VectorDeclaration,
  type VectorIndex,
} from "../database/indexes.js";
export { backendFrom } from "../database/open.js";
export { isThenable } from "../database/steps.js";
export { DataknobsError, type ErrorCode, type ErrorDetails, toError } from "../errors.js";
export { type Getter, getterOf, typesOf, walk } from "../match/access.js";
export {
  type Comparator,
  classOf,
  comparatorOf,
  compareBigint,
  compareBytes,
  compareKey,
  compareText,
  compareWithin,
  equalJson,
  keyOf,
  rankOf,
} from "../match/compare.js";
export { bm25, type Corpus, isHit, type WordCounts, wordCounter, wordsOf } from "../match/fulltext.js";
export type { Matcher } from "../match/fuse.js";
export { likePredicate, listMatcherOf, matcherOf, type Predicate, valueAt } from "../match/matcher.js";
export { type LikePart, parseLike } from "../match/patterns.js";
export { tokenize, tokensOf } from "../match/tokens.js";
export type * from "../query/lowered.js";
export { nearest } from "../query/nearest.js";
export { idPath, pathKey, resolvePath, samePath } from "../query/paths.js";
export { fromBase64, toBase64 } from "../record/base64.js";
export { freezeRecord } from "../record/freeze.js";
export { isoTime, parseIsoTime } from "../record/iso.js";
export type { Json, JsonObject, JsonScalar, TypeMap, TypeTag, WireRecord } from "../record/json.js";
export { mergeFields } from "../record/merge.js";
export { parseJson } from "../record/parse-json.js";
export { escapeSegment, fromPointer, toPointer } from "../record/pointer.js";
export { decode, encode } from "../record/values.js";
export { type AppliedOutcome, applyMerge, applyWrite, isRefusal } from "./apply.js";
export { leafKinds } from "./kinds.js";
export {
  type BackendDefinition,
  type BackendFactory,
  type BackendUrl,
  defineBackend,
  type OptionSpec,
} from "./options.js";
export type * from "./spi.js";
export { backendOf } from "./under.js";
