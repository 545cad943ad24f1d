import assert from "node:assert/strict";
import { describe, it } from "@jest/globals";
import { truthTable } from "../src/conformance/truth.js";
import { DataknobsError } from "../src/errors.js";
import { type Condition, operators, type Query } from "../src/query/ast.js";
import { and, not, or, query, where } from "../src/query/builder.js";
import type { Lowered } from "../src/query/lowered.js";
import { lowerCondition, lowerQuery } from "../src/query/parse.js";

/** The lowered condition in short: kinds only. */
function shape(condition: Lowered): unknown {
  if (condition.kind === "and" || condition.kind === "or") return { [condition.kind]: condition.conditions.map(shape) };
  return condition.kind === "not" ? { not: shape(condition.condition) } : condition.kind;
}

function codeOf(call: () => unknown): string {
  try {
    call();
    return "none";
  } catch (error) {
    return DataknobsError.is(error) ? error.code : String(error);
  }
}

const present = (leaf: string): unknown => ({ and: ["exists", { not: leaf }] });
const text = (leaf: string): unknown => ({ and: ["prefix", { not: leaf }] });

describe("lowering: every operator", () => {
  const shapes: { readonly [op: string]: readonly [operand: unknown, shape: unknown] } = {
    "=": [1, "equals"],
    "!=": [1, present("equals")],
    "<": [1, "compare"],
    "<=": [1, "compare"],
    ">": [1, "compare"],
    ">=": [1, "compare"],
    between: [[1, 2], "between"],
    not_between: [[1, 2], present("between")],
    in: [[1], "in"],
    not_in: [[1], present("in")],
    like: ["a", "like"],
    not_like: ["a", text("like")],
    ilike: ["a", "like"],
    not_ilike: ["a", text("like")],
    regex: ["a", "regex"],
    not_regex: ["a", text("regex")],
    starts_with: ["a", "prefix"],
    contains: [1, "contains"],
    overlaps: [[1], "overlaps"],
    exists: [undefined, "exists"],
    not_exists: [undefined, { not: "exists" }],
  };
  for (const op of operators) {
    it(`${op} becomes ${JSON.stringify(shapes[op]?.[1])}`, () => {
      assert.deepEqual(shape(lowerCondition(where("v", op, shapes[op]?.[0]))), shapes[op]?.[1]);
    });
  }

  it("null means missing or present", () => {
    assert.deepEqual(shape(lowerCondition(where("v", "=", null))), { not: "exists" });
    assert.deepEqual(shape(lowerCondition(where("v", "!=", null))), "exists");
    assert.deepEqual(shape(lowerCondition(where("v", "in", [1, null]))), { or: [{ not: "exists" }, "in"] });
    assert.deepEqual(shape(lowerCondition(where("v", "not_in", [1, null]))), present("in"));
  });

  it("every leaf remembers the condition as it was written", () => {
    const condition = where("v", "not_in", [1]);
    const lowered = lowerCondition(condition);
    assert.ok(lowered.kind === "and");
    const [first, second] = lowered.conditions;
    assert.ok(first?.kind === "exists" && first.source === condition);
    assert.ok(second?.kind === "not" && second.condition.kind === "in" && second.condition.source === condition);
  });
});

describe("operands", () => {
  const operand = (condition: Condition): unknown => {
    const lowered = lowerCondition(condition);
    assert.ok(lowered.kind === "equals");
    return lowered.operand;
  };

  it("are JSON with the types that comparisons tell apart", () => {
    assert.deepEqual(operand(where("v", "=", 10n)), { value: "10", types: { "": "bigint" }, class: "bigint" });
    assert.deepEqual(operand(where("v", "=", new Date(0))), {
      value: "1970-01-01T00:00:00.000Z",
      types: null,
      class: "string",
    });
    assert.deepEqual(operand(where("v", "=", new Float32Array([1]))), { value: [1], types: null, class: "array" });
    assert.deepEqual(operand(where("v", "=", [1n])), { value: ["1"], types: { "/0": "bigint" }, class: "array" });
    assert.deepEqual(operand(where("v", "=", -0)), { value: 0, types: null, class: "number" });
  });

  it("may be given as text with their type", () => {
    assert.deepEqual(operand({ path: "v", op: "=", value: "10", type: "bigint" }), operand(where("v", "=", 10n)));
    assert.deepEqual(
      operand({ path: "v", op: "=", value: "AQI=", type: "bytes" }),
      operand(where("v", "=", new Uint8Array([1, 2]))),
    );
    assert.deepEqual(
      operand({ path: "v", op: "=", value: new Date(0).toISOString(), type: "date" }),
      operand(where("v", "=", new Date(0))),
    );
  });

  it("of a list share the type, or have their own", () => {
    const list = (condition: Condition): unknown => {
      const lowered = lowerCondition(condition);
      assert.ok(lowered.kind === "in");
      return lowered.operands.map((one) => [one.class, one.value]);
    };
    assert.deepEqual(list({ path: "v", op: "in", value: ["1", "2"], type: "bigint" }), [
      ["bigint", "1"],
      ["bigint", "2"],
    ]);
    assert.deepEqual(list(where("v", "in", [1n, "1", 1])), [
      ["bigint", "1"],
      ["string", "1"],
      ["number", 1],
    ]);
  });

  it("are copies that cannot be changed later", () => {
    const list = [1, [2]];
    const lowered = lowerCondition(where("v", "=", list));
    list.push(3);
    assert.ok(lowered.kind === "equals");
    assert.deepEqual(lowered.operand.value, [1, [2]]);
    assert.ok(Object.isFrozen(lowered.operand));
  });
});

describe("the builder", () => {
  it("makes the plain query", () => {
    const built = query()
      .filter("age", ">", 30)
      .filter(or(where("city", "=", "Oslo"), not(where("tags", "contains", "x"))))
      .match("quick fox", { fields: ["bio"] })
      .sort("age", "desc")
      .limit(10)
      .offset(20)
      .select("name", "address.city")
      .toQuery();
    assert.deepEqual(built, {
      where: {
        and: [
          { path: "age", op: ">", value: 30 },
          { or: [{ path: "city", op: "=", value: "Oslo" }, { not: { path: "tags", op: "contains", value: "x" } }] },
        ],
      },
      match: { text: "quick fox", fields: ["bio"] },
      sort: [{ path: "age", direction: "desc" }],
      limit: 10,
      offset: 20,
      select: ["name", "address.city"],
    });
  });

  it("never changes a query that was begun", () => {
    const base = query().filter("a", "=", 1);
    base.filter("b", "=", 2).sort("c").limit(1);
    assert.deepEqual(base.toQuery(), { where: { path: "a", op: "=", value: 1 } });
  });

  it("joins filters by and, without losing what was inside", () => {
    const { where: joined } = query()
      .filter(and(where("a", "=", 1)))
      .filter("b", "=", 2)
      .filter(or())
      .toQuery();
    assert.deepEqual(joined, { and: [where("a", "=", 1), where("b", "=", 2), { or: [] }] });
  });

  it("is its query's JSON", () => {
    const built = query().filter("at", ">", new Date(0)).sort("at");
    assert.deepEqual(JSON.parse(JSON.stringify(built)), built.toQuery());
  });

  it("turns a RegExp into a pattern with flags", () => {
    assert.deepEqual(where("v", "regex", /a.b/gimsu), {
      path: "v",
      op: "regex",
      value: { pattern: "a.b", flags: "ims" },
    });
  });

  for (const { op, operand, says } of truthTable) {
    it(`its JSON means the same: ${op}, ${says}`, () => {
      const condition = where("v", op, operand);
      const again = JSON.parse(JSON.stringify(condition)) as Condition;
      const strip = (lowered: Lowered): string =>
        JSON.stringify(lowered, (key, value: unknown) => (key === "source" ? undefined : value));
      assert.equal(strip(lowerCondition(again)), strip(lowerCondition(condition)));
    });
  }
});

describe("queries", () => {
  it("end their order with id, once", () => {
    const order = (sort: Query["sort"]): string[] =>
      lowerQuery({ sort: sort ?? [] }).order.map(({ path, descending }) => `${descending ? "-" : ""}${path.text}`);
    assert.deepEqual(order([{ path: "a" }]), ["a", "id"]);
    assert.deepEqual(order([{ path: "a" }, { path: "id", direction: "desc" }, { path: "b" }]), ["a", "-id"]);
    assert.deepEqual(order([{ path: "a" }, { path: "data.a", direction: "desc" }]), ["a", "id"]);
    assert.deepEqual(order([]), []);
  });

  it("with a limit or an offset are in id order, unless unordered", () => {
    const ids = (given: Query): string[] => lowerQuery(given).order.map(({ path }) => path.text);
    assert.deepEqual(ids({ limit: 1 }), ["id"]);
    assert.deepEqual(ids({ offset: 1 }), ["id"]);
    assert.deepEqual(ids({ limit: 1, unordered: true }), []);
    assert.deepEqual(ids({}), []);
    assert.deepEqual(ids({ limit: 1, match: { text: "a", fields: ["t"] } }), []);
  });

  it("place nulls by direction, unless told", () => {
    const first = (sort: NonNullable<Query["sort"]>[number]): boolean | undefined =>
      lowerQuery({ sort: [sort] }).order[0]?.nullsFirst;
    assert.deepEqual(
      [
        first({ path: "a" }),
        first({ path: "a", direction: "desc" }),
        first({ path: "a", nulls: "last" }),
        first({ path: "a", direction: "desc", nulls: "first" }),
      ],
      [true, false, false, true],
    );
  });

  it("take the declared text fields for a match without any, each field once", () => {
    const { match } = lowerQuery(
      { match: { text: "Red, red fox" } },
      { textFields: [lowerQuery({ select: ["t"] }).select?.[0] ?? assert.fail()], vectorFields: [] },
    );
    assert.deepEqual(
      [match?.words, match?.fields.map((path) => path.text), match?.mode],
      [["red", "fox"], ["t"], "all"],
    );
    assert.equal(lowerQuery({ match: { text: "a", fields: ["t", "data.t"] } }).match?.fields.length, 1);
  });

  it("suggest the name that was meant", () => {
    const message = (call: () => unknown): string => {
      try {
        call();
      } catch (error) {
        return (error as Error).message;
      }
      return "";
    };
    assert.match(
      message(() => lowerCondition({ path: "v", op: "not_lik" as "like", value: "" })),
      /Did you mean "not_like"/,
    );
    assert.match(
      message(() => lowerQuery({ limt: 1 } as Query)),
      /Did you mean "limit"/,
    );
    assert.match(
      message(() => lowerCondition({ path: "v", op: "=", valu: 1 } as Condition)),
      /Did you mean "value"/,
    );
  });

  it("refuse before anything else, by code", () => {
    assert.equal(
      codeOf(() => lowerQuery({ limit: -1 })),
      "INVALID_QUERY",
    );
    assert.equal(
      codeOf(() => lowerQuery({ where: where("v", "like", "x".repeat(4097)) })),
      "LIMIT_EXCEEDED",
    );
    assert.equal(
      codeOf(() => lowerQuery({ where: where("v", "=", 1), select: ["a\0"] })),
      "INVALID_QUERY",
    );
  });
});
