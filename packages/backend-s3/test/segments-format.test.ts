/** What is pure in the layout segments: the manifest, logs, the filter of ids, what writes mean. */
import assert from "node:assert/strict";
import type { WireRecord } from "@dataknobs/core/backend";
import { describe, it } from "@jest/globals";
import fc from "fast-check";
import { bloomOf, mayContain } from "../src/segments/bloom.js";
import { decide } from "../src/segments/decide.js";
import { type Changes, logBodies, readLog } from "../src/segments/log.js";
import {
  added,
  asOf,
  cleared,
  collected,
  emptyManifest,
  fenced,
  type LogEntry,
  type Manifest,
  manifestIn,
  manifestText,
  replaced,
  type SegmentEntry,
  stamped,
} from "../src/segments/manifest.js";

const log = (key: string): LogEntry => ({ key, bytes: 1, crc: "0", from: 0, lines: 1, order: 0 });
const segment = (key: string): SegmentEntry => ({
  ...{ key, bytes: 1, crc: "0", from: 0, rows: 1, filter: 0, tail: 0 },
  ...{ low: "a", high: "b", stats: {} },
});
const keys = (files: readonly { key: string }[] = []): string[] => files.map(({ key }) => key);

const record = (id: string, n: number): WireRecord => ({
  ...{ id, data: { n }, types: null, metadata: {}, metadataTypes: null },
  ...{ version: `v${n}`, createdAt: 1, updatedAt: 1 },
});

describe("the filter of ids", () => {
  it("has every id, and few others", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: "grapheme" }), { maxLength: 300 }), (ids) => {
        const bloom = bloomOf(ids);
        return ids.every((id) => mayContain(bloom, id));
      }),
    );
    const bloom = bloomOf(Array.from({ length: 10_000 }, (_, n) => `id-${n}`));
    const wrong = Array.from({ length: 10_000 }, (_, n) => `other-${n}`).filter((id) => mayContain(bloom, id)).length;
    assert.ok(wrong < 250, `${wrong} of 10,000`);
  });

  it("hashes as it always did: old files rest on it", () => {
    assert.equal(Buffer.from(bloomOf(["a", "ü", "id-1"])).toString("hex"), "13807020e00f4080");
  });
});

describe("a log", () => {
  const changes: Changes = new Map([
    ["a", record("a", 1)],
    ["b\n", null],
  ]);
  const [body] = logBodies(changes) as [{ text: string; lines: number; crc: string }];

  it("gives back what it was made of", () => {
    const read = new Map<string, WireRecord | null>();
    assert.equal(readLog(Buffer.from(body.text), body, read), undefined);
    assert.deepEqual(read, changes);
    assert.throws(() => Object.assign(read.get("a")?.data as object, { n: 2 }), "records that are shared are frozen");
  });

  it("with any byte changed is none", () => {
    fc.assert(
      fc.property(fc.nat(Buffer.byteLength(body.text) - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bytes = Buffer.from(body.text);
        bytes[at] = (bytes[at] as number) ^ change;
        return readLog(bytes, body, new Map()) !== undefined;
      }),
    );
  });

  it("that is large is several", () => {
    const large = new Map(
      Array.from({ length: 5 }, (_, n) => [`r${n}`, { ...record(`r${n}`, n), data: { t: "x".repeat(6_000_000) } }]),
    );
    assert.deepEqual(
      logBodies(large).map(({ lines }) => lines),
      [2, 2, 1],
    );
  });
});

describe("the manifest", () => {
  it("comes back as it was, and with any byte changed is none", () => {
    const manifest = added(added(emptyManifest, [segment("s1"), log("l1")], 2), [log("l2")], 0);
    const text = manifestText(manifest);
    assert.deepEqual(manifestIn(text), JSON.parse(JSON.stringify(manifest)));
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom("0", "9", " ", "z"), (at, letter) => {
        const changed = text.slice(0, at) + letter + text.slice(at + 1);
        return changed === text || "damage" in manifestIn(changed);
      }),
    );
    assert.ok("damage" in manifestIn(text.slice(0, -1)));
    assert.deepEqual(manifestIn(manifestText({ ...manifest, layout: 2 })), { newer: 2 });
  });

  it("keeps logs in the order in which they apply, folded ones too, now and in the past", () => {
    let now: Manifest = emptyManifest;
    for (const key of ["l1", "l2", "l3"]) now = added(now, [log(key)], 1);
    const folding = now.logs.slice(1);
    now = added(now, [log("l4")], 1);
    now = replaced(now, folding, [{ ...log("fold"), order: folding.at(-1)?.order as number }]) as Manifest;
    assert.deepEqual(keys(now.logs), ["l1", "fold", "l4"]);
    now = added(now, [log("l5")], 1);
    assert.deepEqual(keys(now.logs), ["l1", "fold", "l4", "l5"]);
    assert.deepEqual(keys(asOf(now, 3)?.logs), ["l1", "l2", "l3"]);
    assert.deepEqual(keys(asOf(now, 4)?.logs), ["l1", "l2", "l3", "l4"]);
    assert.deepEqual(keys(asOf(now, 5)?.logs), ["l1", "fold", "l4"]);
    assert.deepEqual([now.records, asOf(now, 5)?.records], [5, undefined]);
    assert.equal(asOf(now, 7), undefined);
  });

  it("replaces files only where all of them are there", () => {
    const now = added(emptyManifest, [segment("s1"), log("l1")], 2);
    const [l1] = now.logs as [LogEntry];
    const once = replaced(now, [l1], [segment("s2")]) as Manifest;
    assert.deepEqual(keys(once.segments), ["s1", "s2"]);
    assert.equal(replaced(once, [l1], [segment("s3")]), undefined);
    assert.equal(replaced(once, [l1, ...once.segments], [segment("s3")]), undefined);
  });

  it("forgets what was collected, and says from which state on all is there", () => {
    let now = added(emptyManifest, [segment("s1")], 1);
    now = cleared(now);
    assert.deepEqual([now.records, keys(now.segments), keys(asOf(now, 1)?.segments)], [0, [], ["s1"]]);
    now = stamped(now, 5000);
    assert.deepEqual(
      stamped(now, 9000).removed.map(({ since }) => since),
      [5000],
    );
    now = fenced(now);
    assert.equal(now.vacuums, 1);
    now = collected(now, new Set(["s1"]));
    assert.deepEqual([now.removed, now.horizon, asOf(now, 1), asOf(now, 2)?.segments], [[], 2, undefined, []]);
  });
});

describe("batches that are committed together", () => {
  const insert = (id: string) => ({
    ...{ kind: "insert" as const, id, data: { n: 1 }, types: null, metadata: {}, metadataTypes: null },
    ...{ version: `new-${id}`, at: 9 },
  });

  it("see each other; a refused one takes back its own writes only", () => {
    const { outcomes, changes, delta } = decide(
      [
        { ops: [insert("a"), { kind: "delete", id: "old" }], atomic: true },
        { ops: [{ kind: "delete", id: "a" }, insert("old"), insert("b"), insert("there")], atomic: true },
        { ops: [insert("c"), insert("there")], atomic: false },
      ],
      new Map([
        ["old", record("old", 1)],
        ["there", record("there", 1)],
      ]),
    );
    assert.deepEqual(
      outcomes.map((batch) => batch.map(({ status }) => status)),
      [
        ["written", "deleted"],
        ["rolledBack", "rolledBack", "rolledBack", "exists"],
        ["written", "exists"],
      ],
    );
    assert.deepEqual(
      [...changes].map(([id, one]) => [id, one?.version ?? null]),
      [
        ["a", "new-a"],
        ["old", null],
        ["c", "new-c"],
      ],
    );
    assert.equal(delta, 1);
  });

  it("leave no trace of what was made and deleted in one go", () => {
    const { changes, delta } = decide([{ ops: [insert("a"), { kind: "delete", id: "a" }], atomic: true }], new Map());
    assert.deepEqual([changes.size, delta], [0, 0]);
  });
});
