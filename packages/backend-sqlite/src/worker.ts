/** A thread with a connection of its own: the writer, or a reader. It answers in the order in which it is asked. */
import { parentPort, workerData } from "node:worker_threads";
import { Connection, type Cursor } from "./connection.js";
import { toWire } from "./errors.js";
import { nativeRows } from "./native.js";
import type {
  Argument,
  CursorBatch,
  OpenCursor,
  Opened,
  OperationName,
  Request,
  Response,
  Result,
  WorkerData,
  WrittenBatch,
} from "./protocol.js";
import type { Row } from "./rows.js";
import { recordWidth } from "./select.js";
import { Store } from "./store.js";

type Handlers = { readonly [N in OperationName]: (argument: Argument<N>) => Result<N> };

const port = parentPort;
if (port === null) throw new TypeError("worker.js runs as a worker thread only.");
const { settings, indexes } = workerData as WorkerData;

const missing: readonly null[] = new Array(recordWidth).fill(null);

/** A stream of a reader has a connection to itself: its snapshot must not hold back what other reads see. */
const spare: Connection[] = [];
const mostSpare = 4;

function handlersOf(store: Store): Handlers {
  const { connection } = store;
  const cursors = new Map<
    number,
    { readonly cursor: Cursor; readonly own: Connection | undefined; readonly batchSize: number }
  >();
  const leave = (id: number): void => {
    const open = cursors.get(id);
    if (open === undefined) return;
    cursors.delete(id);
    open.cursor.close();
    if (open.own === undefined) return;
    if (spare.length < mostSpare) spare.push(open.own);
    else open.own.close();
  };
  const next = (id: number): CursorBatch => {
    const open = cursors.get(id);
    const rows = open === undefined ? [] : open.cursor.next();
    // a short batch is the last, unless a write came between and rows were lost since
    const done = rows.length === 0 || (open?.own !== undefined && rows.length < open.batchSize);
    if (done) leave(id);
    return { ...flat(rows), done };
  };
  return {
    read(ids) {
      const columns: (string | number | null)[] = [];
      for (const id of ids) {
        const row = store.read(id) ?? missing;
        for (let index = 0; index < recordWidth; index++) columns.push(row[index] as string | number | null);
      }
      return columns;
    },
    all: (statement) => connection.all(statement),
    nearest: (search) => store.nearest(search),
    write({ ops, atomic }) {
      return packed(store.write(ops, atomic, (op) => op));
    },
    merge: (op) => store.merge(op),
    deleteWhere: ({ statement, all }) => store.deleteWhere(statement, all),
    open({ cursor: id, statement, batchSize, refetch }: OpenCursor) {
      const own = refetch === undefined ? (spare.pop() ?? new Connection(settings, true)) : undefined;
      cursors.set(id, { cursor: (own ?? connection).open(statement, batchSize, refetch), own, batchSize });
      return next(id);
    },
    next,
    leave(id) {
      leave(id);
      return null;
    },
    begin() {
      connection.begin();
      return null;
    },
    commit() {
      connection.commit();
      return null;
    },
    rollback() {
      connection.rollback();
      return null;
    },
    refresh() {
      store.refresh();
      return null;
    },
    listIndexes: () => store.listIndexes(),
    createIndex: (spec) => store.createIndex(spec),
    dropIndex: (name) => store.dropIndex(name),
    backup(path) {
      store.backup(path);
      return null;
    },
    sql: ({ statement, parameters }) => nativeRows(connection, statement, parameters),
    close() {
      for (const id of cursors.keys()) leave(id);
      for (const one of spare.splice(0)) one.close();
      store.close();
      return null;
    },
  };
}

function flat(rows: readonly Row[]): { width: number; columns: (string | number | null)[] } {
  const columns: (string | number | null)[] = [];
  for (const row of rows) for (const column of row) columns.push(column);
  return { width: rows[0]?.length ?? 0, columns };
}

function packed(outcomes: Result<"write">["each"] & object): WrittenBatch {
  const [first] = outcomes;
  if (first?.status !== "written" || first.record !== undefined || outcomes.length < 2) return { each: outcomes };
  const same = outcomes.every(
    (one) => one.status === "written" && one.createdAt === first.createdAt && one.record === undefined,
  );
  return same ? { all: first } : { each: outcomes };
}

function start(): void {
  let handlers: Handlers;
  try {
    const store = new Store(settings);
    try {
      const layout = indexes === undefined ? store.look() : store.open(indexes);
      port?.postMessage({ layout } satisfies Opened);
    } catch (error) {
      store.close();
      throw error;
    }
    handlers = handlersOf(store);
  } catch (error) {
    port?.postMessage({ error: toWire(error) } satisfies Opened);
    port?.close();
    return;
  }
  port?.on("message", ({ id, name, argument }: Request) => {
    let response: Response;
    try {
      response = { id, result: (handlers[name] as (argument: unknown) => unknown)(argument) };
    } catch (error) {
      response = { id, error: toWire(error) };
    }
    port.postMessage(response);
    if (name === "close") port.close();
  });
}

start();
