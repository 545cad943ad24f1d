import { DataknobsError } from "@dataknobs/core";

/** What the body fails with: an error of ours, which shows no secret and no driver's words. */
export async function failure(body: () => unknown): Promise<DataknobsError> {
  try {
    await body();
  } catch (error) {
    if (!DataknobsError.is(error)) throw error;
    if (/secret|PostgresError|ECONN/.test(error.message)) throw new Error("The message tells too much.");
    return error as DataknobsError;
  }
  throw new Error("It did not fail.");
}
