/**
 * A condition as one function instead of a tree of closures, as fast as a loop written by hand. V8 keeps what it
 * learns of a property access by its place in the source, and a place that all queries share learns nothing; a
 * function of its own for each shape of condition does.
 *
 * The source is put together from fixed pieces and numbers: field names and operands are arguments, so that nothing
 * a user wrote is ever code. Where a page's or worker's policy forbids making functions, the closures do the work.
 */
import type { Leaf, Lowered, Operand, Path } from "../query/lowered.js";
import type { WireRecord } from "../record/json.js";
import type { Getter } from "./access.js";

type Predicate = (record: WireRecord) => boolean;

/** One condition, asked of one record or of many: a loop with the condition in it costs no call per record. */
export interface Matcher {
  readonly test: Predicate;
  /** Those that satisfy it, in their order, in a list of its own. */
  filter(records: readonly WireRecord[]): WireRecord[];
  count(records: readonly WireRecord[]): number;
  /** Calls for each that satisfies it, while it is in the processor's cache. */
  each(records: readonly WireRecord[], visit: (record: WireRecord) => void): void;
}

type Factory = (...values: unknown[]) => Matcher;

interface Parts {
  /** Arguments of the factory: `c0`, `c1`, … */
  readonly values: unknown[];
  /** Field names, in order: with the source they tell one shape from another. */
  readonly names: string[];
  /** Whether any leaf gains by being written out. */
  inlined: boolean;
}

/** How often a shape was asked for, then its factory: a condition that is asked once is not worth compiling. */
const shapes = new Map<string, number | Factory>();
const mostShapes = 256;
const worthwhile = 2;
let allowed = true;

/** The condition as one function, or `undefined` where that is not possible or not worth it. */
export function fused(
  condition: Lowered,
  closureOf: (leaf: Leaf) => Predicate,
  { after = worthwhile }: { readonly after?: number } = {},
): Matcher | undefined {
  if (!allowed) return undefined;
  const parts: Parts = { values: [], names: [], inlined: false };
  const source = write(condition, parts, closureOf);
  if (!parts.inlined) return undefined;
  const shape = `${source}\n${parts.names.join("\n")}`;
  const known = shapes.get(shape) ?? 0;
  if (typeof known === "function") return known(...parts.values);
  if (shapes.size >= mostShapes) shapes.clear();
  if (known + 1 < after) {
    shapes.set(shape, known + 1);
    return undefined;
  }
  const factory = compile(source, parts.values.length);
  if (factory === undefined) return undefined;
  shapes.set(shape, factory);
  return factory(...parts.values);
}

function compile(source: string, count: number): Factory | undefined {
  const names = Array.from({ length: count }, (_, index) => `c${index}`);
  try {
    return new Function(...names, bodyOf(source)) as Factory;
  } catch {
    allowed = false;
    return undefined;
  }
}

function bodyOf(condition: string): string {
  const each = (then: string): string =>
    `for (let i = 0; i < rs.length; i++) { const r = rs[i]; if (${condition}) ${then}; }`;
  return `return {
    test: (r) => { let v; return ${condition}; },
    filter: (rs) => { let v; const found = []; ${each("found.push(r)")} return found; },
    count: (rs) => { let v; let n = 0; ${each("n++")} return n; },
    each: (rs, visit) => { let v; ${each("visit(r)")} },
  };`;
}

const readers = new Map<string, Getter>();

/** Reads one plain field, by a function that no other field shares; `undefined` where that is not possible. */
export function fusedGetter({ root, segments }: Path): Getter | undefined {
  const [name] = segments;
  if (!allowed || root !== "data" || segments.length !== 1 || name === undefined || name in Object.prototype) {
    return undefined;
  }
  let reader = readers.get(name);
  if (reader === undefined) {
    try {
      reader = (new Function("c0", "return (r) => r.data[c0];") as (name: string) => Getter)(name);
    } catch {
      allowed = false;
      return undefined;
    }
    if (readers.size >= mostShapes) readers.clear();
    readers.set(name, reader);
  }
  return reader;
}

function write(condition: Lowered, parts: Parts, closureOf: (leaf: Leaf) => Predicate): string {
  switch (condition.kind) {
    case "and":
    case "or": {
      const written = condition.conditions.map((one) => write(one, parts, closureOf));
      if (written.length === 0) return condition.kind === "and" ? "true" : "false";
      return `(${written.join(condition.kind === "and" ? " && " : " || ")})`;
    }
    case "not":
      return `!${write(condition.condition, parts, closureOf)}`;
    default:
      return writeLeaf(condition, parts, closureOf);
  }
}

function writeLeaf(leaf: Leaf, parts: Parts, closureOf: (leaf: Leaf) => Predicate): string {
  const add = (value: unknown): string => `c${parts.values.push(value) - 1}`;
  const [name] = leaf.path.segments;
  const plain = leaf.path.root === "data" && leaf.path.segments.length === 1 && name !== undefined;
  // names that every object inherits need the closures' own-property check
  if (plain && !(name in Object.prototype)) {
    const field = (): string => {
      parts.names.push(name);
      parts.inlined = true;
      return `r.data[${add(name)}]`;
    };
    // a text may stand for a bigint or bytes where the record has types: then the closure decides
    const isText = (): string => `(r.types === null || ${add(closureOf(leaf))}(r))`;
    switch (leaf.kind) {
      case "exists":
        return `((v = ${field()}) !== undefined && v !== null)`;
      case "equals":
        if (leaf.operand.class === "string") return `(${field()} === ${add(leaf.operand.value)} && ${isText()})`;
        if (isNumberOrBoolean(leaf.operand)) return `(${field()} === ${add(leaf.operand.value)})`;
        break;
      case "compare":
        if (leaf.operand.class === "number") {
          return `(typeof (v = ${field()}) === "number" && v ${leaf.op} ${add(leaf.operand.value)})`;
        }
        if (hasNativeOrder(leaf.operand)) {
          return `(typeof (v = ${field()}) === "string" && v ${leaf.op} ${add(leaf.operand.value)} && ${isText()})`;
        }
        break;
      case "between":
        if (leaf.lower.class === "number") {
          const { lower, upper } = leaf;
          return `(typeof (v = ${field()}) === "number" && v >= ${add(lower.value)} && v <= ${add(upper.value)})`;
        }
        break;
      case "in":
        if (leaf.operands.every((one) => one.class === "string" || isNumberOrBoolean(one))) {
          const values = new Set(leaf.operands.map(({ value }) => value));
          return `(${add(values)}.has(v = ${field()}) && (typeof v !== "string" || ${isText()}))`;
        }
    }
  }
  return `${add(closureOf(leaf))}(r)`;
}

function isNumberOrBoolean({ class: valueClass }: Operand): boolean {
  return valueClass === "number" || valueClass === "boolean";
}

/** Where no unit of the operand is a surrogate or above, the engine's own order is that of code points. */
export function hasNativeOrder(operand: Operand): boolean {
  return operand.class === "string" && !/[\ud800-\uffff]/.test(operand.value as string);
}
