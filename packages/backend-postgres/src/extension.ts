/** The extension pgvector. A database without it answers all the same: core measures the vectors then. */
import type { Call } from "@dataknobs/core/backend";
import type { Pool } from "./access.js";
import { codeOf } from "./errors.js";
import { lockKey } from "./layout.js";
import { isRecent } from "./pgvector.js";

const look =
  "SELECT n.nspname, e.extversion FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'";

/** The schema of an extension that can do what is asked of it; `make` tries to make it in the database. */
export async function provideExtension(pool: Pool, make: boolean, call: Call): Promise<string | undefined> {
  const find = async (): Promise<readonly unknown[] | undefined> =>
    (await pool.run({ text: look, params: [] }, call))[0];
  let found = await find();
  if (found === undefined && make) {
    if (!(await makeExtension(pool, call))) return undefined;
    found = await find();
  }
  return found !== undefined && isRecent(String(found[1])) ? (found[0] as string) : undefined;
}

/** Whether the server has what it would be made of. */
export async function canHaveExtension(pool: Pool, call: Call): Promise<boolean> {
  const text = "SELECT default_version FROM pg_available_extensions WHERE name = 'vector'";
  const [row] = await pool.run({ text, params: [] }, call);
  return row !== undefined && isRecent(String(row[0]));
}

/** No right to, or not installed on the server. */
const refusals: readonly (string | undefined)[] = ["42501", "0A000", "58P01"];

async function makeExtension(pool: Pool, call: Call): Promise<boolean> {
  try {
    await pool.change(call, async (lane) => {
      // of two who make it at once one would fail
      await lane.run({
        text: "SELECT pg_advisory_xact_lock($1::bigint)",
        params: [lockKey({ schema: "", table: "CREATE EXTENSION vector" })],
      });
      await lane.exec("CREATE EXTENSION IF NOT EXISTS vector");
      return { result: undefined };
    });
    return true;
  } catch (error) {
    if (refusals.includes(codeOf(error))) return false;
    throw error;
  }
}
