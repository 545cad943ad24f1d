/**
 * Indexes for the cases of the suite. Making and removing one takes longer than most cases do, so an index that a
 * case is done with is emptied and given to the next one that declares the same fields.
 */
import { elasticsearch } from "@dataknobs/backend-elasticsearch";
import type { Backend, OpenRequest } from "@dataknobs/core/backend";
import { freshName, request, serverUrl } from "./server.js";

interface Lent {
  readonly key: string;
  index: string;
  /** Whether its declared fields are still those of the key. */
  whole: boolean;
}

const free = new Map<string, string[]>();
const lent = new WeakMap<Backend, Lent>();
// nothing here crashes: the disk need not be waited for
const settings = { translog: { durability: "async" } };
const onIndex = (index: string): Backend => elasticsearch({ hosts: serverUrl(), index, replicas: 0, settings });

/** A backend that gets its index when it is opened. */
export function borrowed(): Backend {
  let backend = onIndex(freshName());
  const proxy = new Proxy(backend, {
    get(_, name) {
      if (name === "open") return open;
      if (name === "createIndex" || name === "dropIndex") (lent.get(proxy) as Lent).whole = false;
      const value: unknown = Reflect.get(backend, name, backend);
      return typeof value === "function" ? value.bind(backend) : value;
    },
  });
  const open = async (opening: OpenRequest): Promise<unknown> => {
    const key = opening.indexes
      .map(({ name, type }) => `${name} ${type}`)
      .sort()
      .join("\n");
    const index = free.get(key)?.pop() ?? freshName();
    lent.set(proxy, { key, index, whole: true });
    backend = onIndex(index);
    return backend.open?.(opening);
  };
  return proxy;
}

/** The same index, opened again; others may be declared now, so nobody borrows it afterwards. */
export function again(previous: Backend): Backend {
  const before = lent.get(previous) as Lent;
  before.whole = false;
  const backend = onIndex(before.index);
  lent.set(backend, { ...before, whole: false });
  return backend;
}

export async function giveBack(backend: Backend): Promise<void> {
  const entry = lent.get(backend);
  if (entry === undefined) return;
  const { key, index, whole } = entry;
  if (!whole) {
    await request("DELETE", `/${index}?ignore_unavailable=true`);
    return;
  }
  await request("POST", `/${index}/_refresh`);
  const { body } = await request("POST", `/${index}/_delete_by_query?refresh=true`, { query: { match_all: {} } });
  // whatever still writes to it keeps it
  if ((body as { version_conflicts?: number }).version_conflicts === 0)
    free.set(key, [...(free.get(key) ?? []), index]);
}
