/** Filters for Chroma: those that it answers just as core would. */
import type { CompareOp, Compiled, Compiler, Leaf, Operand, Path } from "@dataknobs/core/backend";
import type { Where } from "chromadb";
import { isPlain } from "./numbers.js";
import { flatKey } from "./rows.js";

/** `true` and `false` stand for every row and none. */
export type Filter = Where | boolean;

/** A filter and its complement, where Chroma has one: it has `$ne` and `$nin`, but no "not greater". */
export interface Clause {
  readonly filter: Filter;
  readonly complement: Filter | undefined;
}

/** So many values may `in` have. */
const mostValues = 1000;

/** Chroma's SQL has a greatest depth, which long lists of conditions reach too; its JSON has one as well. */
const mostConditions = 400;
const mostLevels = 30;

/**
 * `numbers`: whether the index compares whole and other numbers with one another, as that of a single server does; that
 * of Chroma Cloud has an index of 32-bit numbers for each kind.
 */
export function compilerOf({ numbers }: { readonly numbers: boolean }): Compiler<Clause> {
  const isKnown = ({ class: kind, value }: Operand): boolean =>
    kind === "string" || kind === "boolean" || (numbers && kind === "number" && isPlain(value as number));

  const among = (path: Path, operands: readonly Operand[]): Compiled<Clause> | undefined => {
    const key = keyIn(path);
    if (key === undefined || operands.length > mostValues || !operands.every(isKnown)) return undefined;
    const values = operands.map(({ value }) => value as Scalar);
    return exactly(joinAny(scalarKinds.map((isOfKind) => equalToAny(key, values.filter(isOfKind)))));
  };

  const compare = (path: Path, bounds: readonly Bound[]): Compiled<Clause> | undefined => {
    const key = keyIn(path);
    const known = bounds.every(([, operand]) => operand.class === "number" && isKnown(operand));
    if (key === undefined || !known) return undefined;
    return exactly({
      filter: all(bounds.map(([op, { value }]) => compared(key, op, value as number))),
      complement: undefined,
    });
  };

  const why = (leaf: Leaf): string | undefined => {
    if (leaf.path.root === "id") return "Chroma does not filter by id; `get` reads by id";
    if (keyIn(leaf.path) === undefined) return "Chroma is not given fields whose name begins with /";
    const scalars = numbers ? "texts, booleans, and numbers of at most 15 digits" : "texts and booleans";
    if (leaf.kind === "in" && leaf.operands.length > mostValues) return `Chroma is given at most ${mostValues} values`;
    if (leaf.kind === "equals" || leaf.kind === "in") return `Chroma compares ${scalars}`;
    if (leaf.kind === "compare" || leaf.kind === "between") {
      return numbers
        ? "Chroma orders numbers only, of at most 15 digits"
        : "this Chroma index is not asked for numbers";
    }
    return undefined;
  };

  return Object.freeze({
    leaf: Object.freeze({
      equals: ({ path, operand }) => among(path, [operand]),
      in: ({ path, operands }) => among(path, operands),
      compare: ({ path, op, operand }) => compare(path, [[op, operand]]),
      between: ({ path, lower, upper }) =>
        compare(path, [
          [">=", lower],
          ["<=", upper],
        ]),
    } satisfies Compiler<Clause>["leaf"]),
    and: (parts: readonly Clause[]) => bounded(joinAll(parts)),
    or: (parts: readonly Clause[]) => bounded(joinAny(parts)),
    not: ({ filter, complement }: Clause) =>
      complement === undefined ? undefined : { filter: complement, complement: filter },
    why,
  });
}

type Scalar = string | number | boolean;
type Bound = readonly [CompareOp, Operand];

const comparisons = { "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte" } as const;

/** A list for Chroma is of one kind; whole numbers are one by themselves. */
const scalarKinds: readonly ((value: Scalar) => boolean)[] = [
  (value) => typeof value === "string",
  (value) => typeof value === "boolean",
  (value) => Number.isInteger(value),
  (value) => typeof value === "number" && !Number.isInteger(value),
];

function keyIn(path: Path): string | undefined {
  return path.root === "metadata" ? flatKey(path.segments, path.pointer) : undefined;
}

function equalToAny(key: string, values: readonly Scalar[]): Clause {
  const clause: Clause = { filter: listed(key, values, "$eq", "$in"), complement: listed(key, values, "$ne", "$nin") };
  const fractions = values.filter((value) => typeof value === "number" && !Number.isInteger(value)) as number[];
  if (fractions.length === 0) return clause;
  // a whole number of a row is compared with 30.5 as with 30
  const whole = [...new Set(fractions.map(Math.trunc))];
  return {
    filter: all([clause.filter, listed(key, whole, "$ne", "$nin")]),
    complement: any([clause.complement as Filter, listed(key, whole, "$eq", "$in")]),
  };
}

function listed(key: string, values: readonly Scalar[], one: "$eq" | "$ne", many: "$in" | "$nin"): Filter {
  if (values.length === 0) return one === "$ne";
  return { [key]: values.length === 1 ? { [one]: values[0] } : { [many]: [...values] } } as Where;
}

/** Whole numbers of rows are compared with 30.5 as with 30: what is wrong for 30 itself is put right. */
function compared(key: string, op: CompareOp, value: number): Filter {
  const filter = { [key]: { [comparisons[op]]: value } } as Where;
  const whole = Math.trunc(value) + 0;
  if (whole === value) return filter;
  const isMeant = op === "<" || op === "<=" ? whole < value : whole > value;
  const isFound = op === "<=" || op === ">=";
  if (isMeant === isFound) return filter;
  return isMeant ? any([filter, { [key]: { $eq: whole } }]) : all([filter, { [key]: { $ne: whole } }]);
}

function exactly(code: Clause): Compiled<Clause> {
  return { code, exact: true };
}

function joinAll(parts: readonly Clause[]): Clause {
  return { filter: all(parts.map(({ filter }) => filter)), complement: complements(parts, any) };
}

function joinAny(parts: readonly Clause[]): Clause {
  return { filter: any(parts.map(({ filter }) => filter)), complement: complements(parts, all) };
}

function bounded(clause: Clause): Clause | undefined {
  for (const filter of [clause.filter, clause.complement ?? true]) {
    const { conditions, levels } = extentOf(filter);
    if (conditions > mostConditions || levels > mostLevels) return undefined;
  }
  return clause;
}

function extentOf(filter: Filter): { readonly conditions: number; readonly levels: number } {
  if (typeof filter === "boolean") return { conditions: 0, levels: 0 };
  const joined = (filter as { $and?: Where[] }).$and ?? (filter as { $or?: Where[] }).$or;
  if (joined === undefined) return { conditions: 1, levels: 1 };
  let conditions = 0;
  let levels = 0;
  for (const one of joined) {
    const extent = extentOf(one);
    conditions += extent.conditions;
    levels = Math.max(levels, extent.levels);
  }
  return { conditions, levels: levels + 1 };
}

function complements(parts: readonly Clause[], join: (filters: readonly Filter[]) => Filter): Filter | undefined {
  const known = parts.flatMap(({ complement }) => (complement === undefined ? [] : [complement]));
  return known.length === parts.length ? join(known) : undefined;
}

/** Chroma refuses lists of one. */
export function all(filters: readonly Filter[]): Filter {
  const some = filters.filter((filter) => filter !== true) as (Where | false)[];
  if (some.includes(false)) return false;
  return some.length > 1 ? ({ $and: some } as Where) : (some[0] ?? true);
}

function any(filters: readonly Filter[]): Filter {
  const some = filters.filter((filter) => filter !== false) as (Where | true)[];
  if (some.includes(true)) return true;
  return some.length > 1 ? ({ $or: some } as Where) : (some[0] ?? false);
}
