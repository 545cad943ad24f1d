import assert from "node:assert/strict";
import { inspect } from "node:util";
import type { ErrorCode } from "@dataknobs/core";
import { describe, it } from "@jest/globals";
import { classify } from "../src/errors.js";

const about = { bucket: "b", key: "k" };

function native(name: string, more: object = {}): Error {
  return Object.assign(new Error("the server's own words"), { name, ...more });
}

describe("what S3 and Node throw", () => {
  const codes: readonly (readonly [Error, ErrorCode, boolean])[] = [
    [native("NoSuchBucket"), "NOT_FOUND", false],
    [native("AccessDenied"), "PERMISSION_DENIED", false],
    [native("Unknown", { $metadata: { httpStatusCode: 403 } }), "PERMISSION_DENIED", false],
    [native("SlowDown", { $metadata: { httpStatusCode: 503 } }), "UNAVAILABLE", true],
    [native("Odd", { $metadata: { httpStatusCode: 429 } }), "UNAVAILABLE", true],
    [native("TimeoutError", { code: "ECONNRESET" }), "UNAVAILABLE", true],
    [native("TimeoutError", { code: "ETIMEDOUT" }), "TIMEOUT", true],
    [native("Error", { code: "ENOTFOUND" }), "UNAVAILABLE", true],
    [native("AbortError"), "ABORTED", false],
    [native("EntityTooLarge"), "LIMIT_EXCEEDED", false],
    [native("NotImplemented", { $metadata: { httpStatusCode: 501 } }), "UNSUPPORTED", false],
    [native("PermanentRedirect"), "INVALID_CONFIG", false],
    [native("constructor"), "UNEXPECTED", false],
  ];
  for (const [error, code, retryable] of codes) {
    it(`${error.name} ${inspect({ ...error })} is ${code}`, () => {
      const ours = classify(error, about);
      assert.deepEqual([ours.code, ours.retryable, ours.details["key"]], [code, retryable, "k"]);
      assert.ok(!ours.message.includes("own words"));
      assert.equal(ours.cause, error);
    });
  }

  it("is left without what the request was signed with", () => {
    const error = native("ExpiredToken", {
      "Token-0": "hush",
      StringToSign: "hush",
      AWSAccessKeyId: "hush",
      RequestId: "1",
    });
    assert.ok(!inspect(classify(error, about), { depth: 9, showHidden: true }).includes("hush"));
  });

  it("stays as it is where it is ours", () => {
    const ours = classify(native("AccessDenied"), about);
    assert.equal(classify(ours, { bucket: "other" }), ours);
  });
});
