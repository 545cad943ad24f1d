/**
 * Tells what a backend does and how long it takes: OpenTelemetry spans and the metric `db.client.operation.duration`
 * (seconds), by the stable semantic conventions for databases, and the diagnostics channel `dataknobs:operation`.
 *
 * What is told: the operation, how many records, the error's code. Never ids, data, operands or statements.
 */
import type { Backend, Batches, MaybePromise } from "../backend/spi.js";
import { DataknobsError } from "../errors.js";
import type { WireRecord } from "../record/json.js";
import { forward } from "./forward.js";
import { checkKeys } from "./options.js";

/** The part of a Tracer of `@opentelemetry/api` that is used. */
export interface TracerLike {
  startSpan(name: string, options: { kind: number; attributes: { [name: string]: string | number } }): SpanLike;
}
export interface SpanLike {
  setAttribute(name: string, value: string | number): unknown;
  setStatus(status: { code: number }): unknown;
  end(): void;
}
/** The part of a Meter of `@opentelemetry/api` that is used. */
export interface MeterLike {
  createHistogram(
    name: string,
    options: { description: string; unit: string; advice: { explicitBucketBoundaries: number[] } },
  ): { record(value: number, attributes: { [name: string]: string | number }): void };
}

export interface ObserveOptions {
  /** `trace.getTracer("dataknobs")` of `@opentelemetry/api`. */
  readonly tracer?: TracerLike;
  /** `metrics.getMeter("dataknobs")` of `@opentelemetry/api`. */
  readonly meter?: MeterLike;
  /** Attributes that all spans and measurements get: `{ "db.collection.name": "users" }`. */
  readonly attributes?: { readonly [name: string]: string | number };
}

/** What the diagnostics channel `dataknobs:operation` gives after each operation. */
export interface OperationMessage {
  /** The backend's name: `sqlite`. */
  readonly backend: string;
  readonly operation: string;
  /** Records read or written; `undefined` where that has no meaning. */
  readonly records: number | undefined;
  readonly milliseconds: number;
  /** `undefined`: it succeeded. */
  readonly error: Error | undefined;
}

interface Channel {
  readonly hasSubscribers: boolean;
  publish(message: unknown): void;
}
interface NodeLike {
  readonly process?: { getBuiltinModule?(name: string): { channel(name: string): Channel } | undefined };
}

/** As the conventions spell them; others go by the backend's own name. */
const systems: { readonly [backend: string]: string } = { postgres: "postgresql", s3: "aws.s3" };
const buckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
const clientSpan = 2;
const errorStatus = 2;

/**
 * A backend that tells of every operation.
 *
 * @example
 * const db = await openDatabase(observed(backend, { tracer: trace.getTracer("app"), meter: metrics.getMeter("app") }));
 */
export function observed(backend: Backend, options: ObserveOptions = {}): Backend {
  checkKeys("observed", options, ["tracer", "meter", "attributes"]);
  const watch = watcherOf(backend.name, options);
  const { count, aggregate, merge, deleteWhere, clear, sql, begin } = backend;
  return forward(backend, {
    // what is at hand without I/O is no operation
    read: (ids, call) => watch("read", ids.length, () => backend.read(ids, call)),
    write: (ops, request) => watch(ops[0]?.kind ?? "write", ops.length, () => backend.write(ops, request)),
    scan: (request) => watch.stream("scan", backend.scan(request)),
    count: count && ((where, match, call) => watch("count", undefined, () => count.call(backend, where, match, call))),
    aggregate: aggregate && ((request) => watch("aggregate", undefined, () => aggregate.call(backend, request))),
    merge: merge && ((op, call) => watch("merge", 1, () => merge.call(backend, op, call))),
    deleteWhere:
      deleteWhere && ((where, call) => watch("deleteWhere", undefined, () => deleteWhere.call(backend, where, call))),
    clear: clear && ((call) => watch("clear", undefined, () => clear.call(backend, call))),
    sql: sql && ((text, values, call) => watch("sql", undefined, () => sql.call(backend, text, values, call))),
    begin: begin && ((call) => watch("begin", undefined, () => begin.call(backend, call))),
    ...(backend.toSync !== undefined && { toSync: () => observed((backend.toSync as () => Backend)(), options) }),
  });
}

interface Watcher {
  <R>(operation: string, records: number | undefined, work: () => MaybePromise<R>): MaybePromise<R>;
  stream(operation: string, batches: Batches): Batches;
}

function watcherOf(name: string, { tracer, meter, attributes = {} }: ObserveOptions): Watcher {
  const system = systems[name] ?? name;
  const shared = { "db.system.name": system, ...attributes };
  const channel = (globalThis as NodeLike).process
    ?.getBuiltinModule?.("node:diagnostics_channel")
    ?.channel("dataknobs:operation");
  const duration = meter?.createHistogram("db.client.operation.duration", {
    description: "Duration of database client operations.",
    unit: "s",
    advice: { explicitBucketBoundaries: buckets },
  });

  /** Begins an operation; the answer ends it. */
  const begin = (operation: string): ((records: number | undefined, error?: unknown) => void) => {
    const started = performance.now();
    const told = { ...shared, "db.operation.name": operation };
    const span = tracer?.startSpan(`${operation} ${system}`, { kind: clientSpan, attributes: told });
    return (records, error) => {
      const milliseconds = performance.now() - started;
      const failed = error !== undefined;
      const code = DataknobsError.is(error) ? error.code : "UNEXPECTED";
      const outcome = failed ? { "error.type": code, "db.response.status_code": code } : {};
      if (span !== undefined) {
        if (records !== undefined && records > 1) span.setAttribute("db.operation.batch.size", records);
        for (const [key, value] of Object.entries(outcome)) span.setAttribute(key, value);
        if (failed) span.setStatus({ code: errorStatus });
        span.end();
      }
      duration?.record(milliseconds / 1000, { ...told, ...outcome });
      if (channel?.hasSubscribers === true) {
        const thrown = failed ? (error as Error) : undefined;
        channel.publish({ backend: name, operation, records, milliseconds, error: thrown } satisfies OperationMessage);
      }
    };
  };

  const watch = <R>(operation: string, records: number | undefined, work: () => MaybePromise<R>): MaybePromise<R> => {
    const end = begin(operation);
    let result: MaybePromise<R>;
    try {
      result = work();
    } catch (error) {
      end(records, error);
      throw error;
    }
    if (typeof (result as PromiseLike<R> | null | undefined)?.then !== "function") {
      end(records);
      return result;
    }
    return (result as PromiseLike<R>).then(
      (value) => {
        end(records);
        return value;
      },
      (error: unknown) => {
        end(records, error);
        throw error;
      },
    );
  };
  const stream = (operation: string, batches: Batches): Batches =>
    Symbol.iterator in batches ? watchNow(begin, operation, batches) : watchLater(begin, operation, batches);
  return Object.assign(watch, { stream });
}

type Begin = (operation: string) => (records: number | undefined, error?: unknown) => void;

function* watchNow(
  begin: Begin,
  operation: string,
  batches: Iterable<readonly WireRecord[]>,
): Generator<readonly WireRecord[], void> {
  const end = begin(operation);
  let [records, failure]: [number, unknown] = [0, undefined];
  try {
    for (const batch of batches) {
      records += batch.length;
      yield batch;
    }
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    end(records, failure);
  }
}

async function* watchLater(
  begin: Begin,
  operation: string,
  batches: AsyncIterable<readonly WireRecord[]>,
): AsyncGenerator<readonly WireRecord[], void> {
  const end = begin(operation);
  let [records, failure]: [number, unknown] = [0, undefined];
  try {
    for await (const batch of batches) {
      records += batch.length;
      yield batch;
    }
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    end(records, failure);
  }
}
