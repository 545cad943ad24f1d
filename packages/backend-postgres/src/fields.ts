/** Fields as SQL: columns, and jsonb expressions with guards of type. */
import type { Path } from "@dataknobs/core/backend";
import { type Field, falsehood, raw, type ScalarClass, type Sql, sql, truth } from "@dataknobs/sql";
import { afterOf, declared, tiedOf } from "./declared.js";
import {
  cutExpression,
  declaredAt,
  idColumn,
  jsonPieces,
  keyExpression,
  type Layout,
  literal,
  rankExpression,
  timeText,
} from "./layout.js";

/** A field with what orders it. */
export interface KeyedField extends Field {
  /** In the total order; never NULL. */
  readonly key: Sql;
  /** What an index has of it; `key` decides where it is as long as can be. */
  readonly cut?: Sql | undefined;
}

export function fieldOf(layout: Layout, path: Path): KeyedField | undefined {
  switch (path.root) {
    case "id":
      return textColumn(path, raw(idColumn(layout)));
    case "createdAt":
      return textColumn(path, raw(timeText("created_at")));
    case "updatedAt":
      return textColumn(path, raw(timeText("updated_at")));
  }
  if (path.segments.length === 0) return undefined;
  const spec = declaredAt(layout, path);
  const field = jsonField(layout, path);
  return spec === undefined
    ? field
    : { ...field, ...declared(field, raw(cutExpression(layout, path))), index: spec.name };
}

function textColumn(path: Path, column: Sql): KeyedField {
  return {
    path,
    text: true,
    index: path.root === "id" ? "id" : undefined,
    rank: raw("4"),
    value: column,
    key: column,
    present: truth,
    is: (valueClass) => (valueClass === "string" ? truth : falsehood),
    get: () => column,
    isDate: path.root === "id" ? falsehood : truth,
  };
}

function jsonField(layout: Layout, path: Path): KeyedField {
  const pieces = jsonPieces(layout, path);
  const { types } = pieces;
  const type = raw(pieces.type);
  const text = raw(`${pieces.text} COLLATE "C"`);
  const key = raw(`(${keyExpression(layout, path)}) COLLATE "C"`);
  const own = raw(`substr(${key.texts[0]}, 2)`);
  const ofType = (name: string, value: string): Sql => raw(`CASE WHEN ${pieces.type} = '${name}' THEN ${value} END`);
  const values: { readonly [K in ScalarClass]: Sql } = {
    boolean: ofType("boolean", `${pieces.json}::boolean`),
    number: ofType("number", pieces.double),
    string: text,
    bigint: own,
    bytes: own,
  };
  return {
    path,
    text: false,
    rank: raw(rankExpression(layout, path)),
    value: own,
    key,
    present: sql`coalesce(${type}, 'null') <> 'null'`,
    is(valueClass) {
      switch (valueClass) {
        case "null":
          return sql`coalesce(${type}, 'null') = 'null'`;
        case "string":
          return sql`${type} = 'string' AND ${raw(pieces.plain)}`;
        case "bigint":
        case "bytes":
          return raw(`${types} IS NOT NULL AND ${pieces.tag} = '${valueClass}' AND ${pieces.type} = 'string'`);
        default:
          return sql`${type} = ${raw(literal(valueClass))}`;
      }
    },
    get: (valueClass) => values[valueClass],
    // one look at the type instead of two: rows without an index are many
    compare(op, operand) {
      const { value } = operand;
      if (typeof value === "number") {
        return sql`CASE WHEN ${type} = 'number' THEN ${raw(pieces.double)} ${raw(op)} ${value} ELSE FALSE END`;
      }
      if (op === "=" && typeof value === "boolean") return raw(`${pieces.json} = '${value}'`);
      return undefined;
    },
    after: (leaf) => afterOf(key, path, leaf),
    tied: (leaf) => tiedOf(key, path, leaf),
    isDate: raw(`(${types} IS NOT NULL AND coalesce(${pieces.tag}, '') = 'date')`),
  };
}
