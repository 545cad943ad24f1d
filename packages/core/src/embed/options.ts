/** What `embed` of a database takes, checked. */
import { DataknobsError } from "../errors.js";
import { checkKeys, refused, wholeNumber } from "../layers/options.js";
import type { PathInput } from "../query/ast.js";
import type { Path } from "../query/lowered.js";
import { pathKey, resolvePath } from "../query/paths.js";

/** One vector of a record, and the texts that it stands for. */
export interface EmbeddedField {
  /** Paths of the data; their strings are joined by a line break, what is no string is left out. */
  readonly from: readonly PathInput[];
  /** Where the vector goes. Declare an index there for `nearest`. */
  readonly to: PathInput;
  /** Where it is kept which model made the vector of which text. Default: beside `to`, its name with `Of` after it. */
  readonly stamp?: PathInput | undefined;
}

export interface EmbedOptions {
  readonly fields: readonly EmbeddedField[];
  /** Name and version: vectors of another one are stale. */
  readonly model: string;
  /** A vector for each text, in their order, all of one length. Called with `batchSize` different texts at most. */
  readonly run: (
    texts: readonly string[],
    call: { readonly signal?: AbortSignal | undefined },
  ) => Promise<readonly Float32Array[]>;
  /** Texts per call of `run`. Default 64. */
  readonly batchSize?: number | undefined;
}

export interface CheckedField {
  readonly from: readonly Path[];
  readonly to: Path;
  readonly stamp: Path;
}

export interface CheckedEmbed {
  readonly fields: readonly CheckedField[];
  readonly model: string;
  readonly run: EmbedOptions["run"];
  readonly batchSize: number;
}

/** Throws `INVALID_CONFIG`. */
export function checkEmbed(given: EmbedOptions): CheckedEmbed {
  if (typeof given !== "object" || given === null) throw refused("embed", "is { fields, model, run }");
  checkKeys("embed", given, ["fields", "model", "run", "batchSize"]);
  const { fields, model, run, batchSize = 64 } = given;
  if (typeof model !== "string" || model === "") throw refused("embed", "names its `model`, with a version");
  if (typeof run !== "function") throw refused("embed", "takes a function `run`");
  wholeNumber("embed", "batchSize", batchSize, 1);
  if (!Array.isArray(fields) || fields.length === 0) throw refused("embed", "takes a list of { from, to } as `fields`");
  const checked = (fields as readonly EmbeddedField[]).map(checkField);
  const written = checked.flatMap(({ to, stamp }) => [to, stamp]);
  for (const path of [...written, ...checked.flatMap(({ from }) => from)]) {
    if (path.root !== "data") throw refused("embed", `works on data; "${path.text}" is none`);
  }
  for (const [index, path] of written.entries()) {
    const others = [...written.filter((_, at) => at !== index), ...checked.flatMap(({ from }) => from)];
    const clash = others.find((other) => isWithin(path, other) || isWithin(other, path));
    if (clash !== undefined)
      throw refused("embed", `writes "${path.text}", which is also, or is within, "${clash.text}"`);
  }
  return Object.freeze({ fields: Object.freeze(checked), model, run, batchSize });
}

function checkField(field: EmbeddedField): CheckedField {
  if (typeof field !== "object" || field === null) throw refused("embed", "has fields { from, to, stamp? }");
  checkKeys("embed", field, ["from", "to", "stamp"]);
  if (!Array.isArray(field.from) || field.from.length === 0)
    throw refused("embed", "has fields with a list of paths as `from`");
  try {
    const to = resolvePath(field.to);
    const last = to.segments.at(-1) ?? "";
    const stamp = resolvePath(field.stamp ?? ["data", ...to.segments.slice(0, -1), `${last}Of`]);
    const from = new Map(field.from.map(resolvePath).map((path) => [pathKey(path), path]));
    return Object.freeze({ from: [...from.values()], to, stamp });
  } catch (error) {
    throw new DataknobsError("INVALID_CONFIG", `A path of \`embed\` is wrong. ${(error as Error).message}`);
  }
}

function isWithin(inner: Path, outer: Path): boolean {
  return outer.segments.every((segment, index) => inner.segments[index] === segment);
}
