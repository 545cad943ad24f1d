import { status } from "./manager.mjs";
import { servers } from "./servers/index.mjs";

/** The variables of the servers that run and are not set already. */
export function addressesOfRunning() {
  const found = Object.values(servers)
    .filter(({ variable }) => !process.env[variable])
    .map((server) => [server.variable, status(server).url])
    .filter(([, url]) => url !== undefined);
  return Object.fromEntries(found);
}
