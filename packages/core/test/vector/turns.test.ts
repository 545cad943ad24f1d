import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import { Turns } from "../../src/vector/turns.js";

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("turns", () => {
  it("shared work runs side by side, exclusive work alone and in order", async () => {
    const turns = new Turns();
    const log: string[] = [];
    const work = (name: string, ms: number) => async (): Promise<void> => {
      log.push(`+${name}`);
      await later(ms);
      log.push(`-${name}`);
    };
    await Promise.all([
      turns.shared(work("a", 10)),
      turns.shared(work("b", 5)),
      turns.exclusive(work("X", 5)),
      turns.shared(work("c", 1)),
      turns.exclusive(work("Y", 1)),
      turns.shared(work("d", 1)),
    ]);
    assert.deepEqual(log, ["+a", "+b", "-b", "-a", "+X", "-X", "+c", "-c", "+Y", "-Y", "+d", "-d"]);
  });

  it("a failure holds nobody up and is its caller's alone", async () => {
    const turns = new Turns();
    const fail = async (): Promise<never> => {
      throw new Error("no");
    };
    const ends = await Promise.allSettled([
      turns.exclusive(fail),
      turns.shared(fail),
      turns.exclusive(async () => 1),
      turns.shared(async () => 2),
    ]);
    assert.deepEqual(
      ends.map(({ status }) => status),
      ["rejected", "rejected", "fulfilled", "fulfilled"],
    );
    assert.equal(await turns.shared(async () => 3), 3);
  });
});
