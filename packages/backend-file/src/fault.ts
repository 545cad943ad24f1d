/** Named places where tests stop a writer for good, before they end its process. Nothing is registered outside of tests. */
import { perform, type Steps } from "./steps.js";

export type FaultPoint = "append" | "appended" | "synced" | "temporary" | "fsync" | "rename" | "renamed" | "compaction";

export interface Fault {
  readonly point: FaultPoint;
  /** The file that is being written. */
  readonly path: string;
  /** Does a part of the work, as a crash may leave it. */
  readonly partly?: (share: number) => void;
}

const key = Symbol.for("@dataknobs/backend-file/fault");

/** Of the asynchronous database only: what never comes back cannot be waited for at once. */
export function* fault(fault: Fault): Steps<void> {
  const hook = (globalThis as { [key]?: (fault: Fault) => Promise<void> })[key];
  if (hook !== undefined) yield* perform({ now: () => undefined, later: () => hook(fault) });
}
