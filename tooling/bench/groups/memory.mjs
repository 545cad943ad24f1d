// The memory backend against what a program would do by hand, and against the query libraries it would reach for.
import { randomUUID } from "node:crypto";
import { memory } from "@dataknobs/backend-memory";
import { openDatabase, openDatabaseSync } from "@dataknobs/core";
import { Query as MingoQuery } from "mingo";
import sift from "sift";
import { makePeople, rareCity, somePositions } from "../data.mjs";

export default async function measure(bench, { rows }) {
  const people = makePeople(rows);
  const inputs = people.map((data) => ({ data }));

  await counting(bench, rows, inputs);
  await indexing(bench, inputs);
  await sorting(bench, inputs);
  await reading(bench, rows, inputs);
  await writing(bench, people, inputs);
}

const adults = {
  and: [
    { path: "age", op: ">", value: 40 },
    { path: "active", op: "=", value: true },
  ],
};
const fewCities = ["Dorberg", "Fallund", rareCity];

// Several, since a program asks more than one: code that has met a single query is faster than it ever is in use.
const questions = [
  {
    ours: { where: adults },
    mongo: { age: { $gt: 40 }, active: true },
    byHand(people) {
      let count = 0;
      for (const person of people) if (person.age > 40 && person.active === true) count++;
      return count;
    },
  },
  {
    ours: {
      where: {
        and: [
          { path: "city", op: "=", value: rareCity },
          { path: "score", op: ">=", value: 50 },
        ],
      },
    },
    mongo: { city: rareCity, score: { $gte: 50 } },
    byHand(people) {
      let count = 0;
      for (const person of people) if (person.city === rareCity && person.score >= 50) count++;
      return count;
    },
  },
  {
    ours: {
      where: {
        and: [
          { path: "joined", op: "<", value: "2019-07-01" },
          { path: "age", op: "<=", value: 65 },
        ],
      },
    },
    mongo: { joined: { $lt: "2019-07-01" }, age: { $lte: 65 } },
    byHand(people) {
      let count = 0;
      for (const person of people) if (person.joined < "2019-07-01" && person.age <= 65) count++;
      return count;
    },
  },
  {
    ours: {
      where: {
        and: [
          { path: "active", op: "=", value: false },
          { path: "city", op: "in", value: fewCities },
        ],
      },
    },
    mongo: { active: false, city: { $in: fewCities } },
    byHand(people) {
      let count = 0;
      for (const person of people) if (person.active === false && fewCities.includes(person.city)) count++;
      return count;
    },
  },
];

async function counting(bench, rows, inputs) {
  using db = openDatabaseSync(memory());
  db.createMany(inputs);
  const people = makePeople(rows);
  const all = (answer) => () => questions.reduce((sum, question) => sum + answer(question), 0);
  const ours = all((question) => db.count(question.ours));
  const row = { what: "count, two conditions, no index", per: questions.length, ours };

  await bench.compare({
    ...row,
    against: "hand-written loop over plain objects",
    goal: { atMost: 2 },
    theirs: all(({ byHand }) => byHand(people)),
  });
  const tests = new Map(questions.map(({ mongo }) => [mongo, sift(mongo)]));
  await bench.compare({
    ...row,
    against: "sift",
    goal: { atLeast: 8 },
    theirs: all(({ mongo }) => people.filter(tests.get(mongo)).length),
  });
  const queries = new Map(questions.map(({ mongo }) => [mongo, new MingoQuery(mongo)]));
  await bench.compare({
    ...row,
    against: "mingo",
    goal: { atLeast: 15 },
    theirs: all(({ mongo }) => queries.get(mongo).find(people).all().length),
  });
}

async function indexing(bench, inputs) {
  using indexed = openDatabaseSync(memory(), { indexes: [{ path: "city" }] });
  using plain = openDatabaseSync(memory());
  indexed.createMany(inputs);
  plain.createMany(inputs);
  const query = { where: { path: "city", op: "=", value: rareCity } };
  await bench.compare({
    what: "count, equality on a declared index, 0.1 % hit",
    against: "the same without the index",
    goal: { atLeast: 200 },
    ours: () => indexed.count(query),
    theirs: () => plain.count(query),
  });
  // making the records that hit is most of this one's time
  await bench.compare({
    what: "search, equality on a declared index, 0.1 % hit",
    against: "the same without the index",
    ours: () => indexed.search(query).length,
    theirs: () => plain.search(query).length,
  });
}

async function sorting(bench, inputs) {
  using db = openDatabaseSync(memory());
  db.createMany(inputs);
  await bench.compare({
    what: "search, two conditions, sort, limit 10",
    against: "the filter pass alone",
    goal: { atMost: 4 },
    ours: () => {
      db.search({ where: adults, sort: [{ path: "score", direction: "desc" }], limit: 10 });
    },
    theirs: () => {
      db.count({ where: adults });
    },
  });
}

async function reading(bench, rows, inputs) {
  await using db = await openDatabase(memory());
  using sync = openDatabaseSync(memory());
  const records = await db.createMany(inputs);
  sync.createMany(records.map(({ id, data }) => ({ id, data })));
  const map = new Map(records.map((record) => [record.id, record]));
  // texts of their own, as when they came from a request: not the very strings that are the keys
  const ids = JSON.parse(JSON.stringify(somePositions(rows, 1000).map((position) => records[position].id)));

  await bench.compare({
    what: "read, async",
    against: "await map.get",
    goal: { atMost: 2 },
    per: ids.length,
    ours: async () => {
      let sum = 0;
      for (const id of ids) sum += (await db.read(id)).data.age;
      return sum;
    },
    theirs: async () => {
      let sum = 0;
      for (const id of ids) sum += (await map.get(id)).data.age;
      return sum;
    },
  });
  await bench.compare({
    what: "read, sync",
    against: "map.get",
    goal: { atMost: 3 },
    per: ids.length,
    ours: () => {
      let sum = 0;
      for (const id of ids) sum += sync.read(id).data.age;
      return sum;
    },
    theirs: () => {
      let sum = 0;
      for (const id of ids) sum += map.get(id).data.age;
      return sum;
    },
  });
}

async function writing(bench, people, inputs) {
  await bench.compare({
    what: `createMany ${people.length.toLocaleString("en")}, ids made`,
    against: "copy and freeze by hand into a Map",
    goal: { atMost: 1.5 },
    ours: { setUp: () => openDatabaseSync(memory()), run: (db) => db.createMany(inputs).length },
    theirs: { setUp: () => new Map(), run: (map) => insertByHand(map, people, undefined).length },
  });
  const ids = people.map(() => randomUUID());
  const withIds = people.map((data, index) => ({ id: ids[index], data }));
  await bench.compare({
    what: `createMany ${people.length.toLocaleString("en")}, ids given`,
    against: "copy and freeze by hand into a Map",
    goal: { atMost: 1.5 },
    ours: { setUp: () => openDatabaseSync(memory()), run: (db) => db.createMany(withIds).length },
    theirs: { setUp: () => new Map(), run: (map) => insertByHand(map, people, ids).length },
  });
}

let version = 0;

/** As safe as ours: what the caller holds is not shared, what is stored cannot be changed, no id is overwritten. */
function insertByHand(map, people, ids) {
  const records = [];
  for (let index = 0; index < people.length; index++) {
    const person = people[index];
    const id = ids === undefined ? randomUUID() : ids[index];
    if (map.has(id)) throw new Error(`${id} exists`);
    const now = new Date();
    const record = Object.freeze({
      id,
      data: Object.freeze({ ...person, tags: Object.freeze([...person.tags]) }),
      metadata: Object.freeze({}),
      version: `v${version++}`,
      createdAt: now,
      updatedAt: now,
    });
    map.set(id, record);
    records.push(record);
  }
  return records;
}
