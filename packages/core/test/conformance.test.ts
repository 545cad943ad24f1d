import { describe, it } from "@jest/globals";
import { testBackend } from "../src/conformance/index.js";
import { Bare } from "./mutants/bare.js";
import { Tiny } from "./mutants/tiny.js";

const { capabilities } = new Tiny();

describe("a backend that does all it can", () => {
  testBackend({ describe, it, open: () => new Tiny(), capabilities });
  testBackend({ describe, it, open: () => new Tiny(), capabilities, sync: true });
});

describe("a backend of three methods", () => {
  testBackend({ describe, it, open: () => new Bare() });
});
