/**
 * The index: its mapping, the declared fields that it has, and how they change while others are at work.
 *
 * The data are kept as plain JSON and never mapped, so no field name, number of fields or clash of types matters.
 * What is indexed lies below `side`. The mapping's `_meta` names the declared fields; their signature is in every
 * document and in the name of an alias. All documents are written and read by that alias: when another process
 * declares a field, the alias gets another name, the old one's users meet a 404, read the layout anew and go on.
 * So no document can lack a field that someone counts on. Who changes the fields takes the alias away first, which
 * one process can do and others then cannot, and gives it back under its new name.
 */
import { hash, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Call,
  DataknobsError,
  type FieldType,
  type IndexSpec,
  type Path,
  pathKey,
  resolvePath,
  samePath,
  type VectorDeclaration,
} from "@dataknobs/core/backend";
import { nativeType } from "./errors.js";
import { isVector, vectorMapping } from "./nearest.js";
import type { Settings } from "./options.js";
import type { Answer, Wire } from "./wire.js";

const layoutVersion = 1;

/** A declared field. */
export interface Column {
  /** In the names of its fields: a hash of the path. */
  readonly id: string;
  readonly path: Path;
  readonly text: boolean;
  readonly type: FieldType | undefined;
  readonly vector?: VectorDeclaration | undefined;
  /** As the index is called. */
  readonly name: string;
}

export interface Layout {
  /** The index itself. */
  readonly index: string;
  /** What documents are written and read by: the alias, or the index where nobody may make one. */
  readonly target: string;
  /** Every field that documents must have. */
  readonly columns: readonly Column[];
  /** Those that all documents have for sure, so that queries may use them. */
  readonly usable: readonly Column[];
  readonly analyzers: readonly string[];
  readonly shards: number;
  readonly signature: string;
}

export function columnOf({ path, text, type, vector, name }: IndexSpec): Column {
  // a field of vectors can never become one of others
  const what = vector === undefined ? pathKey(path) : JSON.stringify([pathKey(path), shapeOf(vector)]);
  const id = hash("sha256", what, "hex").slice(0, 8);
  return { id, path, text, type, name, ...(vector !== undefined && { vector }) };
}

const shapeOf = ({ dimensions, metric, index }: VectorDeclaration): readonly unknown[] => [dimensions, metric, index];

export function specOf({ path, text, type, vector, name }: Column): IndexSpec {
  return { path, text, type, name, unique: false, ...(vector !== undefined && { vector }) };
}

const keyOf = ({ id, text, vector }: Column): string => (text ? `${id}:text` : vector ? `${id}:vector` : id);

/** Whether it holds keys: for conditions, sorts and groups. */
export const isKeyed = ({ text, vector }: Column): boolean => !text && vector === undefined;

/** A layout before anything is known of the index: what the declared fields will be. */
export function plannedLayout(settings: Settings, columns: readonly Column[] = []): Layout {
  const { index, analyzers, shards } = settings;
  const empty: Layout = { index, target: index, columns: [], usable: [], analyzers, shards, signature: "" };
  return withColumns(empty, columns, columns);
}

function withColumns(layout: Layout, columns: readonly Column[], usable: readonly Column[]): Layout {
  const what = [layoutVersion, columns.map(keyOf).sort(), layout.analyzers];
  return { ...layout, columns, usable, signature: hash("sha256", JSON.stringify(what), "hex").slice(0, 12) };
}

// ---------- the mapping

const keyword = { type: "keyword" };
/** Found by, but neither sorted nor grouped by. */
const term = { type: "keyword", doc_values: false };
/** Sorted and grouped by. */
const value = { index: false };
const disabled = { type: "object", enabled: false };
const time = { ...keyword, fields: { date: { type: "date", ...value } } };

function fieldsOf({ columns, analyzers }: Layout): object {
  const of = (text: boolean, mapping: object): object => ({
    properties: Object.fromEntries(
      columns.filter((column) => (text ? column.text : isKeyed(column))).map(({ id }) => [id, mapping]),
    ),
  });
  const vectors = columns.filter(isVector).map(({ id, vector }) => [id, vectorMapping(vector)]);
  const analyzed = Object.fromEntries(analyzers.map((analyzer) => [analyzer, { type: "text", analyzer }]));
  return {
    layout: term,
    terms: term,
    k: of(false, { ...keyword, ...value }),
    n: of(false, { type: "double" }),
    t: of(false, { type: "date", format: "epoch_millis", ...value }),
    d: of(false, { type: "byte" }),
    ...(vectors.length > 0 && { v: { properties: Object.fromEntries(vectors) }, odd: term }),
    w: of(true, { type: "text", analyzer: "dataknobs_words", index_options: "freqs" }),
    ...(analyzers.length > 0 && {
      a: of(true, { type: "keyword", index: false, doc_values: false, fields: analyzed }),
    }),
  };
}

function mappingOf(layout: Layout, settings: Settings): object {
  const { columns, analyzers } = layout;
  const described = columns.map(({ path, text, type, vector }) => ({
    path: path.text,
    text,
    ...(type !== undefined && { type }),
    ...(vector !== undefined && { vector }),
  }));
  return {
    _meta: {
      dataknobs: { layout: layoutVersion, indexes: described, analyzers, routing: settings.routing ?? null },
    },
    properties: { side: { dynamic: false, properties: fieldsOf(layout) } },
  };
}

/** The body that makes the index. */
function indexBody(layout: Layout, settings: Settings): object {
  const { shards, replicas, alias, mappings, settings: more } = settings;
  const analysis = (more["analysis"] ?? {}) as { readonly [part: string]: object };
  return {
    settings: {
      number_of_shards: shards,
      ...(replicas !== undefined && { number_of_replicas: replicas }),
      ...more,
      analysis: {
        ...analysis,
        analyzer: { ...analysis["analyzer"], dataknobs_words: { type: "custom", tokenizer: "dataknobs_words" } },
        tokenizer: { ...analysis["tokenizer"], dataknobs_words: { type: "whitespace", max_token_length: 2000 } },
      },
    },
    mappings: {
      ...mappingOf(layout, settings),
      dynamic: false,
      // made of the record whenever it is asked for: kept, it would be the greater part of every answer; `a`, the texts
      // for analyzers, is what highlighting reads
      _source: { excludes: ["layout", "terms", "k", "n", "t", "d", "w", "v", "odd"].map((part) => `side.${part}`) },
      properties: {
        id: keyword,
        version: { ...keyword, ...value, doc_values: false },
        createdAt: time,
        updatedAt: time,
        data: mappings === undefined ? disabled : { type: "object", dynamic: false, properties: mappings },
        types: disabled,
        metadata: disabled,
        metadataTypes: disabled,
        ...(mappingOf(layout, settings) as { readonly properties: object }).properties,
      },
    },
    aliases: { [fenceOf(layout)]: {}, ...(alias !== undefined && { [alias]: {} }) },
  };
}

const fenceOf = ({ index, signature }: Layout): string => `${index}~${signature}`;
const lockOf = (index: string): string => `${index}~lock-`;

// ---------- what is there

/** A declared field in the mapping's `_meta`. */
interface Described {
  readonly path: string;
  readonly text: boolean;
  readonly type?: FieldType;
  readonly vector?: VectorDeclaration;
}

interface Found {
  readonly layout: Layout;
  readonly aliases: readonly string[];
  /** The alias of who is changing the fields now. */
  readonly lock: string | undefined;
}

/** Milliseconds after which who is changing the fields has died over it. */
const patience = 10_000;

/** What the server has, when nobody is changing it or has died over that; `undefined` where there is no such index. */
export async function findLayout(wire: Wire, settings: Settings, call: Call): Promise<Found | undefined> {
  let seen: string | undefined;
  for (let since = Date.now(); ; ) {
    const found = await readLayout(wire, settings, call);
    if (found?.lock === undefined) return found;
    if (found.lock !== seen) [seen, since] = [found.lock, Date.now()];
    else if (Date.now() - since > patience) return found;
    await sleep(30, undefined, call.signal === undefined ? {} : { signal: call.signal });
  }
}

async function readLayout(wire: Wire, settings: Settings, call: Call): Promise<Found | undefined> {
  const answer: Answer = await wire.ask({ method: "GET", path: [settings.index], allow: [404], ...call });
  if (answer.status === 404) return undefined;
  const names = Object.keys(answer);
  const [index] = names;
  if (index === undefined) return undefined;
  if (names.length > 1) throw bad(`"${settings.index}" stands for several indexes; name one of them with \`index\``);
  const { mappings, aliases, settings: made } = answer[index];
  const meta = mappings?._meta?.dataknobs;
  if (meta === undefined) {
    throw bad(
      `the index "${index}" was made by another program. Choose another name with \`index\`, and copy what is in it`,
    );
  }
  if (!(meta.layout <= layoutVersion)) {
    throw bad(
      `the index "${index}" has layout ${meta.layout} of a newer version of this library; this one knows up to ${layoutVersion}`,
    );
  }
  if ((meta.routing ?? undefined) !== settings.routing) {
    throw bad(`the index "${index}" was made with another \`routing\`; all its users need the same`);
  }
  const columns = (meta.indexes as readonly Described[]).map(({ path: text_, text, type, vector }): Column => {
    const path = resolvePath(text_);
    const kind = text ? ":text" : vector !== undefined ? ":vector" : "";
    const name = `${path.text.replaceAll(":", "\\:")}${kind}`;
    return columnOf({ path, text, type, vector, name, unique: false });
  });
  const known: Layout = {
    ...plannedLayout(settings),
    index,
    analyzers: meta.analyzers,
    shards: Number(made.index.number_of_shards),
  };
  const layout = withColumns(known, columns, []);
  const fence = fenceOf(layout);
  const all = Object.keys(aliases ?? {});
  return {
    layout: { ...layout, target: all.includes(fence) ? fence : index },
    aliases: all,
    lock: all.find((alias) => alias.startsWith(lockOf(index))),
  };
}

/** Makes the index where it is missing, and the fields that are declared and missing. */
export async function ensureLayout(
  wire: Wire,
  settings: Settings,
  wanted: (columns: readonly Column[]) => readonly Column[],
  call: Call,
): Promise<Layout> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const found = await findLayout(wire, settings, call);
    if (found === undefined) {
      if (!settings.manage) throw bad(`there is no index "${settings.index}", and \`manage: false\` makes none`);
      await makeIndex(wire, settings, wanted([]), call);
      continue;
    }
    const { layout, aliases, lock: stuck } = found;
    if (!settings.manage) {
      if (stuck !== undefined) throw busy(settings);
      return layout;
    }
    const { index } = layout;
    const analyzers = [...new Set([...layout.analyzers, ...settings.analyzers])].sort();
    const next = withColumns({ ...layout, analyzers }, wanted(layout.columns), []);
    const fence = fenceOf(next);
    const named = settings.alias === undefined || settings.alias === index || aliases.includes(settings.alias);
    if (layout.target === fence && named) return layout;
    const ours = aliases.filter((alias) => alias.startsWith(`${index}~`));
    const lock = `${lockOf(index)}${randomUUID()}`;
    // of several processes one finds the aliases as it read them; the others wait
    if (!(await swap(wire, index, ours, [lock], call))) continue;
    await wire.ask({ method: "PUT", path: [index, "_mapping"], body: mappingOf(next, settings), ...call });
    await swap(wire, index, [lock], [fence, ...(settings.alias === undefined ? [] : [settings.alias])], call);
  }
  throw busy(settings);
}

/** The fields stay in the hands of another process. */
export function busy({ index }: Settings): DataknobsError {
  return new DataknobsError(
    "UNAVAILABLE",
    `Another process keeps changing the declared fields of the Elasticsearch index "${index}", or died over it. Try ` +
      "again; opening the database anew mends it.",
    { backend: "elasticsearch" },
  );
}

/** Replaces aliases by others, all or none; `false` where one to be removed is not there. */
async function swap(
  wire: Wire,
  index: string,
  remove: readonly string[],
  add: readonly string[],
  call: Call,
): Promise<boolean> {
  const actions = [
    ...remove.map((alias) => ({ remove: { index, alias, must_exist: true } })),
    ...add.map((alias) => ({ add: { index, alias } })),
  ];
  const answer: Answer = await wire.ask({
    method: "POST",
    path: ["_aliases"],
    body: { actions },
    allow: [404],
    ...call,
  });
  return answer.acknowledged === true;
}

async function makeIndex(wire: Wire, settings: Settings, columns: readonly Column[], call: Call): Promise<void> {
  const body = indexBody(withColumns(plannedLayout(settings), columns, []), settings);
  try {
    await wire.ask({ method: "PUT", path: [settings.index], body, retry: false, ...call });
  } catch (error) {
    // another process made it meanwhile
    if (nativeType(error) !== "resource_already_exists_exception") throw error;
  }
}

/** The columns with those of the declarations that are missing. */
export function adding(columns: readonly Column[], more: readonly Column[]): readonly Column[] {
  for (const { id, path } of more) {
    // one pair of paths in four thousand million
    const other = [...columns, ...more].find((one) => one.id === id && !samePath(one.path, path));
    if (other !== undefined) throw bad(`the fields "${path.text}" and "${other.path.text}" cannot both be declared`);
  }
  const known = new Set(columns.map(keyOf));
  const added = more.filter((column) => !known.has(keyOf(column)));
  // a field is declared for vectors once: otherwise than before, it replaces that
  const isReplaced = (old: Column): boolean =>
    isVector(old) && added.some((one) => isVector(one) && samePath(one.path, old.path));
  return [...columns.filter((column) => !isReplaced(column)), ...added];
}

/** The layout with `usable` columns: those of the list that are still there. */
export function usableOf(layout: Layout, columns: readonly Column[]): Layout {
  const there = new Set(layout.columns.map(keyOf));
  return { ...layout, usable: columns.filter((column) => there.has(keyOf(column))) };
}

function bad(what: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", `Elasticsearch: ${what}.`, { backend: "elasticsearch" });
}
