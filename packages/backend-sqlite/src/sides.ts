/** What is kept of a record beside its row: words and vectors. */
import type { Connection } from "./connection.js";
import type { Layout } from "./layout.js";
import { addVectors, clearVectors, removeVectors, vectorFields } from "./vectors.js";
import { addWords, clearWords, hasWords, removeWords, type WordSource } from "./words.js";

export function hasSides(layout: Layout): boolean {
  return hasWords(layout) || vectorFields(layout).length > 0;
}

export function addSides(connection: Connection, layout: Layout, id: string, source: WordSource): void {
  if (hasWords(layout)) addWords(connection, layout, id, source);
  addVectors(connection, layout, id, source);
}

export function removeSides(connection: Connection, layout: Layout, id: string): void {
  if (hasWords(layout)) removeWords(connection, layout, id);
  removeVectors(connection, layout, id);
}

export function clearSides(connection: Connection, layout: Layout): void {
  if (hasWords(layout)) clearWords(connection, layout);
  clearVectors(connection, layout);
}
