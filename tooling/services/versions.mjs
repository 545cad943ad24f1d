import { readFileSync } from "node:fs";

/** What each server is installed from, pinned in versions.json. */
export const versions = JSON.parse(readFileSync(new URL("versions.json", import.meta.url), "utf8"));
