/** The client's and the server's errors under our codes, by their names, statuses and types; never by message. */
import { DataknobsError, type ErrorCode, toError } from "@dataknobs/core/backend";

type Sentence = readonly [code: ErrorCode, message: string];

const timeout: Sentence = ["TIMEOUT", "Elasticsearch did not answer in time. A write may have been applied."];
// the client drops the code of what TLS throws, and leaves words only
const unreachable: Sentence = [
  "UNAVAILABLE",
  "Elasticsearch cannot be reached, its certificate is not trusted (`cause` tells), or the connection was lost. A write may have been applied.",
];

/** By the name of what the client throws, or the code of what its sockets throw. */
const byName: { readonly [name: string]: Sentence } = {
  ConnectionError: unreachable,
  NoLivingConnectionsError: unreachable,
  TimeoutError: timeout,
  RequestAbortedError: ["ABORTED", "The request was aborted. A write may have been applied."],
  AbortError: ["ABORTED", "The request was aborted. A write may have been applied."],
  ProductNotSupportedError: ["INVALID_CONFIG", "What answers at this address is not Elasticsearch; check `hosts`."],
  ConfigurationError: ["INVALID_CONFIG", "The Elasticsearch client refuses the options of the connection."],
  UND_ERR_SOCKET: unreachable,
  UND_ERR_CLOSED: unreachable,
  UND_ERR_DESTROYED: unreachable,
  ECONNRESET: unreachable,
  EPIPE: unreachable,
  ECONNREFUSED: unreachable,
  UND_ERR_BODY_TIMEOUT: timeout,
  UND_ERR_HEADERS_TIMEOUT: timeout,
  UND_ERR_ABORTED: unreachable,
  SyntaxError: ["UNAVAILABLE", "What answers in Elasticsearch's place does not speak JSON: a proxy, perhaps."],
};

/** By the type of the server's error; before its status. */
const byType: { readonly [type: string]: Sentence } = {
  index_not_found_exception: ["NOT_FOUND", "The Elasticsearch index is not there any more. Open the database again."],
  search_context_missing_exception: [
    "TIMEOUT",
    "Elasticsearch gave up the stream: nothing was read from it for minutes, or the node was restarted. Begin again.",
  ],
  index_closed_exception: ["UNAVAILABLE", "The Elasticsearch index is closed; open it there."],
  cluster_block_exception: [
    "PERMISSION_DENIED",
    "The Elasticsearch index or cluster is blocked for this operation, such as by `index.blocks.write`.",
  ],
  document_parsing_exception: ["INVALID_RECORD", "A mapping of the Elasticsearch index refuses this record's data."],
  mapper_parsing_exception: ["INVALID_CONFIG", "Elasticsearch refuses a mapping; see `mappings` and `analyzers`."],
  invalid_index_name_exception: ["INVALID_CONFIG", "Elasticsearch refuses the name of the index."],
  illegal_argument_exception: ["INVALID_CONFIG", "Elasticsearch refuses a setting or an argument; see `cause`."],
  version_conflict_engine_exception: ["CONFLICT", "Another writer was first. Nothing was written; try again."],
  too_many_clauses: ["LIMIT_EXCEEDED", "The query has more conditions than Elasticsearch takes."],
  too_many_nested_clauses: ["LIMIT_EXCEEDED", "The query has more conditions than Elasticsearch takes."],
};

const byStatus: { readonly [status: number]: Sentence } = {
  401: ["PERMISSION_DENIED", "Elasticsearch refuses the credentials: check `username` and `password`, or `apiKey`."],
  403: ["PERMISSION_DENIED", "Elasticsearch refuses the operation: the user lacks a right on the index."],
  408: timeout,
  409: ["CONFLICT", "Another writer was first. Nothing was written; try again."],
  413: ["LIMIT_EXCEEDED", "A record or query is larger than Elasticsearch takes in one request."],
  429: ["UNAVAILABLE", "Elasticsearch is overloaded or its disk is full, and refused the request. Try again later."],
  502: ["UNAVAILABLE", "Elasticsearch is not available behind its proxy. Try again later."],
  503: ["UNAVAILABLE", "Elasticsearch is not available: shards or the cluster's master are missing. Try again later."],
  504: timeout,
};

/** The server's answer to one request or to one item of a bulk. */
export class ServerError extends Error {
  override readonly name: string = "ServerError";
  readonly status: number;
  readonly type: string;

  constructor(status: number, type: string, reason: string) {
    super(`${status} ${type}: ${reason}`);
    this.status = status;
    this.type = type;
  }
}

export function serverError(status: number, body: unknown): ServerError {
  const error = (body as { readonly error?: unknown } | null)?.error ?? body;
  const { type, reason, root_cause, failed_shards } = (error ?? {}) as {
    readonly type?: string;
    readonly reason?: unknown;
    readonly root_cause?: readonly { readonly type?: string }[];
    readonly failed_shards?: unknown;
  };
  const root = root_cause?.[0]?.type;
  // "all shards failed" says nothing; what they failed of does
  const about = type === "search_phase_execution_exception" ? (root ?? type) : (type ?? root ?? "unknown");
  return new ServerError(status, about, JSON.stringify({ reason, root_cause, failed_shards })?.slice(0, 2000) ?? "");
}

export function nativeType(error: unknown): unknown {
  return DataknobsError.is(error) ? error.details["native"] : undefined;
}

export function classify(error: unknown): Error {
  if (DataknobsError.is(error)) return error;
  const cause = toError(error);
  const { name, code } = cause as { readonly name: string; readonly code?: unknown };
  if (cause instanceof ServerError) {
    const { status, type } = cause;
    // an index that is blocked since its disk is full is so until there is room
    const known = (status === 429 ? undefined : byType[type]) ?? byStatus[status];
    return known === undefined ? unknown(cause, type) : fault(known, cause, type);
  }
  const inner = (cause.cause ?? {}) as { readonly code?: unknown };
  const known = byName[name] ?? byName[String(code)] ?? byName[String(inner.code)];
  return known === undefined ? unknown(cause, typeof code === "string" ? code : name) : fault(known, cause, name);
}

function fault([code, message]: Sentence, cause: Error, native: string): DataknobsError {
  return new DataknobsError(code, message, { backend: "elasticsearch", native }, { cause });
}

function unknown(cause: Error, native: string): DataknobsError {
  return fault(
    ["UNEXPECTED", "Elasticsearch failed in a way that this library does not know; see `cause`."],
    cause,
    native,
  );
}
