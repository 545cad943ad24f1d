/**
 * Search parameters. faiss-node has no way to set them, but Faiss writes them into the image of an index and reads them
 * from there: so an index that is still empty is written, changed and read again. A place that does not hold the
 * value which Faiss begins with is not touched.
 */
import { DataknobsError } from "@dataknobs/core/backend";
import { name } from "./errors.js";
import type { Parameters } from "./options.js";

/** What every index begins with: its mark, dimensions, count and metric. */
const headBytes = 37;

export interface ImageHead {
  readonly mark: string;
  readonly dimensions: number;
  readonly count: number;
  readonly trained: boolean;
  readonly metric: number;
}

/** `undefined` where these bytes are no image of an index. */
export function readHead(image: Uint8Array): ImageHead | undefined {
  if (image.length < headBytes) return undefined;
  const view = viewOf(image);
  return {
    mark: String.fromCharCode(...image.subarray(0, 4)),
    dimensions: view.getInt32(4, true),
    count: Number(view.getBigInt64(8, true)),
    trained: view.getUint8(32) === 1,
    metric: view.getInt32(33, true),
  };
}

/** Changes the parameters in the image, in place. `UNSUPPORTED` where they are not where they should be. */
export function writeParameters(image: Uint8Array, { nprobe, efSearch, efConstruction }: Parameters): void {
  const view = viewOf(image);
  if (nprobe !== undefined) {
    // after the head and the number of lists
    const at = headBytes + 8;
    if (!/^Iw/.test(readHead(image)?.mark ?? "")) throw elsewhere("nprobe");
    view.setBigUint64(at, BigInt(nprobe), true);
  }
  if (efSearch === undefined && efConstruction === undefined) return;
  const at = afterGraph(image, view);
  if (at === undefined) throw elsewhere("efSearch");
  if (efConstruction !== undefined) view.setInt32(at, efConstruction, true);
  if (efSearch !== undefined) view.setInt32(at + 4, efSearch, true);
}

/** Where HNSW keeps efConstruction and efSearch: after five lists, the entry point and the number of levels. */
function afterGraph(image: Uint8Array, view: DataView): number | undefined {
  if (!/^IH/.test(readHead(image)?.mark ?? "")) return undefined;
  let at = headBytes;
  for (const bytes of [8, 4, 4, 8, 4]) {
    if (at + 8 > image.length) return undefined;
    at += 8 + Number(view.getBigUint64(at, true)) * bytes;
  }
  at += 8;
  if (at + 12 > image.length) return undefined;
  const [construction, search, upperBeam] = [0, 4, 8].map((offset) => view.getInt32(at + offset, true));
  const likely = (value = 0): boolean => value >= 1 && value <= 1_000_000;
  return likely(construction) && likely(search) && upperBeam === 1 ? at : undefined;
}

function viewOf(image: Uint8Array): DataView {
  return new DataView(image.buffer, image.byteOffset, image.length);
}

function elsewhere(parameter: string): DataknobsError {
  return new DataknobsError(
    "UNSUPPORTED",
    `This build of faiss-node keeps \`${parameter}\` where this library does not know. Leave the option out.`,
    { backend: name, parameter },
  );
}
