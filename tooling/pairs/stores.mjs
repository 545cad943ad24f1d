// Fresh stores of every kind. The embedded ones live in a folder, the others on the servers that the environment names, in
// places that nobody else has.
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";
import { duckdb } from "@dataknobs/backend-duckdb";
import { elasticsearch } from "@dataknobs/backend-elasticsearch";
import { file } from "@dataknobs/backend-file";
import { memory } from "@dataknobs/backend-memory";
import { postgres } from "@dataknobs/backend-postgres";
import { s3 } from "@dataknobs/backend-s3";
import { sqlite } from "@dataknobs/backend-sqlite";
import { openDatabase } from "@dataknobs/core";

const run = `dk-pairs-${randomBytes(5).toString("hex")}`;
let made = 0;

/** `(folder) => backend` of the stores that need no server. */
const embedded = {
  memory: () => memory(),
  jsonl: (folder) => file({ path: join(folder, `${++made}.jsonl`) }),
  parquet: (folder) => file({ path: join(folder, `${++made}.parquet`) }),
  sqlite: (folder) => sqlite({ path: join(folder, `${++made}.db`) }),
  duckdb: (folder) => duckdb({ path: join(folder, `${++made}.duckdb`) }),
};

const served = {
  postgres: {
    open: () =>
      postgres({ connectionString: process.env.DATAKNOBS_POSTGRES_URL, table: `${run}-${++made}`, poolSize: 3 }),
    remove: (db, { table }) => db.sql(`DROP TABLE "${table}"`),
    place: () => ({ table: `${run}-${made}` }),
  },
  elasticsearch: {
    open: () => elasticsearch({ hosts: process.env.DATAKNOBS_ELASTICSEARCH_URL, index: `${run}-${++made}` }),
    remove: (_, { index }) =>
      fetch(new URL(`/${index}`, process.env.DATAKNOBS_ELASTICSEARCH_URL), { method: "DELETE" }),
    place: () => ({ index: `${run}-${made}` }),
  },
  s3: {
    open: () =>
      s3({ bucket: run, prefix: `p${++made}`, endpointUrl: process.env.DATAKNOBS_S3_URL, createBucket: true }),
    remove: (db) => db.clear(),
    place: () => ({}),
  },
};

export const embeddedNames = Object.keys(embedded);
export const servedNames = Object.keys(served);

/** An open, empty store: `{ db, name, gone() }`. */
export async function openStore(name, folder) {
  if (name in embedded) {
    const db = await openDatabase(embedded[name](folder));
    return { name, db, gone: () => db.close() };
  }
  const { open, remove, place } = served[name];
  const db = await openDatabase(open());
  const where = place();
  return {
    name,
    db,
    gone: async () => {
      await remove(db, where);
      await db.close();
    },
  };
}

/** What the stores of this process left on a server beside their own places: the bucket. */
export async function sweep(names) {
  if (!names.includes("s3")) return;
  const ofBackend = createRequire(new URL("../../packages/backend-s3/package.json", import.meta.url));
  const { S3Client, ListObjectsV2Command, DeleteObjectCommand, DeleteBucketCommand } = ofBackend("@aws-sdk/client-s3");
  const { origin, username, password, searchParams } = new URL(process.env.DATAKNOBS_S3_URL);
  const client = new S3Client({
    endpoint: origin,
    region: searchParams.get("region") ?? "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: decodeURIComponent(username), secretAccessKey: decodeURIComponent(password) },
  });
  for (;;) {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: run }));
    if (Contents.length === 0) break;
    for (const { Key } of Contents) await client.send(new DeleteObjectCommand({ Bucket: run, Key }));
  }
  await client.send(new DeleteBucketCommand({ Bucket: run }));
  client.destroy();
}
