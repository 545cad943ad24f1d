// The file backend against what is done by hand with the same files, and against rewriting the file for every write.
import { randomUUID } from "node:crypto";
import {
  closeSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { file } from "@dataknobs/backend-file";
import { openDatabase, openDatabaseSync } from "@dataknobs/core";
import { parquetReadObjects } from "hyparquet";
import { makePeople } from "../data.mjs";

export default async function measure(bench, { rows }) {
  const folder = mkdtempSync(join(tmpdir(), "dataknobs-bench-"));
  try {
    await creating(bench, folder);
    await scanning(bench, folder, makePeople(rows));
    await skipping(bench, folder, makePeople(rows));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The Python original reads, parses and rewrites the whole file per create; every 500th is timed and counted 500 times. */
async function creating(bench, folder) {
  const count = 10_000;
  const step = 500;
  const inputs = makePeople(count);
  const timed = async (work) => {
    const start = performance.now();
    await work();
    return performance.now() - start;
  };
  let files = 0;
  const ours = (options, together = 1) => ({
    time: async () => {
      const path = join(folder, `create-${files++}.jsonl`);
      const db = await openDatabase(file({ path, ...options }));
      const ms = await timed(async () => {
        for (let at = 0; at < count; at += together) {
          await Promise.all(inputs.slice(at, at + together).map((data) => db.create(data)));
        }
      });
      const answer = await db.count();
      await db.close();
      rmSync(path);
      return { ms, answer };
    },
  });
  const theirs = {
    time: async () => {
      const path = join(folder, "whole.json");
      let ms = 0;
      for (let size = step / 2; size < count; size += step) {
        const before = Object.fromEntries(inputs.slice(0, size).map((data, id) => [`id-${id}`, data]));
        writeFileSync(path, JSON.stringify(before, undefined, 2));
        ms +=
          step *
          (await timed(() => {
            const all = JSON.parse(readFileSync(path, "utf8"));
            all[`id-${size}`] = inputs[size];
            writeFileSync(`${path}.tmp`, JSON.stringify(all, undefined, 2));
            renameSync(`${path}.tmp`, path);
          }));
      }
      return { ms, answer: count };
    },
  };
  const byHand = {
    time: async () => {
      const path = join(folder, "by-hand.jsonl");
      const fd = openSync(path, "a");
      const ms = await timed(() => {
        for (const data of inputs) {
          writeSync(fd, `${JSON.stringify({ id: randomUUID(), data })}\n`);
          fdatasyncSync(fd);
        }
      });
      closeSync(fd);
      const answer = readFileSync(path, "utf8").split("\n").length - 1;
      rmSync(path);
      return { ms, answer };
    },
  };
  // the row of equals: neither side forces anything to the disk
  await bench.compare({
    what: "JSON Lines: 10,000 creates, fsync: false",
    against: "rewriting the JSON file for each, as the original does: no fsync",
    goal: { atLeast: 100 },
    rounds: 3,
    ours: ours({ fsync: false }),
    theirs,
  });
  const safer = "the same, still without fsync";
  const single = "JSON Lines: 10,000 creates, each fsynced";
  await bench.compare({ what: single, against: safer, rounds: 3, ours: ours({}), theirs });
  const grouped = "JSON Lines: 10,000 creates, 100 at a time, fsynced";
  await bench.compare({ what: grouped, against: safer, rounds: 3, ours: ours({}, 100), theirs });
  // what is left of the cost is the disk's
  const disk = "appending by hand with fdatasync: no lock, no reading";
  await bench.compare({ what: single, against: disk, rounds: 3, ours: ours({}), theirs: byHand });
}

async function scanning(bench, folder, inputs) {
  const path = join(folder, "scan.jsonl");
  {
    using db = openDatabaseSync(file({ path }));
    db.createMany(inputs.map((data) => ({ data })));
  }
  await bench.compare({
    what: `JSON Lines: open and scan ${inputs.length.toLocaleString("en")}`,
    against: "JSON.parse per line by hand",
    goal: { atMost: 1.5 },
    ours: {
      setUp: () => undefined,
      run: () => {
        using db = openDatabaseSync(file({ path }));
        let ages = 0;
        for (const { data } of db.stream()) ages += data.age;
        return ages;
      },
    },
    theirs: {
      setUp: () => undefined,
      run: () => {
        const records = [];
        for (const line of readFileSync(path, "utf8").split("\n")) if (line !== "") records.push(JSON.parse(line));
        let ages = 0;
        for (const { data } of records) ages += data?.age ?? 0;
        return ages;
      },
    },
  });
}

async function skipping(bench, folder, people) {
  const path = join(folder, "sorted.parquet");
  const indexes = [{ path: "position", type: "integer" }];
  {
    using db = openDatabaseSync(file({ path }), { indexes });
    db.createMany(people.map((data, position) => ({ data: { ...data, position } })));
  }
  const from = Math.floor(people.length / 2);
  const to = from + Math.floor(people.length / 100) - 1;
  const query = { where: { path: "position", op: "between", value: [from, to] } };
  await bench.compare({
    what: "Parquet: filter on a declared column, 1 % hit, sorted",
    against: "reading all of the file with hyparquet",
    goal: { atLeast: 5 },
    ours: {
      setUp: () => openDatabaseSync(file({ path }), { indexes }),
      run: (db) => db.search(query).length,
      tearDown: (db) => db.close(),
    },
    theirs: {
      setUp: () => undefined,
      run: async () => {
        const rows = await parquetReadObjects({ file: bufferOf(path) });
        return rows.filter(({ position }) => position >= from && position <= to).length;
      },
    },
  });
  using db = openDatabaseSync(file({ path }), { indexes });
  const { native } = db.explain(query);
  bench.difference({
    what: "Parquet: bytes read for it",
    against: "10 % of the file",
    goal: { below: 0 },
    ours: native.bytes.read,
    theirs: Math.round(statSync(path).size / 10),
  });
}

function bufferOf(path) {
  return {
    byteLength: statSync(path).size,
    slice: (start, end = statSync(path).size) => {
      const fd = openSync(path, "r");
      try {
        const bytes = new Uint8Array(end - start);
        readSync(fd, bytes, 0, bytes.length, start);
        return bytes.buffer;
      } finally {
        closeSync(fd);
      }
    },
  };
}
