// Programs of servers for tests that start some of their own, natively whatever else runs: to be killed, or to be a replica.
import { provide } from "./manager.mjs";
import { servers } from "./servers/index.mjs";
import { unprivilegedUser } from "./unprivileged.mjs";

/**
 * `{ folder, as }`: where a server's programs are, and the user that may run them; where that is another user than
 * this one, they are copied into `home`. Downloaded where they are not there; throws `CannotHave` where this machine
 * cannot have them.
 */
export async function nativePrograms(name, home) {
  const server = servers[name];
  await provide(server, undefined, "native");
  const as = server.refusesRoot ? unprivilegedUser() : undefined;
  return { folder: server.programs(await server.install(), as && home), as };
}

/** Why this machine cannot have a server's own programs; `undefined` where it can. */
export async function missingPrograms(name, signal) {
  try {
    await provide(servers[name], signal, "native");
    return undefined;
  } catch (error) {
    signal?.throwIfAborted();
    return error.message;
  }
}
