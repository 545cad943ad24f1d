/**
 * `@dataknobs/sql`: conditions, orders and aggregations as SQL that agrees exactly with core's reference, or is not
 * made at all. A dialect is a list of overrides; see `Dialect`.
 */
export { type AggregateSql, aggregatePlanOf, aggregateSelect } from "./aggregate.js";
export { compilerOf, isCanonical, isScalar } from "./compile.js";
export { deepCellOf, deepKeyOf } from "./deep.js";
export { type AggregateDialect, type Dialect, type Field, fieldOf, type ScalarClass } from "./dialect.js";
export { bigintKey, bigintOfKey, bytesKey, bytesOfKey, type DeepPlace, keysOf } from "./keys.js";
export { orderBy } from "./order.js";
export { jsonPath, jsonPathLiteral, jsonPathSegment } from "./paths.js";
export {
  all,
  any,
  complement,
  falsehood,
  identifier,
  join,
  quoteIdentifier,
  quoteText,
  raw,
  render,
  type Sql,
  type SqlValue,
  type Statement,
  sql,
  truth,
} from "./sql.js";
export { type LikeShape, likeShape, prefixEnd } from "./text.js";
