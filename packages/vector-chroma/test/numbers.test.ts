/** Numbers compare in Chroma as they do in JavaScript. */
import assert from "node:assert/strict";
import { openVectorStore, type VectorStore, where } from "@dataknobs/core";
import { afterAll, beforeAll, describe, it } from "@jest/globals";
import fc from "fast-check";
import { isPlain, standIn } from "../src/numbers.js";
import { open } from "./server.js";

const seed = Number(process.env["DATAKNOBS_SEED"] ?? 20_261_124);
const edges = [
  0,
  1,
  30,
  30.5,
  0.1,
  0.3,
  1 / 3,
  0.1 + 0.2,
  1e-7,
  9.999e-8,
  1e-8,
  5e-324,
  1e15,
  1e15 + 0.5,
  2 ** 52 + 0.5,
  2 ** 53 - 1,
  2 ** 53,
  2 ** 53 + 2,
  123_456_789_012_345_680,
  1e17,
  999_999_999_999_999_900,
  1e18,
  2 ** 60,
  2 ** 63,
  1e19,
  1e20,
  1e21,
  1.7976931348623157e308,
  0.999999999999999,
  0.9999999999999999,
  1 + Number.EPSILON,
  99.99999999999999,
  9.99999999999999e-7,
];
const random = fc.sample(
  fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.double({ noNaN: true, min: -1000, max: 1000 }),
    fc.constantFrom(...edges).chain((edge) => fc.integer({ min: -3, max: 3 }).map((ulps) => near(edge, ulps))),
  ),
  { seed, numRuns: 400 },
);
const numbers = [...new Set([...edges, ...edges.map((edge) => -edge), ...random].map((number) => number + 0))];

function near(number: number, ulps: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, number);
  view.setBigInt64(0, view.getBigInt64(0) + BigInt(ulps));
  const moved = view.getFloat64(0);
  return Number.isFinite(moved) ? moved : number;
}

describe("stand-ins", () => {
  it("lie strictly between the plain neighbours", () => {
    const plain = numbers.filter(isPlain);
    for (const number of numbers) {
      const other = standIn(number);
      for (const one of plain) {
        assert.equal(Math.sign(other - one), Math.sign(number - one), `${number} by ${other} against ${one}`);
      }
    }
  });
});

describe("numbers in Chroma", () => {
  let store: VectorStore;
  beforeAll(async () => {
    store = await openVectorStore(open(), { dimensions: 2 });
    await store.add(numbers.map((n) => ({ id: String(n), vector: [1, 1], metadata: { n } })));
  });
  afterAll(() => store.close());

  it("come back to the bit", async () => {
    for (const row of await store.get(numbers.map(String), { include: ["metadata"] })) {
      assert.ok(Object.is(row?.metadata["n"], Number(row?.id)), row?.id);
    }
  });

  it("compare as in JavaScript, and the engine is asked where the operand is plain", async () => {
    const operands = [...new Set([...edges, ...edges.map((edge) => -edge), ...random.slice(0, 40)])];
    for (const operand of operands) {
      const filters = [
        { filter: where("n", "=", operand), test: (n: number) => n === operand },
        { filter: where("n", "<", operand), test: (n: number) => n < operand },
        { filter: where("n", ">=", operand), test: (n: number) => n >= operand },
        { filter: where("n", "in", [operand, 30, 30.5]), test: (n: number) => [operand, 30, 30.5].includes(n) },
      ];
      const counts = await Promise.all(filters.map(({ filter }) => store.count(filter)));
      for (const [at, { filter, test }] of filters.entries()) {
        assert.equal(counts[at], numbers.filter(test).length, JSON.stringify(filter));
        assert.equal(store.explain({ filter }).emulated, !isPlain(operand), JSON.stringify(filter));
      }
    }
  });
});
