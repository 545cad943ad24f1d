/** What a migration has done so far: counts, failures and the report of them. */
import { DataknobsError } from "../errors.js";
import type { Checkpoint } from "./checkpoint.js";
import type { Tally } from "./copy.js";
import type { MigrationFailure, MigrationProgress, MigrationReport, MigrationTally, Verification } from "./options.js";

const maxErrors = 1000;

interface Done {
  readonly tally: MigrationTally;
  readonly replaced: number;
  readonly failures: readonly MigrationFailure[];
}

interface About {
  readonly source: string;
  readonly target: string;
  readonly dryRun: boolean;
  readonly onProgress?: ((progress: MigrationProgress) => void) | undefined;
}

export class Account {
  readonly tally: Tally = { read: 0, written: 0, skipped: 0, dropped: 0, failed: 0 };
  replaced = 0;
  /** What the target had before the first run. */
  before = 0;
  startedAt: string = new Date().toISOString();
  resumed = false;
  total = 0;
  verified = 0;
  readonly #about: About;
  readonly #began = performance.now();
  readonly #errors: MigrationFailure[] = [];

  constructor(about: About) {
    this.#about = about;
  }

  /** Goes on from another run's account. */
  resume({ before, startedAt }: Checkpoint): void {
    this.resumed = true;
    this.before = before;
    this.startedAt = startedAt;
  }

  /** Takes over another run's counts. */
  take({ tally, replaced }: Checkpoint): void {
    Object.assign(this.tally, tally);
    this.replaced = replaced;
  }

  add({ tally, replaced, failures }: Done): void {
    for (const key of Object.keys(tally) as (keyof Tally)[]) this.tally[key] += tally[key];
    this.replaced += replaced;
    for (const failure of failures) if (this.#errors.length < maxErrors) this.#errors.push(failure);
  }

  /** What verification by numbers goes by. */
  copied(): Tally & { readonly replaced: number; readonly before: number; readonly startedAt: string } {
    return { ...this.tally, replaced: this.replaced, before: this.before, startedAt: this.startedAt };
  }

  tell(phase: MigrationProgress["phase"]): void {
    this.#about.onProgress?.({ phase, total: this.total, verified: this.verified, ...this.tally });
  }

  report(verification: Verification | null): MigrationReport {
    const { source, target, dryRun } = this.#about;
    return {
      source,
      target,
      dryRun,
      resumed: this.resumed,
      startedAt: this.startedAt,
      ms: Math.round(performance.now() - this.#began),
      ...this.tally,
      errors: this.#errors,
      verification,
    };
  }

  withReport(error: Error): Error {
    if (!DataknobsError.is(error)) return error;
    const details = { ...error.details, report: error.details["report"] ?? this.report(null) };
    return new DataknobsError(error.code, error.message, details, { cause: error.cause ?? error });
  }
}
