/**
 * The table: made where it is missing, checked where it is there, and its index. What a table is for stands in a
 * comment on its column of vectors. All is made under a lock of the database's own, so that two processes may open a new
 * store, or make its index, at once.
 */
import { createHash } from "node:crypto";
import {
  codeOf,
  isHalved,
  isRecent,
  type Lane,
  listsFor,
  literal,
  mark,
  noteOf,
  oldestPgvector,
  operatorClass,
  type Pool,
  type Rows,
  typeOf,
} from "@dataknobs/backend-postgres/kit";
import { type Call, DataknobsError } from "@dataknobs/core/backend";
import type { VectorOpenRequest } from "@dataknobs/core/vector";
import { quoteIdentifier } from "@dataknobs/sql";
import { indexNames, indexStatement, tableOf, type VectorIndex, type VectorLayout } from "./layout.js";
import { bad, type ColumnNames, type Settings } from "./options.js";

type RunText = (text: string, ...params: readonly string[]) => Promise<Rows>;
type Shape = Pick<VectorOpenRequest, "dimensions" | "metric">;

const layoutVersion = 1;

/** The schema of the extension. */
export async function checkExtension(pool: Pool, settings: Settings, call: Call): Promise<string> {
  const run: RunText = (text, ...params) => pool.run({ text, params }, call);
  const look = (): Promise<Rows> =>
    run(
      "SELECT e.extversion, n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'",
    );
  let [row] = await look();
  if (row === undefined && settings.createExtension) {
    await pool.change(call, (lane) => createExtension(lane));
    [row] = await look();
  }
  if (row === undefined) {
    throw bad(
      "needs the extension vector in the database. Somebody with the right to says there: CREATE EXTENSION vector; " +
        "or open with `createExtension: true`",
    );
  }
  const version = String(row[0]);
  if (!isRecent(version)) {
    throw bad(
      `needs pgvector ${oldestPgvector.join(".")} or later, and the database has ${version}: ALTER EXTENSION vector UPDATE`,
    );
  }
  return row[1] as string;
}

async function createExtension(lane: Lane): Promise<{ readonly result: undefined }> {
  // of two who make it at once one would fail
  await lane.run({ text: "SELECT pg_advisory_xact_lock($1::bigint)", params: [lockKey("CREATE EXTENSION vector")] });
  try {
    await lane.exec("CREATE EXTENSION IF NOT EXISTS vector");
  } catch (error) {
    const code = codeOf(error);
    if (code !== "0A000" && code !== "58P01") throw error;
    throw bad("needs pgvector, which is not installed on the PostgreSQL server: see its documentation for packages");
  }
  return { result: undefined };
}

/** Makes and checks the table; what is there. */
export async function openTable(
  pool: Pool,
  settings: Settings,
  extension: string,
  { dimensions, metric, ...call }: VectorOpenRequest,
): Promise<VectorLayout> {
  const shape = { dimensions, metric };
  const look = (): Promise<VectorLayout | undefined> => inspect(pool, settings, extension, shape, call);
  const found = await look();
  if (found !== undefined) return found;
  if (!settings.manage) throw notOurs(settings, "is not there, and `manage: false` makes none");
  await pool.change(call, async (lane) => {
    const run: RunText = (text, ...params) => lane.run({ text, params });
    await lock(run, settings);
    if ((await columnsOf(run, settings)).size === 0) await makeTable(run, settings, extension, shape);
    return { result: undefined };
  });
  const made = await look();
  if (made === undefined) throw notOurs(settings, "was dropped while it was opened");
  return made;
}

async function makeTable(run: RunText, settings: Settings, extension: string, shape: Shape): Promise<void> {
  const { columns } = settings;
  const name = (key: keyof ColumnNames): string => quoteIdentifier(columns[key]);
  const table = tableOf(settings);
  await run(
    `CREATE TABLE ${table} (${name("scope")} text COLLATE "C" NOT NULL, ${name("id")} text COLLATE "C" NOT NULL, ` +
      `${name("embedding")} ${typeOf({ extension }, "vector", shape.dimensions)} NOT NULL, ` +
      `${name("metadata")} jsonb NOT NULL DEFAULT '{}', ${name("metadataTypes")} jsonb, ${name("text")} text, ` +
      `PRIMARY KEY (${name("scope")}, ${name("id")}))`,
  );
  const note = literal(mark + JSON.stringify({ layout: layoutVersion, ...shape }));
  await run(`COMMENT ON COLUMN ${table}.${name("embedding")} IS ${note}`);
}

function lockKey(...parts: readonly string[]): string {
  return String(
    createHash("sha256")
      .update(["dataknobs", ...parts].join("\0"))
      .digest()
      .readBigInt64BE(0),
  );
}

async function lock(run: RunText, { schema, table }: Pick<Settings, "schema" | "table">): Promise<void> {
  await run("SELECT pg_advisory_xact_lock($1::bigint)", lockKey(schema, table));
}

interface Column {
  readonly type: string;
  readonly modifier: number;
  readonly comment: unknown;
  readonly plain: boolean;
  readonly notNull: boolean;
  readonly relation: string;
}

async function columnsOf(
  run: RunText,
  { schema, table }: Pick<Settings, "schema" | "table">,
): Promise<ReadonlyMap<string, Column>> {
  const rows = await run(
    "SELECT a.attname, t.typname, a.atttypmod, col_description(c.oid, a.attnum), " +
      "coalesce(nullif(l.collname, 'default'), d.datcollate) IN ('C', 'POSIX'), a.attnotnull, c.relkind::text " +
      "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_class c ON c.oid = a.attrelid " +
      "JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_database d ON d.datname = current_database() " +
      "LEFT JOIN pg_collation l ON l.oid = a.attcollation " +
      "WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped",
    schema,
    table,
  );
  return new Map(
    rows.map(([name, type, modifier, comment, plain, notNull, relation]) => [
      name as string,
      {
        type: type as string,
        modifier: Number(modifier),
        comment,
        plain: plain === true,
        notNull: notNull === true,
        relation: relation as string,
      },
    ]),
  );
}

const texts = ["text", "varchar"];
const types: { readonly [K in keyof ColumnNames]: readonly string[] } = {
  id: texts,
  embedding: ["vector"],
  metadata: ["jsonb"],
  metadataTypes: ["jsonb"],
  text: texts,
  scope: texts,
};

/** What is there; `undefined` where there is no such table. Refuses what is not for us. */
export async function inspect(
  pool: Pool,
  settings: Settings,
  extension: string,
  shape: Shape,
  call: Call,
): Promise<VectorLayout | undefined> {
  const run: RunText = (text, ...params) => pool.run({ text, params }, call);
  const columns = await columnsOf(run, settings);
  const [first] = columns.values();
  if (first === undefined) return undefined;
  if (first.relation !== "r" && first.relation !== "p") throw notOurs(settings, "is a view or the like, not a table");
  const there = mapColumns(settings, columns);
  const embedding = columns.get(there.embedding) as Column;
  const note = noteOf(embedding.comment) as Partial<Shape & { readonly layout: number }> | undefined;
  checkShape(settings, embedding.modifier, note, shape);
  const foreign = note === undefined;
  if (foreign && settings.manage) {
    throw notOurs(
      settings,
      "was made by another program. Open it with `manage: false`, and `columns` where they have other names",
    );
  }
  const id = columns.get(there.id) as Column;
  const { schema, table } = settings;
  const known: VectorLayout = {
    schema,
    table,
    extension,
    ...shape,
    columns: there,
    foreign,
    plainId: id.plain,
    nullable: !embedding.notNull,
    index: undefined,
  };
  const indexes = await indexesOf(run, settings);
  const key = [there.id, ...(there.scope === undefined ? [] : [there.scope])].sort();
  if (!indexes.some(({ unique, columns: own }) => unique && String([...own].sort()) === String(key))) {
    throw notOurs(settings, `has no unique constraint over ${key.join(", ")}, which tells its rows apart`);
  }
  return { ...known, index: serving(known, settings, indexes) };
}

function mapColumns(settings: Settings, columns: ReadonlyMap<string, Column>): VectorLayout["columns"] {
  const there: { -readonly [K in keyof ColumnNames]?: string } = {};
  for (const key of Object.keys(types) as (keyof ColumnNames)[]) {
    const name = settings.columns[key];
    const column = columns.get(name);
    if (column === undefined) {
      if (key !== "id" && key !== "embedding" && !settings.mapped.includes(key)) continue;
      throw notOurs(settings, `has no column "${name}" for \`columns.${key}\``);
    }
    if (!types[key].includes(column.type)) {
      throw notOurs(settings, `has a column "${name}" of the type ${column.type}, not ${types[key].join(" or ")}`);
    }
    there[key] = name;
  }
  return there as VectorLayout["columns"];
}

function checkShape(
  settings: Settings,
  modifier: number,
  note: Partial<Shape & { readonly layout: number }> | undefined,
  { dimensions, metric }: Shape,
): void {
  if ((note?.layout ?? 0) > layoutVersion) {
    throw notOurs(settings, `has the layout ${note?.layout}, of a newer version of this library`);
  }
  if (modifier < 0) {
    const column = settings.columns.embedding;
    throw notOurs(settings, `declares no dimensions: ALTER TABLE … ALTER COLUMN ${column} TYPE vector(${dimensions})`);
  }
  if (modifier !== dimensions) {
    throw notOurs(settings, `has vectors of ${modifier} dimensions; ${dimensions} were asked for`);
  }
  if (note?.metric !== undefined && note.metric !== metric) {
    throw notOurs(settings, `is one of the metric ${note.metric}; ${metric} was asked for`);
  }
}

interface FoundIndex {
  readonly name: string;
  readonly method: string;
  readonly unique: boolean;
  readonly columns: readonly (string | null)[];
  readonly operatorClass: string;
  readonly first: string;
  readonly options: string;
}

/** Indexes that are ready, of all rows. */
async function indexesOf(run: RunText, { schema, table }: Pick<Settings, "schema" | "table">): Promise<FoundIndex[]> {
  const rows = await run(
    "SELECT x.relname, m.amname, i.indisunique, (SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(i.indkey::int2[]) " +
      "WITH ORDINALITY AS k(number, place) LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number " +
      "WHERE k.place <= i.indnkeyatts)::text, o.opcname, pg_get_indexdef(i.indexrelid, 1, true), " +
      "coalesce(array_to_string(x.reloptions, ','), '') " +
      "FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam " +
      "JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace " +
      "JOIN pg_opclass o ON o.oid = i.indclass[0] " +
      "WHERE n.nspname = $1 AND c.relname = $2 AND i.indisvalid AND i.indpred IS NULL ORDER BY x.relname",
    schema,
    table,
  );
  return rows.map(([name, method, unique, columns, operators, first, options]) => ({
    name: name as string,
    method: method as string,
    unique: unique === true,
    columns: JSON.parse(columns as string) as (string | null)[],
    operatorClass: operators as string,
    first: first as string,
    options: options as string,
  }));
}

/** The index that answers searches of this store, if there is one. */
function serving(layout: VectorLayout, settings: Settings, indexes: readonly FoundIndex[]): VectorIndex | undefined {
  const names = indexNames(layout);
  const found = indexes.find(
    ({ method, operatorClass: operators, columns, first }) =>
      method === settings.indexType &&
      operators === operatorClass(layout) &&
      (isHalved(layout)
        ? first.endsWith(`halfvec(${layout.dimensions}))`) && first.includes(layout.columns.embedding)
        : columns[0] === layout.columns.embedding),
  );
  if (found === undefined) return undefined;
  return {
    name: found.name,
    type: found.method as VectorIndex["type"],
    lists: Number(/(?:^|,)lists=(\d+)/.exec(found.options)?.[1] ?? 100),
    own: names.includes(found.name),
  };
}

/** How many rows there are, counted up to a number. */
export async function countUpTo(pool: Pool, layout: VectorLayout, most: number, call: Call): Promise<number> {
  const text = `SELECT count(*) FROM (SELECT 1 FROM ${tableOf(layout)} LIMIT ${Math.floor(most)}) AS counted`;
  return Number((await pool.run({ text, params: [] }, call))[0]?.[0]);
}

/** So that an index that replaces another does not wait for ever for those who read by the old one. */
const dropTimeout = "3s";

/**
 * Makes the index; with `anew` also where there is one. Writers of the table wait meanwhile, readers do not: making it
 * CONCURRENTLY would wait for every open stream, and who reads one and adds to the store would wait for themselves.
 */
export async function buildIndex(
  pool: Pool,
  layout: VectorLayout,
  settings: Settings,
  call: Call,
  { anew }: { readonly anew: boolean },
): Promise<boolean> {
  const taken = await pool.change(call, async (lane) => {
    const run: RunText = (text, ...params) => lane.run({ text, params }, call);
    await lock(run, layout);
    const indexes = await indexesOf(run, layout);
    const old = indexNames(layout).filter((name) => indexes.some((one) => one.name === name));
    if (!anew && serving(layout, settings, indexes) !== undefined) return { result: undefined };
    const free = indexNames(layout).find((name) => !old.includes(name));
    // both are there where the last build could not drop the one that it replaced
    const name = free ?? (old[0] as string);
    if (free === undefined) await drop(run, layout, name);
    await run(indexStatement(layout, name, settings, await listsOf(run, layout, settings)));
    return { result: old.filter((one) => one !== name) };
  });
  if (taken === undefined) return false;
  for (const name of taken) await dropReplaced(pool, layout, name, call);
  // what the planner knows of the table may be from before it was loaded
  await pool.run({ text: `ANALYZE ${tableOf(layout)}`, params: [] }, call);
  return true;
}

async function listsOf(run: RunText, layout: VectorLayout, { indexType, lists }: Settings): Promise<number> {
  if (lists !== undefined || indexType !== "ivfflat") return lists ?? 0;
  const [row] = await run(`SELECT count(*) FROM ${tableOf(layout)}`);
  return listsFor(Number(row?.[0]));
}

async function drop(run: RunText, { schema }: VectorLayout, name: string): Promise<void> {
  await run(`SET LOCAL lock_timeout = '${dropTimeout}'`);
  await run(`DROP INDEX IF EXISTS ${quoteIdentifier(schema)}.${quoteIdentifier(name)}`);
}

/** The one that nobody could drop because of a reader goes with the next build. */
async function dropReplaced(pool: Pool, layout: VectorLayout, name: string, call: Call): Promise<void> {
  try {
    await pool.change(call, async (lane) => {
      await drop((text, ...params) => lane.run({ text, params }, call), layout, name);
      return { result: undefined };
    });
  } catch (error) {
    if (codeOf(error) !== "55P03") throw error;
  }
}

/** The error of a call for what a table lacks. */
export function lacking(key: keyof ColumnNames, what: string): DataknobsError {
  return new DataknobsError(
    "UNSUPPORTED",
    `The table of this pgvector store has no column for ${what}: add one, and name it in \`columns.${key}\`.`,
    { backend: "pgvector", column: key },
  );
}

function notOurs({ table }: Pick<Settings, "table">, what: string): DataknobsError {
  return bad(`found that the table "${table}" ${what}`);
}
