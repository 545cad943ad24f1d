/**
 * `@dataknobs/core`: one record interface, any store, the same answer.
 */
export type {
  AggregateFunction,
  Aggregation,
  DateUnit,
  GroupKey,
} from "./aggregate/ast.js";
export type { ResultRow } from "./aggregate/finish.js";
export { avg, bucket, count, countDistinct, dateBucket, max, min, percentile, sum } from "./aggregate/functions.js";
export type { Capabilities, NativeRow } from "./backend/spi.js";
export {
  Collection,
  type CollectionOptions,
  type CollectionRecord,
  type CollectionWrite,
  collection,
  type KeyFunction,
} from "./collection/collection.js";
export { contentKey, fieldsHash } from "./collection/content-key.js";
export type { Key, KeyPart } from "./collection/keys.js";
export { Database, type DatabaseStatus } from "./database/database.js";
export type { ApplyOptions, IndexPlan } from "./database/index-plan.js";
export type { FieldType, IndexDeclaration, IndexSpec } from "./database/indexes.js";
export { type DatabaseConfig, type DatabaseSource, openDatabase, type TypedDatabase } from "./database/open.js";
export type { Page, PageOptions, QueryInput, ReadOptions } from "./database/reads.js";
export { backendNames, registerBackend } from "./database/registry.js";
export type { InferInput, InferOutput, StandardSchemaV1 } from "./database/schema.js";
export type { CallOptions } from "./database/session.js";
export type { DatabaseSettings } from "./database/settings.js";
export { RecordStream, SyncRecordStream } from "./database/stream.js";
export { Transaction, type TransactionOptions } from "./database/transaction.js";
export { type Change, type Watch, type WatchOptions, watch } from "./database/watch.js";
export type {
  WriteFailure,
  WriteProgress,
  WriteRecord,
  WriteStreamOptions,
  WriteSummary,
} from "./database/write-stream.js";
export type {
  CreateInput,
  CreateOptions,
  DeleteOptions,
  UpdateInput,
  UpdateOptions,
  UpsertInput,
} from "./database/writes.js";
export type { EmbeddedField, EmbedOptions } from "./embed/options.js";
export type { EmbeddingProgress, RefreshOptions } from "./embed/refresh.js";
export { DataknobsError, type ErrorCode, type ErrorDetails, errorCodes } from "./errors.js";
export {
  type EvolutionOptions,
  type EvolutionProgress,
  type EvolutionReport,
  migrateRecords,
} from "./evolution/apply.js";
export {
  type RecordMigrationOptions,
  RecordMigrations,
  type RecordVersion,
  recordMigrations,
  type Versioned,
} from "./evolution/chain.js";
export type { Made, RecordMigration } from "./evolution/steps.js";
export { type CacheCounts, type CachedBackend, type CacheOptions, cached } from "./layers/cached.js";
export { type ExpiringBackend, type ExpiringOptions, expiring } from "./layers/expiring.js";
export {
  type MeterLike,
  type ObserveOptions,
  type OperationMessage,
  observed,
  type SpanLike,
  type TracerLike,
} from "./layers/observed.js";
export { type RetryOptions, retrying } from "./layers/retrying.js";
export { type TieredBackend, type TieredOptions, tiered } from "./layers/tiered.js";
export { upgrading } from "./layers/upgrading.js";
export type { CheckpointStore } from "./migrate/checkpoint.js";
export type { ContentHash } from "./migrate/digest.js";
export { contentHash, migrate } from "./migrate/migrate.js";
export type {
  MigrateOptions,
  MigrationFailure,
  MigrationProgress,
  MigrationReport,
  MigrationTally,
  Verification,
} from "./migrate/options.js";
export type { MigrateVectorsOptions } from "./migrate/vector-options.js";
export { migrateVectors, vectorContentHash } from "./migrate/vectors.js";
export type { AggregateExplanation, ClausePlan, Explanation, StepPlan } from "./plan/explain.js";
export {
  type Condition,
  type FusionClause,
  type LeafCondition,
  type MatchClause,
  type NearestClause,
  type Operator,
  operators,
  type PathInput,
  type Query,
  type RegexOperand,
  type SortClause,
} from "./query/ast.js";
export { and, not, or, QueryBuilder, query, where } from "./query/builder.js";
export { limits } from "./record/limits.js";
export type { StoredRecord } from "./record/stored.js";
export type { Fields, Scalar, Value } from "./record/values.js";
export { SyncDatabase, SyncTransaction } from "./sync/database.js";
export { openDatabaseSync, type TypedSyncDatabase } from "./sync/open.js";
export { registerVectorBackend, vectorBackendNames } from "./vector/define.js";
export type { VectorExplanation } from "./vector/explain.js";
export { type FieldStoreOptions, vectorStoreOf } from "./vector/field-store.js";
export { type Fused, type FusionOptions, type Ranked, reciprocalRankFusion, weightedFusion } from "./vector/fusion.js";
export type { VectorInput } from "./vector/matrix.js";
export { type Metric, metrics } from "./vector/metric.js";
export { openVectorStore, type VectorStoreConfig, type VectorStoreSource } from "./vector/open.js";
export { type IncludeOptions, VectorStream } from "./vector/operations.js";
export type { SearchHit, SearchOptions } from "./vector/search.js";
export type { StoredVector } from "./vector/session.js";
export type { VectorSettings } from "./vector/settings.js";
export type { VectorCapabilities, VectorPart } from "./vector/spi.js";
export { type FileOptions, VectorScope, VectorStore, type VectorStoreStatus } from "./vector/store.js";
export type { VectorEntry } from "./vector/writes.js";
