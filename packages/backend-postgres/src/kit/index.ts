/**
 * `@dataknobs/backend-postgres/kit`: what other stores on PostgreSQL build upon. Connections as options say, with
 * cancelling, transactions and lost races run again; errors by code; and conditions over a jsonb column and the types
 * beside it, which agree exactly with core's reference. Made for packages of this project: it may change with any version.
 */
export { type Change, Pool } from "../access.js";
export { arrayOrNull, arrayText } from "../arrays.js";
export { compilerOf, dialectOf } from "../compile.js";
export { classify, codeOf } from "../errors.js";
export type { Lane, Rows } from "../lane.js";
export { type Layout, literal } from "../layout.js";
export { mark, noteOf } from "../notes.js";
export { fromUrl, optionSpecs, type PostgresOptions, settingsOf } from "../options.js";
export {
  candidatesOf,
  fitQuery,
  fitsIndex,
  greatestHalf,
  isHalved,
  isRecent,
  knobsOf,
  leastHalf,
  listsFor,
  longest,
  mostIndexed,
  oldestPgvector,
  operatorClass,
  operatorOf,
  peakOf,
  setText,
  shortest,
  typeOf,
  type VectorShape,
  vectorText,
} from "../pgvector.js";
export { checkServer } from "../schema.js";
export { finish } from "../select.js";
