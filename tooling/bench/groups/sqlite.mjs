// The SQLite backend against better-sqlite3 by hand: what someone who knows both would write for the same records.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { sqlite } from "@dataknobs/backend-sqlite";
import { openDatabase, openDatabaseSync } from "@dataknobs/core";
import { makePeople, rareCity, somePositions } from "../data.mjs";
import { HandWritten } from "../hand-written-sqlite.mjs";

const against = "better-sqlite3 by hand";

export default async function measure(bench, { rows }) {
  const folder = mkdtempSync(join(tmpdir(), "dataknobs-bench-"));
  try {
    const inputs = makePeople(rows).map((data, index) => ({ id: `person-${String(index).padStart(7, "0")}`, data }));
    const ids = somePositions(rows, 1000).map((position) => inputs[position].id);
    await writing(bench, folder, inputs);

    const path = join(folder, "ours.db");
    {
      using db = openDatabaseSync(sqlite({ path }), { indexes: [{ path: "city" }] });
      using hand = new HandWritten(join(folder, "hand.db"), { index: "city" });
      db.createMany(inputs);
      hand.insertMany(inputs);
      await reading(bench, db, hand, ids);
    }
    await pooled(bench, path, ids);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function writing(bench, folder, inputs) {
  let files = 0;
  const fresh = () => join(folder, `${files++}.db`);
  const removed = (close) => (state) => {
    close(state);
    for (const suffix of ["", "-wal", "-shm"]) rmSync(`${state.path}${suffix}`, { force: true });
  };
  await bench.compare({
    what: `createMany ${inputs.length.toLocaleString("en")}, sync`,
    against,
    goal: { atLeast: 0.75 },
    rounds: 5,
    ours: {
      setUp: () => {
        const path = fresh();
        return { path, db: openDatabaseSync(sqlite({ path })) };
      },
      run: ({ db }) => db.createMany(inputs).length,
      tearDown: removed(({ db }) => db.close()),
    },
    theirs: {
      setUp: () => {
        const path = fresh();
        return { path, db: new HandWritten(path) };
      },
      run: ({ db }) => db.insertMany(inputs).length,
      tearDown: removed(({ db }) => db.close()),
    },
  });
}

async function reading(bench, db, hand, ids) {
  const sumOfAges = (records) => {
    let sum = 0;
    for (const { data, createdAt } of records) sum += data.age + (createdAt.getTime() > 0 ? 1 : 0);
    return sum;
  };
  await bench.compare({
    what: "read, sync",
    against,
    goal: { atLeast: 0.75 },
    per: ids.length,
    ours: () => sumOfAges(ids.map((id) => db.read(id))),
    theirs: () => sumOfAges(ids.map((id) => hand.get(id))),
  });
  const inCity = { where: { path: "city", op: "=", value: rareCity } };
  await bench.compare({
    what: "search, declared index, 0.1 % hit, sync",
    against,
    goal: { atLeast: 0.85 },
    ours: () => sumOfAges(db.search(inCity)),
    theirs: () => sumOfAges(hand.inCity(rareCity)),
  });
  const old = {
    and: [
      { path: "age", op: ">=", value: 88 },
      { path: "active", op: "=", value: true },
    ],
  };
  await bench.compare({
    what: "search, two conditions, full scan, 3 % hit, sync",
    against,
    goal: { atLeast: 0.9 },
    ours: () => sumOfAges(db.search({ where: old })),
    theirs: () => sumOfAges(hand.activeFrom(88)),
  });
  await bench.compare({
    what: "stream all, sync",
    against,
    goal: { atLeast: 0.85 },
    ours: () => sumOfAges(db.stream()),
    theirs: () => sumOfAges(hand.all()),
  });
}

async function pooled(bench, path, ids) {
  await using db = await openDatabase(sqlite({ path }));
  using sync = openDatabaseSync(sqlite({ path }));
  await bench.compare({
    what: "read, async, 100 in flight",
    against: "sync reads",
    goal: { atLeast: 0.5 },
    per: ids.length,
    ours: async () => {
      let sum = 0;
      for (let start = 0; start < ids.length; start += 100) {
        const records = await Promise.all(ids.slice(start, start + 100).map((id) => db.read(id)));
        for (const { data } of records) sum += data.age;
      }
      return sum;
    },
    theirs: () => {
      let sum = 0;
      for (const id of ids) sum += sync.read(id).data.age;
      return sum;
    },
  });
  await eventLoop(bench, db);
}

async function eventLoop(bench, db) {
  const query = await slowQuery(db);
  const delay = async (work) => {
    const histogram = monitorEventLoopDelay({ resolution: 1 });
    histogram.enable();
    await work();
    histogram.disable();
    return histogram.percentile(99) / 1e6;
  };
  const idle = await delay(() => sleep(1500));
  const busy = await delay(async () => {
    const start = performance.now();
    while (performance.now() - start < 1500) await db.count(query);
  });
  bench.difference({
    what: "event-loop delay, p99, a one-second query in the pool",
    against: "idle",
    goal: { below: 10, unit: "ms" },
    ours: busy,
    theirs: idle,
  });
}

/** A count that takes the engine about a second: as many conditions without a hit as that needs. */
async function slowQuery(db) {
  for (let conditions = 8; ; conditions *= 2) {
    const or = Array.from({ length: conditions }, (_, n) => ({ path: "name", op: "like", value: `%${n}%a%e%` }));
    const start = performance.now();
    await db.count({ where: { or } });
    if (performance.now() - start > 700 || conditions > 4096) return { where: { or } };
  }
}
