import { readFileSync } from "node:fs";

/** Whom to run a program as that refuses root; `undefined` where we are not root. */
export function unprivilegedUser() {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  const found = ["postgres", "nobody"].map((name) => users.find((user) => user[0] === name)).find(Boolean);
  if (found === undefined) throw new Error("PostgreSQL refuses root, and there is no user `postgres` or `nobody`.");
  return { uid: Number(found[2]), gid: Number(found[3]) };
}
