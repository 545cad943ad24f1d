import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

const place = "/usr/lib/jvm";

/** A `java` of at least that major version: JAVA_HOME, then PATH, then what Debian and its like keep side by side. */
export function findJava(minimum) {
  const installed = existsSync(place) ? readdirSync(place).map((name) => join(place, name)) : [];
  const homes = [process.env.JAVA_HOME, ...installed].filter(Boolean).map((home) => join(home, "bin", "java"));
  const [first, ...rest] = process.env.JAVA_HOME ? [homes[0], "java", ...homes.slice(1)] : ["java", ...homes];
  return [first, ...rest].find((java) => majorOf(java) >= minimum);
}

function majorOf(java) {
  const asked = spawnSync(java, ["-version"], { encoding: "utf8" });
  // Java 8 and older say 1.8, which is old enough in any reading.
  return Number(/version "(\d+)/.exec(asked.stderr ?? "")?.[1] ?? 0);
}
