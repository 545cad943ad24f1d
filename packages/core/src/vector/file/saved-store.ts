/** What a store that lives in memory has in a file: whether anything was changed since, and whose version the file is. */
import type { MaybePromise } from "../../backend/spi.js";
import { DataknobsError } from "../../errors.js";
import type { FileRequest } from "../spi.js";
import { type LoadedFile, loadFile, type SaveRequest, saveFile } from "./file.js";

export interface SavedShape {
  readonly dimensions: number;
  readonly metric: string;
}

export class SavedStore {
  readonly #path: string;
  readonly #kind: string;
  /** Of the file as it was read or written last; `undefined`: there was none. */
  #token: string | undefined;
  #changed = false;

  /** `kind`: which store's file it is; its errors name it. */
  constructor(path: string, kind: string) {
    this.#path = path;
    this.#kind = kind;
  }

  /** Whether there are changes that the file has not. */
  get changed(): boolean {
    return this.#changed;
  }

  change(): void {
    this.#changed = true;
  }

  /** Changes that come after `imageNow` was called count as not saved. */
  async write(
    imageNow: () => MaybePromise<Pick<SaveRequest, "info" | "sections">>,
    { force, signal }: FileRequest,
  ): Promise<void> {
    this.#changed = false;
    try {
      const { info, sections } = await imageNow();
      this.#token = await saveFile(this.#path, {
        info,
        sections,
        kind: this.#kind,
        token: this.#token,
        force,
        signal,
      });
    } catch (error) {
      this.#changed = true;
      throw error;
    }
  }

  /**
   * Hands over what the file has, `undefined` where there is none. `take` gives false for sections that do not go
   * together: `CORRUPT`. `VERSION_CONFLICT` where there are changes, unless `force`; `INVALID_CONFIG` for another shape.
   */
  async read(
    shape: SavedShape,
    take: (file: LoadedFile | undefined) => MaybePromise<boolean>,
    { force, signal }: FileRequest,
  ): Promise<void> {
    const [path, backend] = [this.#path, this.#kind];
    if (this.#changed && !force) {
      throw new DataknobsError(
        "VERSION_CONFLICT",
        `The store has changes that were not saved to ${path}. Save them, or load with \`force\` to give them up.`,
        { backend, path },
      );
    }
    const file = await loadFile(path, backend, { signal });
    if (file !== undefined) this.#checkShape(file, shape);
    if (!(await take(file))) {
      throw new DataknobsError(
        "CORRUPT",
        `The sections of the file ${path} do not go together. It was left as it is.`,
        {
          backend,
          path,
        },
      );
    }
    this.#token = file?.token;
    this.#changed = false;
  }

  #checkShape({ info: { dimensions, metric } }: LoadedFile, asked: SavedShape): void {
    if (dimensions === asked.dimensions && metric === asked.metric) return;
    throw new DataknobsError(
      "INVALID_CONFIG",
      `The file ${this.#path} has vectors of ${String(dimensions)} dimensions under ${String(metric)}; ` +
        `${asked.dimensions} dimensions under ${asked.metric} were asked for.`,
      { backend: this.#kind, path: this.#path, dimensions, metric },
    );
  }
}
