/** The options of `s3`, checked. Pure: no request is made here. */
import type { S3Client, S3ClientConfig } from "@aws-sdk/client-s3";
import { DataknobsError, type OptionSpec } from "@dataknobs/core/backend";
import { badConfig } from "./errors.js";

/** Classes whose objects can be read at once; the archives of Glacier cannot. */
export const storageClasses = [
  "STANDARD",
  "REDUCED_REDUNDANCY",
  "STANDARD_IA",
  "ONEZONE_IA",
  "INTELLIGENT_TIERING",
  "GLACIER_IR",
] as const;
export type StorageClass = (typeof storageClasses)[number];

const encryptions = ["AES256", "aws:kms", "aws:kms:dsse"] as const;
export type Encryption = (typeof encryptions)[number];

export const layouts = ["objects", "segments"] as const;
export type Layout = (typeof layouts)[number];

export interface S3Options {
  readonly bucket: string;
  /** The folder of the records: `people`, `app/people`. Up to 160 bytes. Default: the bucket's root. */
  readonly prefix?: string;
  /**
   * How records are kept. `"objects"`: an object per record, for stores that are read by id. `"segments"`: many records in a
   * Parquet file, and a log, for stores that are queried. Default `"objects"`.
   */
  readonly layout?: Layout;
  /** Default: what the AWS SDK finds (`AWS_REGION`, profile); `us-east-1` where `endpointUrl` is given. */
  readonly region?: string;
  /** Default: what the AWS SDK finds: environment, profile, role. */
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  /** Of temporary credentials. */
  readonly sessionToken?: string;
  /** A server other than Amazon's. May hold credentials and region: `http://KEY:SECRET@localhost:9000/?region=eu-1`. */
  readonly endpointUrl?: string;
  /** The bucket in the path instead of the host name. Default: `true` where `endpointUrl` is given. */
  readonly forcePathStyle?: boolean;
  /** Make the bucket where it is missing. Default `false`. */
  readonly createBucket?: boolean;
  /** Requests at the same time, of all calls together. Default 32. */
  readonly concurrency?: number;
  /** Milliseconds for each attempt of a request; `TIMEOUT` beyond. Default 30,000. */
  readonly requestTimeout?: number;
  /** Attempts of a request that failed in a way that may pass: 503, 429, 500, a lost connection. Default 3. */
  readonly maxAttempts?: number;
  /** Bytes of memory for what was read or written before; used only while the server says it is current. Default 64 MiB. */
  readonly cacheBytes?: number;
  /** Bodies of more bytes are uploaded in parts. Default 16 MiB. */
  readonly multipartThreshold?: number;
  /** Bytes of one part, 5 MiB or more. Default 8 MiB. */
  readonly partSize?: number;
  readonly storageClass?: StorageClass;
  readonly serverSideEncryption?: Encryption;
  /** The key for `aws:kms`. */
  readonly sseKmsKeyId?: string;
  /** `"WHEN_REQUIRED"` for servers that do not know the checksums that the SDK sends. Default `"WHEN_SUPPORTED"`. */
  readonly requestChecksumCalculation?: "WHEN_SUPPORTED" | "WHEN_REQUIRED";
  /** Accept a server that ignores conditional writes: two writers at once may then lose a write. Default `false`. */
  readonly unsafe?: boolean;
  /** Layout `segments`: seconds for which files that were replaced are kept for readers and `asOf`. Default 900. */
  readonly graceSeconds?: number;
  /** Layout `segments`: fold and merge logs after writes, when there are many. Default `true`; else call `compact`. */
  readonly autoCompact?: boolean;
  /** Layout `segments`: records of one segment at most. Default 131,072. */
  readonly segmentRows?: number;
  /** Layout `segments`: open a state of the past, read-only: a `sequence` of `snapshots(db)`. */
  readonly asOf?: number;
  /** A client of your own, which stays open; instead of region, credentials, endpoint and the like. */
  readonly client?: S3Client;
}

export const optionSpecs: { readonly [K in keyof S3Options]-?: OptionSpec } = {
  bucket: { type: "string" },
  prefix: { type: "string" },
  layout: { type: "string", oneOf: layouts },
  region: { type: "string" },
  accessKeyId: { type: "string", secret: true },
  secretAccessKey: { type: "string", secret: true },
  sessionToken: { type: "string", secret: true },
  endpointUrl: { type: "string", secret: true },
  forcePathStyle: { type: "boolean" },
  createBucket: { type: "boolean" },
  concurrency: { type: "number", min: 1, integer: true },
  requestTimeout: { type: "number", min: 1 },
  maxAttempts: { type: "number", min: 1, integer: true },
  cacheBytes: { type: "number", min: 0, integer: true },
  multipartThreshold: { type: "number", min: 0, integer: true },
  partSize: { type: "number", min: 5 * 1024 * 1024, integer: true },
  storageClass: { type: "string", oneOf: storageClasses },
  serverSideEncryption: { type: "string", oneOf: encryptions },
  sseKmsKeyId: { type: "string" },
  requestChecksumCalculation: { type: "string", oneOf: ["WHEN_SUPPORTED", "WHEN_REQUIRED"] },
  unsafe: { type: "boolean" },
  graceSeconds: { type: "number", min: 0 },
  autoCompact: { type: "boolean" },
  segmentRows: { type: "number", min: 1, integer: true },
  asOf: { type: "number", min: 0, integer: true },
  client: { type: "any" },
};

/** Options with everything decided. */
export interface Settings {
  readonly layout: Layout;
  readonly bucket: string;
  /** What every key begins with: `people/`, or nothing. */
  readonly folder: string;
  /** The client that was given, or what to make one of. */
  readonly client: S3Client | S3ClientConfig;
  readonly region: string | undefined;
  readonly createBucket: boolean;
  readonly concurrency: number;
  readonly cacheBytes: number;
  readonly multipartThreshold: number;
  readonly partSize: number;
  readonly storageClass: StorageClass | undefined;
  readonly serverSideEncryption: Encryption | undefined;
  readonly sseKmsKeyId: string | undefined;
  readonly unsafe: boolean;
  readonly graceSeconds: number;
  readonly autoCompact: boolean;
  readonly segmentRows: number;
  readonly asOf: number | undefined;
}

const mebibyte = 1024 * 1024;
/** Leaves 864 of the 1,024 bytes of a key for the longest id there is. */
const longestPrefix = 160;

/** Throws `INVALID_CONFIG`. */
export function settingsOf(options: S3Options): Settings {
  const { bucket, serverSideEncryption, sseKmsKeyId } = options;
  if (typeof bucket !== "string" || !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
    throw badConfig("The s3 backend needs a `bucket`: 3 to 63 lower-case letters, digits, dots and hyphens.");
  }
  if (bucket.endsWith("--x-s3")) {
    throw new DataknobsError(
      "UNSUPPORTED",
      `"${bucket}" is a directory bucket, which lists keys in no order. Use a general purpose bucket.`,
      { backend: "s3", bucket },
    );
  }
  if (sseKmsKeyId !== undefined && !serverSideEncryption?.startsWith("aws:kms")) {
    throw badConfig('`sseKmsKeyId` goes with `serverSideEncryption: "aws:kms"` or "aws:kms:dsse".');
  }
  const { layout = "objects" } = options;
  checkLayout(layout, options);
  const concurrency = options.concurrency ?? 32;
  return {
    layout,
    bucket,
    folder: folderOf(options.prefix ?? ""),
    ...clientOf(options, concurrency),
    createBucket: options.createBucket ?? false,
    concurrency,
    cacheBytes: options.cacheBytes ?? 64 * mebibyte,
    multipartThreshold: options.multipartThreshold ?? 16 * mebibyte,
    partSize: options.partSize ?? 8 * mebibyte,
    storageClass: options.storageClass,
    serverSideEncryption,
    sseKmsKeyId,
    unsafe: options.unsafe ?? false,
    graceSeconds: options.graceSeconds ?? 900,
    autoCompact: options.autoCompact ?? true,
    segmentRows: options.segmentRows ?? 131_072,
    asOf: options.asOf,
  };
}

/** Endpoint, bucket and folder; whom a client of the user's own asks is its business. */
export function locationOf({ client, bucket, folder }: Settings): string {
  const { endpoint } = client as S3ClientConfig;
  return `${typeof endpoint === "string" ? URL.parse(endpoint)?.host : "s3"}/${bucket}/${folder}`;
}

const ofSegments = ["graceSeconds", "autoCompact", "segmentRows", "asOf"] as const;

function checkLayout(layout: Layout, options: S3Options): void {
  const stray = ofSegments.find((name) => options[name] !== undefined);
  if (layout === "objects" && stray !== undefined) throw badConfig(`\`${stray}\` goes with \`layout: "segments"\`.`);
  if (layout === "segments" && options.unsafe === true) {
    throw badConfig('The layout "segments" rests on conditional writes: `unsafe` does not go with it.');
  }
}

function folderOf(prefix: string): string {
  const segments = prefix.replace(/^\/|\/$/g, "").split("/");
  if (prefix === "" || prefix === "/") return "";
  // a key is a path to some servers: `..` would leave the folder, and an empty name is dropped by them
  const bad = segments.find((name) => name === "" || name === "." || name === ".." || /\p{Cc}/u.test(name));
  if (bad !== undefined || !prefix.isWellFormed()) {
    throw badConfig("`prefix` is a folder like `app/people`: names between slashes, none empty, `.` or `..`.");
  }
  const folder = `${segments.join("/")}/`;
  if (Buffer.byteLength(folder) > longestPrefix) throw badConfig(`\`prefix\` has at most ${longestPrefix} bytes.`);
  return folder;
}

const ofClient = [
  "region",
  "accessKeyId",
  "secretAccessKey",
  "sessionToken",
  "endpointUrl",
  "forcePathStyle",
  "requestTimeout",
  "maxAttempts",
  "requestChecksumCalculation",
] as const;

function clientOf(options: S3Options, concurrency: number): Pick<Settings, "client" | "region"> {
  const { client } = options;
  if (client === undefined) return configOf(options, concurrency);
  if (typeof client !== "object" || client === null || typeof client.send !== "function") {
    throw badConfig("`client` is an S3Client of @aws-sdk/client-s3.");
  }
  const both = ofClient.find((name) => options[name] !== undefined);
  if (both !== undefined) throw badConfig(`\`${both}\` cannot be given beside \`client\`, which has its own.`);
  return { client, region: undefined };
}

function configOf(options: S3Options, concurrency: number): { client: S3ClientConfig; region: string | undefined } {
  const endpoint = endpointOf(options.endpointUrl);
  const region = options.region ?? endpoint?.region ?? (endpoint === undefined ? undefined : "us-east-1");
  const accessKeyId = options.accessKeyId ?? endpoint?.accessKeyId;
  const secretAccessKey = options.secretAccessKey ?? endpoint?.secretAccessKey;
  const { sessionToken, requestChecksumCalculation, requestTimeout = 30_000 } = options;
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined) || (sessionToken && !accessKeyId)) {
    throw badConfig("`accessKeyId` and `secretAccessKey` go together, and `sessionToken` goes with both.");
  }
  const forcePathStyle = options.forcePathStyle ?? endpoint !== undefined;
  const client: S3ClientConfig = {
    forcePathStyle,
    maxAttempts: options.maxAttempts ?? 3,
    requestHandler: {
      requestTimeout,
      connectionTimeout: requestTimeout,
      socketTimeout: requestTimeout,
      throwOnRequestTimeout: true,
      httpAgent: { maxSockets: concurrency },
      httpsAgent: { maxSockets: concurrency },
    },
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint: endpoint.url }),
    ...(requestChecksumCalculation !== undefined && { requestChecksumCalculation }),
    ...(accessKeyId !== undefined &&
      secretAccessKey !== undefined && {
        credentials: { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
      }),
  };
  return { client, region };
}

interface Endpoint {
  readonly url: string;
  readonly region: string | undefined;
  readonly accessKeyId: string | undefined;
  readonly secretAccessKey: string | undefined;
}

function endpointOf(text: string | undefined): Endpoint | undefined {
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  const stray = url === null ? [] : [...url.searchParams.keys()].filter((name) => name !== "region");
  if (url === null || !/^https?:$/.test(url.protocol) || url.hash !== "" || stray.length > 0) {
    // never print it: it may hold a secret
    throw badConfig(
      "`endpointUrl` is an http or https URL; beside host and path it may hold credentials and `?region=`.",
    );
  }
  return {
    url: `${url.protocol}//${url.host}${url.pathname.replace(/\/$/, "")}`,
    region: url.searchParams.get("region") ?? undefined,
    accessKeyId: url.username === "" ? undefined : decodeURIComponent(url.username),
    secretAccessKey: url.password === "" ? undefined : decodeURIComponent(url.password),
  };
}
