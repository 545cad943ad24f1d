/** The options of `faiss`. */
import { type BackendUrl, DataknobsError, type OptionSpec } from "@dataknobs/core/backend";
import { badConfig, name } from "./errors.js";
import { type IndexType, parseIndexType } from "./index-type.js";

export interface FaissOptions {
  /** The file that the store is loaded from and saved to. Without one, it is gone with the process. */
  readonly path?: string;
  /**
   * A factory string of Faiss: `Flat` (exact), `HNSW32`, `IVF100,Flat`, and with `SQ8`, `SQ6`, `SQ4`, `SQfp16` or
   * `PQ<bytes>` in place of `Flat`. Default `HNSW32`.
   */
  readonly indexType?: string;
  /** HNSW: candidates that a search keeps; more find more of the nearest, and take longer. Default 16, as Faiss. */
  readonly efSearch?: number;
  /** HNSW: candidates that an insertion keeps. Default 40, as Faiss. */
  readonly efConstruction?: number;
  /** IVF: lists that a search looks through. Default: a tenth of the lists. */
  readonly nprobe?: number;
  /**
   * How many vectors an index that must be trained is trained with, by itself; until then searches are exact. Default:
   * what Faiss advises, 39 for each list of an IVF. At the least one for each list.
   */
  readonly trainAt?: number;
  /** Work on a thread of its own, so that no call holds up the event loop. Default true. */
  readonly thread?: boolean;
}

export const optionSpecs: { readonly [K in keyof FaissOptions]-?: OptionSpec } = {
  path: { type: "string" },
  indexType: { type: "string" },
  efSearch: { type: "number", min: 1, integer: true },
  efConstruction: { type: "number", min: 1, integer: true },
  nprobe: { type: "number", min: 1, integer: true },
  trainAt: { type: "number", min: 1, integer: true },
  thread: { type: "boolean" },
};

/** What the native index is set to; `undefined`: as Faiss has it. */
export interface Parameters {
  readonly efSearch: number | undefined;
  readonly efConstruction: number | undefined;
  readonly nprobe: number | undefined;
}

export interface CheckedOptions {
  readonly path: string | undefined;
  readonly type: IndexType;
  readonly parameters: Parameters;
  readonly trainAt: number;
  readonly thread: boolean;
}

const most = 1_000_000;

/** Throws `INVALID_CONFIG` for what the index type has no use for, too: nothing is dropped silently. */
export function checkFaissOptions(options: FaissOptions): CheckedOptions {
  const { path, indexType = "HNSW32", efSearch, efConstruction, nprobe, thread = true } = options;
  const type = parseIndexType(indexType);
  for (const [option, value, kind] of [
    ["efSearch", efSearch, "hnsw"],
    ["efConstruction", efConstruction, "hnsw"],
    ["nprobe", nprobe, "ivf"],
  ] as const) {
    if (value === undefined) continue;
    if (type.kind !== kind)
      throw badConfig(`\`${option}\` is of no use to ${type.text}: it belongs to ${kind.toUpperCase()}.`);
    if (value > most) throw badConfig(`\`${option}\` is at most ${most}.`);
  }
  if (nprobe !== undefined && nprobe > type.lists) {
    throw badConfig(`\`nprobe\` is ${nprobe}, and ${type.text} has ${type.lists} lists.`);
  }
  const { trainAt = type.goodTraining } = options;
  if (options.trainAt !== undefined && type.leastTraining === 0) {
    throw badConfig(`\`trainAt\` is of no use to ${type.text}, which is not trained.`);
  }
  if (trainAt < type.leastTraining) {
    throw badConfig(
      `\`trainAt\` is ${trainAt}, and ${type.text} cannot be trained with fewer than ${type.leastTraining}.`,
    );
  }
  return {
    path,
    type,
    parameters: {
      efSearch,
      efConstruction,
      nprobe: nprobe ?? (type.kind === "ivf" ? Math.ceil(type.lists / 10) : undefined),
    },
    trainAt,
    thread,
  };
}

/** `faiss:` and `faiss:vectors.dkv?indexType=HNSW32`, with percent-encoding. */
export function fromUrl({ rest }: BackendUrl): FaissOptions {
  if (rest === "") return {};
  try {
    return { path: decodeURIComponent(rest) };
  } catch (error) {
    throw new DataknobsError(
      "INVALID_CONFIG",
      "The path in the URL of a vector store has a % that begins no escape; write %25 for one.",
      { backend: name },
      { cause: error },
    );
  }
}
