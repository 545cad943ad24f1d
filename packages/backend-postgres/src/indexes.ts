/**
 * Declared indexes: made, listed and dropped. Those of a table that is in use are made without keeping writers waiting,
 * but for a column of vectors, which is filled while they wait.
 */
import {
  type Call,
  DataknobsError,
  type ExistingIndex,
  type IndexSpec,
  samePath,
  sameVector,
} from "@dataknobs/core/backend";
import { quoteIdentifier } from "@dataknobs/sql";
import type { Pool } from "./access.js";
import { codeOf } from "./errors.js";
import { provideExtension } from "./extension.js";
import type { Lane, Rows } from "./lane.js";
import {
  cutExpression,
  idColumn,
  indexName,
  inSchema,
  isListed,
  jsonPieces,
  type Layout,
  lockKey,
  makesLists,
  sameExpression,
  tableOf,
  vectorColumn,
  wordColumns,
} from "./layout.js";
import { note, noteOf, specOf } from "./notes.js";
import { listsFor } from "./pgvector.js";
import {
  addColumn,
  enoughForLists,
  isVector,
  mostDimensions,
  storeAs,
  type VectorSpec,
  vectorParts,
} from "./vectors.js";
import { isStale, refreshWords } from "./words.js";

/** Of tables with fewer rows than this an index is made at once: its writers hardly wait. */
const fewRows = 1000;

/** The parts of an index, each with what is said of it; the first has the name. */
function partsOf(
  layout: Layout,
  spec: IndexSpec,
): { readonly name: string; readonly on: string; readonly unique?: boolean }[] {
  const { path } = spec;
  if (isVector(spec)) return vectorParts(layout, spec);
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

function columnStatements(layout: Layout, spec: IndexSpec): string[] {
  if (isVector(spec)) return [storeAs(layout, spec, "EXTERNAL"), addColumn(layout, spec)];
  const { text, path } = spec;
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
  const { path, type, unique, text, vector, name } = spec;
  const about = { path: [path.root, ...path.segments], type, unique, text, vector, name };
  if (isVector(spec)) {
    // an index of vectors may not be there, but its column is
    return [
      ...vectorParts(layout, spec).map(
        (part) => `COMMENT ON INDEX ${inSchema(layout, part.name)} IS ${note({ part: name })}`,
      ),
      `COMMENT ON COLUMN ${tableOf(layout)}.${vectorColumn(spec)} IS ${note(about)}`,
    ];
  }
  // the name last: with it the index is there for others
  return partsOf(layout, spec)
    .map(
      (part, index) =>
        `COMMENT ON INDEX ${inSchema(layout, part.name)} IS ${note(index === 0 ? about : { part: name })}`,
    )
    .reverse();
}

/** In the transaction that is open. */
export async function createAtOnce(lane: Lane, layout: Layout, spec: IndexSpec): Promise<void> {
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
export async function createIndex(pool: Pool, table: Layout, spec: IndexSpec, call: Call): Promise<void> {
  const layout = isVector(spec) ? await readyForVectors(pool, table, spec, call) : table;
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

/** Another declaration for the same field is replaced. */
async function readyForVectors(pool: Pool, layout: Layout, spec: VectorSpec, call: Call): Promise<Layout> {
  if (spec.vector.dimensions > mostDimensions) {
    throw new DataknobsError(
      "LIMIT_EXCEEDED",
      `pgvector keeps at most ${mostDimensions} numbers in a vector; "${spec.path.text}" is declared with ${spec.vector.dimensions}.`,
      { backend: "postgres", index: spec.name },
    );
  }
  const extension = await provideExtension(pool, true, call);
  if (extension === undefined) {
    throw new DataknobsError(
      "UNSUPPORTED",
      "The PostgreSQL database has no extension vector of version 0.8 or later, and this user cannot make it there.",
      { backend: "postgres", index: spec.name },
    );
  }
  const old = layout.indexes.find((one) => isVector(one) && samePath(one.path, spec.path));
  if (old !== undefined && !sameVector(old.vector, spec.vector)) await dropIndex(pool, layout, old, call);
  const [row] = await pool.run({ text: `SELECT count(*) FROM ${tableOf(layout)}`, params: [] }, call);
  const rows = Number(row?.[0]);
  return { ...layout, extension, ...(rows >= enoughForLists && { lists: listsFor(rows) }) };
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
    if (isVector(spec)) {
      // its indexes go with it
      await lane.exec(`ALTER TABLE ${tableOf(layout)} DROP COLUMN IF EXISTS ${vectorColumn(spec)}`);
      const isLast = layout.indexes.filter((one) => isVector(one) && one.path.root === spec.path.root).length <= 1;
      if (isLast) await lane.exec(storeAs(layout, spec, "EXTENDED"));
      return;
    }
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
    "WHERE n.nspname = $1 AND c.relname = $2 AND NOT i.indisprimary " +
    // what is said of a field of vectors is said of its column
    "UNION ALL SELECT a.attname, col_description(c.oid, a.attnum), true FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid " +
    "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2 AND NOT a.attisdropped " +
    "AND starts_with(a.attname, 'vector_') AND col_description(c.oid, a.attnum) IS NOT NULL ORDER BY 1";
  const rows = await pool.run({ text, params: [schema, table] }, call);
  return rows.flatMap(([name, comment, valid]): ExistingIndex[] => {
    const spec = valid === true ? specOf(comment) : undefined;
    if (spec !== undefined) return [{ name: spec.name, spec }];
    return noteOf(comment) === undefined ? [{ name: name as string }] : [];
  });
}
