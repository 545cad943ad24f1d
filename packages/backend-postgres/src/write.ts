/**
 * Writes. Neighbours of one kind, each of another record, become one statement over lists; several statements become
 * one transaction. A batch that is to be whole and that one statement can do needs no transaction around it.
 */
import {
  escapeSegment,
  isoTime,
  type JsonObject,
  type MergeOp,
  type WireRecord,
  type WriteOp,
  type WriteOutcome,
} from "@dataknobs/core/backend";
import type { Statement } from "@dataknobs/sql";
import { arrayOrNull, arrayText } from "./arrays.js";
import { constraintOf } from "./errors.js";
import type { Rows } from "./lane.js";
import { hasUnique, indexName, type Layout, tableOf, textFields, timeColumn, wordColumns } from "./layout.js";
import { type VectorMaker, vectorMaker } from "./match.js";
import { fieldsOfText, recordColumns, typesOfText } from "./rows.js";

type Kind = "insert" | "upsert" | "update" | "delete";
type Content = Exclude<WriteOp, { kind: "delete" }>;

/** Operations that one statement does. */
export interface Run {
  readonly kind: Kind;
  readonly ops: readonly WriteOp[];
  /** Makes the lists that are its parameters, ahead of their use. */
  prepare(): void;
  /** The lists, which are then let go. */
  params(): readonly (string | null)[];
}

const mostOps = 5000;
const mostText = 8_000_000;

const kindOf = (op: WriteOp): Kind => (op.kind === "upsert" && op.ifVersion !== undefined ? "update" : op.kind);

/** What it takes to write to a table with these indexes. */
export class Writer {
  readonly layout: Layout;
  readonly #vectors: VectorMaker;
  readonly #hasWords: boolean;
  readonly #wordsOfMetadata: boolean;
  readonly #sql: { readonly [K in Kind]: string };
  readonly #plainInsert: string;
  readonly #mergeSql: string;
  readonly #versionsSql: string;

  constructor(layout: Layout) {
    this.layout = layout;
    this.#vectors = vectorMaker(layout);
    const fields = textFields(layout);
    this.#hasWords = fields.length > 0;
    this.#wordsOfMetadata = fields.some(({ path }) => path.root === "metadata");
    const sql = statements(layout);
    this.#sql = sql;
    this.#plainInsert = sql.plainInsert;
    this.#mergeSql = sql.merge;
    this.#versionsSql = `SELECT id, version FROM ${tableOf(layout)} WHERE id = ANY($1::text[])`;
  }

  /** Operations in their order, as runs. */
  plan(ops: readonly WriteOp[]): Run[] {
    const runs: Run[] = [];
    let part: WriteOp[] = [];
    let ids = new Set<string>();
    let kind: Kind = "insert";
    let text = 0;
    const flush = (): void => {
      if (part.length > 0) runs.push(this.#run(kind, part));
      part = [];
      ids = new Set();
      text = 0;
    };
    const single = hasUnique(this.layout);
    for (const op of ops) {
      const own = kindOf(op);
      // values may move from record to record, and then the order of the updates tells which is a duplicate
      const full = part.length >= mostOps || text > mostText || (single && own === "update" && part.length > 0);
      if (own !== kind || full || ids.has(op.id)) flush();
      kind = own;
      part.push(op);
      ids.add(op.id);
      // a guess from one is good enough to keep messages small
      if (op.kind !== "delete" && part.length % 64 === 1) text += 64 * JSON.stringify(op.data).length;
    }
    flush();
    return runs;
  }

  #run(kind: Kind, ops: readonly WriteOp[]): Run {
    const make = (): (string | null)[] => this.#params(kind, this.#inLockOrder(kind, ops));
    let ready: (string | null)[] | undefined;
    return {
      kind,
      ops,
      prepare() {
        ready ??= make();
      },
      params() {
        const params = ready ?? make();
        ready = undefined;
        return params;
      },
    };
  }

  /** By id, so that batches that meet wait for each other and not crosswise; duplicates of values go by the order given. */
  #inLockOrder(kind: Kind, ops: readonly WriteOp[]): readonly WriteOp[] {
    if (kind === "insert" || ops.length === 1 || hasUnique(this.layout)) return ops;
    return [...ops].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  #params(kind: Kind, ops: readonly WriteOp[]): (string | null)[] {
    const ids = arrayText(ops.map(({ id }) => id));
    const versions = (): string | null => arrayOrNull(ops.map((op) => (op.kind === "insert" ? null : op.ifVersion)));
    if (kind === "delete") return [ids, versions()];
    const contents = ops as readonly Content[];
    const params = [
      ids,
      arrayText(contents.map(({ data }) => JSON.stringify(data))),
      arrayOrNull(contents.map(({ metadata }) => metadataText(metadata, kind))),
      arrayOrNull(contents.map(({ types }) => types && JSON.stringify(types))),
      arrayOrNull(contents.map(({ metadataTypes }) => metadataTypes && JSON.stringify(metadataTypes))),
      arrayText(contents.map(({ version }) => version)),
      arrayText(contents.map(({ at }) => isoTime(at))),
      ...this.#words(contents),
    ];
    return kind === "update" ? [...params, versions()] : params;
  }

  /** Lists of vectors, field by field, and one of the versions that they are of. */
  #words(ops: readonly Content[]): (string | null)[] {
    if (!this.#hasWords) return [];
    const rows = ops.map((op) => this.#vectors({ ...op, metadata: op.metadata ?? {} }));
    const lists = textFields(this.layout).map((_, field) => arrayText(rows.map((row) => row[field])));
    // words of metadata that stay are not known here: such a row is stale until words are next asked for
    const known = (op: Content): boolean => op.metadata !== undefined || !this.#wordsOfMetadata;
    return [...lists, arrayOrNull(ops.map((op) => (known(op) ? op.version : null)))];
  }

  /** The statement of a run. `whole`: one that fails where an id is taken. */
  statement(run: Run, whole: boolean): Statement {
    const { kind } = run;
    return { text: kind === "insert" && whole ? this.#plainInsert : this.#sql[kind], params: run.params() };
  }

  /** Whether one statement does all of the run, or nothing, whatever it meets. */
  isWhole({ kind, ops }: Run): boolean {
    if (ops.length === 1) return true;
    if (kind === "update" || kind === "delete")
      return ops.every((op) => op.kind === "insert" || op.ifVersion === undefined);
    return true;
  }

  /** Outcomes of the rows that came back; `undefined` where a version must be looked at first. */
  outcomes({ kind, ops }: Run, rows: Rows): (WriteOutcome | undefined)[] {
    const found = new Map(rows.map((row) => [row[0] as string, row]));
    return ops.map((op) => {
      const row = found.get(op.id);
      if (row === undefined) {
        if (kind === "insert") return { status: "exists" };
        return op.kind !== "insert" && op.ifVersion !== undefined ? undefined : { status: "missing" };
      }
      return op.kind === "delete" ? { status: "deleted" } : written(op, row);
    });
  }

  versions(ids: readonly string[]): Statement {
    return { text: this.#versionsSql, params: [arrayText(ids)] };
  }

  merge({ id, data, types, version, at, ifVersion }: MergeOp): Statement {
    const replaced = arrayText(Object.keys(data).map((key) => escapeSegment(key)));
    const newTypes = types === null ? null : JSON.stringify(types);
    return {
      text: this.#mergeSql,
      params: [id, JSON.stringify(data), replaced, newTypes, version, isoTime(at), ifVersion ?? null],
    };
  }

  /** The index that refused a write; `undefined` where it is none of ours that is known. */
  duplicateOf(error: unknown): string | undefined {
    const name = constraintOf(error);
    return this.layout.indexes.find((spec) => spec.unique && indexName(this.layout, spec) === name)?.name;
  }
}

/** NULL leaves an update's metadata alone; of a new record it is the common case, and much cheaper than `{}`. */
function metadataText(metadata: JsonObject | undefined, kind: Kind): string | null {
  if (metadata === undefined) return null;
  const text = JSON.stringify(metadata);
  return text === "{}" && kind !== "update" ? null : text;
}

function written(op: Content, row: readonly unknown[]): WriteOutcome {
  // of an insert only the id comes back
  const createdAt = row.length > 1 ? Number(row[1]) : op.at;
  if (op.kind !== "update" || op.metadata !== undefined) return { status: "written", createdAt };
  const { id, data, types, version, at } = op;
  const record: WireRecord = {
    id,
    data,
    types,
    metadata: fieldsOfText(row[2]),
    metadataTypes: typesOfText(row[3]),
    version,
    createdAt,
    updatedAt: at,
  };
  return { status: "written", createdAt, record };
}

function statements(layout: Layout): { readonly [K in Kind | "plainInsert" | "merge"]: string } {
  const table = tableOf(layout);
  const words = textFields(layout).map(({ path }) => wordColumns(path));
  const listTypes = ["text", "text", "jsonb", "jsonb", "jsonb", "text", "timestamp"];
  const names = [
    "id",
    "data",
    "metadata",
    "types",
    "metadata_types",
    "version",
    "at",
    ...words.map((_, index) => `w${index}`),
  ];
  if (words.length > 0) names.push("words_of");
  const lists = [...listTypes, ...words.map(() => "tsvector"), ...(words.length > 0 ? ["text"] : [])];
  const unnest = (more: readonly string[] = []): string =>
    `unnest(${[...lists, ...more.map(() => "text")].map((type, index) => `$${index + 1}::${type}[]`).join(", ")}) ` +
    `AS v(${[...names, ...more].join(", ")})`;
  const set: [string, string][] = [
    // a list of texts is read faster than one of jsonb
    ["data", "v.data::jsonb"],
    ["metadata", "coalesce(v.metadata, '{}')"],
    ["types", "v.types"],
    ["metadata_types", "v.metadata_types"],
    ["version", "v.version"],
    ["updated_at", "v.at"],
    ...words.flatMap((columns, index): [string, string][] => [
      [columns.words, `v.w${index}`],
      [columns.of, "v.words_of"],
    ]),
  ];
  const columns = set.map(([column]) => column);
  const created = timeColumn("created_at", "t.");
  const insert =
    `INSERT INTO ${table} AS t (id, created_at, ${columns.join(", ")}) ` +
    `SELECT v.id, v.at, ${set.map(([, value]) => value).join(", ")} FROM ${unnest()}`;
  const kept: { readonly [column: string]: string } = {
    metadata: "coalesce(v.metadata, t.metadata)",
    metadata_types: "CASE WHEN v.metadata IS NULL THEN t.metadata_types ELSE v.metadata_types END",
  };
  const isVersion = "(v.if_version IS NULL OR t.version = v.if_version)";
  const keptTypes =
    "(SELECT jsonb_object_agg(k, e) FROM jsonb_each(t.types) AS each_type(k, e) WHERE split_part(k, '/', 2) <> ALL ($3::text[]))";
  return {
    insert: `${insert} ON CONFLICT (id) DO NOTHING RETURNING id`,
    plainInsert: insert,
    upsert: `${insert} ON CONFLICT (id) DO UPDATE SET ${columns.map((column) => `${column} = excluded.${column}`).join(", ")} RETURNING id, ${created}`,
    update:
      `UPDATE ${table} AS t SET ${set.map(([column, value]) => `${column} = ${kept[column] ?? value}`).join(", ")} ` +
      `FROM ${unnest(["if_version"])} WHERE t.id = v.id AND ${isVersion} ` +
      `RETURNING t.id, ${created}, t.metadata::text, t.metadata_types::text`,
    delete:
      `DELETE FROM ${table} AS t USING unnest($1::text[], $2::text[]) AS v(id, if_version) WHERE t.id = v.id AND ${isVersion} ` +
      "RETURNING t.id",
    merge:
      `UPDATE ${table} AS t SET data = t.data || $2::text::jsonb, ` +
      `types = nullif(coalesce(${keptTypes}, '{}') || coalesce($4::text::jsonb, '{}'), '{}'), ` +
      "version = $5, updated_at = $6::text::timestamp WHERE id = $1 AND ($7::text IS NULL OR version = $7) " +
      `RETURNING ${recordColumns("t.")}`,
  };
}
