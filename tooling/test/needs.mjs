// Test files that need more than their package's servers: native programs, to start servers of their own, or the right to
// mount a disk. A package.json names them: `"dataknobs": { "needs": { "disk.test.ts": ["postgres", "mount"] } }`.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missingPrograms } from "../services/programs.mjs";

/** `{ file, reason }` of those that cannot run here; all others can. */
export async function leftOut(packages) {
  const answers = new Map();
  const missing = (need) => {
    if (!answers.has(need)) answers.set(need, need === "mount" ? missingMount() : missingPrograms(need));
    return answers.get(need);
  };
  const found = [];
  for (const { folder, needs } of packages) {
    for (const [name, list] of Object.entries(needs)) {
      const reasons = (await Promise.all(list.map(missing))).filter((reason) => reason !== undefined);
      if (reasons.length > 0) found.push({ file: join(folder, "test", name), reason: reasons.join(" ") });
    }
  }
  return found;
}

function missingMount() {
  const disk = mkdtempSync(join(tmpdir(), "dataknobs-mount-"));
  try {
    if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]).status !== 0) {
      return "it needs the right to mount a disk (root, outside of most containers).";
    }
    spawnSync("umount", [disk]);
    return undefined;
  } finally {
    rmSync(disk, { recursive: true, force: true });
  }
}
