import { readFileSync } from "node:fs";
import { join } from "node:path";
import { download } from "./download.mjs";

const versions = JSON.parse(readFileSync(new URL("versions.json", import.meta.url), "utf8"));

/** The major version of Node that tasks run on where the user's own is too old. */
export const defaultMajor = versions.node;

/** The pinned build of a major version of Node, downloaded if need be: its folder and its executable. */
export function pinnedNode(major) {
  const platform = `${process.platform}-${process.arch}`;
  const spec = versions[major]?.[platform];
  if (spec === undefined) throw new Error(`there is no pinned build of Node ${major} for ${platform}.`);
  const home = join(download(spec), "node_modules", spec.slice(0, spec.lastIndexOf("@")));
  return { home, node: nodeIn(home) };
}

/** The executable inside a Node folder. */
export function nodeIn(home) {
  return join(home, "bin", process.platform === "win32" ? "node.exe" : "node");
}
