/** What every command has at hand. */
import type { Database } from "@dataknobs/core";
import type { Sink } from "./output.js";
import { openStore } from "./store.js";

export interface Context {
  readonly out: Sink;
  readonly err: Sink & { readonly isTTY?: boolean };
  readonly env: { readonly [name: string]: string | undefined };
  /** The configuration file, where one was named. */
  readonly config: () => string | undefined;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** What the command ends with, where it is not the number of an error. */
  exit(code: number): void;
}

/** Runs the work on an open store, and closes it. */
export async function withStore<R>(context: Context, name: string, work: (db: Database) => Promise<R>): Promise<R> {
  await using db = await openStore(name, { config: context.config(), env: context.env });
  return await work(db);
}
