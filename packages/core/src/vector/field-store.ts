/** `vectorStoreOf`: a database's field with the interface of a vector store. */
import type { Database } from "../database/database.js";
import type { VectorDeclaration } from "../database/indexes.js";
import { internals } from "../database/internals.js";
import type { Session } from "../database/session.js";
import { DataknobsError } from "../errors.js";
import type { PathInput } from "../query/ast.js";
import type { Path } from "../query/lowered.js";
import { resolvePath, samePath } from "../query/paths.js";
import { FieldVectors } from "./field-backend.js";
import { checkVectorSettings, type VectorSettings } from "./settings.js";
import type { VectorBackend } from "./spi.js";
import { VectorStore } from "./store.js";
import { Turns } from "./turns.js";

export interface FieldStoreOptions extends Omit<VectorSettings, "signal" | "timeout"> {
  /** The field of the data with a row's text. Default `"text"`. */
  readonly text?: PathInput | undefined;
  /** The field of the data that says which scope a row is of, where it is of one. Default `"scope"`. */
  readonly scopeField?: PathInput | undefined;
}

type AnyDatabase = Pick<Database<never, never>, typeof internals>;

/**
 * A vector store over a field of a database's data. A row is a record with a vector of these dimensions there; its
 * metadata are the record's metadata, which filters ask for. To add to a record that is there keeps its other fields;
 * to delete a row deletes its record. Where the field is declared, `dimensions` and `metric` are those declared.
 * Closing the store leaves the database open.
 *
 * Errors: `INVALID_CONFIG` for a path outside of the data, for dimensions that are not known, and for others than the
 * declared ones; `NOT_OPEN`.
 *
 * @example
 * await using db = await openDatabase(sqlite({ path: "app.db" }), {
 *   indexes: [{ path: "embedding", vector: { dimensions: 384, metric: "cosine" } }],
 * });
 * const store = vectorStoreOf(db, "embedding");
 * await store.add([{ id: "a", vector: embedding, text: "A quick fox.", metadata: { lang: "en" } }]);
 */
export function vectorStoreOf(db: AnyDatabase, path: PathInput, options: FieldStoreOptions = {}): VectorStore {
  const { text: _, scopeField: __, ...settings } = options;
  const { backend, declared } = backendOver(db, path, options);
  const { dimensions = declared?.dimensions, metric = declared?.metric } = settings;
  if (declared !== undefined && dimensions !== declared.dimensions) {
    throw bad(`The field is declared with ${declared.dimensions} dimensions; ${String(dimensions)} were asked for.`);
  }
  const checked = checkVectorSettings({ ...settings, dimensions, metric }, backend);
  const { name, capabilities } = backend;
  return new VectorStore({ ...checked, name, backend, capabilities, turns: new Turns() });
}

/**
 * The same as a backend, for `openVectorStore` and the suite of vector stores: dimensions and metric are those that it is
 * opened with. Errors: as `vectorStoreOf`.
 */
export function vectorBackendOf(
  db: AnyDatabase,
  path: PathInput,
  options: Pick<FieldStoreOptions, "text" | "scopeField"> = {},
): VectorBackend {
  return backendOver(db, path, options).backend;
}

function backendOver(
  db: AnyDatabase,
  path: PathInput,
  { text = "text", scopeField = "scope", dimensions, metric }: FieldStoreOptions,
): { readonly backend: FieldVectors; readonly declared: VectorDeclaration | undefined } {
  const places = { vector: dataPath(path), text: dataPath(text), scope: dataPath(scopeField) };
  const all = [places.vector, places.text, places.scope];
  if (all.some((one, index) => all.slice(index + 1).some((other) => isWithin(one, other) || isWithin(other, one)))) {
    throw bad("Vector, text and scope are three fields, none within another.");
  }
  const session = (): Session => db[internals].session("read", "vectorStoreOf");
  const declared = session().vectorFields.find((field) => samePath(field.path, places.vector))?.vector;
  const shape = {
    dimensions: dimensions ?? declared?.dimensions ?? 0,
    metric: metric ?? declared?.metric ?? "cosine",
  };
  return { backend: new FieldVectors(session, places, shape), declared };
}

function dataPath(input: PathInput): Path {
  const path = resolvePath(input);
  if (path.root === "data" && path.segments.length > 0) return path;
  throw bad(`"${path.text}" is no field of the data, where a vector store has its rows.`);
}

function isWithin(inner: Path, outer: Path): boolean {
  return inner.pointer === outer.pointer || inner.pointer.startsWith(`${outer.pointer}/`);
}

function bad(message: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", message);
}
