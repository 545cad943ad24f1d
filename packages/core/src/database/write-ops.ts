/** Write operations for a backend, from what the caller gave: checked and encoded, before any I/O. */
import type { DeleteOp, InsertOp, UpdateOp, UpsertOp } from "../backend/spi.js";
import { DataknobsError } from "../errors.js";
import { checkId, newId, newVersion } from "../record/ids.js";
import type { JsonObject } from "../record/json.js";
import { type Encoded, type EncodeOptions, encodeFields } from "../record/values.js";
import { validate } from "./schema.js";
import type { Session } from "./session.js";
import type { Steps } from "./steps.js";
import { checkVectors } from "./vector-fields.js";
import type { CreateInput, UpdateInput, UpsertInput } from "./writes.js";

const none: Encoded<JsonObject> = Object.freeze({ json: Object.freeze({}), types: null });

const sharedData: EncodeOptions = Object.freeze({ subject: "data", code: "INVALID_RECORD", freeze: false });
const keptData: EncodeOptions = Object.freeze({ ...sharedData, freeze: true });

export function* insertOp(session: Session, input: CreateInput): Steps<InsertOp> {
  return insertOf(session, input, yield* validate(session.schema, input.data), Date.now());
}

/** Of validated data; no generator, which in a batch would cost as much as the rest. */
export function insertOf(session: Session, input: CreateInput, validated: unknown, at: number): InsertOp {
  const id = input.id ?? newId();
  if (input.id !== undefined) checkId(input.id);
  const data = encodeFields(validated, session.backend.ownership === "keep" ? keptData : sharedData);
  checkVectors(session.vectorFields, "data", data.json, data.types);
  const metadata = input.metadata === undefined ? none : encodeData(session, "metadata", input.metadata);
  return {
    kind: "insert",
    id,
    data: data.json,
    types: data.types,
    metadata: metadata.json,
    metadataTypes: metadata.types,
    version: newVersion(),
    at,
  };
}

export function* upsertOp(session: Session, input: UpsertInput): Steps<UpsertOp> {
  checkVersion(input.ifVersion);
  return { ...(yield* insertOp(session, input)), kind: "upsert", ifVersion: input.ifVersion };
}

export function* updateOp(session: Session, input: UpdateInput): Steps<UpdateOp> {
  checkId(input.id);
  checkVersion(input.ifVersion);
  const op = yield* insertOp(session, input);
  const metadata = input.metadata === undefined ? undefined : op.metadata;
  return { ...op, kind: "update", metadata, ifVersion: input.ifVersion };
}

export function deleteOp(id: string, ifVersion: string | undefined): DeleteOp {
  checkId(id);
  checkVersion(ifVersion);
  return ifVersion === undefined ? { kind: "delete", id } : { kind: "delete", id, ifVersion };
}

export function encodeData(
  session: Session,
  root: "data" | "metadata",
  value: unknown,
  subject: string = root,
): Encoded<JsonObject> {
  const freeze = session.backend.ownership === "keep";
  const encoded = encodeFields(value, { subject, code: "INVALID_RECORD", freeze });
  checkVectors(session.vectorFields, root, encoded.json, encoded.types);
  return encoded;
}

export function checkVersion(version: unknown): void {
  if (version === undefined || (typeof version === "string" && version !== "")) return;
  throw new DataknobsError("INVALID_RECORD", "`ifVersion` is the `version` of a record that was read.");
}
