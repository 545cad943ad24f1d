import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import { DataknobsError, reciprocalRankFusion, weightedFusion } from "../../src/index.js";

const of = (...ids: readonly string[]): { id: string; score: number }[] =>
  ids.map((id, rank) => ({ id, score: 10 - rank }));

function refuses(call: () => unknown): void {
  assert.throws(call, (error) => DataknobsError.is(error, "INVALID_QUERY"));
}

describe("reciprocal rank fusion", () => {
  it("adds 1 / (k + rank) over the lists, ranks from 1", () => {
    const fused = reciprocalRankFusion([of("a", "b", "c"), of("b", "d")]);
    assert.deepEqual(
      fused.map(({ id, score }) => [id, score]),
      [
        ["b", 1 / 62 + 1 / 61],
        ["a", 1 / 61],
        ["d", 1 / 62],
        ["c", 1 / 63],
      ],
    );
  });

  it("weighs the lists, takes another k, and cuts", () => {
    const fused = reciprocalRankFusion([of("a", "b"), of("b", "a")], { k: 1, weights: [3, 1], limit: 1 });
    assert.deepEqual(fused, [{ id: "a", score: 3 / 2 + 1 / 3, item: { id: "a", score: 10 } }]);
  });

  it("breaks ties by id, in code points", () => {
    const fused = reciprocalRankFusion([of("\uFFFD"), of("😀"), of("a"), of("B")]);
    assert.deepEqual(
      fused.map(({ id }) => id),
      ["B", "a", "\uFFFD", "😀"],
    );
  });

  it("keeps the item of the first list that has it", () => {
    const text = { id: "a", data: { n: 1 } };
    const [fused] = reciprocalRankFusion<{ id: string }>([[text], of("a")]);
    assert.equal(fused?.item, text);
  });

  it("takes empty lists and none", () => {
    assert.deepEqual(reciprocalRankFusion([]), []);
    assert.deepEqual(reciprocalRankFusion([[], []]), []);
    assert.equal(reciprocalRankFusion([of("a"), []], { weights: [0, 1] })[0]?.score, 0);
  });

  it("refuses what cannot be meant", () => {
    refuses(() => reciprocalRankFusion([of("a", "a")]));
    refuses(() => reciprocalRankFusion([of("a")], { k: -1 }));
    refuses(() => reciprocalRankFusion([of("a")], { k: Number.NaN }));
    refuses(() => reciprocalRankFusion([of("a")], { weights: [1, 2] }));
    refuses(() => reciprocalRankFusion([of("a")], { weights: [-1] }));
    refuses(() => reciprocalRankFusion([of("a")], { limit: 1.5 }));
    refuses(() => reciprocalRankFusion(of("a") as never));
  });
});

describe("weighted fusion", () => {
  it("spreads each list's scores over 0 to 1 and adds what is weighed", () => {
    const fused = weightedFusion(
      [
        [
          { id: "a", score: 30 },
          { id: "b", score: 20 },
          { id: "c", score: 10 },
        ],
        [
          { id: "c", score: -1 },
          { id: "d", score: -3 },
        ],
      ],
      { weights: [0.5, 0.4] },
    );
    assert.deepEqual(
      fused.map(({ id, score }) => [id, score]),
      [
        ["a", 0.5],
        ["c", 0.4],
        ["b", 0.25],
        ["d", 0],
      ],
    );
  });

  it("takes equal scores for the best", () => {
    const fused = weightedFusion([
      [
        { id: "b", score: 5 },
        { id: "a", score: 5 },
      ],
    ]);
    assert.deepEqual(
      fused.map(({ id, score }) => [id, score]),
      [
        ["a", 1],
        ["b", 1],
      ],
    );
  });

  it("refuses items without a score", () => {
    refuses(() => weightedFusion([[{ id: "a" }]]));
    refuses(() => weightedFusion([[{ id: "a", score: Number.NaN }]]));
  });
});
