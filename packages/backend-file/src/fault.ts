/** Named places where tests end the process. Nothing is registered outside of tests. */
export type FaultPoint = "append" | "appended" | "synced" | "temporary" | "fsync" | "rename" | "renamed" | "compaction";

const key = Symbol.for("@dataknobs/backend-file/fault");

/** `written`: how to do a part of the work before the end, as a crash may leave it. */
export function fault(point: FaultPoint, written?: (share: number) => void): void {
  (globalThis as { [key]?: (point: FaultPoint, written?: (share: number) => void) => void })[key]?.(point, written);
}
