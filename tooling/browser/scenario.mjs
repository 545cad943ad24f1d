// Runs in a browser: a database in memory, from opening to a transaction. Leaves its findings in the page's body.
import { memory } from "@dataknobs/backend-memory";
import {
  count,
  DataknobsError,
  not,
  openDatabase,
  openDatabaseSync,
  openVectorStore,
  query,
  where,
} from "@dataknobs/core";
import { vectorMemory } from "@dataknobs/vector-memory";

const found = [];

async function scenario(name, run) {
  try {
    const problem = await run();
    found.push({ name, ...(problem !== undefined && { failure: problem }) });
  } catch (error) {
    found.push({ name, failure: `${error.stack ?? error}` });
  }
}

function same(actual, expected) {
  const [a, b] = [actual, expected].map((value) =>
    JSON.stringify(value, (_, one) => (typeof one === "bigint" ? `${one}n` : one)),
  );
  if (a !== b) throw new Error(`expected ${b}, got ${a}`);
}

const indexes = [{ path: "city" }, { path: "bio", text: true }];
const people = [
  { id: "ada", data: { name: "Ada", city: "London", age: 36n, joined: new Date(0), bio: "the first program" } },
  { id: "bob", data: { name: "Bob", city: "Oslo", photo: new Uint8Array([1, 2, 255]), bio: "a quick fox" } },
  { id: "cleo", data: { name: "Cleo", city: "Oslo", bio: "foxes, not one fox" } },
];

await scenario("values come back as they went in", async () => {
  const db = await openDatabase(memory(), { indexes });
  await db.createMany(people);
  const [ada, bob] = await db.readMany(["ada", "bob"]);
  same(ada.data.age, 36n);
  same(ada.data.joined instanceof Date, true);
  same([...bob.data.photo], [1, 2, 255]);
  await db.close();
});
await scenario("queries, full text, aggregation and paging", async () => {
  const db = await openDatabase(memory(), { indexes });
  await db.createMany(people);
  const ids = async (asked) => (await db.search(asked)).map(({ id }) => id);
  same(
    await ids(
      query()
        .filter(not(where("city", "=", "London")))
        .sort("name", "desc"),
    ),
    ["cleo", "bob"],
  );
  same(await ids(query().match("fox").sort("name")), ["bob", "cleo"]);
  same(await ids(query().filter("name", "regex", /^a/i)), ["ada"]);
  same(await db.aggregate({ groupBy: { city: "city" }, select: { n: count() } }), [
    { city: "London", n: 1 },
    { city: "Oslo", n: 2 },
  ]);
  const page = await db.page(query().sort("name").limit(2));
  same(
    (await db.page(query().sort("name").limit(2), { after: page.next })).records.map(({ id }) => id),
    ["cleo"],
  );
  await db.close();
});
await scenario("transactions roll back", async () => {
  const db = await openDatabase(memory());
  await db
    .transaction(async (tx) => {
      await tx.create({ a: 1 });
      throw new Error("on purpose");
    })
    .then(
      () => same("committed", "rolled back"),
      (error) => same(error.message, "on purpose"),
    );
  same(await db.count(), 0);
  await db.close();
});
await scenario("the synchronous database", () => {
  const db = openDatabaseSync(memory());
  db.create({ a: 1 }, { id: "x" });
  same(db.read("x").data, { a: 1 });
  db.close();
});
await scenario("vectors: searched, filtered, quantised; no file here", async () => {
  const ring = Array.from({ length: 2000 }, (_, n) => ({
    id: `v${n}`,
    vector: [Math.cos(n / 100), Math.sin(n / 100), 1],
    metadata: { even: n % 2 === 0 },
  }));
  const answers = [];
  for (const quantization of ["none", "int8"]) {
    const store = await openVectorStore(vectorMemory({ quantization }), { dimensions: 3 });
    await store.add(ring);
    answers.push(await store.search([1, 0, 1], { k: 3, filter: where("even", "=", true) }));
    await store.close();
  }
  same(answers[0], answers[1]);
  same(answers[0][0].id, "v0");
  await openVectorStore(vectorMemory({ path: "a.dkv" }), { dimensions: 3 }).then(
    () => same("opened", "refused"),
    (error) => same(DataknobsError.is(error, "UNSUPPORTED"), true),
  );
});

const result = document.createElement("pre");
result.id = "result";
result.textContent = JSON.stringify(found);
document.body.replaceChildren(result);
