/** Stands between the backend and the real server, and makes the faults that a network and a busy server make. */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { serverUrl } from "./server.js";

export interface Fault {
  /** Answers this instead of asking the server. */
  readonly answer?: { readonly status: number; readonly code: string };
  /** Answers a batched delete with these failures, and does not ask the server. */
  readonly undeleted?: readonly { readonly key: string; readonly code: string }[];
  /** Never answers. */
  readonly hang?: boolean;
  /** Ends the connection: without asking the server, or in place of its answer. */
  readonly lose?: "request" | "answer";
  /** Passes on the headers and half of the body, then nothing more or the connection's end. */
  readonly half?: "hang" | "lose";
  /** Done before the request is passed on. */
  readonly before?: () => Promise<unknown>;
  /** Done when the server has answered, in place of passing its answer on. */
  readonly answered?: () => unknown;
}

/** By method and decoded path and query. */
export type Faults = (method: string, url: string) => Fault | undefined;

export class FaultyProxy implements AsyncDisposable {
  /** How many faults were made. */
  made = 0;
  /** Decides for each request; `undefined`: passed on as it is. */
  faults: Faults = () => undefined;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((incoming, outgoing) => {
      const { method = "", url = "/" } = incoming;
      const fault = this.faults(method, decodeURIComponent(url));
      if (fault !== undefined) this.made++;
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("end", async () => {
        if (fault === undefined) {
          pass(incoming, Buffer.concat(chunks), outgoing, {});
          return;
        }
        if (fault.hang === true) return;
        if (fault.lose === "request") incoming.socket.destroy();
        else if (fault.answer !== undefined) {
          const { status, code } = fault.answer;
          outgoing.writeHead(status, { "content-type": "application/xml", connection: "close" });
          outgoing.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`);
        } else if (fault.undeleted !== undefined) {
          const errors = fault.undeleted.map(({ key, code }) => `<Error><Key>${key}</Key><Code>${code}</Code></Error>`);
          outgoing.writeHead(200, { "content-type": "application/xml" });
          outgoing.end(`<?xml version="1.0"?><DeleteResult>${errors.join("")}</DeleteResult>`);
        } else {
          await fault.before?.();
          pass(incoming, Buffer.concat(chunks), outgoing, fault);
        }
      });
    });
  }

  static async start(): Promise<FaultyProxy> {
    const proxy = new FaultyProxy();
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** The server's address with this one's port: for `endpointUrl`. */
  get url(): string {
    const url = new URL(serverUrl);
    url.protocol = "http:";
    url.hostname = "127.0.0.1";
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

function pass(
  incoming: IncomingMessage,
  body: Buffer,
  outgoing: ServerResponse,
  { lose, half, answered }: Fault,
): void {
  const { hostname, port } = new URL(serverUrl);
  const { method, url, headers } = incoming;
  const passed = request({ hostname, port, method, path: url, headers }, (answer) => {
    if (lose === "answer" || answered !== undefined) {
      answer.resume().on("end", () => {
        answered?.();
        incoming.socket.destroy();
      });
      return;
    }
    outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
    if (half === undefined) {
      answer.pipe(outgoing);
      return;
    }
    answer.once("data", (chunk: Buffer) => {
      outgoing.write(chunk.subarray(0, chunk.length / 2));
      answer.resume();
      if (half === "lose") setTimeout(() => incoming.socket.destroy(), 50);
    });
  });
  passed.on("error", () => incoming.socket.destroy());
  passed.end(body);
}
