import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import { casesOf, runCase } from "../src/conformance/index.js";
import type { Mutant } from "./mutants/mutant.js";
import { pagingMutants } from "./mutants/paging.js";
import { queryMutants } from "./mutants/queries.js";
import { streamMutants } from "./mutants/streams.js";
import { Tiny } from "./mutants/tiny.js";
import { rightEngine, vectorMutants } from "./mutants/vectors.js";
import { writeMutants } from "./mutants/writes.js";

const { capabilities } = new Tiny();
const cases = new Map(casesOf(capabilities, { runs: 300 }).map((one) => [one.id, one]));
const mutants: readonly Mutant[] = [
  ...writeMutants,
  ...queryMutants,
  ...pagingMutants,
  ...streamMutants,
  ...vectorMutants,
];

async function survives({ killedBy, mode = "plain" }: Mutant, open: () => Tiny): Promise<boolean> {
  const one = cases.get(killedBy);
  assert.ok(one !== undefined, `there is no case ${killedBy}`);
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), 2000);
  });
  const run = runCase({ open }, one, mode, capabilities).then(
    () => true,
    () => false,
  );
  const alive = await Promise.race([run, tooLong]);
  clearTimeout(timer);
  return alive;
}

describe("the suite notices", () => {
  for (const one of mutants) {
    it(`${one.bug} (${one.killedBy})`, async () => {
      const open = (): Tiny => {
        const tiny = new Tiny();
        one.patch(tiny);
        return tiny;
      };
      assert.equal(await survives(one, open), false, "the mutant lives");
      assert.equal(await survives(one, () => new Tiny()), true, "the case fails for the correct backend too");
    });
  }

  it("no bug in an engine that finds the nearest as it should", async () => {
    const open = (): Tiny => {
      const tiny = new Tiny();
      rightEngine(tiny);
      return tiny;
    };
    for (const one of vectorMutants) assert.equal(await survives(one, open), true, one.killedBy);
  });

  it("mutants have different names", () => {
    assert.equal(new Set(mutants.map(({ bug }) => bug)).size, mutants.length);
    assert.ok(mutants.length >= 40, `${mutants.length} mutants`);
  });
});
