/** A way to the server that can be cut: sockets are destroyed, and nobody answers until it is mended. */
import { createServer, connect as dial, type Server, type Socket } from "node:net";

export class Passage {
  readonly #to: { readonly host: string; readonly port: number };
  readonly #open = new Set<Socket>();
  #server: Server | undefined;
  port = 0;
  /** Bytes of requests until the way is cut by itself. */
  cutAfter = Number.POSITIVE_INFINITY;

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.#to = { host: hostname, port: Number(port) };
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Listens; on the port that it had, where it had one. */
  async mend(): Promise<void> {
    const server = createServer((socket) => this.#join(socket));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.port, "127.0.0.1", resolve));
    this.port = (server.address() as { port: number }).port;
  }

  /** Nobody listens any more, and what was under way is lost. */
  async cut(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.cutAfter = Number.POSITIVE_INFINITY;
    const closed = new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
    for (const socket of this.#open) socket.destroy();
    await closed;
  }

  #join(socket: Socket): void {
    const server = dial(this.#to);
    for (const [from, to] of [
      [socket, server],
      [server, socket],
    ] as const) {
      this.#open.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#open.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
    socket.on("data", (chunk: Buffer) => {
      this.cutAfter -= chunk.length;
      if (this.cutAfter <= 0) void this.cut();
    });
  }
}
