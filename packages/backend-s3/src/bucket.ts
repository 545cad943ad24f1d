/**
 * The requests that the backend makes, each once: bounded in number, bodies read to their end, errors ours. Answers that a
 * caller can expect (missing, condition not met) are values. Keys are whole here.
 */
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandInput,
  ListObjectVersionsCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import type { Call, DataknobsError } from "@dataknobs/core/backend";
import pLimit, { type LimitFunction } from "p-limit";
import { type About, badConfig, classify, nameOf, statusOf } from "./errors.js";
import type { Settings } from "./options.js";

/** Write only where there is no object yet, or only over the one with this ETag. */
export interface Condition {
  readonly ifNoneMatch?: "*";
  readonly ifMatch?: string;
}

export interface Got {
  readonly etag: string;
  readonly bytes: Uint8Array;
  /** By the server's clock, in ms, to the second. */
  readonly modified: number | undefined;
}

export interface Listed {
  readonly key: string;
  readonly etag: string;
  readonly size: number;
  readonly modified: number | undefined;
}

export interface Failure {
  readonly key: string;
  readonly error: DataknobsError;
}

/** What the SDK's `send` takes beside a command. */
interface SendOptions {
  readonly abortSignal?: AbortSignal;
}

const missing: ReadonlySet<string> = new Set(["NoSuchKey", "NoSuchVersion", "NotFound"]);

/** Attempts of a write that the server says to be in the way of another one. */
const conflictAttempts = 20;

export class Bucket {
  readonly name: string;
  readonly #settings: Settings;
  readonly #own: boolean;
  readonly #limit: LimitFunction;
  readonly #client: S3Client;

  constructor(settings: Settings) {
    const { client } = settings;
    this.name = settings.bucket;
    this.#settings = settings;
    this.#limit = pLimit(settings.concurrency);
    this.#own = !("send" in client);
    this.#client = "send" in client ? client : new S3Client(client);
  }

  close(): void {
    if (this.#own) this.#client.destroy();
  }

  about(key?: string): About {
    return { bucket: this.name, ...(key !== undefined && { key }) };
  }

  /** Throws `INVALID_CONFIG` where the SDK finds no region, which it tells by a message only. */
  async checkRegion(): Promise<void> {
    try {
      await this.#client.config.region();
    } catch {
      throw badConfig("There is no region: give `region`, or set AWS_REGION or a profile for the AWS SDK.");
    }
  }

  /** One request, when its turn has come. `expected` makes a value of an answer that is no failure to the caller. */
  async request<T, E = never>(
    call: Call,
    key: string | undefined,
    request: (client: S3Client, options: SendOptions) => Promise<T>,
    expected?: (status: number | undefined, name: string) => E | undefined,
  ): Promise<T | E> {
    // of its own: the SDK's listeners, dozens at a time, would look like a leak on the caller's signal
    const options = call.signal === undefined ? {} : { abortSignal: AbortSignal.any([call.signal]) };
    try {
      return await this.#limit(() => request(this.#client, options));
    } catch (error) {
      const value = expected?.(statusOf(error), nameOf(error));
      if (value !== undefined) return value;
      throw classify(error, this.about(key));
    }
  }

  /** `"same"`: its ETag is `known`. Of a range (its end excluded) that begins beyond the object's end: no bytes. */
  get(
    key: string,
    call: Call,
    { known, versionId, range }: { known?: string; versionId?: string; range?: readonly [number, number] } = {},
  ): Promise<Got | "same" | "missing"> {
    const input = {
      Bucket: this.name,
      Key: key,
      ...(known !== undefined && { IfNoneMatch: known }),
      ...(versionId !== undefined && { VersionId: versionId }),
      ...(range !== undefined && { Range: `bytes=${range[0]}-${range[1] - 1}` }),
    };
    return this.request<Got, Got | "same" | "missing">(
      call,
      key,
      async (client, options) => {
        const { ETag, Body, LastModified } = await client.send(new GetObjectCommand(input), options);
        const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
        return { etag: ETag ?? "", bytes, modified: LastModified?.getTime() };
      },
      (status, name) => {
        if (status === 304) return "same";
        if (status === 416) return { etag: "", bytes: new Uint8Array(), modified: undefined };
        // what does not look like a version's name to the server
        const isUnknown = missing.has(name) || (versionId !== undefined && name === "InvalidArgument");
        return isUnknown ? "missing" : undefined;
      },
    );
  }

  /** The ETag of what was written; `undefined` where the condition does not hold. */
  async put(
    key: string,
    body: string | Uint8Array,
    condition: Condition,
    call: Call,
    contentType = "application/json",
  ): Promise<string | undefined> {
    const bytes = Buffer.from(body as Uint8Array);
    const content = { Body: bytes, ContentType: contentType };
    for (let attempt = 1; ; attempt++) {
      const answer = await this.request<string, "refused" | "conflict">(
        call,
        key,
        (client, options) => this.#put(client, key, content, condition, options),
        (status, name) => {
          // an upload that is not there any more was finished by an earlier attempt, perhaps: the caller looks
          if (status === 412 || missing.has(name) || name === "NoSuchUpload") return "refused";
          return status === 409 && attempt < conflictAttempts ? "conflict" : undefined;
        },
      );
      if (answer === "refused") return undefined;
      if (answer !== "conflict") return answer;
      await pause(attempt);
    }
  }

  async #put(
    client: S3Client,
    key: string,
    content: { readonly Body: Buffer; readonly ContentType: string },
    condition: Condition,
    options: SendOptions,
  ): Promise<string> {
    const { multipartThreshold, partSize, storageClass, serverSideEncryption, sseKmsKeyId } = this.#settings;
    const input: PutObjectCommandInput = {
      Bucket: this.name,
      Key: key,
      ...content,
      ...(condition.ifNoneMatch !== undefined && { IfNoneMatch: condition.ifNoneMatch }),
      ...(condition.ifMatch !== undefined && { IfMatch: condition.ifMatch }),
      ...(storageClass !== undefined && { StorageClass: storageClass }),
      ...(serverSideEncryption !== undefined && { ServerSideEncryption: serverSideEncryption }),
      ...(sseKmsKeyId !== undefined && { SSEKMSKeyId: sseKmsKeyId }),
    };
    if (content.Body.length <= multipartThreshold)
      return (await client.send(new PutObjectCommand(input), options)).ETag ?? "";
    // the condition is one of the last request, which makes an object of the parts; a failed upload is taken back
    const upload = new Upload({ client, params: input, partSize });
    const abort = (): void => void upload.abort();
    options.abortSignal?.addEventListener("abort", abort, { once: true });
    try {
      return (await upload.done()).ETag ?? "";
    } finally {
      options.abortSignal?.removeEventListener("abort", abort);
    }
  }

  /** `false` where the condition does not hold. Servers differ in what they say of an object that is gone. */
  delete(key: string, ifMatch: string | undefined, call: Call): Promise<boolean> {
    const input = { Bucket: this.name, Key: key, ...(ifMatch !== undefined && { IfMatch: ifMatch }) };
    return this.request(
      call,
      key,
      async (client, options) => {
        await client.send(new DeleteObjectCommand(input), options);
        return true;
      },
      (status, name) => (status === 412 || status === 409 || missing.has(name) ? false : undefined),
    );
  }

  /** Deletes up to 1,000 objects whatever they hold; what could not be deleted. */
  async deleteAll(keys: readonly string[], call: Call): Promise<Failure[]> {
    const input = { Bucket: this.name, Delete: { Quiet: true, Objects: keys.map((Key) => ({ Key })) } };
    const { Errors = [] } = await this.request(call, undefined, (client, options) =>
      client.send(new DeleteObjectsCommand(input), options),
    );
    return Errors.map(({ Key = "", Code = "" }) => ({
      key: Key,
      error: classify(Object.assign(new Error(Code), { name: Code }), this.about(Key)),
    }));
  }

  /** A page of at most 1,000 objects, and whether there are more. */
  async list(
    input: Pick<ListObjectsV2CommandInput, "Prefix" | "StartAfter" | "MaxKeys" | "Delimiter">,
    call: Call,
  ): Promise<{ readonly objects: readonly Listed[]; readonly more: boolean }> {
    const { Contents = [], IsTruncated } = await this.request(call, undefined, (client, options) =>
      client.send(new ListObjectsV2Command({ Bucket: this.name, ...input }), options),
    );
    const objects = Contents.map(({ Key = "", ETag = "", Size = 0, LastModified }) => ({
      key: Key,
      etag: ETag,
      size: Size,
      modified: LastModified?.getTime(),
    }));
    return { objects, more: IsTruncated === true };
  }

  /**
   * The ETag of the last state of an object that was deleted, in a bucket with versioning. Some servers (versitygw 1.8)
   * refuse `If-None-Match` then, and take `If-Match` with this one.
   */
  async lastEtag(key: string, call: Call): Promise<string | undefined> {
    const { Versions = [], DeleteMarkers = [] } = await this.request(call, key, (client, options) =>
      client.send(new ListObjectVersionsCommand({ Bucket: this.name, Prefix: key, MaxKeys: 100 }), options),
    );
    const isDeleted = DeleteMarkers.some(({ Key, IsLatest }) => Key === key && IsLatest === true);
    return isDeleted ? Versions.find(({ Key }) => Key === key)?.ETag : undefined;
  }

  /** What the server says of an object beside its content. */
  async head(key: string, call: Call): Promise<{ storageClass: string; encryption: string | undefined }> {
    const { StorageClass = "STANDARD", ServerSideEncryption } = await this.request(call, key, (client, options) =>
      client.send(new HeadObjectCommand({ Bucket: this.name, Key: key }), options),
    );
    return { storageClass: StorageClass, encryption: ServerSideEncryption };
  }

  /** Makes the bucket; one of this account that is there already is as good. */
  async create(call: Call): Promise<void> {
    const region = (await this.#client.config.region()) as "eu-west-1" | "us-east-1";
    const input = {
      Bucket: this.name,
      // us-east-1 is what a bucket without constraint is in, and must not be named
      ...(region !== "us-east-1" && { CreateBucketConfiguration: { LocationConstraint: region } }),
    };
    await this.request<unknown, true>(
      call,
      undefined,
      (client, options) => client.send(new CreateBucketCommand(input), options),
      (_, name) => (name === "BucketAlreadyOwnedByYou" ? true : undefined),
    );
  }
}

/** Waits a little, longer each time, each caller another while. */
export function pause(attempt: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(500, 4 * 2 ** attempt)));
}
