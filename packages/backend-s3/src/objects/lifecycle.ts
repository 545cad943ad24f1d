/** What the server does with objects as they age: one rule for a database's folder, those of others untouched. */
import {
  DeleteBucketLifecycleCommand,
  GetBucketLifecycleConfigurationCommand,
  type LifecycleRule,
  PutBucketLifecycleConfigurationCommand,
} from "@aws-sdk/client-s3";
import type { CallOptions } from "@dataknobs/core";
import type { Call } from "@dataknobs/core/backend";
import type { Bucket } from "../bucket.js";
import { badConfig } from "../errors.js";
import { type StorageClass, storageClasses } from "../options.js";
import { callOf, objectsOf } from "./versions.js";

/** In whole days, 1 or more. The server acts about once a day. */
export interface Lifecycle {
  /** Records are deleted so long after they were last written. */
  readonly expireAfterDays?: number;
  /** In a bucket with versioning: states are deleted so long after they were replaced. */
  readonly expireVersionsAfterDays?: number;
  /** Moves to a cheaper class whose objects can still be read at once. */
  readonly transitions?: readonly { readonly afterDays: number; readonly storageClass: StorageClass }[];
  /** Parts of uploads that were never finished are deleted. */
  readonly abortUploadsAfterDays?: number;
}

/** The rule of this database's folder, or `undefined`. `UNSUPPORTED` where the server has no lifecycle rules. */
export async function lifecycle(database: object, options: CallOptions = {}): Promise<Lifecycle | undefined> {
  const { bucket, settings } = objectsOf(database);
  const rule = (await rulesOf(bucket, callOf(options))).find(({ ID }) => ID === ruleId(settings.folder));
  if (rule === undefined) return undefined;
  const { Expiration, NoncurrentVersionExpiration, Transitions, AbortIncompleteMultipartUpload } = rule;
  return {
    ...(Expiration?.Days !== undefined && { expireAfterDays: Expiration.Days }),
    ...(NoncurrentVersionExpiration?.NoncurrentDays !== undefined && {
      expireVersionsAfterDays: NoncurrentVersionExpiration.NoncurrentDays,
    }),
    ...(Transitions !== undefined &&
      Transitions.length > 0 && {
        transitions: Transitions.map(({ Days = 0, StorageClass }) => ({
          afterDays: Days,
          storageClass: StorageClass as StorageClass,
        })),
      }),
    ...(AbortIncompleteMultipartUpload?.DaysAfterInitiation !== undefined && {
      abortUploadsAfterDays: AbortIncompleteMultipartUpload.DaysAfterInitiation,
    }),
  };
}

/**
 * Sets the rule of this database's folder, or removes it (`undefined`).
 *
 * S3 keeps all rules of a bucket as one, without a condition to write them on: do not set those of two folders at once.
 * `UNSUPPORTED` where the server has no lifecycle rules, `INVALID_CONFIG` for a rule that cannot be.
 *
 * @example
 * await setLifecycle(db, { expireVersionsAfterDays: 30, transitions: [{ afterDays: 90, storageClass: "STANDARD_IA" }] });
 */
export async function setLifecycle(
  database: object,
  rule: Lifecycle | undefined,
  options: CallOptions = {},
): Promise<void> {
  const { bucket, settings } = objectsOf(database);
  const ours = rule === undefined ? [] : [ruleOf(rule, settings.folder)];
  const call = callOf(options);
  const others = (await rulesOf(bucket, call)).filter(({ ID }) => ID !== ruleId(settings.folder));
  const Rules = [...others, ...ours];
  await bucket.request<unknown>(call, undefined, (client, sending) =>
    Rules.length === 0
      ? client.send(new DeleteBucketLifecycleCommand({ Bucket: bucket.name }), sending)
      : client.send(
          new PutBucketLifecycleConfigurationCommand({ Bucket: bucket.name, LifecycleConfiguration: { Rules } }),
          sending,
        ),
  );
}

function ruleId(folder: string): string {
  return `dataknobs:${folder}`;
}

async function rulesOf(bucket: Bucket, call: Call): Promise<readonly LifecycleRule[]> {
  const { Rules = [] } = await bucket.request<{ Rules?: LifecycleRule[] | undefined }, { Rules: LifecycleRule[] }>(
    call,
    undefined,
    (client, sending) => client.send(new GetBucketLifecycleConfigurationCommand({ Bucket: bucket.name }), sending),
    (_, name) => (name === "NoSuchLifecycleConfiguration" ? { Rules: [] } : undefined),
  );
  return Rules;
}

const keys = ["expireAfterDays", "expireVersionsAfterDays", "transitions", "abortUploadsAfterDays"];

function ruleOf(rule: Lifecycle, folder: string): LifecycleRule {
  const stray = Object.keys(rule).find((key) => !keys.includes(key));
  if (stray !== undefined) throw badConfig(`A lifecycle has no "${stray}"; it has ${keys.join(", ")}.`);
  const { expireAfterDays, expireVersionsAfterDays, transitions = [], abortUploadsAfterDays } = rule;
  const days = [
    expireAfterDays,
    expireVersionsAfterDays,
    abortUploadsAfterDays,
    ...transitions.map((one) => one.afterDays),
  ];
  const given = days.filter((one) => one !== undefined);
  if (given.length === 0 || given.some((one) => !Number.isSafeInteger(one) || one < 1)) {
    throw badConfig("A lifecycle says what happens after how many days: whole numbers, 1 or more.");
  }
  const archive = transitions.find(({ storageClass }) => !storageClasses.includes(storageClass));
  if (archive !== undefined) {
    throw badConfig(`Records can move to ${storageClasses.join(", ")}; in other classes they could not be read.`);
  }
  return {
    ID: ruleId(folder),
    Status: "Enabled",
    Filter: { Prefix: folder },
    ...(expireAfterDays !== undefined && { Expiration: { Days: expireAfterDays } }),
    ...(expireVersionsAfterDays !== undefined && {
      NoncurrentVersionExpiration: { NoncurrentDays: expireVersionsAfterDays },
    }),
    ...(transitions.length > 0 && {
      Transitions: transitions.map(({ afterDays, storageClass }) => ({
        Days: afterDays,
        // classes that exist only to be written to directly are refused by the server
        StorageClass: storageClass as "STANDARD_IA",
      })),
    }),
    ...(abortUploadsAfterDays !== undefined && {
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: abortUploadsAfterDays },
    }),
  };
}
