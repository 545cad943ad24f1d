/** Options of layers, checked alike. */
import { DataknobsError } from "../errors.js";
import { nearest } from "../query/nearest.js";

/** Throws `INVALID_CONFIG` for an option that the layer does not have. */
export function checkKeys(layer: string, options: object, known: readonly string[]): void {
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) {
      throw refused(layer, `has no option "${key}".${nearest(key, known)} It has ${known.join(", ")}`);
    }
  }
}

export function wholeNumber(layer: string, name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw refused(layer, `takes a whole number, ${least} or more, as \`${name}\``);
}

export function milliseconds(layer: string, name: string, value: number): number {
  if (typeof value === "number" && value >= 0) return value;
  throw refused(layer, `takes milliseconds, 0 or more, as \`${name}\``);
}

/** `INVALID_CONFIG`; the message goes on from the layer's name. */
export function refused(layer: string, message: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", `The layer ${layer} ${message}.`, { layer });
}
