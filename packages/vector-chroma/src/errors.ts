/** What Chroma's client throws, as core's errors: by class, and never with its own text in the message. */
import { DataknobsError, type ErrorCode, toError } from "@dataknobs/core/backend";

type Sentence = readonly [ErrorCode, string];

const lost: Sentence = [
  "UNAVAILABLE",
  "The connection to the Chroma server was lost. A write that was under way may have been applied.",
];

/** By the name of the class: two copies of the client would not share one. */
const sentences: { readonly [name: string]: Sentence } = {
  ChromaConnectionError: [
    "UNAVAILABLE",
    "The Chroma server cannot be reached: check that it runs at this address. A write that was under way may have been applied.",
  ],
  ChromaServerError: [
    "UNAVAILABLE",
    "The Chroma server failed in a request, which may have been applied; see `cause`.",
  ],
  ChromaRateLimitError: ["UNAVAILABLE", "Chroma takes no more requests for now: it limits their rate."],
  ChromaUnauthorizedError: ["PERMISSION_DENIED", "Chroma refused the login: check `apiKey` or `headers`."],
  ChromaForbiddenError: ["PERMISSION_DENIED", "The Chroma user has no right to do this with the collection."],
  ChromaQuotaExceededError: ["LIMIT_EXCEEDED", "The request is beyond a quota of Chroma Cloud; see `cause`."],
  ChromaNotFoundError: [
    "NOT_FOUND",
    "The Chroma collection is there no more: it was deleted meanwhile. Open the store again.",
  ],
  ChromaUniqueError: ["CONFLICT", "The Chroma collection was made by another process at the same moment; try again."],
  ChromaClientError: ["UNEXPECTED", "The Chroma server refused the request; see `cause`."],
  ChromaValueError: ["UNEXPECTED", "The client of Chroma refused the request; see `cause`."],
  InvalidArgumentError: ["UNEXPECTED", "The client of Chroma refused the request; see `cause`."],
  InvalidCollectionError: ["UNEXPECTED", "The client of Chroma refused the collection; see `cause`."],
  // an answer that ends in its middle
  SyntaxError: [
    "UNAVAILABLE",
    "The answer of the Chroma server is not JSON: it was cut, or is not of a Chroma server.",
  ],
};

const networkCodes: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_SOCKET",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_BODY_TIMEOUT",
]);

export function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}

export function classify(error: unknown): DataknobsError {
  if (DataknobsError.is(error)) return error;
  const cause = toError(error);
  const code = (cause.cause as { readonly code?: unknown } | undefined)?.code;
  const known =
    typeof code === "string" && networkCodes.has(code)
      ? lost
      : Object.hasOwn(sentences, cause.name)
        ? sentences[cause.name]
        : undefined;
  const [kind, message] = known ?? [
    "UNEXPECTED",
    "Chroma failed in a way that this library does not know; see `cause`.",
  ];
  return new DataknobsError(kind, message, { backend: "chroma", native: cause.name }, { cause });
}

/** Runs the body; what it throws comes out classified. */
export async function guarded<R>(body: () => Promise<R>): Promise<R> {
  try {
    return await body();
  } catch (error) {
    throw classify(error);
  }
}
