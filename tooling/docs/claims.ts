// What the claims of examples are turned into; compiled and run beside them.
import assert from "node:assert/strict";

/** Deep equality, value by value. */
export function same(actual: unknown, expected: unknown): void {
  assert.deepStrictEqual(actual, expected);
}

/** The call throws an error with that code. */
export async function fails(call: () => unknown, code: string): Promise<void> {
  await assert.rejects(
    async () => call(),
    (error) => {
      assert.equal((error as { readonly code?: unknown }).code, code, String(error));
      return true;
    },
  );
}
