/** The way down, for what Elasticsearch can and this library does not: highlighting, suggestions, percolation. */
import { backendOf, DataknobsError, resolvePath } from "@dataknobs/core/backend";
import { ElasticsearchBackend } from "./backend.js";
import { isKeyed } from "./layout.js";
import { isVector } from "./nearest.js";
import type { ElasticsearchClient } from "./options.js";

/** Names of the fields in which a declared field is indexed. */
export interface IndexedField {
  /** A `keyword` in the contract's order; for sorts and groups. */
  readonly key: string | undefined;
  /** A `double`. */
  readonly number: string | undefined;
  /** A `date`, of Dates and texts of their form. */
  readonly date: string | undefined;
  /** A `text` of core's words. */
  readonly words: string | undefined;
  /** A `dense_vector`. */
  readonly vector: string | undefined;
  /** A `text` by each of the option `analyzers`. */
  readonly analyzed: { readonly [analyzer: string]: string };
}

/** The open database's way to Elasticsearch. */
export interface Native<Client extends ElasticsearchClient = ElasticsearchClient> {
  /** The client of `@elastic/elasticsearch`; it is closed with the database unless it is your own. */
  readonly client: Client;
  /** What to ask; hits have the record in `_source`: `id`, `data`, `metadata`, `version`, … */
  readonly index: string;
  /** Where a declared field is indexed. Throws `NOT_FOUND` for a path that is not declared. */
  field(path: string | readonly string[]): IndexedField;
}

/**
 * The client, index and fields behind an open database. Write through the database: documents that a client writes
 * are found only when they have been opened again. `nativeOf<Client>(db)` gives the client its own type.
 *
 * Throws `NOT_OPEN` for a closed database, `UNSUPPORTED` for one on another backend.
 */
export function nativeOf<Client extends ElasticsearchClient = ElasticsearchClient>(database: object): Native<Client> {
  const backend = backendOf(database);
  if (!(backend instanceof ElasticsearchBackend)) {
    throw new DataknobsError("UNSUPPORTED", `The database is on the ${backend.name} backend, not on elasticsearch.`, {
      backend: backend.name,
    });
  }
  return {
    client: backend.client as Client,
    index: backend.index,
    field: (input) => {
      const path = resolvePath(input);
      const columns = backend.columnsAt(path);
      const [plain, text] = [columns.find(isKeyed)?.id, columns.find((one) => one.text)?.id];
      const vector = columns.find(isVector)?.id;
      if (columns.length === 0) {
        throw new DataknobsError("NOT_FOUND", `The field "${path.text}" is not declared in \`indexes\`.`, {
          backend: backend.name,
          field: path.text,
        });
      }
      const named = (letter: string, id: string | undefined): string | undefined => id && `side.${letter}.${id}`;
      const analyzers = text === undefined ? [] : backend.analyzers;
      return {
        key: named("k", plain),
        number: named("n", plain),
        date: named("t", plain),
        words: named("w", text),
        vector: named("v", vector),
        analyzed: Object.fromEntries(analyzers.map((analyzer) => [analyzer, `side.a.${text}.${analyzer}`])),
      };
    },
  };
}
