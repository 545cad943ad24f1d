import type { LeafKind } from "../query/lowered.js";
import type { Compiler } from "./spi.js";

/** The leaf kinds that a compiler has a handler for: `capabilities.pushdown` is derived, never typed by hand. */
export function leafKinds<P>(compiler: Compiler<P> | undefined): readonly LeafKind[] {
  return Object.freeze(Object.keys(compiler?.leaf ?? {}).sort() as LeafKind[]);
}
