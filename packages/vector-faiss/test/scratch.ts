/** Places for test files, removed when the test file ends. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "@jest/globals";

const root = mkdtempSync(join(tmpdir(), "dataknobs-vectors-"));
let count = 0;

afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A path for a file that is not there yet, in a folder of its own. */
export function place(name = "a.dkv"): string {
  return join(mkdtempSync(join(root, `${count++}-`)), name);
}
