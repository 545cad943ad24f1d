import { closest, distance } from "fastest-levenshtein";

/** " Did you mean …?" where one of the names is near, else nothing. */
export function nearest(name: string, known: readonly string[]): string {
  if (known.length === 0) return "";
  const best = closest(name.toLowerCase(), known as string[]);
  const off = distance(name.toLowerCase(), best.toLowerCase());
  return off <= Math.max(1, Math.floor(best.length / 3)) ? ` Did you mean "${best}"?` : "";
}
