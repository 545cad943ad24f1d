import { describe, it } from "@jest/globals";
import { testBackend } from "../src/conformance/index.js";
import { Tiny } from "./mutants/tiny.js";

const { capabilities } = new Tiny();

testBackend({ describe, it, open: () => new Tiny(), capabilities });
testBackend({ describe, it, open: () => new Tiny(), capabilities, sync: true });
