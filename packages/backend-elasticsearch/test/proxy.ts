/** A TCP proxy before the real server, so that faults of the network and of whole nodes happen when a test says so. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { serverUrl } from "./server.js";

export class TcpProxy implements AsyncDisposable {
  /** A whole answer to give instead of the server's. */
  canned: string | undefined;
  /** Takes requests and answers none. */
  silent = false;
  /** Asked of every piece of a request: cut the connection before it, or let it through and cut the answer? */
  cut: ((request: string) => "request" | "answer" | undefined) | undefined;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;

  static async start(): Promise<TcpProxy> {
    const proxy = new TcpProxy();
    await proxy.up();
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async up(): Promise<void> {
    const server = createServer((socket) => this.#serve(socket));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
  }

  /** As a node that was killed: nobody listens, and every connection is gone. */
  async down(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  #serve(socket: Socket): void {
    const { hostname, port } = new URL(serverUrl());
    const behind = connect(Number(port), hostname);
    let answers = true;
    for (const one of [socket, behind]) {
      this.#sockets.add(one);
      one.on("error", () => one.destroy());
      one.on("close", () => {
        this.#sockets.delete(one);
        socket.destroy();
        behind.destroy();
      });
    }
    socket.on("data", (piece: Buffer) => {
      if (this.silent) return;
      if (this.canned !== undefined) {
        socket.write(this.canned);
        return;
      }
      const what = this.cut?.(piece.toString("latin1"));
      if (what === "request") {
        socket.destroy();
        return;
      }
      if (what === "answer") answers = false;
      behind.write(piece);
    });
    behind.on("data", (piece: Buffer) => {
      if (answers) socket.write(piece);
      else socket.destroy();
    });
  }
}

/** An answer as Elasticsearch gives it. */
export function answer(status: number, body: unknown): string {
  const text = JSON.stringify(body);
  return [
    `HTTP/1.1 ${status} Status`,
    "x-elastic-product: Elasticsearch",
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(text)}`,
    "",
    text,
  ].join("\r\n");
}
