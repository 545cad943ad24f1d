import { describe, it } from "@jest/globals";
import { testVectorBackend } from "../../src/conformance/index.js";
import { BareVectors } from "./bare.js";
import { TinyVectors } from "./tiny.js";

describe("a vector store that does all it can", () => {
  testVectorBackend({ describe, it, open: () => new TinyVectors(), capabilities: new TinyVectors().capabilities });
});

describe("a vector store of five methods, with an index that answers short", () => {
  testVectorBackend({ describe, it, open: () => new BareVectors(), modes: ["plain"] });
});
