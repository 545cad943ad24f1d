import assert from "node:assert/strict";
import { openVectorStore, type VectorStore, where } from "@dataknobs/core";
import { describe, it } from "@jest/globals";
import fc from "fast-check";
import { roundInto, strideOf } from "../src/codes.js";
import { vectorMemory } from "../src/index.js";
import { int8Kernel } from "../src/int8-kernel.js";

const metrics = ["cosine", "euclidean", "dot"] as const;

/** Numbers in [0, 1), the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return state / 0x8000_0000;
  };
}

async function pair(metric: (typeof metrics)[number], dimensions: number): Promise<[VectorStore, VectorStore]> {
  return [
    await openVectorStore(vectorMemory(), { dimensions, metric }),
    await openVectorStore(vectorMemory({ quantization: "int8" }), { dimensions, metric }),
  ];
}

/** Kinds of data, each as one number from the row, the dimension and a random number. */
const kinds: { readonly [name: string]: (row: number, index: number, random: number) => number } = {
  clusters: (row, index, random) => Math.sin((row % 30) * 7 + index * 3) + random * 0.2,
  noise: (_row, _index, random) => random - 0.5,
  "nearly the same": (row, index, random) => Math.cos(index) + (row === 700 ? 0 : random * 1e-6),
  "the same": (row, index) => (row % 3 === 0 ? 1 : Math.cos(index)),
  "one large number": (row, index, random) => (index === row % 5 ? 1e6 : random),
  "of all sizes": (row, _index, random) => (random - 0.5) * 10 ** ((row % 60) - 30),
  "zeros among them": (row, _index, random) => (row % 4 === 0 ? 0 : random),
};

describe("quantisation to 8 bits", () => {
  for (const metric of metrics) {
    for (const [kind, numberOf] of Object.entries(kinds)) {
      if (metric === "cosine" && kind === "zeros among them") continue;
      it(`answers just as without: ${kind}, ${metric}`, async () => {
        for (const dimensions of [1, 3, 16, 50]) {
          const random = randomOf(dimensions);
          const [plain, quantised] = await pair(metric, dimensions);
          const entries = Array.from({ length: 1500 }, (_, row) => ({
            id: `v${(row * 37) % 1500}`,
            vector: Float32Array.from({ length: dimensions }, (_number, index) => numberOf(row, index, random()) || 0),
            metadata: { row },
          })).filter(({ vector }) => metric !== "cosine" || vector.some((number) => number !== 0));
          for (const store of [plain, quantised]) {
            await store.add(entries);
            await store.delete(entries.slice(100, 140).map(({ id }) => id));
            await store.add(
              entries.slice(1490).map((entry, n) => ({ ...entry, vector: (entries[n] ?? entry).vector })),
            );
          }
          for (let query = 1; query < 1500; query += 211) {
            const { vector } = entries[query % entries.length] ?? { vector: [] };
            const asked = vector.map((number) => number * 0.9 + random() * 0.01);
            for (const options of [{ k: 1 }, { k: 10 }, { k: 300 }, { k: 5, filter: where("row", "<", 1300) }]) {
              assert.deepEqual(await quantised.search(asked, options), await plain.search(asked, options));
            }
          }
        }
      });
    }
  }

  it("is told by explain", async () => {
    const [plain, quantised] = await pair("cosine", 3);
    assert.deepEqual([plain.explain().index, quantised.explain().index], [undefined, "int8"]);
    assert.equal(quantised.explain().search, "exact");
  });

  it("the kernel multiplies as JavaScript does", () => {
    const kernel = int8Kernel();
    assert.ok(kernel !== undefined);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 70 }),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(),
        (dimensions, rows, seed) => {
          const random = randomOf(seed);
          const stride = strideOf(dimensions);
          kernel.bytes.fill(0, 0, stride * (rows + 1));
          const whole = (): number => Math.round((random() * 2 - 1) * 127);
          const codes = Array.from({ length: rows + 1 }, () => Array.from({ length: dimensions }, whole));
          for (const [row, list] of codes.entries()) kernel.bytes.set(list, row * stride);
          const [query = [], ...others] = codes;
          const expected = others.map((list) => list.reduce((sum, code, index) => sum + code * (query[index] ?? 0), 0));
          assert.deepEqual([...kernel.dots(stride, rows)], expected);
        },
      ),
      { seed: 1, numRuns: 200 },
    );
  });

  it("the largest codes do not overflow", () => {
    const kernel = int8Kernel();
    assert.ok(kernel !== undefined);
    const stride = strideOf(4096);
    kernel.bytes.fill(127, 0, stride);
    kernel.bytes.fill(-127, stride, stride * 2);
    assert.deepEqual([...kernel.dots(stride, 1)], [-127 * 127 * 4096]);
  });

  it("the rounding is told by its length: v lies that far from its codes", () => {
    const random = randomOf(5);
    const vector = Float32Array.from({ length: 20 }, () => random() - 0.5);
    const codes = new Int8Array(32);
    const { scale, error, length } = roundInto(vector, codes, 0);
    const off = Math.hypot(...vector.map((number, index) => number - scale * (codes[index] ?? 0)));
    assert.ok(Math.abs(off - error) < 1e-6 && error < 0.01 && Math.abs(length - Math.hypot(...vector)) <= error);
    assert.deepEqual({ ...roundInto(new Float32Array(4), new Int8Array(16), 0) }, { scale: 0, length: 0, error: 0 });
  });
});
