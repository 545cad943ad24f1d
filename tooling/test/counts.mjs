import { existsSync, readFileSync } from "node:fs";
import { relative } from "node:path";

/**
 * The counts in one result file in the form of Jest's JSON, with the failures by name.
 * A file that is missing or broken, and every suite that crashed before its tests, is one failure.
 */
export function readCounts(path) {
  if (!existsSync(path)) return crashed("left no result file: it crashed or did not run");
  let json;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    return crashed(`left a broken result file: ${error.message}`);
  }
  const failures = [];
  for (const suite of json.testResults) {
    const tests = suite.assertionResults.filter((test) => test.status === "failed");
    for (const test of tests) failures.push({ name: test.fullName, message: test.failureMessages.join("\n") });
    if (suite.status === "failed" && tests.length === 0) {
      failures.push({ name: `${relative(process.cwd(), suite.name)} (crashed)`, message: suite.message ?? "" });
    }
  }
  const failed = json.numFailedTests + json.numRuntimeErrorTestSuites;
  return {
    passed: json.numPassedTests,
    failed: Math.max(failed, failures.length),
    skipped: json.numPendingTests + json.numTodoTests,
    failures,
  };
}

/** Counts of something that failed as a whole. */
export function crashed(message) {
  return { passed: 0, failed: 1, skipped: 0, failures: [{ name: "(whole suite)", message }] };
}
