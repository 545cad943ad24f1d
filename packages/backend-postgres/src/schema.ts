/**
 * The table: made where it is missing, checked where it is there, and its declared indexes. What we know of a table
 * stands in comments on its column `version` and on its indexes, and goes with them.
 *
 * The table is made under a lock of the database's own, so that two processes may open a new store at once; indexes of
 * a table that is in use are made without keeping writers waiting.
 */
import { createHash } from "node:crypto";
import { type Call, type DataknobsError, type IndexSpec, pathKey, sameVector } from "@dataknobs/core/backend";
import type { Change, Pool } from "./access.js";
import { createAtOnce, createIndex } from "./indexes.js";
import type { Lane, Rows } from "./lane.js";
import {
  idColumn,
  indexName,
  inSchema,
  type Layout,
  layoutVersion,
  lockKey,
  ownColumns,
  pythonColumns,
  tableOf,
} from "./layout.js";
import { note, noteOf, specOf } from "./notes.js";
import { bad, type Settings } from "./options.js";
import { enoughForLists, isVector, methodOf } from "./vectors.js";

type RunText = (text: string, ...params: readonly string[]) => Promise<Rows>;

const oldest = 13;

export async function checkServer(run: RunText): Promise<void> {
  const [row] = await run("SELECT current_setting('server_version_num')::int, current_setting('server_encoding')");
  const version = Math.floor(Number(row?.[0]) / 10_000);
  if (version < oldest) throw bad(`needs PostgreSQL ${oldest} or later; this server is version ${version}`);
  if (row?.[1] !== "UTF8") throw bad(`needs a database in UTF8; this one is in ${String(row?.[1])}`);
}

/** Makes and checks the table; what is there. */
export async function openTable(
  pool: Pool,
  settings: Settings,
  wanted: readonly IndexSpec[],
  call: Call,
): Promise<Layout> {
  const look = (): Promise<Found | undefined> =>
    inspect((text, ...params) => pool.run({ text, params }, call), settings);
  let found = await look();
  if (settings.manage && (found === undefined || !found.own || (settings.shared && !found.shared))) {
    await pool.change(call, (lane) => makeTable(lane, settings, wanted));
    found = await look();
  }
  if (found === undefined) throw notOurs(settings, "is not there, and `manage: false` makes none");
  if (!found.own) throw notOurs(settings, "lacks this library's columns, and `manage: false` adds none");
  const missing = wanted.filter((spec) => !has(found as Layout, spec));
  if (settings.manage) {
    missing.push(...(await lackingLists(pool, found, wanted, call)));
    for (const spec of missing) await createIndex(pool, found, spec, call);
    if (missing.length > 0) found = (await look()) ?? found;
  }
  const unique = wanted.find((spec) => spec.unique && !has(found as Layout, spec));
  if (unique !== undefined)
    throw notOurs(settings, `has no unique index "${unique.name}", and \`manage: false\` makes none`);
  return found;
}

/** Fields whose IVFFlat index could not be made yet, and now can. */
async function lackingLists(
  pool: Pool,
  layout: Layout,
  wanted: readonly IndexSpec[],
  call: Call,
): Promise<readonly IndexSpec[]> {
  const waiting = wanted.filter(
    (spec) =>
      isVector(spec) &&
      methodOf(spec) === "ivfflat" &&
      has(layout, spec) &&
      layout.vectorIndexes?.has(indexName(layout, spec)) !== true,
  );
  if (waiting.length === 0) return [];
  const text = `SELECT 1 FROM ${tableOf(layout)} OFFSET ${enoughForLists - 1} LIMIT 1`;
  return (await pool.run({ text, params: [] }, call)).length > 0 ? waiting : [];
}

const has = ({ indexes }: Layout, spec: IndexSpec): boolean => indexes.some((one) => sameIndex(one, spec));

function sameIndex(a: IndexSpec, b: IndexSpec): boolean {
  return (
    pathKey(a.path) === pathKey(b.path) && a.unique === b.unique && a.text === b.text && sameVector(a.vector, b.vector)
  );
}

interface Found extends Layout {
  /** Whether the table has our columns. */
  readonly own: boolean;
}

const columnTypes: { readonly [column: string]: RegExp } = {
  id: /^(?:text|character varying.*)$/,
  data: /^jsonb$/,
  metadata: /^jsonb$/,
  created_at: /^timestamp(?:\(\d\))? without time zone$/,
  updated_at: /^timestamp(?:\(\d\))? without time zone$/,
};

/** What is there; `undefined` where there is no such table. Refuses what is not for us. */
export async function inspect(run: RunText, settings: Settings): Promise<Found | undefined> {
  const { schema, table, shared } = settings;
  const columns = await run(
    "SELECT a.attname, format_type(a.atttypid, a.atttypmod), col_description(c.oid, a.attnum), " +
      "coalesce(nullif(l.collname, 'default'), d.datcollate) IN ('C', 'POSIX'), c.relkind::text, " +
      "(SELECT v.nspname FROM pg_extension e JOIN pg_namespace v ON v.oid = e.extnamespace WHERE e.extname = 'vector') FROM pg_attribute a " +
      "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace " +
      "JOIN pg_database d ON d.datname = current_database() LEFT JOIN pg_collation l ON l.oid = a.attcollation " +
      "WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped",
    schema,
    table,
  );
  if (columns.length === 0) return undefined;
  const byName = new Map(columns.map((column) => [column[0] as string, column]));
  const missing = pythonColumns.filter((name) => !byName.has(name));
  if (missing.length > 0) throw notOurs(settings, `is not one of records: it has no ${missing.join(", ")}`);
  const wrong = pythonColumns.filter((name) => columnTypes[name]?.test(byName.get(name)?.[1] as string) !== true);
  if (wrong.length > 0) throw notOurs(settings, `is not one of records: its ${wrong.join(", ")} have other types`);
  if (!["r", "p"].includes(columns[0]?.[4] as string)) throw notOurs(settings, "is a view or the like, not a table");
  const own = ownColumns.every((name) => byName.has(name));
  if (!own && !shared) {
    throw bad(
      `found the table "${table}" made by another program. If that is the Python package dataknobs-data, open it with ` +
        "`shared: true`: columns are added, and both programs may read and write it",
    );
  }
  const known = noteOf(byName.get("version")?.[2]) as
    | { readonly layout?: number; readonly shared?: boolean }
    | undefined;
  if ((known?.layout ?? 0) > layoutVersion) {
    throw bad(
      `found the table "${table}" in layout ${known?.layout}, of a newer version of this library; this one knows up to ${layoutVersion}`,
    );
  }
  const indexes = await run(
    "SELECT obj_description(i.indexrelid, 'pg_class'), x.relname, coalesce(array_to_string(x.reloptions, ','), '') " +
      "FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid " +
      "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2 AND i.indisvalid",
    schema,
    table,
  );
  const vectors = columns.filter(([name]) => String(name).startsWith("vector_")).map((column) => column[2]);
  const specs = [...indexes.map(([comment]) => comment), ...vectors].map(specOf).filter((spec) => spec !== undefined);
  const listsOf = (options: unknown): number => Number(/(?:^|,)lists=(\d+)/.exec(String(options))?.[1] ?? 100);
  return {
    schema,
    table,
    own,
    shared: known?.shared === true || (own && known === undefined && shared),
    plainId: byName.get("id")?.[3] === true,
    indexes: specs.sort((a, b) => (a.name < b.name ? -1 : 1)),
    extension: (columns[0]?.[5] as string | null) ?? undefined,
    vectorIndexes: new Map(indexes.map(([, name, options]) => [name as string, listsOf(options)])),
  };
}

async function makeTable(lane: Lane, settings: Settings, wanted: readonly IndexSpec[]): Promise<Change<undefined>> {
  const run: RunText = (text, ...params) => lane.run({ text, params });
  await run("SELECT pg_advisory_xact_lock($1::bigint)", lockKey(settings));
  let layout = await inspect(run, settings);
  const table = tableOf(settings);
  const utc = "timestamp NOT NULL DEFAULT (CURRENT_TIMESTAMP AT TIME ZONE 'UTC')";
  if (layout === undefined) {
    await run(
      `CREATE TABLE ${table} (id text COLLATE "C" PRIMARY KEY, data jsonb NOT NULL, metadata jsonb DEFAULT '{}', ` +
        `created_at ${utc}, updated_at ${utc}, ${ourColumns.join(", ")})`,
    );
    layout = (await inspect(run, settings)) as Found;
    for (const spec of wanted) await createAtOnce(lane, layout, spec);
  } else if (!layout.own) {
    for (const column of ourColumns) await run(`ALTER TABLE ${table} ADD COLUMN IF NOT EXISTS ${column}`);
  }
  if (settings.shared) await share(run, layout);
  const known = { layout: layoutVersion, ...((settings.shared || layout.shared) && { shared: true }) };
  await run(`COMMENT ON COLUMN ${table}.version IS ${note(known)}`);
  return { result: undefined };
}

const ourColumns = ["version text NOT NULL DEFAULT gen_random_uuid()::text", "types jsonb", "metadata_types jsonb"];

/**
 * A trigger, in plain SQL. A write that leaves the version as it was is foreign: it gets a new version, and what we
 * keep beside the data is no longer true. New rows get a version by the column's default.
 */
async function share(run: RunText, layout: Layout): Promise<void> {
  const table = tableOf(layout);
  const name = `dk_foreign_${createHash("sha256").update(layout.table).digest("hex").slice(0, 16)}`;
  await run(
    `CREATE OR REPLACE FUNCTION ${inSchema(layout, name)}() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN ` +
      "NEW.version := gen_random_uuid()::text; NEW.types := NULL; NEW.metadata_types := NULL; " +
      "NEW.updated_at := clock_timestamp() AT TIME ZONE 'UTC'; RETURN NEW; END $body$",
  );
  await run(`DROP TRIGGER IF EXISTS ${name} ON ${table}`);
  await run(
    `CREATE TRIGGER ${name} BEFORE UPDATE OF id, data, metadata ON ${table} FOR EACH ROW ` +
      `WHEN (NEW.version IS NOT DISTINCT FROM OLD.version) EXECUTE FUNCTION ${inSchema(layout, name)}()`,
  );
  // the order by code point, for which Python's table has no index
  if (!layout.plainId) {
    const id = `${name.replace("foreign", "id")}`;
    await run(`CREATE INDEX IF NOT EXISTS ${id} ON ${table} ((${idColumn(layout)}))`);
    await run(`COMMENT ON INDEX ${inSchema(layout, id)} IS ${note({ part: "id" })}`);
  }
}

function notOurs({ table }: Settings, what: string): DataknobsError {
  return bad(`found that the table "${table}" ${what}`);
}
