/**
 * `@dataknobs/core/conformance`: the published suite. It imports Node's modules and runs under any test runner.
 */
export type { Case, Deviation, Mode } from "./case.js";
export type { Session, TestDatabase } from "./session.js";
export { type BackendSuite, casesOf, runCase, testBackend } from "./suite.js";
export type { VectorCase, VectorMode, VectorTestSession } from "./vector/case.js";
export { runVectorCase, testVectorBackend, type VectorBackendSuite, vectorCasesOf } from "./vector/suite.js";
