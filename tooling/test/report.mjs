import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Collects named cases of anything that is not Jest and writes them in the form of Jest's JSON,
 * so that one reader counts them all.
 */
export class Report {
  #cases = [];

  /** Runs one case; a thrown error is its failure. Answers whether it passed. */
  async case(name, run) {
    try {
      await run();
      this.add(name);
      return true;
    } catch (error) {
      this.add(name, error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  /** Adds a case whose outcome is known: it failed when there is a message. */
  add(name, failure) {
    this.#cases.push({
      fullName: name,
      status: failure === undefined ? "passed" : "failed",
      failureMessages: failure === undefined ? [] : [failure],
    });
    console.log(
      `${failure === undefined ? "  ✓" : "  ✗"} ${name}${failure === undefined ? "" : `\n${failure.replace(/^/gm, "      ")}`}`,
    );
  }

  get failed() {
    return this.#cases.filter((one) => one.status === "failed").length;
  }

  write(path, name) {
    mkdirSync(dirname(path), { recursive: true });
    const json = {
      numPassedTests: this.#cases.length - this.failed,
      numFailedTests: this.failed,
      numPendingTests: 0,
      numTodoTests: 0,
      numRuntimeErrorTestSuites: 0,
      testResults: [{ name, status: this.failed > 0 ? "failed" : "passed", assertionResults: this.#cases }],
    };
    writeFileSync(path, `${JSON.stringify(json, undefined, 2)}\n`);
  }
}
