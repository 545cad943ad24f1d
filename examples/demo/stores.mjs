// Where the demo keeps its films. A store is a line here and nothing anywhere else.
import { join } from "node:path";
import { duckdb } from "@dataknobs/backend-duckdb";
import { file } from "@dataknobs/backend-file";
import { memory } from "@dataknobs/backend-memory";
import { sqlite } from "@dataknobs/backend-sqlite";

/** Stores that run inside this process, in a folder of the demo's own. */
export function embedded(folder) {
  return [
    memory(),
    file({ path: join(folder, "movies.jsonl") }),
    sqlite({ path: join(folder, "movies.db") }),
    duckdb({ path: join(folder, "movies.duckdb") }),
  ];
}

/** Stores on servers, which `npm run demo -- --all` starts. */
export function servers() {
  return [];
}
