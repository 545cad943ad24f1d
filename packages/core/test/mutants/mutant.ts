/** A plausible bug, and the case that must notice it. */
import type { Mode } from "../../src/conformance/index.js";
import type { Tiny } from "./tiny.js";

export interface Mutant {
  readonly bug: string;
  readonly killedBy: string;
  readonly mode?: Mode;
  /** Makes the correct backend wrong. */
  readonly patch: (tiny: Tiny) => void;
}

export function mutant(bug: string, killedBy: string, patch: (tiny: Tiny) => void, mode: Mode = "plain"): Mutant {
  return { bug, killedBy, patch, mode };
}
