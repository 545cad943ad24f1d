import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import { DataknobsError, openVectorStore, type VectorCapabilities, type VectorStore, where } from "../../src/index.js";
import type { VectorHit, VectorSearchRequest } from "../../src/vector/index.js";
import { TinyVectors } from "./tiny.js";

type Request = VectorSearchRequest<never>;

interface Watched {
  readonly store: VectorStore;
  readonly asked: Pick<Request, "limit" | "exact">[];
  scans: number;
}

/** A store of 1000 rows on a line, whose searches are noted, and may be spoilt. */
async function watched(
  capabilities: Partial<VectorCapabilities>,
  {
    spoil = (hits) => hits,
    pushes = false,
  }: { spoil?: (hits: VectorHit[], request: Request) => VectorHit[]; pushes?: boolean } = {},
): Promise<Watched> {
  const tiny = new TinyVectors();
  tiny.capabilities = { ...tiny.capabilities, ...capabilities };
  if (!pushes) tiny.compiler = undefined;
  const asked: Pick<Request, "limit" | "exact">[] = [];
  const result = { store: await openVectorStore(tiny, { dimensions: 1, metric: "euclidean" }), asked, scans: 0 };
  const { search, scan } = tiny;
  tiny.search = async (request) => {
    asked.push({ limit: request.limit, exact: request.exact });
    return (await search.call(tiny, request)).map((hits) => spoil(hits, request as unknown as Request));
  };
  tiny.scan = (request) => {
    result.scans++;
    return scan.call(tiny, request);
  };
  await result.store.add(
    Array.from({ length: 1000 }, (_, n) => ({ id: `v${n}`, vector: [n], metadata: { n, odd: n % 2 === 1 } })),
  );
  return result;
}

const limitsOf = ({ asked }: Watched): number[] => asked.map(({ limit }) => limit);

describe("a search", () => {
  it("asks once for k where the engine filters and orders ties", async () => {
    const one = await watched({}, { pushes: true });
    await one.store.search([0], { k: 7, filter: where("odd", "=", true) });
    assert.deepEqual(limitsOf(one), [7]);
  });

  it("asks for one more where the engine leaves ties to chance", async () => {
    const one = await watched({ ties: "any" }, { pushes: true });
    await one.store.search([0], { k: 7 });
    assert.deepEqual(limitsOf(one), [8]);
  });

  it("asks for four times as many each time that too few pass", async () => {
    const one = await watched({});
    const hits = await one.store.search([0], { k: 3, filter: where("n", ">=", 500) });
    assert.deepEqual(
      hits.map(({ id }) => id),
      ["v500", "v501", "v502"],
    );
    assert.deepEqual(limitsOf(one), [12, 48, 192, 768]);
  });

  it("ends where the engine has no more", async () => {
    const one = await watched({});
    assert.deepEqual(
      await one.store.search([0], { k: 300, filter: where("n", "=", 999) }).then((hits) => hits.length),
      1,
    );
    assert.deepEqual(limitsOf(one), [1200]);
  });

  it("ends where nothing can reach the least score any more", async () => {
    const one = await watched({});
    const hits = await one.store.search([0], { k: 10, minScore: 0.3, filter: where("odd", "=", true) });
    assert.deepEqual(
      hits.map(({ id }) => id),
      ["v1"],
    );
    assert.deepEqual(limitsOf(one), [40]);
  });

  it("turns to the engine's exact search when an index answers short", async () => {
    const spoil = (hits: VectorHit[], { exact }: Request): VectorHit[] => (exact ? hits : hits.slice(0, 2));
    const one = await watched({ index: "approximate", complete: false }, { spoil, pushes: true });
    assert.equal((await one.store.search([0], { k: 20 })).length, 20);
    assert.deepEqual(
      one.asked.map(({ exact }) => exact),
      [false, true],
    );
    assert.equal(one.scans, 0);
  });

  it("measures a scan where the engine has no exact search", async () => {
    const spoil = (hits: VectorHit[]): VectorHit[] => hits.slice(0, 2);
    const one = await watched({ index: "approximate", complete: false, exactSearch: false }, { spoil });
    const hits = await one.store.search([999], { k: 20, filter: where("odd", "=", true) });
    assert.deepEqual(
      hits.map(({ id }) => id),
      Array.from({ length: 20 }, (_, n) => `v${999 - 2 * n}`),
    );
    assert.equal(one.scans, 1);
  });

  it("does not look further where the short answer is all there is", async () => {
    const one = await watched({ index: "approximate", complete: false, exactSearch: false }, { pushes: true });
    assert.equal((await one.store.search([0], { k: 50, filter: where("n", "<", 5) })).length, 5);
    assert.deepEqual([one.asked.length, one.scans], [1, 0]);
  });

  it("measures a scan where more are wanted than the engine gives", async () => {
    const one = await watched({ limits: { results: 100 } });
    assert.equal((await one.store.search([0], { k: 500 })).length, 500);
    assert.deepEqual([one.asked.length, one.scans], [0, 1]);
    assert.equal((await one.store.search([0], { k: 30, filter: where("n", ">", 400) })).length, 30);
    assert.deepEqual([one.asked.length, one.scans], [0, 2]);
  });

  it("asks only once more for those of many queries that are not answered yet", async () => {
    const sizes: number[] = [];
    const tiny = new TinyVectors();
    tiny.compiler = undefined;
    const { search } = tiny;
    tiny.search = (request) => {
      sizes.push(request.vectors.length);
      return search.call(tiny, request);
    };
    const store = await openVectorStore(tiny, { dimensions: 1, metric: "euclidean" });
    await store.add(Array.from({ length: 100 }, (_, n) => ({ id: `v${n}`, vector: [n], metadata: { n } })));
    const all = await store.searchMany([[0], [60], [99]], { k: 2, filter: where("n", ">=", 60) });
    assert.deepEqual(
      all.map((hits) => hits.map(({ id }) => id)),
      [
        ["v60", "v61"],
        ["v60", "v61"],
        ["v99", "v98"],
      ],
    );
    assert.deepEqual(sizes, [3, 1, 1]);
  });

  it("tells of a distance that is not a number", async () => {
    const one = await watched({}, { spoil: (hits) => hits.map((hit) => ({ ...hit, distance: Number.NaN })) });
    await assert.rejects(one.store.search([0]), (error) => DataknobsError.is(error, "UNEXPECTED"));
  });

  it("passes what the engine can be tuned by, checked, with the nearest name", async () => {
    const tiny = new TinyVectors();
    const seen: unknown[] = [];
    const { search } = tiny;
    Object.assign(tiny, { searchOptions: { efSearch: { type: "number", min: 1, integer: true } } });
    tiny.search = (request) => {
      seen.push(request.tuning);
      return search.call(tiny, request);
    };
    const store = await openVectorStore(tiny, { dimensions: 1, metric: "dot" });
    await store.search([1], { tuning: { efSearch: 5 } });
    await store.search([1], { tuning: { ef_search: 6 } });
    assert.deepEqual(seen, [{ efSearch: 5 }, { efSearch: 6 }]);
    await assert.rejects(store.search([1], { tuning: { efserch: 5 } }), /Did you mean "efSearch"/);
    await assert.rejects(store.search([1], { tuning: { efSearch: 0 } }), (error) =>
      DataknobsError.is(error, "INVALID_QUERY"),
    );
  });
});
