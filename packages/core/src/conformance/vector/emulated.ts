/** A vector store without its compiler and its optional methods: what core makes of the five required ones. */
import type { VectorBackend } from "../../vector/spi.js";

const hidden: ReadonlySet<string | symbol> = new Set([
  "compiler",
  "count",
  "deleteWhere",
  "updateMetadata",
  "mergeMetadata",
  "plan",
]);

export function withoutExtras(backend: VectorBackend): VectorBackend {
  return new Proxy(backend, {
    get: (target, name) => {
      if (hidden.has(name)) return undefined;
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: readonly unknown[]): unknown => Reflect.apply(value, target, args);
    },
    has: (target, name) => !hidden.has(name) && Reflect.has(target, name),
  });
}
