import type { Backend, MergeOp, WriteOp, WriteOutcome, WriteRequest } from "@dataknobs/core/backend";
import { testBackend } from "@dataknobs/core/conformance";
import { describe, it } from "@jest/globals";
import { type S3Options, s3 } from "../src/index.js";
import { settingsOf } from "../src/options.js";
import { SegmentsBackend } from "../src/segments/backend.js";
import { compactStore } from "../src/segments/compact.js";
import { bucket, empty, place, serverUrl } from "./server.js";

const { capabilities } = s3({ bucket, endpointUrl: serverUrl, layout: "segments" });
const places = new WeakMap<Backend, S3Options>();
const optionsOf = (backend: Backend): S3Options => places.get(backend) as S3Options;

/** Merges after every write, into segments of few records: so that every answer comes from segments. */
class Merged extends SegmentsBackend {
  override async write(ops: readonly WriteOp[], request: WriteRequest): Promise<readonly WriteOutcome[]> {
    const outcomes = await super.write(ops, request);
    await compactStore(this.store, { full: false });
    return outcomes;
  }

  override async merge(op: MergeOp, call: object): Promise<WriteOutcome> {
    const outcome = await super.merge(op, call);
    await compactStore(this.store, { full: false });
    return outcome;
  }
}

function suite(
  make: (options: S3Options) => Backend,
  how: { readonly modes?: readonly ["plain"]; readonly runs: number },
): void {
  const open = (options: S3Options): Backend => {
    const backend = make(options);
    places.set(backend, options);
    return backend;
  };
  testBackend({
    describe,
    it,
    ...how,
    open: () => open(place({ layout: "segments" })),
    reopen: (previous) => open(optionsOf(previous)),
    dispose: (backend) => empty(bucket, `${optionsOf(backend).prefix}/`),
    capabilities,
    timeout: 240_000,
    deviations: {
      // statistics only ever narrow: every clause is one of core's in the end, and the case wants "pushed"
      "differential/has-asked-for-every-operator-and-pair-of-classes": {
        because: "never",
        reason: "Parquet's statistics narrow what is read and select nothing exactly",
      },
    },
  });
}

describe("s3 segments, in logs", () => suite((options) => s3(options), { runs: 600 }));

describe("s3 segments, merged", () =>
  suite((options) => new Merged(settingsOf({ ...options, segmentRows: 40 })), { modes: ["plain"], runs: 300 }));
