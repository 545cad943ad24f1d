import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import fc from "fast-check";
import { isoTime, parseIsoTime } from "../src/record/iso.js";

const earliest = -62_167_219_200_000;
const latest = 253_402_300_799_999;

describe("times as text", () => {
  it("are what toISOString writes, of any Date", () => {
    fc.assert(
      fc.property(fc.integer({ min: -8.64e15, max: 8.64e15 }), (time) => {
        assert.equal(isoTime(time), new Date(time).toISOString());
      }),
    );
  });

  it("are read back, of the years 0000 to 9999", () => {
    fc.assert(
      fc.property(fc.integer({ min: earliest, max: latest }), (time) => {
        assert.equal(parseIsoTime(new Date(time).toISOString()), time);
      }),
    );
    for (const time of [earliest, latest, Date.UTC(2000, 1, 29), Date.UTC(1900, 1, 28), Date.UTC(2024, 11, 31), 0]) {
      assert.equal(parseIsoTime(isoTime(time)), time);
    }
  });

  it("are told from every other text, those that Date.parse takes too", () => {
    const others = [
      "",
      "2024-01-31",
      "2024-02-30T00:00:00.000Z",
      "1900-02-29T00:00:00.000Z",
      "2024-00-10T00:00:00.000Z",
      "2024-13-10T00:00:00.000Z",
      "2024-01-00T00:00:00.000Z",
      "2024-01-31T24:00:00.000Z",
      "2024-01-31T00:60:00.000Z",
      "2024-01-31T00:00:60.000Z",
      "2024-01-31t00:00:00.000z",
      "2024-01-31 00:00:00.000Z",
      "2024-01-31T00:00:00.0000",
      "2024-01-31T00:00:00,000Z",
      "2O24-01-31T00:00:00.000Z",
      "+010000-01-01T00:00:00.0Z",
      isoTime(latest + 1),
      isoTime(earliest - 1),
    ];
    assert.deepEqual(
      others.filter((text) => !Number.isNaN(parseIsoTime(text))),
      [],
    );
  });
});
