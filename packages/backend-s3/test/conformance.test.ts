import type { Backend } from "@dataknobs/core/backend";
import { testBackend } from "@dataknobs/core/conformance";
import { describe, it } from "@jest/globals";
import { type S3Options, s3 } from "../src/index.js";
import { bucket, empty, place, serverUrl } from "./server.js";

const { capabilities } = s3({ bucket, endpointUrl: serverUrl });
const runner = { describe, it };
const places = new WeakMap<Backend, S3Options>();

function make(options: S3Options): Backend {
  const backend = s3(options);
  places.set(backend, options);
  return backend;
}

const optionsOf = (backend: Backend): S3Options => places.get(backend) as S3Options;

describe("s3 objects", () => {
  testBackend({
    ...runner,
    open: () => make(place()),
    reopen: (previous) => make(optionsOf(previous)),
    dispose: (backend) => empty(bucket, `${optionsOf(backend).prefix}/`),
    capabilities,
    // declared indexes change nothing here, and every record is a request
    modes: ["plain"],
    runs: 600,
    timeout: 240_000,
  });
});
