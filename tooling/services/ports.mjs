import { createServer } from "node:net";

/** The port remembered from the last time where it is still free, else another free one. */
export async function freePort(remembered) {
  if (remembered !== undefined && (await bind(remembered)) !== undefined) return remembered;
  return bind(0);
}

function bind(port) {
  return new Promise((done, fail) => {
    const server = createServer();
    server.on("error", (error) => (error.code === "EADDRINUSE" ? done(undefined) : fail(error)));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
      const { port: bound } = server.address();
      server.close(() => done(bound));
    });
  });
}
