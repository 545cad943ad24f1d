/**
 * Ids of Chroma: (scope, id) in one text. An id without a scope is its own; others begin with `@`, the length of the
 * scope in UTF-16 units, `:` and the scope. Every text has just one reading.
 */

export interface Key {
  readonly scope: string;
  readonly id: string;
}

export function keyOf(scope: string, id: string): string {
  return scope === "" && !id.startsWith("@") ? id : `@${scope.length}:${scope}${id}`;
}

export function parseKey(key: string): Key {
  const head = /^@(\d{1,4}):/.exec(key);
  // what other programs wrote keeps its id
  if (head === null) return { scope: "", id: key };
  const from = head[0].length;
  const to = from + Number(head[1]);
  return { scope: key.slice(from, to), id: key.slice(to) };
}
