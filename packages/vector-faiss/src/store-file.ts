/** The file of a store: what it had when it was read or written last, and whether anything was changed since. */
import { DataknobsError, type JsonObject } from "@dataknobs/core/backend";
import { type FileRequest, loadFile, saveFile } from "@dataknobs/core/vector";
import { name } from "./errors.js";
import { type LoadedStore, type SavedInfo, type sectionsOf, storeOf } from "./image.js";

type Image = Awaited<ReturnType<typeof sectionsOf>>;

export class StoreFile {
  readonly #path: string;
  /** Of the file as it was read or written last; `undefined`: there was none. */
  #token: string | undefined;
  #changed = false;

  constructor(path: string) {
    this.#path = path;
  }

  get changed(): boolean {
    return this.#changed;
  }

  change(): void {
    this.#changed = true;
  }

  /** Changes that come while the image is made count as not saved. */
  async write(imageNow: () => Promise<Image>, { force, signal }: FileRequest): Promise<void> {
    this.#changed = false;
    try {
      const image = await imageNow();
      this.#token = await saveFile(this.#path, { ...image, kind: name, token: this.#token, force, signal });
    } catch (error) {
      this.#changed = true;
      throw error;
    }
  }

  /** Hands over what the file has, once it is sure that it goes together; `undefined`: there is no file. */
  async read(
    shape: Pick<SavedInfo, "dimensions" | "metric">,
    take: (store: LoadedStore | undefined, info: JsonObject | undefined) => Promise<boolean>,
    { force, signal }: FileRequest,
  ): Promise<void> {
    const path = this.#path;
    if (this.#changed && !force) {
      throw new DataknobsError(
        "VERSION_CONFLICT",
        `The store has changes that were not saved to ${path}. Save them, or load with \`force\` to give them up.`,
        { backend: name, path },
      );
    }
    const file = await loadFile(path, name, { signal });
    if (file !== undefined) this.#checkShape(file.info, shape);
    const store = file && storeOf(file, shape.dimensions);
    if (store === "other") {
      throw new DataknobsError(
        "UNSUPPORTED",
        `The file ${path} has a layout that this version of @dataknobs/vector-faiss does not read. It was left as it is.`,
        { backend: name, path },
      );
    }
    if ((file !== undefined && store === undefined) || !(await take(store, file?.info))) {
      throw new DataknobsError(
        "CORRUPT",
        `The sections of the file ${path} do not go together. It was left as it is.`,
        {
          backend: name,
          path,
        },
      );
    }
    this.#token = file?.token;
    this.#changed = false;
  }

  #checkShape({ dimensions, metric }: JsonObject, asked: Pick<SavedInfo, "dimensions" | "metric">): void {
    if (dimensions === asked.dimensions && metric === asked.metric) return;
    throw new DataknobsError(
      "INVALID_CONFIG",
      `The file ${this.#path} has vectors of ${String(dimensions)} dimensions under ${String(metric)}; ` +
        `${asked.dimensions} dimensions under ${asked.metric} were asked for.`,
      { backend: name, path: this.#path, dimensions, metric },
    );
  }
}
