import { testVectorBackend } from "@dataknobs/core/conformance";
import { describe, it } from "@jest/globals";
import { chroma } from "../src/index.js";
import { drop, nameOf, open } from "./server.js";

// what one batch may hold is known when the server has been asked
const { limits: _, ...capabilities } = chroma().capabilities;

describe("chroma", () => {
  testVectorBackend({
    describe,
    it,
    open: () => open(),
    reopen: (previous) => open({ collection: nameOf(previous) }),
    dispose: (backend) => drop(nameOf(backend)),
    capabilities,
    // every filter is some requests: half as many as the suite's own number keep the package below two minutes
    runs: Number(process.env["DATAKNOBS_RUNS"] ?? 300),
  });
});
