/** A layout with all that is derived from it: what compiles queries on whichever thread core runs. */
import type { AggregateRequest, Compiler, ScanRequest } from "@dataknobs/core/backend";
import type { Dialect, Sql, Statement } from "@dataknobs/sql";
import { compilerOf, dialectOf } from "./compile.js";
import type { Layout } from "./layout.js";
import type { NearestSearch } from "./matrix.js";
import {
  type AggregateStatement,
  aggregateStatement,
  countSelect,
  deleteStatement,
  nearestSearch,
  refetchSelect,
  scanSelect,
} from "./select.js";
import { hasWords } from "./words.js";

export class Queries {
  readonly layout: Layout;
  readonly compiler: Compiler<Sql>;
  readonly #dialect: Dialect;

  constructor(layout: Layout, readOnly: boolean) {
    this.layout = layout;
    this.#dialect = dialectOf(layout);
    this.compiler = compilerOf(layout, this.#dialect, readOnly);
  }

  scan(request: ScanRequest<Sql>): Statement {
    return scanSelect(this.layout, this.#dialect, request);
  }

  /** Given where the request is for the nearest. */
  nearest(request: ScanRequest<Sql>): NearestSearch | undefined {
    return nearestSearch(this.layout, this.#dialect, request);
  }

  /** What `explain` shows. */
  native(request: ScanRequest<Sql>): unknown {
    const search = this.nearest(request);
    const { text, params } = search?.filter ?? search?.records ?? this.scan(request);
    return search === undefined ? { sql: text, params } : { sql: text, params, vectors: search.table };
  }

  refetch(request: ScanRequest<Sql>): Statement {
    return refetchSelect(this.layout, this.#dialect, request);
  }

  count(where: Sql | undefined, match: Sql | undefined): Statement {
    return countSelect(this.layout, this.#dialect, where, match);
  }

  aggregate(request: AggregateRequest<Sql>): AggregateStatement {
    return aggregateStatement(this.layout, this.#dialect, request);
  }

  delete(where: Sql | undefined): Statement {
    return deleteStatement(this.layout, this.#dialect, where);
  }

  plan(request: ScanRequest<Sql>): Statement {
    const search = this.nearest(request);
    const { text, params } = search?.filter ?? search?.records ?? this.scan(request);
    return { text: `EXPLAIN QUERY PLAN ${text}`, params };
  }

  /** Whether words that another program's writes left stale could make a difference. */
  needsRefresh(match: Sql | undefined): boolean {
    return match !== undefined && this.layout.shared && hasWords(this.layout);
  }
}

/** Before the table is known: no indexes. */
export function emptyLayout(table: string): Layout {
  return { table, shared: false, own: true, indexes: [] };
}

/** EXPLAIN QUERY PLAN's rows, as indented lines. */
export function planLines(rows: readonly (readonly unknown[])[]): string[] {
  const depths = new Map<unknown, number>();
  return rows.map(([id, parent, , detail]) => {
    const depth = (depths.get(parent) ?? -1) + 1;
    depths.set(id, depth);
    return `${"  ".repeat(depth)}${String(detail)}`;
  });
}
