// The S3 backend against the AWS SDK by hand: the same objects by the same number of parallel requests.
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { s3 } from "@dataknobs/backend-s3";
import { openDatabase } from "@dataknobs/core";
import { makePeople, somePositions } from "../data.mjs";

const against = "the AWS SDK by hand";
const bucket = "dataknobs-bench";
const concurrency = 32;

export default async function measure(bench, { rows }) {
  const endpointUrl = process.env.DATAKNOBS_S3_URL;
  if (!endpointUrl) throw new Error("The group s3 needs a server: npm run services -- start s3");
  const { origin, username, password, searchParams } = new URL(endpointUrl);
  const client = new S3Client({
    endpoint: origin,
    region: searchParams.get("region") ?? "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: username, secretAccessKey: password },
    requestHandler: { httpAgent: { maxSockets: concurrency }, httpsAgent: { maxSockets: concurrency } },
  });
  // a record is a request: a hundredth of what other groups take is much already
  const count = Math.max(100, Math.round(rows / 100));
  const inputs = makePeople(count).map((data, index) => ({ id: `person-${String(index).padStart(7, "0")}`, data }));
  let folders = 0;
  const open = (options) =>
    openDatabase(
      s3({
        bucket,
        endpointUrl,
        createBucket: true,
        concurrency,
        prefix: `bench-${Date.now()}-${folders++}`,
        ...options,
      }),
    );

  await bench.compare({
    what: `createMany ${count.toLocaleString("en")}`,
    against: `${against}, ${concurrency} puts at once`,
    goal: { atLeast: 0.85 },
    ours: {
      setUp: () => open({}),
      run: async (db) => (await db.createMany(inputs)).length,
      tearDown: async (db) => {
        await db.clear();
        await db.close();
      },
    },
    theirs: {
      setUp: () => open({}),
      run: async (db) => {
        const { prefix } = db.explain().native;
        let next = 0;
        const worker = async () => {
          while (next < inputs.length) {
            const { id, data } = inputs[next++];
            const now = Date.now();
            const Body = JSON.stringify({ id, data, version: crypto.randomUUID(), createdAt: now, updatedAt: now });
            const Key = `${prefix}${id}!.json`;
            await client.send(
              new PutObjectCommand({ Bucket: bucket, Key, Body, ContentType: "application/json", IfNoneMatch: "*" }),
            );
          }
        };
        await Promise.all(Array.from({ length: concurrency }, worker));
        return inputs.length;
      },
      tearDown: async (db) => {
        await db.clear();
        await db.close();
      },
    },
  });

  await using db = await open({ cacheBytes: 0 });
  await using cached = await openDatabase(
    s3({ bucket, endpointUrl, concurrency, prefix: db.explain().native.prefix.slice(0, -1) }),
  );
  await db.createMany(inputs);
  await cached.search();
  const ids = somePositions(count, 200).map((position) => inputs[position].id);
  const byHand = async (id) => {
    const Key = `${db.explain().native.prefix}${id}!.json`;
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }));
    const { data } = JSON.parse(await Body.transformToString());
    return data;
  };
  const sumOfAges = async (read) => {
    let sum = 0;
    for (const id of ids) sum += (await read(id)).age;
    return sum;
  };
  const theirs = () => sumOfAges(byHand);
  const read = { against: `${against}, one get after the other`, per: ids.length, theirs };
  await bench.compare({
    what: "read",
    goal: { atMost: 1.15 },
    ours: () => sumOfAges(async (id) => (await db.read(id)).data),
    ...read,
  });
  await bench.compare({
    what: "read, cached",
    ours: () => sumOfAges(async (id) => (await cached.read(id)).data),
    ...read,
  });
  await bench.compare({
    what: `stream ${count.toLocaleString("en")}, cached`,
    against: `stream ${count.toLocaleString("en")}, without cache`,
    ours: () => total(cached),
    theirs: () => total(db),
  });
  await db.clear();
  client.destroy();
}

async function total(db) {
  let sum = 0;
  for await (const { data } of db.stream()) sum += data.age;
  return sum;
}
