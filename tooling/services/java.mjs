import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

const place = "/usr/lib/jvm";

/**
 * A Java of at least that major version which has the modules (a trimmed one may not): `{ java, major, version }`.
 * JAVA_HOME's if it fits, else the newest of PATH and /usr/lib/jvm.
 */
export function findJava(minimum, modules) {
  const describe = (java) => {
    const asked = spawnSync(java, ["--add-modules", modules.join(), "-version"], { encoding: "utf8" });
    const [, version, major] = /version "((\d+)[^"]*)"/.exec(asked.stderr ?? "") ?? [];
    return { java, major: asked.status === 0 ? Number(major) : 0, version };
  };
  const home = process.env.JAVA_HOME;
  const given = home ? describe(join(home, "bin", "java")) : undefined;
  if (given?.major >= minimum) return given;
  const installed = existsSync(place) ? readdirSync(place).map((name) => join(place, name, "bin", "java")) : [];
  const found = ["java", ...installed].map(describe).filter(({ major }) => major >= minimum);
  return found.sort((a, b) => b.major - a.major)[0];
}
