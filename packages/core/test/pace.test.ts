import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import { Pace } from "../src/migrate/pace.js";
import { wire } from "./wire.js";

const records = (count: number, text = "x"): ReturnType<typeof wire>[] => {
  const record = wire("a", { text });
  return new Array<ReturnType<typeof wire>>(count).fill(record);
};

describe("Pace", () => {
  it("is what the caller says", () => {
    const pace = new Pace(7);
    pace.wrote(records(7), 0);
    assert.equal(pace.size, 7);
  });

  it("grows while writes are quick, to a bound, and shrinks when they are not", () => {
    const pace = new Pace(undefined);
    const seen = [pace.size];
    for (let write = 0; write < 4; write++) {
      pace.wrote(records(pace.size), 10);
      seen.push(pace.size);
    }
    assert.deepEqual(seen, [1000, 4000, 10_000, 10_000, 10_000]);
    pace.wrote(records(pace.size), 5000);
    assert.equal(pace.size, 10_000);
    pace.wrote(records(pace.size), 11_000);
    assert.equal(pace.size, 5000);
    for (let write = 0; write < 20; write++) pace.wrote(records(pace.size), 11_000);
    assert.equal(pace.size, 1000);
  });

  it("stays within a bound of size, and takes no measure of a list that was not full", () => {
    const pace = new Pace(undefined);
    pace.wrote(records(10), 0);
    assert.equal(pace.size, 1000);
    pace.wrote(records(1000, "x".repeat(100_000)), 0);
    assert.ok(pace.size < 42 && pace.size > 35, String(pace.size));
    pace.wrote(records(1, "x".repeat(100_000_000)), 0);
    assert.equal(pace.size, 1);
  });
});
