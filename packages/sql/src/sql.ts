/**
 * SQL text with its parameters. A value put into a template is always bound, never spliced: only another fragment
 * of SQL becomes text, and text enters by {@link raw} and {@link identifier} alone.
 */

/** What a parameter may be; each dialect says which of them its driver takes. */
export type SqlValue = string | number | bigint | boolean | null | Uint8Array;

/** `texts` around `params`: there is one text more than there are parameters. */
export interface Sql {
  readonly texts: readonly string[];
  readonly params: readonly SqlValue[];
  /** What keyset paging knows of this fragment; see `keyset.ts`. */
  readonly keyset?: Keyset | undefined;
}

/** A condition on the place of a row in the order of one sort key. */
export interface Keyset {
  readonly kind: "after" | "tied" | "past" | "tiedPast";
  /** Path and operand, so that only parts of one keyset are joined. */
  readonly place: string;
  readonly columns: readonly Sql[];
  readonly values: readonly Sql[];
  /** Of `after` and `past`. */
  readonly descending: boolean;
}

/** A statement as a driver takes it. */
export interface Statement {
  readonly text: string;
  readonly params: readonly SqlValue[];
}

const isSql = (part: unknown): part is Sql => typeof part === "object" && part !== null && "texts" in part;

/** A fragment: `` sql`${column} > ${30}` `` has one parameter, 30. */
export function sql(strings: TemplateStringsArray, ...parts: readonly (Sql | SqlValue)[]): Sql {
  const texts: string[] = [strings[0] as string];
  const params: SqlValue[] = [];
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index] as Sql | SqlValue;
    const after = strings[index + 1] as string;
    if (isSql(part)) {
      texts[texts.length - 1] += part.texts[0] as string;
      for (let inner = 1; inner < part.texts.length; inner++) texts.push(part.texts[inner] as string);
      params.push(...part.params);
      texts[texts.length - 1] += after;
    } else {
      params.push(part);
      texts.push(after);
    }
  }
  return { texts, params };
}

/** Text as it is. Only for what this package or a dialect wrote itself. */
export function raw(text: string): Sql {
  return { texts: [text], params: [] };
}

/** A name in double quotes. */
export function identifier(name: string): Sql {
  return raw(quoteIdentifier(name));
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text literal, for the few places where an engine takes no parameter: index definitions. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export const truth: Sql = raw("TRUE");
export const falsehood: Sql = raw("FALSE");

/** Fragments with a separator between them. */
export function join(parts: readonly Sql[], separator: string): Sql {
  const texts: string[] = [""];
  const params: SqlValue[] = [];
  parts.forEach((part, index) => {
    texts[texts.length - 1] += (index === 0 ? "" : separator) + (part.texts[0] as string);
    for (let inner = 1; inner < part.texts.length; inner++) texts.push(part.texts[inner] as string);
    for (const param of part.params) params.push(param);
  });
  return { texts, params };
}

/** All of them; true of none. */
export function all(parts: readonly Sql[]): Sql {
  return balanced(parts, " AND ", truth);
}

/** Any of them; false of none. */
export function any(parts: readonly Sql[]): Sql {
  return balanced(parts, " OR ", falsehood);
}

// Engines limit how deep expressions nest, and a chain nests by one for every link: SQLite stops at 1000.
const longestChain = 64;

function balanced(parts: readonly Sql[], separator: string, none: Sql): Sql {
  const [first] = parts;
  if (first === undefined) return none;
  if (parts.length === 1) return first;
  if (parts.length <= longestChain) return sql`(${join(parts, separator)})`;
  const size = Math.ceil(parts.length / longestChain);
  const groups: Sql[] = [];
  for (let start = 0; start < parts.length; start += size) {
    groups.push(balanced(parts.slice(start, start + size), separator, none));
  }
  return sql`(${join(groups, separator)})`;
}

/** The two-valued complement. */
export function complement(part: Sql): Sql {
  return sql`((${part}) IS NOT TRUE)`;
}

/** Text and parameters, with the dialect's placeholders: `?`, or `$1`. */
export function render(part: Sql, placeholder: (position: number) => string): Statement {
  let text = part.texts[0] as string;
  for (let index = 1; index < part.texts.length; index++) text += placeholder(index) + (part.texts[index] as string);
  return { text, params: part.params };
}
