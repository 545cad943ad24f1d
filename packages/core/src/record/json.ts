/** Plain JSON, and the record's wire form: what backends store and what the reference semantics work on. */

export type JsonScalar = null | boolean | number | string;
export type Json = JsonScalar | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** What JSON lacks, remembered beside the data. */
export type TypeTag = "date" | "bigint" | "bytes" | "float32";

/**
 * JSON Pointer (RFC 6901) into the value it belongs to → the type that JSON lacks there.
 * The pointer of the value itself is `""`. `null` where there is none, which is the common case.
 */
export type TypeMap = { readonly [pointer: string]: TypeTag };

/** One record as backends keep it. Data stays plain JSON for other tools; `types` tell what it stood for. */
export interface WireRecord {
  readonly id: string;
  readonly data: JsonObject;
  readonly types: TypeMap | null;
  readonly metadata: JsonObject;
  readonly metadataTypes: TypeMap | null;
  /** Minted by core at every write; opaque. */
  readonly version: string;
  /** Milliseconds since 1970-01-01T00:00Z. */
  readonly createdAt: number;
  /** Milliseconds since 1970-01-01T00:00Z. */
  readonly updatedAt: number;
  /** Only in answers to a query with `match`. */
  readonly score?: number;
}
