/**
 * `@dataknobs/backend-elasticsearch`: records in an Elasticsearch index, on the official client.
 */
import { type BackendFactory, defineBackend } from "@dataknobs/core/backend";
import { ElasticsearchBackend } from "./backend.js";
import { type ElasticsearchOptions, fromUrl, optionSpecs, settingsOf } from "./options.js";

export { type IndexedField, type Native, nativeOf } from "./native.js";
export type { ElasticsearchClient, ElasticsearchOptions } from "./options.js";

/**
 * An Elasticsearch store, for `openDatabase`.
 *
 * Throws `INVALID_CONFIG` for options that cannot be right; connects to nothing yet.
 *
 * @example
 * await using db = await openDatabase(elasticsearch({ hosts: "http://localhost:9200", index: "people" }), { indexes: [{ path: "age" }] });
 * await db.create({ name: "Ada", age: 36 });
 * await db.search(query().filter("age", ">", 30));
 */
export const elasticsearch: BackendFactory<ElasticsearchOptions> = defineBackend<ElasticsearchOptions>({
  name: "elasticsearch",
  options: optionSpecs,
  create: (options) => new ElasticsearchBackend(settingsOf(options)),
  fromUrl,
});
