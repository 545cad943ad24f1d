/** What a case of a vector store is: data, so that a runner, a deviation and the suite's own mutants can name it. */
import type { VectorSettings } from "../../vector/settings.js";
import type { VectorBackend, VectorCapabilities } from "../../vector/spi.js";
import type { VectorStore } from "../../vector/store.js";

/**
 * `plain`: the store as it is. `emulated`: its compiler and its optional methods are hidden, so that core does all the
 * work over the five required ones.
 */
export const vectorModes = ["plain", "emulated"] as const;
export type VectorMode = (typeof vectorModes)[number];

/** What a case gets: the store opened for it, and the means to open more. Everything is closed by the suite. */
export interface VectorTestSession {
  /** Fresh and empty. Unless the case has settings: 3 dimensions, cosine, no scope. */
  readonly store: VectorStore;
  readonly capabilities: VectorCapabilities;
  readonly mode: VectorMode;
  readonly seed: number;
  /** What an approximate index must find of the true nearest, on average. */
  readonly recall: number;
  /** Another fresh, empty store. */
  open(settings?: VectorSettings): Promise<VectorStore>;
  /** A new backend object over a fresh, empty store, not opened. */
  backend(): Promise<VectorBackend>;
  /** Closes the store and opens the same one anew. Only where something is kept. */
  reopen(store: VectorStore, settings?: VectorSettings): Promise<VectorStore>;
  /** Opens the same store a second time beside the first. Only where something is kept. */
  again(store: VectorStore, settings?: VectorSettings): Promise<VectorStore>;
}

export interface VectorCase {
  /** `search/cosine/nearest-first`: stable, since deviations name it. */
  readonly id: string;
  /** Of `store`, over the suite's own: `{ dimensions: 3, metric: "cosine" }`. */
  readonly settings?: VectorSettings;
  /** Runs in just these modes. Default: both. */
  readonly modes?: readonly VectorMode[];
  /** What the case needs; where it is not there, `unsupported` runs instead. */
  readonly requires?: (capabilities: VectorCapabilities) => boolean;
  readonly run: (session: VectorTestSession) => Promise<void>;
  /** What must happen instead. Default: `run` ends with `UNSUPPORTED`. */
  readonly unsupported?: (session: VectorTestSession) => Promise<void>;
}
