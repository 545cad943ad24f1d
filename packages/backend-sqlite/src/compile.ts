/** The SQLite dialect: JSON1 expressions, declared fields by their columns, JavaScript functions where SQL falls short. */
import {
  type Compiler,
  type ContainsLeaf,
  type Match,
  type Nearest,
  type Operand,
  type OverlapsLeaf,
  type Path,
  pathKey,
  rankOf,
  samePath,
} from "@dataknobs/core/backend";
import {
  all,
  any,
  bigintKey,
  bytesKey,
  compilerOf as compilerOfDialect,
  type Dialect,
  deepKeyOf,
  type Field,
  falsehood,
  isCanonical,
  isScalar,
  likeShape,
  quoteText,
  raw,
  type ScalarClass,
  type Sql,
  type SqlValue,
  sql,
  truth,
} from "@dataknobs/sql";
import { functionNames } from "./functions.js";
import {
  fieldNames,
  jsonPieces,
  type Layout,
  rankExpression,
  textFields,
  textNames,
  timeColumn,
  valueExpression,
  vectorTable,
} from "./layout.js";
import { vectorFieldOf } from "./vectors.js";

const fn = (name: keyof typeof functionNames): Sql => raw(functionNames[name]);

export function dialectOf(layout: Layout): Dialect {
  const fields = new Map<string, Field | undefined>();
  const dialect: Dialect = {
    name: "sqlite",
    placeholder: () => "?",
    field(path) {
      const key = pathKey(path);
      if (!fields.has(key)) {
        if (fields.size > 1000) fields.clear();
        fields.set(key, fieldOf(layout, path));
      }
      return fields.get(key);
    },
    bind,
    within,
    like(text, { pattern, insensitive }) {
      if (insensitive) return sql`${fn("ilike")}(${pattern}, ${text})`;
      const shape = likeShape(pattern);
      switch (shape.kind) {
        case "includes":
          return sql`instr(${text}, ${shape.text}) > 0`;
        case "suffix":
          return sql`substr(${text}, ${-[...shape.text].length}) = ${shape.text}`;
        case "pattern":
          return sql`${text} GLOB ${shape.glob}`;
        default:
          return undefined;
      }
    },
    regex: (text, { pattern, flags }) => sql`${fn("regex")}(${pattern}, ${flags}, ${text})`,
    deepEquals,
    contains: (field, { operand }: ContainsLeaf) => containsAny(field, [operand]),
    overlaps: (field, { operands }: OverlapsLeaf) => containsAny(field, operands),
    aggregates: {
      deepKey: ({ path }) => {
        const { value, types } = jsonPieces(path);
        return sql`${fn("deepCell")}(${raw(value)}, ${raw(types)}, ${path.pointer})`;
      },
      every: (condition) => sql`min(${condition})`,
      // adding zero makes -0.0 a zero
      bucket: (number, width) => sql`floor(${number} / ${width}) * ${width} + 0.0`,
      dateBucket: (text, unit) => sql`${fn("dateBucket")}(${text}, ${unit})`,
      percentile: (number, fraction) => sql`percentile_cont(${number}, ${fraction})`,
    },
  };
  return dialect;
}

export function compilerOf(layout: Layout, dialect: Dialect, readOnly: boolean): Compiler<Sql> {
  return {
    ...compilerOfDialect(dialect),
    match: (match) => compileMatch(layout, match, readOnly),
    nearest: (nearest) => compileNearest(layout, nearest),
  };
}

function bind({ value, class: valueClass }: Operand): SqlValue {
  switch (valueClass) {
    case "boolean":
      return value === true ? 1 : 0;
    case "bigint":
      return bigintKey(value as string);
    case "bytes":
      return bytesKey(value as string);
    default:
      return value as string | number;
  }
}

function within(value: Sql, valueClass: ScalarClass, values: readonly SqlValue[]): Sql {
  // json_each reads whole numbers as integers of 64 bits; adding 0.0 makes them the doubles that we store
  const column = raw(valueClass === "number" ? "value + 0.0" : "value");
  return sql`${value} IN (SELECT ${column} FROM json_each(${JSON.stringify(values)}))`;
}

function fieldOf(layout: Layout, path: Path): Field | undefined {
  switch (path.root) {
    case "id":
      return textColumn(path, raw("id"));
    case "createdAt":
      return textColumn(path, raw(timeColumn(layout, "created_at")));
    case "updatedAt":
      return textColumn(path, raw(timeColumn(layout, "updated_at")));
  }
  if (path.segments.length === 0) return undefined;
  const spec = layout.indexes.find((index) => !index.text && index.vector === undefined && samePath(index.path, path));
  return spec === undefined ? jsonField(path) : declaredField(path, spec.name);
}

function textColumn(path: Path, column: Sql): Field {
  return {
    path,
    text: true,
    index: path.root === "id" ? "id" : undefined,
    rank: raw("4"),
    value: column,
    present: truth,
    is: (valueClass) => (valueClass === "string" ? truth : falsehood),
    get: () => column,
    isDate: path.root === "id" ? falsehood : truth,
  };
}

function dateTest(path: Path): Sql {
  const { types, tag } = jsonPieces(path);
  return raw(`(${types} IS NOT NULL AND ${tag} IS 'date')`);
}

/** A field with columns of its own, of an index on (rank, value, id). */
function declaredField(path: Path, index: string): Field {
  const names = fieldNames(path);
  const rank = raw(names.rank);
  const value = raw(names.value);
  return {
    path,
    text: false,
    index,
    rank,
    value,
    present: sql`${rank} > 0`,
    is: (valueClass) => sql`${rank} = ${raw(String(rankOf(valueClass)))}`,
    get: () => value,
    isDate: dateTest(path),
  };
}

/** Whole numbers from here on lose digits as doubles, so that only doubles may be compared. */
const exactBelow = 2 ** 53;

function jsonField(path: Path): Field {
  const pieces = jsonPieces(path);
  const value = raw(pieces.value);
  const type = raw(pieces.type);
  const plain = raw(pieces.plain);
  const double = raw(`(${pieces.value} + 0.0)`);
  const isNumber = sql`${type} IN ('integer', 'real')`;
  const isText = sql`${type} = 'text'`;
  return {
    path,
    text: false,
    rank: raw(rankExpression(path)),
    value: raw(valueExpression(path)),
    present: sql`${value} IS NOT NULL`,
    is(valueClass) {
      switch (valueClass) {
        case "null":
          return sql`${value} IS NULL`;
        case "boolean":
          return sql`${type} IN ('true', 'false')`;
        case "number":
          return isNumber;
        case "string":
          return all([isText, plain]);
        case "bigint":
        case "bytes":
          return sql`(${raw(pieces.types)} IS NOT NULL AND ${raw(pieces.tag)} = ${raw(quoteText(valueClass))})`;
        default:
          return sql`${type} = ${raw(quoteText(valueClass))}`;
      }
    },
    get(valueClass) {
      if (valueClass === "number") return double;
      return valueClass === "bigint" || valueClass === "bytes" ? raw(pieces.key) : value;
    },
    // The comparison first: it is false for most rows, and the type is then not looked at.
    compare(op, operand) {
      const operator = raw(op);
      switch (operand.class) {
        case "boolean": {
          const holds = [false, true].filter((one) => compareBooleans(op, one, operand.value as boolean));
          return any(holds.map((one) => sql`${type} = ${raw(one ? "'true'" : "'false'")}`));
        }
        case "number": {
          const number = operand.value as number;
          const small = Math.abs(number) < exactBelow;
          const test = sql`${small ? value : double} ${operator} ${number}`;
          // no text equals a number, and true and false are 1 and 0
          return op === "=" && small && number !== 0 && number !== 1 ? test : all([test, isNumber]);
        }
        case "string": {
          const test = sql`${value} ${operator} ${operand.value as string}`;
          // arrays and objects come as their JSON text
          return op === "=" && !/^[[{]/.test(operand.value as string) ? all([test, plain]) : all([test, isText, plain]);
        }
        default:
          return undefined;
      }
    },
    isDate: dateTest(path),
  };
}

function compareBooleans(op: string, a: boolean, b: boolean): boolean {
  switch (op) {
    case "=":
      return a === b;
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    default:
      return a >= b;
  }
}

const keyOfOperand = ({ value, types }: Operand): string =>
  deepKeyOf(JSON.stringify(value), types === null ? null : JSON.stringify(types), "");

function deepEquals(field: Field, operands: readonly Operand[]): Sql {
  const { type, value, types } = jsonPieces(field.path);
  const classes = new Set(operands.map((operand) => operand.class));
  const isClass = any([...classes].map((one) => sql`${raw(type)} = ${raw(quoteText(one))}`));
  const key = sql`${fn("deepKey")}(${raw(value)}, ${raw(types)}, ${field.path.pointer})`;
  return all([isClass, within(key, "string", operands.map(keyOfOperand))]);
}

/** An array with an element equal to any of the operands: class by class, since SQL's equality knows no classes. */
function containsAny(field: Field, operands: readonly Operand[]): Sql {
  if (field.text) return falsehood;
  const { path } = field;
  const { type, types } = jsonPieces(path);
  const root = raw(path.root === "metadata" ? "metadata" : "data");
  const at = raw(quoteText(`$${path.segments.map((segment) => `.${JSON.stringify(segment)}`).join("")}`));
  const pointer = quoteText(`$.${JSON.stringify(`${path.pointer}/`).slice(0, -1)}`);
  const tag = raw(`json_extract(${types}, ${pointer} || element.key || '"')`);
  const typed = raw(types);
  const tests: Sql[] = [];
  const ofClass = (valueClass: Operand["class"]): SqlValue[] =>
    operands.filter((one) => one.class === valueClass && isCanonical(one)).map(({ value }) => value as SqlValue);
  const add = (valueClass: ScalarClass, guard: Sql, element: Sql): void => {
    const values = ofClass(valueClass);
    if (values.length === 0) return;
    const [only] = values;
    const test =
      values.length === 1 && only !== undefined ? sql`${element} = ${only}` : within(element, valueClass, values);
    tests.push(sql`(${guard} AND ${test})`);
  };
  for (const value of new Set(ofClass("boolean"))) tests.push(sql`element.type = ${raw(value ? "'true'" : "'false'")}`);
  add("number", raw("element.type IN ('integer', 'real')"), raw("(element.value + 0.0)"));
  add(
    "string",
    sql`element.type = 'text' AND (${typed} IS NULL OR coalesce(${tag}, 'date') = 'date')`,
    raw("element.value"),
  );
  for (const valueClass of ["bigint", "bytes"] as const) {
    // their texts are canonical, so that equal values have equal texts
    add(valueClass, sql`${typed} IS NOT NULL AND ${tag} = ${raw(quoteText(valueClass))}`, raw("element.value"));
  }
  const deep = operands.filter((operand) => !isScalar(operand));
  if (deep.length > 0) {
    const key = sql`${fn("deepKey")}(element.value, ${typed}, ${`${path.pointer}/`} || element.key)`;
    tests.push(sql`(element.type IN ('array', 'object') AND ${within(key, "string", deep.map(keyOfOperand))})`);
  }
  if (tests.length === 0) return falsehood;
  const elements = sql`EXISTS (SELECT 1 FROM json_each(${root}, ${at}) AS element WHERE ${any(tests)})`;
  return sql`(${raw(type)} = 'array' AND ${elements})`;
}

/** How a request asks for the nearest: the vectors' table as SQL, and what they are near to. */
export interface NearestSql extends Sql {
  readonly nearest: Nearest;
}

/** Where the field is declared, every vector is measured, by whatever metric. */
function compileNearest(layout: Layout, nearest: Nearest): ReturnType<NonNullable<Compiler<Sql>["nearest"]>> {
  const { path, vector } = nearest;
  const spec = vectorFieldOf(layout, path, vector.length);
  if (spec === undefined || !layout.own) return undefined;
  const code: NearestSql = { ...raw(vectorTable(layout, path, vector.length)), nearest };
  return { code, exact: true, index: spec.name };
}

/** An FTS5 query over core's words, where every field of the match is declared. */
function compileMatch(
  layout: Layout,
  match: Match,
  readOnly: boolean,
): ReturnType<NonNullable<Compiler<Sql>["match"]>> {
  if (match.analyzer !== undefined || (layout.shared && readOnly)) return undefined;
  const declared = textFields(layout);
  const columns = match.fields.map((path) => declared.findIndex((spec) => samePath(spec.path, path)));
  if (columns.includes(-1)) return undefined;
  const filter = columns.length === declared.length ? "" : `{${columns.map((column) => `c${column}`).join(" ")}} : `;
  const words = match.words.map((word) => `"${word}"`).join(match.mode === "all" ? " AND " : " OR ");
  const { words: table } = textNames(layout);
  return {
    code: sql`${raw(table)} MATCH ${`${filter}(${words})`}`,
    exact: true,
    index: declared
      .filter((_, index) => columns.includes(index))
      .map(({ name }) => name)
      .join(", "),
  };
}
