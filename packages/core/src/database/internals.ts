/** What operations on two databases or vector stores need of each. @internal */
export const internals: unique symbol = Symbol("internals");
