// Run in an empty folder with the installed tarballs: throws where the package does not work.
import assert from "node:assert/strict";
import { compact, lifecycle, s3, versions } from "@dataknobs/backend-s3";
import { DataknobsError, openDatabase, query } from "@dataknobs/core";

assert.equal(s3({ bucket: "people" }).capabilities.durable, true);
assert.equal(typeof versions, "function");
assert.equal(typeof lifecycle, "function");

const endpointUrl = process.env.DATAKNOBS_S3_URL;
if (endpointUrl) {
  const bucket = `dataknobs-smoke-${process.pid}`;
  const db = await openDatabase(s3({ bucket, endpointUrl, createBucket: true, prefix: process.version }));
  await db.create({ name: "Ada", big: 1n }, { id: "ada" });
  assert.deepEqual((await db.search(query().filter("id", "starts_with", "a")))[0].data, { name: "Ada", big: 1n });
  assert.equal(await db.clear(), 1);
  await db.close();
  const prefix = `${process.version}-segments`;
  const segments = await openDatabase(s3({ bucket, endpointUrl, prefix, layout: "segments" }));
  await segments.createMany([{ id: "ada", data: { name: "Ada", big: 1n } }]);
  assert.equal((await compact(segments)).records, 1);
  assert.deepEqual((await segments.search())[0].data, { name: "Ada", big: 1n });
  assert.equal(await segments.clear(), 1);
  await segments.close();
} else {
  const nobody = s3({ bucket: "people", endpointUrl: "http://key:secret@127.0.0.1:9", maxAttempts: 1 });
  await assert.rejects(openDatabase(nobody), (error) => DataknobsError.is(error, "UNAVAILABLE"));
}
