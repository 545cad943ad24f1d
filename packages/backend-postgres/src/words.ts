/** Bringing the words of stale rows up to date: rows that a program wrote which does not know of the field. */
import type { JsonObject, WireRecord } from "@dataknobs/core/backend";
import type { Access } from "./access.js";
import { arrayText } from "./arrays.js";
import { type Layout, tableOf, textFields, wordColumns } from "./layout.js";
import { vectorMaker } from "./match.js";
import { fieldsOfText, typesOfText } from "./rows.js";

const batch = 500;

/** Rows whose words are of another version; the predicate of a partial index. */
export function isStale(of: string): string {
  return `${of} IS DISTINCT FROM version`;
}

/** A statement that tells whether there is a stale row. */
export function staleSelect(layout: Layout): string {
  const tests = textFields(layout).map(
    ({ path }) => `EXISTS (SELECT 1 FROM ${tableOf(layout)} WHERE ${isStale(wordColumns(path).of)})`,
  );
  return `SELECT ${tests.join(" OR ")}`;
}

/** Makes the words of all stale rows of these fields; a row that is written meanwhile stays as it is. */
export async function refreshWords(run: Access["run"], layout: Layout): Promise<void> {
  const table = tableOf(layout);
  for (const spec of textFields(layout)) {
    const { words, of } = wordColumns(spec.path);
    const makeVectors = vectorMaker({ ...layout, indexes: [spec] });
    const select =
      `SELECT id, version, data::text, types::text, metadata::text, metadata_types::text FROM ${table} ` +
      `WHERE ${isStale(of)} LIMIT ${batch}`;
    const update =
      `UPDATE ${table} AS t SET ${words} = v.vector, ${of} = v.version FROM unnest($1::text[], $2::text[], $3::tsvector[]) ` +
      "AS v(id, version, vector) WHERE t.id = v.id AND t.version = v.version";
    for (;;) {
      const rows = (await run({ text: select, params: [] }, {})) as readonly (readonly (string | null)[])[];
      if (rows.length === 0) break;
      const vectors = rows.map(([, , data, types, metadata, metadataTypes]) => {
        const record: Pick<WireRecord, "data" | "types" | "metadata" | "metadataTypes"> = {
          data: fieldsOfText(data) as JsonObject,
          types: typesOfText(types),
          metadata: fieldsOfText(metadata),
          metadataTypes: typesOfText(metadataTypes),
        };
        return makeVectors(record)[0];
      });
      // in the order of ids, so that two who do this do not lock each other out
      const order = rows
        .map((_, index) => index)
        .sort((a, b) => ((rows[a]?.[0] ?? "") < (rows[b]?.[0] ?? "") ? -1 : 1));
      const column = (at: number): string => arrayText(order.map((index) => rows[index]?.[at]));
      await run({ text: update, params: [column(0), column(1), arrayText(order.map((index) => vectors[index]))] }, {});
    }
  }
}
