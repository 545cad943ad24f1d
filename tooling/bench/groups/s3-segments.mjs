// The layout segments of the S3 backend: speed against raw uploads, and what each operation asks of the server, beside the
// layout objects. Prices are Amazon's list prices for us-east-1, of requests alone: bytes cost nothing within a region.
import { DeleteObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { compact, s3, storage } from "@dataknobs/backend-s3";
import { openDatabase, where } from "@dataknobs/core";
import { makePeople } from "../data.mjs";

const bucket = "dataknobs-bench";
/** Records of the layout objects: each is a request. */
const part = 500;
const dollars = { PutObject: 5e-6, ListObjectsV2: 5e-6, GetObject: 0.4e-6, HeadObject: 0.4e-6 };
const indexes = [
  { path: "age", type: "integer" },
  { path: "city", type: "string" },
  { path: "score", type: "number" },
];

export default async function measure(bench, { rows }) {
  const endpointUrl = process.env.DATAKNOBS_S3_URL;
  if (!endpointUrl) throw new Error("The group s3-segments needs a server: npm run services -- start s3");
  const inputs = makePeople(rows).map((data, index) => ({ id: `person-${String(index).padStart(7, "0")}`, data }));
  const { client, take } = watched(endpointUrl);
  let folders = 0;
  const open = (options = {}) =>
    openDatabase(
      s3({
        bucket,
        client,
        createBucket: true,
        prefix: `bench-${Date.now()}-${folders++}`,
        layout: "segments",
        ...options,
      }),
      { indexes },
    );

  const Key = `bench-raw-${crypto.randomUUID()}`;
  const put = async (Body) => {
    await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body, IfNoneMatch: "*" }));
    return inputs.length;
  };
  const remove = () => client.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
  const lines = () => Buffer.from(inputs.map(({ id, data }) => JSON.stringify({ id, data })).join("\n"));
  const text = lines();
  const createMany = {
    setUp: () => open(),
    run: async (db) => (await db.createMany(inputs)).length,
    tearDown: async (db) => {
      await db.clear();
      await db.close();
    },
  };
  const what = `createMany ${rows.toLocaleString("en")}`;
  await bench.compare({
    what,
    against: "one put of the same records as bytes made before",
    goal: { atLeast: 0.5 },
    ours: createMany,
    theirs: { setUp: () => undefined, run: () => put(text), tearDown: remove },
  });
  await bench.compare({
    what,
    against: "JSON.stringify of each and one put",
    ours: createMany,
    theirs: { setUp: () => undefined, run: () => put(lines()), tearDown: remove },
  });

  const asked = {
    segments: await operations(take, inputs, open),
    objects: await operations(take, inputs.slice(0, part), (options) => open({ layout: "objects", ...options }, [])),
  };
  // the objects of a part of the records: the rest would cost the same each, and a listing tells of 1,000
  const factor = ({ perRecord, perListing }) => (perRecord ? rows / part : perListing ? Math.ceil(rows / 1000) : 1);
  const scale = (name) => {
    const { requests, bytes, price, ...how } = asked.objects[name];
    const by = factor(how);
    return { requests: requests * by, bytes: bytes * by, price: price * by };
  };
  console.log(`\n  per operation over ${rows.toLocaleString("en")} records (objects: ${part}, scaled)`);
  console.log(`  ${"".padEnd(34)}${"segments".padEnd(40)}objects`);
  for (const [name, ours] of Object.entries(asked.segments)) {
    const theirs = scale(name);
    console.log(`  ${name.padEnd(34)}${cost(ours).padEnd(40)}${cost(theirs)}`);
  }
  const difference = (name, unit, goal, value) =>
    bench.difference({ what: name, against: "none", ours: value, theirs: 0, goal: { below: goal, unit } });
  difference("1 % filter on a declared field", "requests", 16, asked.segments["1 % filter, declared"].requests);
  difference("read by id, cold", "requests", 5, asked.segments["read by id, cold"].requests);
  difference("read by id, warm", "requests", 3, asked.segments["read by id, warm"].requests);
  const { whole, columns } = asked.segments["group by, declared"];
  bench.difference({
    what: "bytes read by count and average by group",
    against: "those columns",
    ours: asked.segments["group by, declared"].bytes / 1024,
    theirs: columns / 1024,
    goal: { below: 0.05 * (whole / 1024), unit: "KiB" },
  });
  client.destroy();
}

function cost({ requests, bytes, price }) {
  const million = (price * 1e6).toLocaleString("en", { maximumFractionDigits: 2 });
  return `${Math.round(requests).toLocaleString("en")} req, ${Math.round(bytes / 1024).toLocaleString("en")} KiB, $${million}/M`;
}

/** What each operation asks for, on a database of the records. */
async function operations(take, inputs, open) {
  const found = {};
  const note = async (name, call, more = {}) => {
    take();
    await call();
    found[name] = { ...take(), ...more };
  };
  const writer = await open();
  const { prefix } = writer.explain().native;
  const again = () => open({ prefix: prefix.slice(0, -1) });
  await note("createMany of all", () => writer.createMany(inputs), { perRecord: true });
  const [, middle, other] = [0, Math.floor(inputs.length / 2), inputs.length - 1].map((at) => inputs[at].id);
  const cold = await again();
  await note("read by id, cold", () => cold.read(middle));
  await note("read by id, warm", () => cold.read(middle));
  await note("read by another id, warm", () => cold.read(other));
  await note("create", () => writer.create({ age: 1 }, { id: "new" }));
  await note("update", () => writer.update(middle, { age: 1, city: "x", score: 1 }));
  await note("delete", () => writer.delete("new"));
  const filter = { where: where("age", "=", 42) };
  const perRecord = true;
  const filtering = await again();
  await note("1 % filter, declared", () => filtering.search(filter), { perRecord });
  const counting = await again();
  await note("count", () => counting.count(), { perListing: true });
  const grouping = await again();
  const aggregation = { groupBy: { age: "age" }, select: { n: { fn: "count" }, mean: { fn: "avg", path: "score" } } };
  const isSegments = writer.explain().native.segments !== undefined;
  if (isSegments) await compact(writer);
  const merged = isSegments ? await again() : grouping;
  await note("group by, declared", () => merged.aggregate(aggregation), { perRecord });
  if (isSegments) {
    const { segments } = await storage(writer);
    found["group by, declared"].whole = segments.reduce((sum, { bytes }) => sum + bytes, 0);
    const { bytes } = await columnBytes(merged);
    found["group by, declared"].columns = bytes;
  }
  await writer.clear();
  for (const db of [writer, cold, filtering, counting, grouping, ...(isSegments ? [merged] : [])]) await db.close();
  return found;
}

/** What the columns of the group-by come to, as the plan of a query that selects them tells, less those of every record. */
async function columnBytes(db) {
  const of = (select) => db.explain({ select }).native.bytes.read;
  const none = of([]);
  return { bytes: of(["age", "score"]) - none };
}

/** A client that counts requests, bytes and what they cost. */
function watched(endpointUrl) {
  const { origin, username, password, searchParams } = new URL(endpointUrl);
  const client = new S3Client({
    endpoint: origin,
    region: searchParams.get("region") ?? "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: username, secretAccessKey: password },
  });
  let total = { requests: 0, bytes: 0, price: 0 };
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        total.requests++;
        total.price += dollars[commandName.replace("Command", "")] ?? 0;
        total.bytes += args.input.Body?.length ?? 0;
        const answer = await next(args);
        total.bytes += answer.output.ContentLength ?? 0;
        return answer;
      },
    { step: "initialize" },
  );
  return {
    client,
    take: () => {
      const taken = total;
      total = { requests: 0, bytes: 0, price: 0 };
      return taken;
    },
  };
}
