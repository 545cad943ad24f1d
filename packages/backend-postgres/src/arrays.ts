/** Lists as PostgreSQL's text for arrays: one parameter, whatever the length. */

type Item = string | number | boolean | null | undefined;

/** `{"a","b",NULL}`. */
export function arrayText(items: readonly Item[]): string {
  let text = "{";
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    if (index > 0) text += ",";
    if (item === null || item === undefined) text += "NULL";
    else text += typeof item === "string" ? quoted(item) : item;
  }
  return `${text}}`;
}

/** The same, or `null` where there is nothing in it: `unnest` fills up with NULL. */
export function arrayOrNull(items: readonly Item[]): string | null {
  return items.every((item) => item === null || item === undefined) ? null : arrayText(items);
}

const special = /["\\]/g;

function quoted(item: string): string {
  // most texts have neither, or many of both: one look is cheap
  return item.includes('"') || item.includes("\\") ? `"${item.replace(special, "\\$&")}"` : `"${item}"`;
}
