/** A table as it is known now, with all that is derived from it. */
import type { AggregateRequest, Compiler, ScanRequest } from "@dataknobs/core/backend";
import type { Sql, Statement } from "@dataknobs/sql";
import { compilerOf, dialectOf, type PostgresDialect } from "./compile.js";
import { type Layout, textFields } from "./layout.js";
import { type AggregateStatement, aggregateStatement, scanSelect } from "./select.js";
import { type NearestStatement, nearestStatement } from "./vectors.js";
import { Writer } from "./write.js";

const mostSizes = 1000;

/**
 * Whether queries of one text gave a single batch when they were last asked. Those need no cursor, which costs a
 * connection of its own and another way to the server and back.
 */
export class Sizes {
  readonly #small = new Set<string>();

  isSmall(text: string): boolean {
    return this.#small.has(text);
  }

  note(text: string, small: boolean): void {
    if (!small) this.#small.delete(text);
    else if (this.#small.size < mostSizes) this.#small.add(text);
  }
}

export class Table {
  readonly sizes: Sizes = new Sizes();
  #layout!: Layout;
  #dialect!: PostgresDialect;
  #compiler!: Compiler<Sql>;
  #writer!: Writer;

  constructor(layout: Layout) {
    this.use(layout);
  }

  use(layout: Layout): void {
    this.#layout = layout;
    this.#dialect = dialectOf(layout);
    this.#compiler = compilerOf(layout, this.#dialect);
    this.#writer = new Writer(layout);
  }

  get layout(): Layout {
    return this.#layout;
  }

  get compiler(): Compiler<Sql> {
    return this.#compiler;
  }

  get writer(): Writer {
    return this.#writer;
  }

  get hasWords(): boolean {
    return textFields(this.#layout).length > 0;
  }

  scan(request: ScanRequest<Sql>, whole: boolean): Statement {
    if (request.nearest !== undefined) return this.nearest(request, false).statement;
    return scanSelect(this.#layout, this.#dialect, request, whole);
  }

  /** Of a request that has a `nearest`, and so a limit. `exact`: past every index. */
  nearest({ nearest, where, limit }: ScanRequest<Sql>, exact: boolean): NearestStatement {
    return nearestStatement(this.#layout, nearest as Sql, where, limit as number, exact);
  }

  aggregate(request: AggregateRequest<Sql>): AggregateStatement {
    return aggregateStatement(this.#layout, this.#dialect, request);
  }
}
