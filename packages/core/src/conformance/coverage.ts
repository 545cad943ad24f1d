/** What the differential part has asked: operator × class of operand × class of value × how it was answered. */
import type { Explanation } from "../plan/explain.js";
import { type Condition, type LeafCondition, type Operator, operators } from "../query/ast.js";
import { type ValueClass, valueClasses } from "../query/lowered.js";
import { joinPath } from "../query/paths.js";
import type { Fields, Value } from "../record/values.js";
import { operandClasses } from "./random-queries.js";
import { classOfValue, type RandomRecord } from "./random-records.js";

type How = "pushed" | "emulated";

const none = "-";

export class Coverage {
  readonly #cells = new Map<string, number>();
  #queries = 0;

  /** Counts the conditions of one question by how they were answered, for every class that the field holds. */
  note(
    condition: Condition | undefined,
    plan: Explanation,
    classes: (path: string | readonly string[]) => ReadonlySet<ValueClass>,
  ): void {
    this.#queries++;
    if (condition === undefined) return;
    const how = new Map(plan.clauses.map((clause) => [clause.clause, clause.how]));
    for (const leaf of leavesOf(condition)) {
      for (const operandClass of classesOfOperand(leaf)) {
        for (const valueClass of classes(leaf.path))
          this.#add(leaf.op, operandClass, valueClass, how.get(leaf) ?? "pushed");
      }
    }
  }

  #add(op: Operator, operandClass: string, valueClass: ValueClass, how: How): void {
    const cell = `${op} ${operandClass} ${valueClass} ${how}`;
    this.#cells.set(cell, (this.#cells.get(cell) ?? 0) + 1);
  }

  of(op: Operator, operandClass: string, valueClass: ValueClass, how: How): number {
    return this.#cells.get(`${op} ${operandClass} ${valueClass} ${how}`) ?? 0;
  }

  /** Cells that can be asked for but were not, in either way. */
  missing(how: readonly How[]): string[] {
    return cellNames().flatMap(([op, operandClass]) =>
      valueClasses.flatMap((valueClass) =>
        how.some((one) => this.of(op, operandClass, valueClass, one) > 0)
          ? []
          : [`${op} ${operandClass} on ${valueClass}`],
      ),
    );
  }

  /** Operators of which some condition was answered in that way. */
  operators(how: How): ReadonlySet<Operator> {
    return new Set(
      cellNames().flatMap(([op, operandClass]) =>
        valueClasses.some((valueClass) => this.of(op, operandClass, valueClass, how) > 0) ? [op] : [],
      ),
    );
  }

  /** Pushed/emulated, a row per operator and class of operand, a column per class of value. */
  table(): string {
    const lines = cellNames().map(([op, operandClass]) =>
      [
        op.padEnd(12),
        operandClass.padEnd(8),
        ...valueClasses.map((valueClass) =>
          `${this.of(op, operandClass, valueClass, "pushed")}/${this.of(op, operandClass, valueClass, "emulated")}`.padStart(
            11,
          ),
        ),
      ].join(""),
    );
    const head = ["operator".padEnd(12), "operand".padEnd(8), ...valueClasses.map((one) => one.padStart(11))].join("");
    return [
      `${this.#queries} queries; conditions asked, pushed/emulated, by class of the stored value`,
      head,
      ...lines,
    ].join("\n");
  }
}

function cellNames(): (readonly [Operator, string])[] {
  return operators.flatMap((op) => {
    const classes: readonly string[] = operandClasses[op];
    return (classes.length === 0 ? [none] : classes).map((one) => [op, one] as const);
  });
}

function leavesOf(condition: Condition): LeafCondition[] {
  if ("and" in condition) return condition.and.flatMap(leavesOf);
  if ("or" in condition) return condition.or.flatMap(leavesOf);
  if ("not" in condition) return leavesOf(condition.not);
  return [condition];
}

function classesOfOperand({ op, value, type, types }: LeafCondition): Iterable<string> {
  const possible: readonly string[] = operandClasses[op];
  if (possible.length === 0) return [none];
  if (possible.length === 1) return possible;
  const classOf = (item: Value, pointer: string): string => {
    const own = pointer === "" ? (type ?? types?.[""]) : (type ?? types?.[pointer]);
    return own === "bigint" || own === "bytes" ? own : classOfValue(item);
  };
  const isList = op === "between" || op === "not_between" || op === "in" || op === "not_in" || op === "overlaps";
  if (!isList) return [classOf(value as Value, "")];
  return new Set(
    (value as readonly Value[]).map((item, index) => classOf(item, `/${index}`)).filter((one) => one !== "null"),
  );
}

/** The classes that a field holds among the records. */
export function classesIn(
  records: readonly RandomRecord[],
): (path: string | readonly string[]) => ReadonlySet<ValueClass> {
  const known = new Map<string, ReadonlySet<ValueClass>>();
  return (path) => {
    const key = typeof path === "string" ? path : joinPath(path);
    let classes = known.get(key);
    if (classes === undefined) {
      const segments = typeof path === "string" ? path.split(".") : path;
      classes = new Set(records.map((record) => classOfValue(valueAt(record, segments))));
      known.set(key, classes);
    }
    return classes;
  };
}

function valueAt({ id, data, metadata }: RandomRecord, segments: readonly string[]): Value {
  const [root, ...rest] = segments;
  if (root === "id" && rest.length === 0) return id;
  let value: Value = root === "metadata" ? metadata : data;
  for (const segment of root === "metadata" || root === "data" ? rest : segments) {
    if (classOfValue(value) !== "object" || !Object.hasOwn(value as object, segment)) return undefined;
    value = (value as Fields)[segment];
  }
  return value;
}
