// Installed without faiss-node: the store says what is missing and what to do, whatever else can be told first.
import assert from "node:assert/strict";
import { DataknobsError, openVectorStore } from "@dataknobs/core";
import { faiss } from "@dataknobs/vector-faiss";

assert.equal(faiss({ indexType: "IVF100,Flat" }).capabilities.complete, true);
assert.throws(
  () => faiss({ indexType: "IDMap,Flat" }),
  (error) => DataknobsError.is(error, "INVALID_CONFIG"),
);
for (const thread of [true, false]) {
  await assert.rejects(openVectorStore({ backend: "faiss", dimensions: 2, thread }), (error) => {
    assert.ok(DataknobsError.is(error, "MISSING_DRIVER"), String(error));
    assert.match(error.message, /npm install faiss-node.*install-scripts approve/);
    return true;
  });
}
