/** Vectors of texts, put into records: made where the text or the model is another, kept where they are not. */
import type { Call } from "../backend/spi.js";
import { DataknobsError } from "../errors.js";
import { walk } from "../match/access.js";
import { hashOf } from "../migrate/digest.js";
import type { Path } from "../query/lowered.js";
import type { Json, JsonObject, TypeMap, WireRecord } from "../record/json.js";
import { filterTypes, withType } from "../record/type-map.js";
import { copyFields, setOwn } from "../record/values.js";
import { throwIfAborted } from "../vector/session.js";
import type { CheckedEmbed, CheckedField } from "./options.js";

/** A record's data, or what becomes it. */
export interface Content {
  readonly data: JsonObject;
  readonly types: TypeMap | null;
}

/** The vector that a field of one record is to have. */
interface Task {
  readonly field: CheckedField;
  readonly text: string;
  readonly hash: string;
  vector: readonly number[] | undefined;
}

export class Embedder {
  readonly #options: CheckedEmbed;
  readonly #dimensions: ReadonlyMap<string, number>;

  /** `dimensions`: of declared vector fields, by pointer. */
  constructor(options: CheckedEmbed, dimensions: ReadonlyMap<string, number>) {
    this.#options = options;
    this.#dimensions = dimensions;
  }

  get fields(): readonly CheckedField[] {
    return this.#options.fields;
  }

  /** Whether a patch of these top-level fields may change a text, a vector or a stamp. */
  touches(patch: JsonObject): boolean {
    const tops = this.fields.flatMap(({ from, to, stamp }) => [...from, to, stamp]).map(({ segments }) => segments[0]);
    return tops.some((top) => top !== undefined && Object.hasOwn(patch, top));
  }

  /** Whether the vectors are those of the texts by this model. */
  async isCurrent(content: Content): Promise<boolean> {
    for (const field of this.fields) {
      const text = textOf(field, content);
      if (
        text === undefined
          ? stampOf(field, content) !== undefined
          : this.#kept(field, await hashOf(text), content) === undefined
      ) {
        return false;
      }
    }
    return true;
  }

  /**
   * The contents with their vectors. `before`: the records that they replace, whose vectors are kept where they fit. What
   * was current already is given back as it is; nothing given is changed.
   */
  async fill(
    contents: readonly Content[],
    before: readonly (WireRecord | undefined)[],
    call: Call,
  ): Promise<readonly Content[]> {
    const tasks: (readonly Task[])[] = [];
    for (const [index, content] of contents.entries()) {
      const own: Task[] = [];
      for (const field of this.fields) {
        const text = textOf(field, content);
        if (text === undefined) continue;
        const hash = await hashOf(text);
        const was = before[index];
        const vector = this.#kept(field, hash, content) ?? (was && this.#kept(field, hash, was));
        own.push({ field, text, hash, vector });
      }
      tasks.push(own);
    }
    await this.#run(
      tasks.flat().filter(({ vector }) => vector === undefined),
      call,
    );
    return contents.map((content, index) => this.#put(content, tasks[index] as readonly Task[]));
  }

  /** The vector that is there, where it is of this text by this model. */
  #kept(field: CheckedField, hash: string, content: Content): readonly number[] | undefined {
    const stamp = stampOf(field, content);
    if (stamp?.["model"] !== this.#options.model || stamp["text"] !== hash) return undefined;
    const vector = walk(content.data, field.to.segments, 0);
    const dimensions = this.#dimensions.get(field.to.pointer);
    const isVector = Array.isArray(vector) && content.types?.[field.to.pointer] === "float32";
    if (!isVector || (dimensions !== undefined && vector.length !== dimensions)) return undefined;
    return vector as readonly number[];
  }

  /** Fills in the vectors, asking for each text once. */
  async #run(tasks: readonly Task[], call: Call): Promise<void> {
    const texts = [...new Set(tasks.map(({ text }) => text))];
    const made = new Map<string, readonly number[]>();
    const { batchSize } = this.#options;
    for (let from = 0; from < texts.length; from += batchSize) {
      const part = texts.slice(from, from + batchSize);
      const vectors = await this.#ask(part, call);
      for (const [index, text] of part.entries()) made.set(text, vectors[index] as readonly number[]);
    }
    for (const task of tasks) {
      const vector = made.get(task.text) as readonly number[];
      const wanted = this.#dimensions.get(task.field.to.pointer);
      if (wanted !== undefined && vector.length !== wanted) {
        throw broken(
          `The model gave vectors of ${vector.length} dimensions; "${task.field.to.text}" is declared with ${wanted}.`,
        );
      }
      task.vector = vector;
    }
  }

  async #ask(texts: readonly string[], call: Call): Promise<readonly (readonly number[])[]> {
    throwIfAborted(call);
    let vectors: unknown;
    try {
      vectors = await this.#options.run(texts, { signal: call.signal });
    } catch (error) {
      if (DataknobsError.is(error)) throw error;
      throwIfAborted(call);
      throw broken("`run` of `embed` failed; what it threw is this error's cause.", error);
    }
    if (!Array.isArray(vectors) || vectors.length !== texts.length) {
      throw broken(`\`run\` of \`embed\` gives a Float32Array for each of the ${texts.length} texts.`);
    }
    return vectors.map((vector: unknown) => {
      if (!(vector instanceof Float32Array) || vector.length === 0 || !vector.every(Number.isFinite)) {
        throw broken("`run` of `embed` gives Float32Arrays of finite numbers, one for each text.");
      }
      // no negative zero, as JSON has none
      return Object.freeze(Array.from(vector, (number) => number + 0));
    });
  }

  #put(content: Content, tasks: readonly Task[]): Content {
    let { data, types } = content;
    for (const field of this.fields) {
      const { to, stamp } = field;
      const task = tasks.find((one) => one.field === field);
      if (task === undefined) {
        // a vector without a text is the user's own, unless it was made of one
        if (stampOf(field, { data, types }) === undefined) continue;
        data = without(without(data, to.segments), stamp.segments);
        types = filterTypes(types, (pointer) => !isAt(pointer, to) && !isAt(pointer, stamp));
        continue;
      }
      if (this.#kept(field, task.hash, { data, types }) === task.vector) continue;
      data = withValue(data, to, task.vector as Json);
      data = withValue(data, stamp, Object.freeze({ model: this.#options.model, text: task.hash }));
      types = withType(
        filterTypes(types, (pointer) => !isAt(pointer, to) && !isAt(pointer, stamp)),
        to.pointer,
        "float32",
      );
    }
    return data === content.data ? content : { data, types };
  }
}

/** What the vector is to be of; `undefined`: there is no text. */
function textOf({ from }: CheckedField, { data, types }: Content): string | undefined {
  const texts = from.flatMap((path) => {
    const value = walk(data, path.segments, 0);
    // a bigint or bytes are no text, though JSON has them as one
    const tag = types?.[path.pointer];
    return typeof value === "string" && value !== "" && tag === undefined ? [value] : [];
  });
  return texts.length === 0 ? undefined : texts.join("\n");
}

function stampOf({ stamp }: CheckedField, { data }: Content): JsonObject | undefined {
  const value = walk(data, stamp.segments, 0);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const found = value as JsonObject;
  return typeof found["model"] === "string" && typeof found["text"] === "string" ? found : undefined;
}

function isAt(pointer: string, { pointer: at }: Path): boolean {
  return pointer === at || pointer.startsWith(`${at}/`);
}

/** A copy with the value at the path, all on the way copied and frozen. Throws `INVALID_RECORD` where it cannot go there. */
function withValue(data: JsonObject, path: Path, value: Json, at = 0): JsonObject {
  const copy = copyFields(data);
  const key = path.segments[at] as string;
  if (at === path.segments.length - 1) setOwn(copy, key, value);
  else {
    const inner = Object.hasOwn(data, key) ? data[key] : undefined;
    if (inner !== undefined && inner !== null && (typeof inner !== "object" || Array.isArray(inner))) {
      throw new DataknobsError(
        "INVALID_RECORD",
        `"${path.text}" cannot hold a vector: what is above it is no object.`,
        { path: path.text },
      );
    }
    setOwn(copy, key, withValue((inner ?? {}) as JsonObject, path, value, at + 1));
  }
  return Object.freeze(copy) as JsonObject;
}

function without(data: JsonObject, [key = "", ...below]: readonly string[]): JsonObject {
  if (!Object.hasOwn(data, key)) return data;
  const copy = copyFields(data);
  const inner = data[key];
  if (below.length === 0) delete copy[key];
  else if (typeof inner === "object" && inner !== null && !Array.isArray(inner)) {
    setOwn(copy, key, without(inner as JsonObject, below));
  }
  return Object.freeze(copy) as JsonObject;
}

function broken(message: string, cause?: unknown): DataknobsError {
  return new DataknobsError("UNEXPECTED", `${message} Nothing was written.`, { operation: "embed" }, { cause });
}
