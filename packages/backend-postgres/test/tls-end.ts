/**
 * The end of TLS before the real server, as a proxy of a cloud's is: it answers PostgreSQL's request for TLS, and hands on
 * what it decrypts. The servers that the tests can have everywhere are built without TLS.
 */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { certificate } from "../../../tooling/testing/certificates.js";
import { url } from "./server.js";

export const authority = certificate("the tests' authority");

/** The first message of a client that wants TLS: eight bytes long, of the "version" 1234.5679. */
const wantsTls = Buffer.from("0000000804d2162f", "hex");

export interface TlsEnd {
  /** Of the server behind it, but for the port. */
  readonly url: string;
  /** Connections that came encrypted, and those that came in the clear. */
  readonly seen: { encrypted: number; clear: number };
  close(): Promise<void>;
}

/** `answers`: what it says to who wants TLS; after "N" it goes on in the clear. */
export async function makeTlsEnd(answers: "S" | "N" = "S"): Promise<TlsEnd> {
  const { cert, key } = certificate("localhost", authority);
  const behind = new URL(url);
  const sockets = new Set<Socket>();
  const seen = { encrypted: 0, clear: 0 };
  const keep = <S extends Socket>(socket: S): S => {
    sockets.add(socket);
    return socket.on("error", () => socket.destroy()).on("close", () => sockets.delete(socket));
  };
  const handOn = (client: Socket, first?: Buffer): void => {
    const server = keep(connect(Number(behind.port), behind.hostname));
    if (first !== undefined) server.write(first);
    client.pipe(server).pipe(client);
    client.once("close", () => server.destroy());
    server.once("close", () => client.destroy());
  };
  const proxy = createServer((socket) => {
    keep(socket).once("data", (first) => {
      socket.pause();
      if (!first.equals(wantsTls)) {
        seen.clear++;
        handOn(socket, first);
        return;
      }
      socket.write(answers);
      if (answers === "S") {
        const secure = keep(new TLSSocket(socket, { isServer: true, cert, key }));
        secure.once("secure", () => seen.encrypted++);
        handOn(secure);
      } else {
        socket.once("data", (next) => {
          // the first message in the clear begins with its length; one of TLS does not
          if (next[0] === 0) seen.clear++;
          handOn(socket, next);
        });
      }
      socket.resume();
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const own = new URL(url);
  own.hostname = "localhost";
  own.port = String((proxy.address() as AddressInfo).port);
  return {
    url: own.href,
    seen,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}
