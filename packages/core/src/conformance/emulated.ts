/** A backend without its compiler and its optional methods: what core makes of the three required ones. */
import type { Backend } from "../backend/spi.js";

const hidden: ReadonlySet<string | symbol> = new Set([
  "compiler",
  "count",
  "aggregate",
  "merge",
  "deleteWhere",
  "native",
  "nativePlan",
]);

export function withoutPushdown(backend: Backend): Backend {
  return new Proxy(backend, {
    get: (target, name) => {
      if (hidden.has(name)) return undefined;
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (name === "toSync") return () => withoutPushdown(Reflect.apply(value, target, []) as Backend);
      return (...args: readonly unknown[]): unknown => Reflect.apply(value, target, args);
    },
    has: (target, name) => !hidden.has(name) && Reflect.has(target, name),
  });
}
