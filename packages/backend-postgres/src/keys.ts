/**
 * Every value as one text whose order by code point is the total order: a digit for the class, then the value. The
 * same in JavaScript, for operands, and in plain SQL, for rows: indexes need nothing that is not PostgreSQL's own.
 */
import { fromBase64, type Json, type Operand, rankOf, toBase64 } from "@dataknobs/core/backend";
import { bigintKey, bigintOfKey } from "@dataknobs/sql";

/** Index entries hold so many characters of a key: PostgreSQL refuses entries of 2,704 bytes. */
export const cutLength = 400;

const base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/** The same digits in the order of their codes, so that base64 sorts as its bytes do. */
const ordered = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
const hex = "0123456789abcdef";
const hexComplement = "fedcba9876543210";

const translate = (text: string, from: string, to: string): string =>
  text.replace(/./gs, (character) => to[from.indexOf(character)] ?? character);

const bits = new DataView(new ArrayBuffer(8));

/** A double by its bits, those of negative ones turned round. */
function numberKey(value: number): string {
  bits.setFloat64(0, value);
  const digits = bits.getBigUint64(0).toString(16).padStart(16, "0");
  return value < 0 ? `0${translate(digits, hex, hexComplement)}` : `1${digits}`;
}

function numberOfKey(key: string): number {
  const digits = key.slice(1);
  bits.setBigUint64(0, BigInt(`0x${key[0] === "0" ? translate(digits, hex, hexComplement) : digits}`));
  return bits.getFloat64(0);
}

/** What orders a scalar within its class. */
export function valueKey({ value, class: valueClass }: Operand): string {
  switch (valueClass) {
    case "boolean":
      return value === true ? "t" : "f";
    case "number":
      // adding zero makes -0 a zero
      return numberKey((value as number) + 0);
    case "bigint":
      return bigintKey(value as string);
    case "bytes": {
      const canonical = toBase64(fromBase64(value as string) ?? new Uint8Array());
      return translate(canonical.replace(/=+$/, ""), base64, ordered);
    }
    case "string":
      return value as string;
    default:
      return "";
  }
}

/** The whole key; `undefined` stands for null and missing. */
export function keyOfOperand(operand: Operand | undefined): string {
  return operand === undefined ? "0" : `${rankOf(operand.class)}${valueKey(operand)}`;
}

/** The scalar that a key of that class was made of. */
export function decodeKey(rank: number, key: string): Json {
  switch (rank) {
    case 1:
      return key === "t";
    case 2:
      return numberOfKey(key);
    case 3:
      return bigintOfKey(key);
    case 5: {
      const text = translate(key, ordered, base64);
      return text.padEnd(Math.ceil(text.length / 4) * 4, "=");
    }
    default:
      return key;
  }
}

/** The key of a number in SQL. */
export function numberKeySql(json: string, double: string): string {
  const digits = `encode(float8send(${double}), 'hex')`;
  return `CASE WHEN ${json} < '0' THEN '0' || translate(${digits}, '${hex}', '${hexComplement}') ELSE '1' || ${digits} END`;
}

/** The key of a bigint in SQL, of its decimal text. */
export function bigintKeySql(text: string): string {
  const key = (digits: string): string =>
    `length(length(${digits})::text)::text || length(${digits})::text || ${digits}`;
  const negative = `'n' || translate(${key(`substr(${text}, 2)`)}, '0123456789', '9876543210')`;
  return `CASE WHEN ${text} LIKE '-%' THEN ${negative} ELSE 'p' || ${key(text)} END`;
}

/** The key of bytes in SQL, of their base64. */
export function bytesKeySql(text: string): string {
  return `translate(rtrim(${text}, '='), '${base64}', '${ordered}')`;
}
