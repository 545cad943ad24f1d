/** What the store asks of its engine, be it on a thread of its own or not. Answered in the order in which it is asked. */

import type { WireError } from "./errors.js";
import type { IndexShape } from "./native-index.js";

/** The rows of one scope are a shelf; its number is never used again. */
interface OnShelf {
  readonly shelf: number;
}

export interface AddRequest extends OnShelf {
  readonly slots: Int32Array;
  /** Slots that these take the place of. */
  readonly gone: Int32Array;
  readonly grown: readonly SharedArrayBuffer[];
}
export interface RemoveRequest extends OnShelf {
  readonly slots: Int32Array;
}
export interface SearchRequest extends OnShelf {
  /** One after another. */
  readonly queries: Float32Array;
  readonly k: number;
  /** The slots that satisfy the filter; `undefined`: no filter. */
  readonly among: Int32Array | undefined;
  readonly exact: boolean;
}
export interface Found {
  /** Hits of each query. */
  readonly counts: Int32Array;
  /** Nearest first, query after query. */
  readonly slots: Int32Array;
  readonly distances: Float64Array;
}
/** What `explain` says of a shelf. */
export interface ShelfState extends OnShelf {
  /** Rows in the native index, deleted ones too; `undefined`: there is none. */
  readonly indexed: number | undefined;
  /** Rows whose numbers a 32-bit index cannot measure. */
  readonly unfit: number;
}
export interface ImageRequest {
  readonly shelves: readonly number[];
  /** The order in which vectors are wanted. */
  readonly slots: Int32Array;
}
export interface NativeImage extends OnShelf {
  readonly image: Uint8Array;
  /** The slot of each label, -1 for those that are deleted. */
  readonly slotAt: Int32Array;
}
export interface Image {
  readonly vectors: Float32Array;
  readonly natives: readonly NativeImage[];
}
export interface LoadRequest {
  readonly grown: readonly SharedArrayBuffer[];
  readonly shelves: readonly (OnShelf & { readonly slots: Int32Array; readonly native: NativeImage | undefined })[];
}
export interface OpenRequest {
  readonly shape: IndexShape;
  readonly trainAt: number;
}

/** Operations by name: what they take and what they give. */
export interface Operations {
  readonly open: (request: OpenRequest) => null;
  readonly add: (request: AddRequest) => ShelfState;
  readonly remove: (request: RemoveRequest) => ShelfState;
  readonly search: (request: SearchRequest) => Found;
  /** Makes the index anew; whether there are enough vectors for one. */
  readonly build: (request: OnShelf) => ShelfState;
  readonly image: (request: ImageRequest) => Image;
  /** Forgets all and begins with this. `null` where a native image is not what it should be: nothing was loaded. */
  readonly load: (request: LoadRequest) => readonly ShelfState[] | null;
}
export type OperationName = keyof Operations;
export type Argument<N extends OperationName> = Parameters<Operations[N]>[0];
export type Result<N extends OperationName> = ReturnType<Operations[N]>;

export interface Message {
  readonly id: number;
  readonly name: OperationName;
  readonly argument: unknown;
}
export type Answer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: WireError };
