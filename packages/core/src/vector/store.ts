/** The vector store that users hold: lifecycle, scopes and files over a backend. */
import type { Call } from "../backend/spi.js";
import { asDataknobsError, type CallOptions } from "../database/session.js";
import { orAborted } from "../database/steps.js";
import type { BatchSource } from "../database/stream.js";
import { DataknobsError } from "../errors.js";
import type { Metric } from "./metric.js";
import { VectorOperations } from "./operations.js";
import { throwIfAborted, type VectorSession } from "./session.js";
import { type CheckedVectorSettings, checkScope } from "./settings.js";
import type { PartialRow, VectorBackend, VectorCapabilities } from "./spi.js";
import { Turns } from "./turns.js";

export type VectorStoreStatus = "open" | "closing" | "closed";

export interface FileOptions extends CallOptions {
  /** `save`: overwrite what another process saved. `load`: give up what was not saved. Default false. */
  readonly force?: boolean | undefined;
}

/** The vectors of one scope of a store that was opened without one; `store.scoped("tenant-1")`. */
export class VectorScope extends VectorOperations {
  readonly scope: string;
  readonly #hooks: Hooks;

  /** Use `store.scoped`. @internal */
  constructor(scope: string, hooks: Hooks) {
    super();
    this.scope = scope;
    this.#hooks = hooks;
  }

  protected override session(operation: string): VectorSession {
    return { ...this.#hooks.session(operation), scope: this.scope };
  }

  protected override track<R>(work: Promise<R>): Promise<R> {
    return this.#hooks.track(work);
  }

  protected override opened(source: BatchSource<PartialRow>): () => void {
    return this.#hooks.opened(source);
  }
}

interface Hooks {
  session(operation: string): VectorSession;
  track<R>(work: Promise<R>): Promise<R>;
  opened(source: BatchSource<PartialRow>): () => void;
}

export class VectorStore extends VectorOperations implements AsyncDisposable {
  readonly #session: VectorSession;
  readonly #streams = new Set<BatchSource<PartialRow>>();
  readonly #working = new Set<Promise<unknown>>();
  #status: VectorStoreStatus = "open";
  #closed: Promise<void> | undefined;

  /** Use `openVectorStore`. @internal */
  constructor(session: VectorSession) {
    super();
    this.#session = session;
  }

  /** The backend's name: `pgvector`. */
  get name(): string {
    return this.#session.name;
  }

  get status(): VectorStoreStatus {
    return this.#status;
  }

  get dimensions(): number {
    return this.#session.dimensions;
  }

  get metric(): Metric {
    return this.#session.metric;
  }

  /** The tenant whose rows these are; `undefined` for the rows without one. */
  get scope(): string | undefined {
    return this.#session.scope === "" ? undefined : this.#session.scope;
  }

  /** What this store can do: plain data, frozen. */
  get capabilities(): VectorCapabilities {
    return this.#session.capabilities;
  }

  /**
   * The same store for one tenant, who sees no other's rows. `UNSUPPORTED` on a store that was opened with a scope: who
   * was given one tenant's store cannot reach the next tenant's.
   */
  scoped(scope: string): VectorScope {
    const { name } = this.session("scoped");
    if (this.#session.scope !== "") {
      throw new DataknobsError(
        "UNSUPPORTED",
        "This store was opened with a scope and stays within it. Open the store without one to give out scopes.",
        { backend: name, operation: "scoped" },
      );
    }
    if (scope === undefined) throw new DataknobsError("INVALID_CONFIG", "scoped takes the name of a scope.");
    return new VectorScope(checkScope(scope), {
      session: (operation) => this.session(operation),
      track: (work) => this.track(work),
      opened: (source) => this.opened(source),
    });
  }

  /** Makes the index anew from what is stored; whether there was something to make. */
  buildIndex(options: CallOptions = {}): Promise<boolean> {
    return this.run("buildIndex", options, async ({ backend, turns }, call) =>
      turns.exclusive(async () => {
        throwIfAborted(call);
        return (await backend.buildIndex?.(call)) ?? false;
      }),
    );
  }

  /**
   * Writes the store to its file, all or nothing. `VERSION_CONFLICT` where another process saved the file since this
   * one loaded it, unless `force`. `UNSUPPORTED` where the store does not live in a file.
   */
  save(options: FileOptions = {}): Promise<void> {
    return this.#file("save", options);
  }

  /** Takes what the file has. `VERSION_CONFLICT` where this store has unsaved changes, unless `force`. */
  load(options: FileOptions = {}): Promise<void> {
    return this.#file("load", options);
  }

  #file(operation: "save" | "load", options: FileOptions): Promise<void> {
    const work = async ({ name, backend, turns }: VectorSession, call: Call): Promise<void> => {
      const { force = false } = options;
      if (typeof force !== "boolean") throw new DataknobsError("INVALID_CONFIG", "`force` is true or false.");
      const method = backend[operation]?.bind(backend);
      if (method === undefined || this.capabilities.persistence !== "save") {
        throw new DataknobsError("UNSUPPORTED", `The ${name} store has no file to ${operation}.`, {
          backend: name,
          operation,
        });
      }
      await turns.exclusive(async () => {
        throwIfAborted(call);
        await method({ ...call, force });
      });
    };
    return this.run(operation, options, work, ["force", "signal", "timeout"]);
  }

  /**
   * Ends open streams, waits for what is under way, saves what was not saved yet, closes the backend. Again: nothing.
   * Where saving fails, the store stays open, so that nothing is lost: `save({ force: true })`, or close with
   * `{ save: false }` to give up the changes.
   */
  close({ save = true }: { readonly save?: boolean } = {}): Promise<void> {
    this.#closed ??= this.#close(save).catch((error: unknown) => {
      if (this.#status === "open") this.#closed = undefined;
      throw error;
    });
    return this.#closed;
  }

  async #close(save: boolean): Promise<void> {
    this.#status = "closing";
    await Promise.allSettled([...this.#streams].map((stream) => stream.close()));
    await Promise.allSettled(this.#working);
    const { backend } = this.#session;
    if (save && backend.unsaved === true) {
      try {
        await backend.save?.({ force: false });
      } catch (error) {
        this.#status = "open";
        throw asDataknobsError(error, this.#session, "close");
      }
    }
    try {
      await backend.close?.();
    } finally {
      this.#status = "closed";
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  protected override session(operation: string): VectorSession {
    if (this.#status === "open") return this.#session;
    throw new DataknobsError("NOT_OPEN", `${operation} was called on a ${this.name} vector store that is closed.`, {
      backend: this.name,
      operation,
    });
  }

  protected override track<R>(work: Promise<R>): Promise<R> {
    this.#working.add(work);
    const done = (): boolean => this.#working.delete(work);
    work.then(done, done);
    return work;
  }

  protected override opened(source: BatchSource<PartialRow>): () => void {
    this.#streams.add(source);
    return () => this.#streams.delete(source);
  }
}

/** Opens a backend with checked settings. */
export async function openVectorBackend(
  backend: VectorBackend,
  settings: CheckedVectorSettings,
  call: Call,
): Promise<VectorStore> {
  try {
    throwIfAborted(call);
    const { dimensions, metric } = settings;
    const opening = Promise.resolve(backend.open?.({ ...call, dimensions, metric }));
    const found = await orAborted(opening, call.signal).then(undefined, async (error: unknown) => {
      // what was opened in spite of an abort is closed again
      await opening.then(
        () => backend.close?.(),
        () => undefined,
      );
      throw error;
    });
    const declared = backend.capabilities;
    const capabilities: VectorCapabilities = Object.freeze({
      ...declared,
      ...found,
      limits: Object.freeze({ ...declared.limits, ...found?.limits }),
    });
    return new VectorStore({ ...settings, name: backend.name, backend, capabilities, turns: new Turns() });
  } catch (error) {
    throw asDataknobsError(error, backend, "open");
  }
}
