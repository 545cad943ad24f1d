/** The declared indexes of a store: by path, kept in step with the records, unique ones enforced. */
import { DataknobsError, type IndexSpec, type Path, pathKey, samePath, type WireRecord } from "@dataknobs/core/backend";
import { elementKeys, HashIndex, valueKeys } from "./hash-index.js";
import { SortedIndex } from "./sorted-index.js";
import { TextIndex } from "./text-index.js";

/** All that a declared field can be asked by; what is never asked is never built. */
export interface FieldIndex {
  /** What plans call it. */
  readonly name: string;
  readonly values: HashIndex;
  readonly elements: HashIndex;
  readonly sorted: SortedIndex;
}

export class Indexes {
  readonly #all: () => readonly WireRecord[];
  readonly #specs: Map<string, IndexSpec> = new Map();
  readonly #fields: Map<string, FieldIndex> = new Map();
  readonly #texts: Map<string, TextIndex> = new Map();
  /** All of the above, for the one loop that every write runs. */
  #parts: readonly (HashIndex | SortedIndex | TextIndex)[] = [];
  #uniques: readonly { readonly name: string; readonly values: HashIndex }[] = [];

  constructor(all: () => readonly WireRecord[]) {
    this.#all = all;
  }

  specs(): readonly IndexSpec[] {
    return [...this.#specs.values()];
  }

  field(path: Path): FieldIndex | undefined {
    return this.#fields.get(pathKey(path));
  }

  text(path: Path): TextIndex | undefined {
    return this.#texts.get(pathKey(path));
  }

  get uniques(): readonly { readonly name: string; readonly values: HashIndex }[] {
    return this.#uniques;
  }

  change(before: WireRecord | undefined, after: WireRecord | undefined): void {
    for (const part of this.#parts) part.change(before, after);
  }

  forget(): void {
    for (const part of this.#parts) part.forget();
  }

  /** Throws `ALREADY_EXISTS`, and adds nothing, when a unique one finds two records with one value. */
  add(spec: IndexSpec): void {
    const { path, text, unique } = spec;
    const key = pathKey(path);
    // not by name: a field may be called "a:unique"
    const specKey = `${key} ${unique} ${text}`;
    if (this.#specs.has(specKey)) return;
    if (unique) {
      const collision = new HashIndex(valueKeys(path), this.#all).collision();
      if (collision !== undefined) throw collided(spec.name, collision);
    }
    if (text) this.#texts.set(key, new TextIndex(path, this.#all));
    else if (!this.#fields.has(key)) {
      this.#fields.set(key, {
        name: spec.name,
        values: new HashIndex(valueKeys(path), this.#all),
        elements: new HashIndex(elementKeys(path), this.#all),
        sorted: new SortedIndex(path, this.#all),
      });
    }
    this.#specs.set(specKey, spec);
    this.#refresh();
  }

  /** Whether it was there. */
  drop(name: string): boolean {
    const [specKey, spec] = [...this.#specs].find(([, one]) => one.name === name) ?? [];
    if (specKey === undefined || spec === undefined) return false;
    this.#specs.delete(specKey);
    const key = pathKey(spec.path);
    const sibling = this.specs().find((other) => !other.text && samePath(other.path, spec.path));
    const field = this.#fields.get(key);
    if (spec.text) this.#texts.delete(key);
    else if (sibling === undefined) this.#fields.delete(key);
    else if (field !== undefined) this.#fields.set(key, { ...field, name: sibling.name });
    this.#refresh();
    return true;
  }

  #refresh(): void {
    this.#parts = [
      ...[...this.#fields.values()].flatMap(({ values, elements, sorted }) => [values, elements, sorted]),
      ...this.#texts.values(),
    ];
    this.#uniques = this.specs().flatMap(({ name, path, unique }) => {
      const values = this.field(path)?.values;
      return unique && values !== undefined ? [{ name, values }] : [];
    });
  }
}

function collided(index: string, [a, b]: readonly [WireRecord, WireRecord]): DataknobsError {
  return new DataknobsError(
    "ALREADY_EXISTS",
    `The unique index "${index}" cannot be made: the records "${a.id}" and "${b.id}" have the same value.`,
    { backend: "memory", index, ids: [a.id, b.id] },
  );
}
