/** What all databases of this process that have one table open know of it together. */
import type { Compiler } from "@dataknobs/core/backend";
import type { Sql } from "@dataknobs/sql";
import { canAggregate } from "./aggregate.js";
import { compilerOf, type DuckDialect, dialectOf } from "./compile.js";
import type { Layout } from "./layout.js";
import { compileNearest } from "./nearest.js";

export class Table {
  #layout!: Layout;
  #dialect!: DuckDialect;
  #compiler!: Compiler<Sql>;
  #writing: Promise<unknown> = Promise.resolve();
  /**
   * Whether a row may have a declared field's value in its JSON. Set before such a row is written and never taken
   * back while the table is open, so that whoever reads it as false after his snapshot was taken sees no such row.
   */
  odd = true;
  /** While a change of the columns is being committed: nobody can tell then which ones a statement met. */
  changing = false;

  constructor(layout: Layout) {
    this.layout = layout;
  }

  get layout(): Layout {
    return this.#layout;
  }

  set layout(layout: Layout) {
    const dialect = dialectOf(layout);
    this.#layout = layout;
    this.#dialect = dialect;
    this.#compiler = {
      ...compilerOf(dialect, (plan) => (canAggregate(dialect, plan) ? {} : undefined)),
      nearest: (nearest) => compileNearest(layout, nearest),
    };
  }

  get dialect(): DuckDialect {
    return this.#dialect;
  }

  get compiler(): Compiler<Sql> {
    return this.#compiler;
  }

  /** The same for a transaction, whose snapshot keeps these columns: after a change of them it is of no use. */
  pinned(): Table {
    return new Pinned(this);
  }

  /** Whether the columns are those of this layout, and surely were since it was asked for. */
  still(layout: Layout): boolean {
    return !this.changing && this.layout === layout;
  }

  get clean(): boolean {
    return !this.odd;
  }

  markOdd(): void {
    this.odd = true;
  }

  /** One after another. */
  exclusively<R>(body: () => Promise<R>): Promise<R> {
    const work = this.#writing.then(body);
    this.#writing = work.catch(() => undefined);
    return work;
  }
}

class Pinned extends Table {
  readonly #shared: Table;

  constructor(shared: Table) {
    super(shared.layout);
    this.#shared = shared;
  }

  override get clean(): boolean {
    return this.#shared.clean;
  }

  override still(layout: Layout): boolean {
    return this.#shared.still(layout);
  }

  override markOdd(): void {
    this.#shared.markOdd();
  }
}
