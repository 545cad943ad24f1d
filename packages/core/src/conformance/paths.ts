/** Paths: dotted and listed, escapes, reserved roots, what is not resolved. */
import { where } from "../query/builder.js";
import type { Case } from "./case.js";
import { selects } from "./conditions.js";

export const pathCases: readonly Case[] = [
  selects(
    "paths/dots-go-into-objects",
    { a: { p: { q: { r: 1 } } }, b: { p: { q: 1 } }, c: { "p.q.r": 1 } },
    [
      [where("p.q.r", "=", 1), ["a"]],
      [where(["p", "q", "r"], "=", 1), ["a"]],
      [where("p.q", "=", { r: 1 }), ["a"]],
      [where("p.q", "=", 1), ["b"]],
    ],
    [{ path: "p.q.r" }, { path: "p.q" }],
  ),
  selects(
    "paths/a-segment-with-a-dot-is-escaped-or-listed",
    { a: { "p.q": 1 }, b: { p: { q: 1 } }, c: { "p\\": { q: 1 } }, d: { "p\\.q": 1 } },
    [
      [where("p\\.q", "=", 1), ["a"]],
      [where(["p.q"], "=", 1), ["a"]],
      [where("p\\\\.q", "=", 1), ["c"]],
      [where(["p\\", "q"], "=", 1), ["c"]],
      [where(["p\\.q"], "=", 1), ["d"]],
    ],
    [{ path: "p\\.q" }],
  ),
  selects(
    "paths/data-reaches-fields-with-reserved-names",
    {
      a: { id: "x" },
      b: { metadata: { k: 1 } },
      c: { createdAt: 1 },
      d: { updatedAt: 1 },
      e: { data: 1 },
      f: { data: { x: 1 } },
    },
    [
      [where("data.id", "=", "x"), ["a"]],
      [where("data.metadata.k", "=", 1), ["b"]],
      [where("data.createdAt", "=", 1), ["c"]],
      [where("data.updatedAt", "=", 1), ["d"]],
      [where("data.data", "=", 1), ["e"]],
      [where("data.data.x", "=", 1), ["f"]],
      [where("id", "=", "x"), []],
      [where("metadata.k", "=", 1), []],
    ],
  ),
  selects(
    "paths/data-x-and-x-are-the-same",
    { a: { x: 1, y: { z: 2 } }, b: { x: 2 } },
    [
      [where("data.x", "=", 1), ["a"]],
      [where("x", "=", 1), ["a"]],
      [where("data.y.z", "=", 2), ["a"]],
      [where("y.z", "=", 2), ["a"]],
    ],
    [{ path: "data.x" }, { path: "y.z" }],
  ),
  selects(
    "paths/a-number-does-not-go-into-a-list",
    { a: { v: [1, 2] }, b: { v: { "0": 1, "1": 2 } }, c: { v: ["x"] } },
    [
      [where("v.0", "=", 1), ["b"]],
      [where(["v", "1"], "exists"), ["b"]],
      [where("v.0", "not_exists"), ["a", "c"]],
      [where("v.length", "exists"), []],
    ],
    [{ path: "v.0" }],
  ),
  selects(
    "paths/nothing-is-below-a-text-or-a-scalar",
    { a: { v: "text" }, b: { v: 1 }, c: { v: null }, d: { v: new Date(0) } },
    [
      [where("v.length", "exists"), []],
      [where("v.0", "exists"), []],
      [where("v.x", "not_exists"), ["a", "b", "c", "d"]],
      [where("v.constructor", "exists"), []],
    ],
  ),
  selects("paths/the-empty-name-is-a-name", { a: { "": 1 }, b: { x: { "": 1 } }, c: { "": { "": 1 } } }, [
    [where([""], "=", 1), ["a"]],
    [where("", "=", 1), ["a"]],
    [where("x.", "=", 1), ["b"]],
    [where(".", "=", 1), ["c"]],
  ]),
  selects(
    "paths/names-are-case-sensitive",
    { a: { Name: 1 }, b: { name: 1 }, c: { NAME: 1 } },
    [
      [where("name", "=", 1), ["b"]],
      [where("Name", "exists"), ["a"]],
    ],
    [{ path: "name" }, { path: "Name" }],
  ),
];
