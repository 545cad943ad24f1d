/**
 * The table: made where it is missing, checked where it is there, and its declared indexes. What we know of a table
 * stands in comments on its column `version` and on its indexes, and goes with them.
 *
 * The table is made under a lock of the database's own, so that two processes may open a new store at once; indexes of
 * a table that is in use are made without keeping writers waiting.
 */
import { createHash } from "node:crypto";
import {
  type Call,
  DataknobsError,
  type ExistingIndex,
  type IndexSpec,
  pathKey,
  resolvePath,
} from "@dataknobs/core/backend";
import { quoteIdentifier } from "@dataknobs/sql";
import type { Change, Pool } from "./access.js";
import { codeOf } from "./errors.js";
import type { Lane, Rows } from "./lane.js";
import {
  cutExpression,
  idColumn,
  indexName,
  inSchema,
  isListed,
  jsonPieces,
  type Layout,
  layoutVersion,
  literal,
  makesLists,
  ownColumns,
  pythonColumns,
  sameExpression,
  tableOf,
  wordColumns,
} from "./layout.js";
import { bad, type Settings } from "./options.js";
import { isStale, refreshWords } from "./words.js";

type RunText = (text: string, ...params: readonly string[]) => Promise<Rows>;

const oldest = 13;
/** Of tables with fewer rows than this an index is made at once: its writers hardly wait. */
const fewRows = 1000;

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
    for (const spec of missing) await createIndex(pool, found, spec, call);
    if (missing.length > 0) found = (await look()) ?? found;
  }
  const unique = wanted.find((spec) => spec.unique && !has(found as Layout, spec));
  if (unique !== undefined)
    throw notOurs(settings, `has no unique index "${unique.name}", and \`manage: false\` makes none`);
  return found;
}

const has = ({ indexes }: Layout, spec: IndexSpec): boolean => indexes.some((one) => sameIndex(one, spec));

function sameIndex(a: IndexSpec, b: IndexSpec): boolean {
  return pathKey(a.path) === pathKey(b.path) && a.unique === b.unique && a.text === b.text;
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
      "coalesce(nullif(l.collname, 'default'), d.datcollate) IN ('C', 'POSIX'), c.relkind::text FROM pg_attribute a " +
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
    "SELECT obj_description(i.indexrelid, 'pg_class') FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid " +
      "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2 AND i.indisvalid",
    schema,
    table,
  );
  const specs = indexes.map(([comment]) => specOf(comment)).filter((spec) => spec !== undefined);
  return {
    schema,
    table,
    own,
    shared: known?.shared === true || (own && known === undefined && shared),
    plainId: byName.get("id")?.[3] === true,
    indexes: specs.sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

/** How comments of ours begin. */
export const mark = "dataknobs ";

const note = (about: object): string => literal(mark + JSON.stringify(about));

export function noteOf(comment: unknown): object | undefined {
  if (typeof comment !== "string" || !comment.startsWith(mark)) return undefined;
  try {
    return JSON.parse(comment.slice(mark.length)) as object;
  } catch {
    // a comment that somebody changed is no longer ours
    return undefined;
  }
}

function specOf(comment: unknown): IndexSpec | undefined {
  const found = noteOf(comment) as
    | {
        readonly path?: readonly string[];
        readonly type?: IndexSpec["type"];
        readonly unique: boolean;
        readonly text: boolean;
        readonly name: string;
      }
    | undefined;
  if (found?.path === undefined) return undefined;
  const { path, type, unique, text, name } = found;
  return { path: resolvePath(path), type, unique, text, name };
}

/** A key of the database's own locks, by hash. */
function lockKey({ schema, table }: Settings | Layout): string {
  return String(createHash("sha256").update(`dataknobs\0${schema}\0${table}`).digest().readBigInt64BE(0));
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

/** The parts of an index, each with what is said of it; the first has the name. */
function partsOf(
  layout: Layout,
  spec: IndexSpec,
): { readonly name: string; readonly on: string; readonly unique?: boolean }[] {
  const { path } = spec;
  const main = indexName(layout, spec);
  if (spec.text) {
    const { words, of } = wordColumns(path);
    return [
      { name: main, on: `USING gin (${words})` },
      { name: indexName(layout, spec, "stale"), on: `(id) WHERE ${isStale(of)}` },
    ];
  }
  const cut = `(${cutExpression(layout, path)})`;
  if (spec.unique) return [{ name: main, unique: true, on: `(${cut}, (${sameExpression(layout, path)}))` }];
  const parts = [{ name: main, on: `(${cut}, (${idColumn(layout)}))` }];
  if (makesLists(spec)) {
    const lists = `USING gin (${jsonPieces(layout, path).json} jsonb_path_ops) WHERE ${isListed(layout, path)}`;
    parts.push({ name: indexName(layout, spec, "lists"), on: lists });
  }
  return parts;
}

function columnStatements(layout: Layout, { text, path }: IndexSpec): string[] {
  if (!text) return [];
  const { words, of } = wordColumns(path);
  return [
    `ALTER TABLE ${tableOf(layout)} ADD COLUMN IF NOT EXISTS ${words} tsvector, ADD COLUMN IF NOT EXISTS ${of} text`,
  ];
}

function createStatement(
  layout: Layout,
  { name, on, unique }: ReturnType<typeof partsOf>[number],
  live: boolean,
): string {
  const kind = `${unique === true ? "UNIQUE " : ""}INDEX ${live ? "CONCURRENTLY " : ""}IF NOT EXISTS`;
  return `CREATE ${kind} ${quoteIdentifier(name)} ON ${tableOf(layout)} ${on}`;
}

function commentStatements(layout: Layout, spec: IndexSpec): string[] {
  const { path, type, unique, text, name } = spec;
  const about = { path: [path.root, ...path.segments], type, unique, text, name };
  // the name last: with it the index is there for others
  return partsOf(layout, spec)
    .map(
      (part, index) =>
        `COMMENT ON INDEX ${inSchema(layout, part.name)} IS ${note(index === 0 ? about : { part: name })}`,
    )
    .reverse();
}

/** In the transaction that is open. */
async function createAtOnce(lane: Lane, layout: Layout, spec: IndexSpec): Promise<void> {
  const create = partsOf(layout, spec).map((part) => createStatement(layout, part, false));
  for (const text of [...columnStatements(layout, spec), ...create, ...commentStatements(layout, spec)]) {
    await lane.exec(text).catch((error: unknown) => refusal(error, spec));
  }
}

function refusal(error: unknown, { name }: IndexSpec): never {
  const about = { backend: "postgres", index: name };
  if (codeOf(error) === "54000") {
    const message = `The index "${name}" cannot be made: its path is too long for PostgreSQL's catalog.`;
    throw new DataknobsError("LIMIT_EXCEEDED", message, about, { cause: error });
  }
  if (codeOf(error) !== "23505") throw error;
  const message = `The unique index "${name}" cannot be made: two records have the same value there.`;
  throw new DataknobsError("ALREADY_EXISTS", message, about);
}

/** Makes an index of a table that is in use. */
export async function createIndex(pool: Pool, layout: Layout, spec: IndexSpec, call: Call): Promise<void> {
  const few = await pool.run({ text: `SELECT 1 FROM ${tableOf(layout)} OFFSET ${fewRows} LIMIT 1`, params: [] }, call);
  if (few.length > 0) await pool.use(call, (lane) => createConcurrently(lane, layout, spec, call));
  else {
    await pool.change(call, async (lane) => {
      await lane.run({ text: "SELECT pg_advisory_xact_lock($1::bigint)", params: [lockKey(layout)] });
      await createAtOnce(lane, layout, spec);
      return { result: undefined };
    });
  }
  if (spec.text) await refreshWords((statement, its) => pool.run(statement, its), { ...layout, indexes: [spec] });
}

/**
 * Without keeping writers waiting. Only one process at a time: two of these on one table, and one that waits for a
 * lock in a statement, would wait for each other's snapshots; so the lock is asked for again and again.
 */
async function createConcurrently(lane: Lane, layout: Layout, spec: IndexSpec, call: Call): Promise<void> {
  const lock = (fn: string): Promise<Rows> =>
    lane.run({ text: `SELECT ${fn}($1::bigint)`, params: [lockKey(layout)] }, call);
  while ((await lock("pg_try_advisory_lock"))[0]?.[0] !== true) await new Promise((resolve) => setTimeout(resolve, 50));
  try {
    for (const text of columnStatements(layout, spec)) await lane.run({ text, params: [] }, call);
    for (const part of partsOf(layout, spec)) {
      // one that an interrupted build left behind serves nobody and would stay for ever
      if (await isInvalid(lane, layout, part.name)) await drop(lane, layout, part.name);
      try {
        await lane.run({ text: createStatement(layout, part, true), params: [] }, call);
      } catch (error) {
        if (codeOf(error) === "23505") await drop(lane, layout, part.name);
        refusal(error, spec);
      }
    }
    for (const text of commentStatements(layout, spec)) await lane.exec(text);
    // what the planner knows of an expression comes with this
    await lane.run({ text: `ANALYZE ${tableOf(layout)}`, params: [] }, call);
  } finally {
    // a lane that was spoiled is closed, and its locks go with it
    if (!lane.spoiled) await lock("pg_advisory_unlock");
  }
}

async function isInvalid(lane: Lane, layout: Layout, name: string): Promise<boolean> {
  const text =
    "SELECT 1 FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace " +
    "WHERE n.nspname = $1 AND c.relname = $2 AND NOT i.indisvalid";
  return (await lane.run({ text, params: [layout.schema, name] })).length > 0;
}

async function drop(lane: Lane, layout: Layout, name: string): Promise<void> {
  await lane.exec(`DROP INDEX CONCURRENTLY IF EXISTS ${inSchema(layout, name)}`);
}

export async function dropIndex(pool: Pool, layout: Layout, spec: IndexSpec, call: Call): Promise<void> {
  await pool.use(call, async (lane) => {
    for (const { name } of partsOf(layout, spec)) await drop(lane, layout, name);
    if (!spec.text) return;
    const { words, of } = wordColumns(spec.path);
    await lane.exec(`ALTER TABLE ${tableOf(layout)} DROP COLUMN IF EXISTS ${words}, DROP COLUMN IF EXISTS ${of}`);
  });
}

/** Ours, by what is said of them, and those that somebody else made. */
export async function listIndexes(pool: Pool, { schema, table }: Layout, call: Call): Promise<ExistingIndex[]> {
  const text =
    "SELECT x.relname, obj_description(i.indexrelid, 'pg_class'), i.indisvalid FROM pg_index i " +
    "JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace " +
    "WHERE n.nspname = $1 AND c.relname = $2 AND NOT i.indisprimary ORDER BY x.relname";
  const rows = await pool.run({ text, params: [schema, table] }, call);
  return rows.flatMap(([name, comment, valid]): ExistingIndex[] => {
    const spec = valid === true ? specOf(comment) : undefined;
    if (spec !== undefined) return [{ name: spec.name, spec }];
    return noteOf(comment) === undefined ? [{ name: name as string }] : [];
  });
}

function notOurs({ table }: Settings, what: string): DataknobsError {
  return bad(`found that the table "${table}" ${what}`);
}
