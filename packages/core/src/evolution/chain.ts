/** A chain of migrations, from the first shape of records to the latest. Each record says in its metadata which it has. */
import { DataknobsError } from "../errors.js";
import { nearest } from "../query/nearest.js";
import { type Fields, setOwn, type Value } from "../record/values.js";
import { type RecordMigration, type Steps, stepsOf } from "./steps.js";

export type RecordVersion = string | number;

export interface RecordMigrationOptions {
  /** The metadata field that holds the version. Default `"schemaVersion"`. A record without it has the first. */
  readonly field?: string | undefined;
}

/** What of a record a migration looks at. */
export interface Versioned {
  readonly data: Fields;
  readonly metadata: Fields;
}

const keys = ["from", "to", "remove", "rename", "change", "add"] as const;

/**
 * A chain of migrations of records.
 *
 * Errors: `INVALID_CONFIG` where the chain is broken or a migration cannot be right.
 *
 * @example
 * const people = recordMigrations([
 *   { from: 1, to: 2, rename: { name: "fullName" }, add: { tags: [] } },
 *   { from: 2, to: 3, change: { age: { up: (age) => Number(age), down: (age) => String(age) } } },
 * ]);
 * people.migrate({ data: { name: "Ada", age: "36" }, metadata: {} }).data;
 */
export function recordMigrations(
  migrations: readonly RecordMigration[],
  options: RecordMigrationOptions = {},
): RecordMigrations {
  return new RecordMigrations(migrations, options);
}

export class RecordMigrations {
  /** All of them, the first first. */
  readonly versions: readonly RecordVersion[];
  readonly latest: RecordVersion;
  /** The metadata field that holds the version. */
  readonly field: string;
  readonly #steps: readonly Steps[];

  /** Use `recordMigrations`. @internal */
  constructor(migrations: readonly RecordMigration[], { field = "schemaVersion", ...rest }: RecordMigrationOptions) {
    for (const key of Object.keys(rest))
      throw bad(`recordMigrations has no option "${key}".${nearest(key, ["field"])}`);
    if (typeof field !== "string") throw bad("`field` is the name of a metadata field.");
    const [first] = Array.isArray(migrations) ? migrations : [];
    if (first === undefined)
      throw bad("recordMigrations takes a list of { from, to, add, remove, rename, change }, one at least.");
    const versions: RecordVersion[] = [first.from];
    for (const one of migrations) {
      for (const key of Object.keys(one)) {
        if (!(keys as readonly string[]).includes(key)) throw bad(`A migration has no "${key}".${nearest(key, keys)}`);
      }
      for (const version of [one.from, one.to]) {
        if (typeof version !== "string" && !Number.isFinite(version)) throw bad("A version is a text or a number.");
      }
      if (one.from !== versions.at(-1)) {
        throw bad(
          `The chain is broken: a migration begins at ${show(one.from)} where the one before it ends at ${show(versions.at(-1))}.`,
        );
      }
      if (versions.includes(one.to)) throw bad(`The chain comes to the version ${show(one.to)} twice.`);
      versions.push(one.to);
    }
    this.field = field;
    this.versions = Object.freeze(versions);
    this.latest = versions.at(-1) as RecordVersion;
    this.#steps = migrations.map(stepsOf);
  }

  /** The version of a record. `INVALID_RECORD` where the chain does not have it. */
  versionOf({ metadata }: Pick<Versioned, "metadata">): RecordVersion {
    const version = Object.hasOwn(metadata, this.field) ? metadata[this.field] : undefined;
    if (version === undefined || version === null) return this.versions[0] as RecordVersion;
    if (this.versions.includes(version as RecordVersion)) return version as RecordVersion;
    throw new DataknobsError(
      "INVALID_RECORD",
      `The record has the version ${show(version)}, which is none of ${this.versions.map(show).join(", ")}. A newer program may have written it.`,
      { field: `metadata.${this.field}` },
    );
  }

  /** Whether records can go from one version to the other. Throws `INVALID_CONFIG` for one that is not of the chain. */
  reaches(from: RecordVersion, to: RecordVersion): boolean {
    return this.#wayOf(from, to).every(({ steps, up }) => up || steps.down !== undefined);
  }

  /**
   * The record as the version has it, and that said in its metadata. Default: the latest. Nothing is changed in place.
   *
   * Errors: `UNSUPPORTED` where a migration on the way back cannot be undone, `INVALID_RECORD` where the record has no
   * version of the chain or does not fit, `UNEXPECTED` where a function of a migration throws, `INVALID_CONFIG` for a
   * version that is not of the chain.
   */
  migrate<R extends Versioned>(record: R, to: RecordVersion = this.latest): R {
    const from = this.versionOf(record);
    let { data } = record;
    for (const { steps, up, name } of this.#wayOf(from, to)) {
      if (up) {
        data = steps.up(data);
        continue;
      }
      if (steps.down === undefined) {
        throw new DataknobsError("UNSUPPORTED", `The migration ${name} cannot be undone: ${steps.oneWay}.`, {
          from,
          to,
        });
      }
      data = steps.down(data);
    }
    return { ...record, data, metadata: this.stamped(record.metadata, to) };
  }

  /** The metadata with the version in it. @internal */
  stamped(metadata: Fields, version: RecordVersion): Fields {
    const copy: { [key: string]: Value } = {};
    for (const key of Object.keys(metadata)) setOwn(copy, key, metadata[key]);
    setOwn(copy, this.field, version);
    return copy;
  }

  #wayOf(
    from: RecordVersion,
    to: RecordVersion,
  ): { readonly steps: Steps; readonly up: boolean; readonly name: string }[] {
    const [start, end] = [from, to].map((version) => {
      const at = this.versions.indexOf(version);
      if (at < 0)
        throw bad(`There is no version ${show(version)}; the chain has ${this.versions.map(show).join(", ")}.`);
      return at;
    }) as [number, number];
    const up = start <= end;
    const steps = this.#steps.slice(Math.min(start, end), Math.max(start, end)).map((one, at) => {
      const first = Math.min(start, end) + at;
      return { steps: one, up, name: `${show(this.versions[first])} → ${show(this.versions[first + 1])}` };
    });
    return up ? steps : steps.reverse();
  }
}

function show(version: unknown): string {
  return typeof version === "string" ? JSON.stringify(version) : String(version);
}

function bad(message: string): DataknobsError {
  return new DataknobsError("INVALID_CONFIG", message);
}
