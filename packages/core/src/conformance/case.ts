/** What a case is: data, so that a runner, a deviation and the suite's own mutants can name it. */
import type { Capabilities } from "../backend/spi.js";
import type { IndexDeclaration } from "../database/indexes.js";
import type { Session } from "./session.js";

/**
 * `plain`: no declared indexes. `indexed`: the case's indexes are declared. `emulated`: the backend's compiler is
 * hidden, so that core does all the work over the backend's scan.
 */
export const modes = ["plain", "indexed", "emulated"] as const;
export type Mode = (typeof modes)[number];

export interface Case {
  /** `write/create/rejects-an-existing-id`: stable, since deviations name it. */
  readonly id: string;
  /** Declared in the mode `indexed`. A case without indexes runs once, in the first mode. */
  readonly indexes?: readonly IndexDeclaration[];
  /** Runs in just these modes. */
  readonly modes?: readonly Mode[];
  /** Only the asynchronous API can be in that situation at all. */
  readonly asyncOnly?: boolean;
  /** What the case needs; where it is not there, `unsupported` runs instead. */
  readonly requires?: (capabilities: Capabilities) => boolean;
  readonly run: (session: Session) => Promise<void>;
  /** What must happen instead. Default: `run` ends with `UNSUPPORTED` and the store is still empty. */
  readonly unsupported?: (session: Session) => Promise<void>;
}

/** Known gap of a backend. The case must fail as long as it is declared. */
export interface Deviation {
  readonly because: "not-yet" | "upstream" | "never";
  readonly reason: string;
  readonly issue?: string;
}
