import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

const place = "/usr/lib/jvm";

/** `{ java, version }`: JAVA_HOME's if it is new enough, else the newest of PATH and /usr/lib/jvm. */
export function findJava(minimum) {
  const given = javaOf(process.env.JAVA_HOME && join(process.env.JAVA_HOME, "bin", "java"));
  if (given?.major >= minimum) return given;
  const installed = existsSync(place) ? readdirSync(place).map((name) => join(place, name, "bin", "java")) : [];
  const [newest] = ["java", ...installed]
    .map(javaOf)
    .filter((one) => one?.major >= minimum)
    .sort((a, b) => b.major - a.major);
  return newest;
}

/** `{ java, major, version }`; `undefined` where there is none. */
export function javaOf(java) {
  const asked = java === undefined ? undefined : spawnSync(java, ["-version"], { encoding: "utf8" });
  // Java 8 and older say 1.8, which is old enough in any reading.
  const [, version, major] = /version "((\d+)[^"]*)"/.exec(asked?.stderr ?? "") ?? [];
  return version === undefined ? undefined : { java, major: Number(major), version };
}
