/**
 * Rows as they were at one moment. Chroma reads vectors and metadata one after the other, so that a row which is written
 * meanwhile may come with the new vector and the old metadata: rows that this store wrote meanwhile are read again, while
 * nobody here writes them.
 */
import type { PartialRow } from "@dataknobs/core/vector";
import type { Collection, Where } from "chromadb";
import { parseKey } from "./keys.js";
import { rowOf } from "./rows.js";
import type { KeyTurns } from "./turns.js";

export type Included = ("metadatas" | "documents" | "embeddings")[];

interface ListRequest {
  readonly ids?: string[];
  readonly where?: Where;
  readonly limit?: number;
  readonly include: Included;
}

type Listed = Awaited<ReturnType<Collection["get"]>>;

export interface KeyedRow {
  readonly key: string;
  readonly row: PartialRow;
}

/** `keys`: all that Chroma listed; a row that was deleted meanwhile may be none of `rows`. */
export async function listRows(
  turns: KeyTurns,
  collection: Collection,
  request: ListRequest,
): Promise<{ readonly rows: readonly KeyedRow[]; readonly keys: readonly string[] }> {
  const { result, changed } = await turns.beside(() => collection.get(request));
  const torn = request.include.length < 2 ? [] : result.ids.filter((key) => changed.has(key));
  const again = await rowsAlone(turns, collection, torn, request);
  const rows = rowsIn(result).filter(({ key }) => !torn.includes(key));
  return { rows: [...rows, ...again], keys: result.ids };
}

/** Those of the rows that are still there and satisfy the filter. */
export async function rowsAlone(
  turns: KeyTurns,
  collection: Collection,
  keys: string[],
  { where, include }: Pick<ListRequest, "where" | "include">,
): Promise<readonly KeyedRow[]> {
  if (keys.length === 0) return [];
  const request = { ids: keys, ...(where !== undefined && { where }), include };
  return rowsIn(await turns.run(keys, () => collection.get(request)));
}

function rowsIn({ ids, metadatas, documents, embeddings }: Listed): KeyedRow[] {
  return ids.map((key, at) => ({
    key,
    row: rowOf({
      id: key,
      metadata: metadatas[at],
      document: documents[at],
      embedding: embeddings[at] as number[] | undefined,
    }),
  }));
}

export function isOfScope({ key }: KeyedRow, scope: string): boolean {
  return parseKey(key).scope === scope;
}
