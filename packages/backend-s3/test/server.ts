/** The server of the tests, from DATAKNOBS_S3_URL, and a bucket of this run, removed at its end. */
import "./realm.js";
import { randomUUID } from "node:crypto";
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  ListObjectVersionsCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll } from "@jest/globals";
import { type S3Options, s3 } from "../src/index.js";

const given = process.env["DATAKNOBS_S3_URL"];
if (given === undefined || given === "") {
  throw new Error(
    "These tests need an S3 server: run `npm run services -- start s3` and set DATAKNOBS_S3_URL to what it prints.",
  );
}

/** With credentials and region. */
export const serverUrl: string = given;

const { origin, username, password, searchParams } = new URL(serverUrl);

/** A client of the SDK, beside the backend. */
export function rawClient(): S3Client {
  return new S3Client({
    endpoint: origin,
    region: searchParams.get("region") ?? "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: decodeURIComponent(username), secretAccessKey: decodeURIComponent(password) },
  });
}

export const raw: S3Client = rawClient();

/** Made before the tests of the file, emptied and removed after them. */
export const bucket = `dataknobs-${randomUUID()}`;

let folders = 0;

/** Options for a folder of its own in the run's bucket. */
export function place(options: Partial<S3Options> = {}): S3Options {
  return { bucket, prefix: `f${++folders}`, endpointUrl: serverUrl, ...options };
}

export function fresh(options: Partial<S3Options> = {}): ReturnType<typeof s3> {
  return s3(place(options));
}

export async function empty(name: string, prefix = ""): Promise<void> {
  for (;;) {
    const { Versions = [], DeleteMarkers = [] } = await raw.send(
      new ListObjectVersionsCommand({ Bucket: name, Prefix: prefix }),
    );
    const objects = [...Versions, ...DeleteMarkers].map(({ Key, VersionId }) => ({ Key, VersionId }));
    if (objects.length === 0) return;
    await raw.send(
      new DeleteObjectsCommand({ Bucket: name, Delete: { Quiet: true, Objects: objects.slice(0, 1000) } }),
    );
  }
}

export async function removeBucket(name: string): Promise<void> {
  await empty(name);
  await raw.send(new DeleteBucketCommand({ Bucket: name }));
}

beforeAll(async () => {
  await raw.send(new CreateBucketCommand({ Bucket: bucket }));
});

afterAll(async () => {
  await removeBucket(bucket);
  raw.destroy();
});
