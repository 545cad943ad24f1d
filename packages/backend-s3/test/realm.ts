/**
 * Jest gives every test file globals of its own, and so an `Error` that Node's errors are no instances of. The AWS SDK asks
 * by `instanceof`, and would put them, their codes lost, into an error of its own. Import this before it.
 */
import { types } from "node:util";

const ordinary = Function.prototype[Symbol.hasInstance];

Object.defineProperty(Error, Symbol.hasInstance, {
  value(this: unknown, value: unknown): boolean {
    return ordinary.call(this, value) || (this === Error && types.isNativeError(value));
  },
});
