/**
 * Requests by way of the official client's transport: its pool, authentication, TLS and retries. Bodies are read and
 * parsed here, whichever client it is, since the client's own parser loses field names (see `parseJson` in core).
 */
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { createGunzip } from "node:zlib";
import { type Call, parseJson } from "@dataknobs/core/backend";
import { classify, serverError } from "./errors.js";
import type { ElasticsearchClient } from "./options.js";

/** Of a JSON answer. */
// biome-ignore lint/suspicious/noExplicitAny: the answers of the server have no other type than its documentation
export type Answer = any;

export interface Ask extends Call {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Segments; encoded here. */
  readonly path: readonly string[];
  readonly query?: { readonly [name: string]: string | number | boolean | undefined };
  /** An object, or the lines of a bulk. */
  readonly body?: object | string;
  /** Statuses that are answers and no errors. */
  readonly allow?: readonly number[];
  /** `false`: not even on another node. Where a request that came through must not be made again. */
  readonly retry?: boolean;
}

/** An answer with `asStream` and `meta`. */
interface Streamed {
  readonly statusCode?: number;
  readonly headers?: { readonly [name: string]: unknown };
  readonly body: Readable;
}

export class Wire {
  readonly client: ElasticsearchClient;

  constructor(client: ElasticsearchClient) {
    this.client = client;
  }

  async ask({ method, path, query = {}, body, allow = [], retry, signal }: Ask): Promise<Answer> {
    try {
      const {
        statusCode,
        headers,
        body: stream,
      } = (await this.client.transport.request(
        {
          method,
          path: `/${path.map(encodeURIComponent).join("/")}`,
          querystring: { ...query },
          ...(typeof body === "string" ? { bulkBody: body } : body !== undefined && { body }),
        },
        {
          asStream: true,
          meta: true,
          ...(signal !== undefined && { signal }),
          ...(retry === false && { maxRetries: 0 }),
        },
      )) as Streamed;
      const zipped = `${headers?.["content-encoding"]}`.includes("gzip");
      const answer = parseJson((await textOf(zipped ? stream.pipe(createGunzip()) : stream)) || "null") as Answer;
      const status = statusCode ?? 0;
      if (status >= 400 && !allow.includes(status)) throw serverError(status, answer);
      return answer;
    } catch (error) {
      throw classify(error);
    }
  }
}

/** By the stream's own way where it has one: undici's takes a fraction of the time for short answers. */
function textOf(stream: Readable & { readonly text?: () => Promise<string> }): Promise<string> {
  return typeof stream.text === "function" ? stream.text() : text(stream);
}
