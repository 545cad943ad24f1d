import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import { runVectorCase, vectorCasesOf } from "../../src/conformance/index.js";
import type { VectorMutant } from "./mutants/mutant.js";
import { rowMutants } from "./mutants/rows.js";
import { searchMutants } from "./mutants/searching.js";
import { TinyVectors } from "./tiny.js";

const vectorMutants: readonly VectorMutant[] = [...searchMutants, ...rowMutants];
const { capabilities } = new TinyVectors();
const cases = new Map(vectorCasesOf(capabilities, { runs: 100 }).map((one) => [one.id, one]));

async function survives({ killedBy, mode }: VectorMutant, open: () => TinyVectors): Promise<boolean> {
  const one = cases.get(killedBy);
  assert.ok(one !== undefined, `there is no case ${killedBy}`);
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), 5000);
  });
  const run = runVectorCase({ open }, one, mode, capabilities).then(
    () => true,
    () => false,
  );
  const alive = await Promise.race([run, tooLong]);
  clearTimeout(timer);
  return alive;
}

describe("the suite of vector stores notices", () => {
  for (const one of vectorMutants) {
    it(`${one.bug} (${one.killedBy})`, async () => {
      const open = (): TinyVectors => {
        const tiny = new TinyVectors();
        one.patch(tiny);
        return tiny;
      };
      assert.equal(await survives(one, open), false, "the mutant lives");
      assert.equal(await survives(one, () => new TinyVectors()), true, "the case fails for the correct store too");
    });
  }

  it("mutants have different names", () => {
    assert.equal(new Set(vectorMutants.map(({ bug }) => bug)).size, vectorMutants.length);
    assert.ok(vectorMutants.length >= 40, `${vectorMutants.length} mutants`);
  });
});
