// The PostgreSQL backend against postgres.js by hand: what someone who knows both would write for the same records.
import { randomBytes } from "node:crypto";
import { postgres } from "@dataknobs/backend-postgres";
import { openDatabase } from "@dataknobs/core";
import driver from "postgres";
import { makePeople, rareCity, somePositions } from "../data.mjs";
import { HandWritten } from "../hand-written-postgres.mjs";

const against = "postgres.js by hand";

export default async function measure(bench, { rows }) {
  const url = process.env.DATAKNOBS_POSTGRES_URL;
  if (!url) throw new Error("DATAKNOBS_POSTGRES_URL is not set: npm run services -- start postgres");
  const schemaName = `dk_bench_${randomBytes(6).toString("hex")}`;
  const sql = driver(url, { onnotice: () => undefined });
  await sql`CREATE SCHEMA ${sql(schemaName)}`;
  try {
    const inputs = makePeople(rows).map((data, index) => ({ id: `person-${String(index).padStart(7, "0")}`, data }));
    const ids = somePositions(rows, 1000).map((position) => inputs[position].id);
    const open = (table, indexes) =>
      openDatabase(postgres({ connectionString: url, schemaName, table }), indexes && { indexes });
    await writing(bench, sql, schemaName, open, inputs);
    await using db = await open("ours", [{ path: "city", type: "string" }]);
    const hand = await HandWritten.make(sql, schemaName, "hand", { index: "city" });
    await db.createMany(inputs);
    await hand.insertMany(inputs);
    await sql.unsafe(`VACUUM ANALYZE ${schemaName}.ours`);
    await sql.unsafe(`VACUUM ANALYZE ${schemaName}.hand`);
    await reading(bench, db, hand, ids);
  } finally {
    await sql.unsafe(`DROP SCHEMA ${schemaName} CASCADE`);
    await sql.end();
  }
}

async function writing(bench, sql, schemaName, open, inputs) {
  let tables = 0;
  const drop = (table) => sql.unsafe(`DROP TABLE ${schemaName}.${table}`);
  await bench.compare({
    what: `createMany ${inputs.length.toLocaleString("en")}`,
    against,
    goal: { atLeast: 0.7 },
    rounds: 5,
    ours: {
      setUp: async () => {
        const table = `t${tables++}`;
        return { table, db: await open(table) };
      },
      run: async ({ db }) => (await db.createMany(inputs)).length,
      tearDown: async ({ table, db }) => {
        await db.close();
        await drop(table);
      },
    },
    theirs: {
      setUp: async () => {
        const table = `t${tables++}`;
        return { table, db: await HandWritten.make(sql, schemaName, table) };
      },
      run: async ({ db }) => (await db.insertMany(inputs)).length,
      tearDown: ({ table }) => drop(table),
    },
  });
}

async function reading(bench, db, hand, ids) {
  const sumOfAges = (records) => {
    let sum = 0;
    for (const { data, createdAt } of records) sum += data.age + (createdAt.getTime() > 0 ? 1 : 0);
    return sum;
  };
  const inFlight = async (read) => {
    let sum = 0;
    for (let start = 0; start < ids.length; start += 100) {
      sum += sumOfAges(await Promise.all(ids.slice(start, start + 100).map(read)));
    }
    return sum;
  };
  await bench.compare({
    what: "read by id, 100 in flight",
    against,
    goal: { atLeast: 0.8 },
    per: ids.length,
    ours: () => inFlight((id) => db.read(id)),
    theirs: () => inFlight((id) => hand.get(id)),
  });
  const inCity = { where: { path: "city", op: "=", value: rareCity } };
  await bench.compare({
    what: "search, declared index, 0.1 % hit",
    against,
    goal: { atLeast: 0.85 },
    ours: async () => sumOfAges(await db.search(inCity)),
    theirs: async () => sumOfAges(await hand.inCity(rareCity)),
  });
  const old = {
    and: [
      { path: "age", op: ">=", value: 88 },
      { path: "active", op: "=", value: true },
    ],
  };
  await bench.compare({
    what: "search, two conditions, full scan, 3 % hit",
    against,
    ours: async () => sumOfAges(await db.search({ where: old })),
    theirs: async () => sumOfAges(await hand.activeFrom(88)),
  });
  await bench.compare({
    what: "stream all",
    against,
    goal: { atLeast: 0.8 },
    ours: async () => {
      let sum = 0;
      for await (const { data, createdAt } of db.stream()) sum += data.age + (createdAt.getTime() > 0 ? 1 : 0);
      return sum;
    },
    theirs: async () => {
      let sum = 0;
      for await (const batch of hand.batches()) sum += sumOfAges(batch);
      return sum;
    },
  });
}
