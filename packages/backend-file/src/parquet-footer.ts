/** A Parquet file that is opened again and again: its footer is read once for as long as the file stays the same. */
import { closeSync, fstatSync, openSync, type Stats } from "node:fs";
import { decodeContext, type FileContext, sameState } from "./data-file.js";
import { classify, errnoOf } from "./errors.js";
import { ParquetReader, type Source } from "./formats/parquet-reader.js";
import { readRange, type Steps } from "./steps.js";

/** Whoever opened it closes it. */
export interface OpenedParquet {
  readonly path: string;
  readonly fd: number;
  readonly stats: Stats;
  readonly reader: ParquetReader;
  readonly source: Source;
}

export class ParquetFooter {
  readonly path: string;
  readonly #context: FileContext;
  #stats: Stats | undefined;
  #reader: ParquetReader | undefined;

  constructor(path: string, context: FileContext) {
    this.path = path;
    this.#context = context;
  }

  /** As last seen; `undefined`: there was no file. */
  get reader(): ParquetReader | undefined {
    return this.#reader;
  }

  /** `undefined` where there is no file. */
  *open(): Steps<OpenedParquet | undefined> {
    const { path } = this;
    let fd: number;
    try {
      fd = openSync(path, "r");
    } catch (error) {
      this.#stats = undefined;
      this.#reader = undefined;
      if (errnoOf(error) === "ENOENT") return undefined;
      throw classify(error, path);
    }
    try {
      const stats = fstatSync(fd);
      const source: Source = { size: stats.size, read: (start, end) => readRange(fd, start, end) };
      let reader = sameState(this.#stats, stats) ? this.#reader : undefined;
      if (reader === undefined) {
        reader = yield* ParquetReader.open(source, decodeContext(path, stats, this.#context));
        this.#reader = reader;
        this.#stats = stats;
      }
      return { path, fd, stats, reader, source };
    } catch (error) {
      closeSync(fd);
      throw classify(error, path);
    }
  }

  /** Takes the footer of a file that was just written. */
  wrote(footer: Buffer, stats: Stats): void {
    this.#reader = ParquetReader.ofFooter(footer, decodeContext(this.path, stats, this.#context));
    this.#stats = stats;
  }
}
