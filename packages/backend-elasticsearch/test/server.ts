/** The server that the tests talk to, and names of their own on it. */
import { randomUUID } from "node:crypto";

const variable = "DATAKNOBS_ELASTICSEARCH_URL";

/** Throws where there is none: a suite that needs a server never passes without one. */
export function serverUrl(): string {
  const url = process.env[variable];
  if (url === undefined || url === "") {
    throw new Error(
      `${variable} is not set. Start a server with \`npm run services -- start elasticsearch\`, and set it.`,
    );
  }
  return url;
}

/** What the indexes of this run begin with. */
const prefix = `dk-${randomUUID().slice(0, 8)}`;

let count = 0;
export const freshName = (): string => `${prefix}-${++count}`;

export async function request(
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: unknown }> {
  const response = await fetch(new URL(path, serverUrl()), {
    method,
    ...(body !== undefined && { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
}

/** Removes every index of this run. */
export async function removeAll(): Promise<void> {
  await request("DELETE", `/${prefix}-*?expand_wildcards=all&allow_no_indices=true`);
}
