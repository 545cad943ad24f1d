// Rules that no linter has, over every file that is or would be tracked: `node tooling/check/hygiene.mjs`.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

// Put together from parts, so that this file passes its own rule.
const hosts = [
  ["registry", "[a-z0-9-]+", "(?:org|com|io|dev|net)"],
  ["npmjs", "(?:org|com)"],
  ["pypi", "org"],
  ["pythonhosted", "org"],
  ["crates", "io"],
  ["proxy", "golang", "org"],
  ["maven", "(?:apache|org)"],
  ["deb", "debian", "org"],
].map((parts) => parts.join("\\."));

const isSource = (path) => /^packages\/[^/]+\/src\//.test(path);
const isTest = (path) => /^(?:packages\/[^/]+\/test|examples)\//.test(path) || /\.test\.[cm]?[jt]s$/.test(path);
const isCode = (path) => /\.[cm]?[jt]s$/.test(path);
const isComment = (line) => /^\s*(?:\/\/|\/?\*)/.test(line);

const rules = [
  { name: "names a package registry's host", in: () => true, pattern: new RegExp(`\\b(?:${hosts.join("|")})\\b`, "i") },
  {
    name: "names a path of one machine",
    in: () => true,
    pattern: /(?<![\w.~-])\/(?:home|Users|root|work)\/[\w.-]+|\b[A-Za-z]:\\+Users\\/,
  },
  {
    name: "leaves tests out",
    in: isTest,
    pattern: /\b(?:it|test|describe|suite)(?:\.\w+)*\.(?:only|skip|todo)\b|\b[fx](?:it|test|describe)\(/,
  },
  { name: "writes to the console in a library", in: isSource, pattern: /\bconsole\./, skip: isComment },
  {
    name: "swallows an error",
    in: isCode,
    pattern: /\bcatch\s*(?:\([^)]*\))?\s*\{\s*\}|\.catch\(\s*\(\w*\)\s*=>\s*\{\s*\}\s*\)/,
  },
];

const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z"], {
  encoding: "utf8",
})
  .split("\0")
  .filter((path) => path !== "" && existsSync(path));

for (const path of files) {
  const text = readFileSync(path, "utf8");
  if (text.includes("\0")) continue;
  for (const rule of rules) {
    if (!rule.in(path)) continue;
    for (const match of text.matchAll(new RegExp(rule.pattern, `g${rule.pattern.flags.replace("g", "")}`))) {
      const line = text.slice(0, match.index).split("\n").length;
      if (rule.skip?.(text.split("\n")[line - 1])) continue;
      console.error(`${path}:${line}: ${rule.name}: ${match[0]}`);
      process.exitCode = 1;
    }
  }
}
