/** Bugs in what is stored, changed and scanned. */
import type { TinyVectors } from "../tiny.js";
import { mutant, storing, type VectorMutant, wrapping } from "./mutant.js";

export const rowMutants: readonly VectorMutant[] = [
  mutant(
    "an upsert keeps the old metadata",
    "add/replaces-vector-metadata-and-text",
    wrapping("upsert", (_upsert, tiny) => async ({ scope, rows }: Parameters<TinyVectors["upsert"]>[0]) => {
      for (const row of rows) {
        const old = tiny.rowsOf(scope).get(row.id);
        tiny.rowsOf(scope).set(row.id, { ...row, metadata: { ...old?.metadata, ...row.metadata } });
      }
    }),
  ),
  mutant(
    "an upsert keeps the old text",
    "add/replaces-vector-metadata-and-text",
    wrapping("upsert", (_upsert, tiny) => async ({ scope, rows }: Parameters<TinyVectors["upsert"]>[0]) => {
      for (const row of rows)
        tiny.rowsOf(scope).set(row.id, { ...row, text: row.text ?? tiny.rowsOf(scope).get(row.id)?.text });
    }),
  ),
  mutant(
    "an existing id is left as it is",
    "add/the-replaced-vector-is-not-found-any-more",
    wrapping(
      "upsert",
      (upsert, tiny) => async (request: Parameters<TinyVectors["upsert"]>[0]) =>
        upsert({ ...request, rows: request.rows.filter(({ id }) => !tiny.rowsOf(request.scope).has(id)) }),
    ),
  ),
  mutant(
    "a replaced row lies there twice",
    "differential/random-filters/1",
    wrapping("upsert", (upsert, tiny) => async (request: Parameters<TinyVectors["upsert"]>[0]) => {
      for (const { id } of request.rows) {
        const old = tiny.rowsOf(request.scope).get(id);
        if (old !== undefined) tiny.rowsOf(request.scope).set(`${id} (old)`, old);
      }
      await upsert(request);
    }),
  ),
  mutant(
    "types of metadata are forgotten",
    "metadata/keeps/dates",
    storing((row) => ({ ...row, metadataTypes: null })),
  ),
  mutant(
    "null fields are dropped",
    "metadata/keeps/null",
    storing((row) => ({
      ...row,
      metadata: Object.fromEntries(Object.entries(row.metadata).filter(([, value]) => value !== null)),
    })),
  ),
  mutant(
    "an empty text is none",
    "text/is-kept-apart-from-metadata",
    storing((row) => ({ ...row, text: row.text === "" ? undefined : row.text })),
  ),
  mutant(
    "the text lies among the metadata",
    "text/is-kept-apart-from-metadata",
    storing((row) => ({ ...row, metadata: { ...row.metadata, ...(row.text !== undefined && { text: row.text }) } })),
  ),
  mutant(
    "updateMetadata merges",
    "updateMetadata/replaces-and-leaves-the-rest",
    wrapping(
      "updateMetadata",
      (right, tiny) => (request: Parameters<TinyVectors["updateMetadata"]>[0]) =>
        right({
          ...request,
          metadata: { ...tiny.rowsOf(request.scope).get(request.id)?.metadata, ...request.metadata },
        }),
    ),
  ),
  mutant(
    "updateMetadata of a missing row says true",
    "updateMetadata/of-a-missing-one-is-false-and-adds-nothing",
    wrapping("updateMetadata", (right) => async (request: Parameters<TinyVectors["updateMetadata"]>[0]) => {
      await right(request);
      return true;
    }),
  ),
  mutant("mergeMetadata replaces", "updateMetadataWhere/merges-at-the-top-level", (tiny) => {
    tiny.mergeMetadata = async ({ scope, where, metadata, metadataTypes }) => {
      const rows = tiny.matching(scope, where);
      for (const row of rows) tiny.rowsOf(scope).set(row.id, { ...row, metadata, metadataTypes });
      return rows.length;
    };
  }),
  mutant("mergeMetadata leaves old types", "updateMetadataWhere/a-type-is-replaced-with-its-field", (tiny) => {
    tiny.mergeMetadata = async ({ scope, where, metadata, metadataTypes }) => {
      const rows = tiny.matching(scope, where);
      for (const row of rows) {
        const types = { ...row.metadataTypes, ...metadataTypes };
        tiny.rowsOf(scope).set(row.id, { ...row, metadata: { ...row.metadata, ...metadata }, metadataTypes: types });
      }
      return rows.length;
    };
  }),
  mutant(
    "delete says true of everything",
    "delete/tells-which-were-there",
    wrapping(
      "delete",
      (right) => async (request: Parameters<TinyVectors["delete"]>[0]) => (await right(request)).map(() => true),
    ),
  ),
  mutant(
    "delete forgets the last id",
    "delete/tells-which-were-there",
    wrapping("delete", (right) => async (request: Parameters<TinyVectors["delete"]>[0]) => [
      ...(await right({ ...request, ids: request.ids.slice(0, -1) })),
      true,
    ]),
  ),
  mutant(
    "get gives what it finds, in its own order",
    "get/is-positional",
    wrapping(
      "get",
      (get) => async (request: Parameters<TinyVectors["get"]>[0]) =>
        (await get(request)).filter((row) => row !== undefined).map((row) => ({ ...row, id: row.id.toUpperCase() })),
    ),
  ),
  mutant("what get gives is the store's own", "get/what-it-gives-is-yours", (tiny) => {
    tiny.give = (row) => row;
  }),
  mutant(
    "the store keeps the caller's matrix and writes into it",
    "get/vectors-come-back-as-they-were-given/euclidean",
    storing((row) => ({ ...row, vector: row.vector.fill(row.vector[0] as number) })),
  ),
  mutant(
    "a scan passes over the last batch",
    "stream/gives-every-row-once",
    wrapping(
      "scan",
      (scan) =>
        async function* (request: Parameters<TinyVectors["scan"]>[0]) {
          for await (const batch of scan(request)) if (batch.length === request.batchSize) yield batch;
        },
    ),
  ),
  mutant(
    "a scan is of the rows as they lie at each batch",
    "stream/rows-that-stay-come-once-while-others-are-written",
    (tiny) => {
      tiny.scan = async function* ({ scope, where, batchSize }) {
        for (let at = 0; ; at += batchSize) {
          const rows = tiny.matching(scope, where).slice(at, at + batchSize);
          if (rows.length === 0) return;
          yield rows.map((row) => tiny.give(row));
        }
      };
    },
  ),
  mutant(
    "a scan ignores the filter",
    "stream/by-filter-and-by-parts",
    wrapping("scan", (scan) => (request: Parameters<TinyVectors["scan"]>[0]) => scan({ ...request, where: undefined })),
  ),
  mutant(
    "a scan gives no metadata that was not asked for, the filter's not either",
    "filter/truth/=",
    wrapping(
      "scan",
      (scan) =>
        async function* (request: Parameters<TinyVectors["scan"]>[0]) {
          for await (const batch of scan(request))
            yield batch.map((row) => (request.include.length === 1 ? { ...row, metadata: {} } : row));
        },
    ),
    "emulated",
  ),
  mutant(
    "an approximate index that says nothing of it",
    "capabilities/an-exact-index-searches-exactly-when-asked",
    (tiny) => {
      tiny.capabilities = { ...tiny.capabilities, exactSearch: false };
    },
  ),
  mutant(
    "the compiler has a handler that the capabilities do not list",
    "capabilities/pushdown-lists-the-compilers-handlers",
    (tiny) => {
      tiny.capabilities = { ...tiny.capabilities, pushdown: [] };
    },
  ),
  mutant(
    "rows are stored one by one, and may be seen between",
    "concurrency/ten-adds-of-one-id-leave-one-whole-row",
    wrapping("upsert", (_upsert, tiny) => async ({ scope, rows }: Parameters<TinyVectors["upsert"]>[0]) => {
      for (const row of rows) {
        const old = tiny.rowsOf(scope).get(row.id);
        tiny.rowsOf(scope).set(row.id, { ...row, metadata: old?.metadata ?? row.metadata });
        // later ones are faster
        await new Promise((resolve) => setTimeout(resolve, 30 - 3 * Number(row.text)));
        tiny.rowsOf(scope).set(row.id, { ...(tiny.rowsOf(scope).get(row.id) ?? row), metadata: row.metadata });
      }
    }),
  ),
  mutant(
    "ids are trimmed",
    "hostile/ids-are-kept-and-found",
    storing((row) => ({ ...row, id: row.id.trim() })),
  ),
  mutant(
    "field names with a dot are cut there",
    "hostile/field-names-are-kept-and-found",
    storing((row) => ({
      ...row,
      metadata: Object.fromEntries(
        Object.entries(row.metadata).map(([name, value]) => [name.split(".")[0] ?? "", value]),
      ),
    })),
  ),
];
