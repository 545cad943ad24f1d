/** Whether the target has what the source gave. */
import { DataknobsError } from "../errors.js";
import type { WireRecord } from "../record/json.js";
import { type Op, opOf } from "./copy.js";
import { contentText, Digest } from "./digest.js";
import type { CheckedOptions, Verification } from "./options.js";
import { batchesOf, recordsOf, type Side } from "./read.js";

export interface Copied {
  readonly written: number;
  readonly skipped: number;
  readonly failed: number;
  readonly replaced: number;
  /** Records of the target before the job. */
  readonly before: number;
  readonly startedAt: string;
}

/** By numbers: as many as were there, and as many more as were written without replacing one. */
export function verifyCount(found: number, { before, written, replaced }: Copied): Verification {
  const expected = before + written - replaced;
  const none = { missing: 0, different: 0, changedMeanwhile: 0, examples: [] };
  return { mode: "count", ok: found === expected, expected, found, ...none };
}

const mostExamples = 100;

/** Record by record, both read anew: what is not as it should be has to be among what was skipped or failed. */
export async function verifyContent(
  source: Side,
  target: Side,
  options: CheckedOptions,
  copied: Copied,
  onBatch: (verified: number) => void,
): Promise<Verification> {
  const [expected, found] = [new Digest(), new Digest()];
  const examples: string[] = [];
  let [checked, missing, different, changedMeanwhile] = [0, 0, 0, 0];
  const since = Date.parse(copied.startedAt);
  for await (const records of batchesOf(source, options.query ?? {}, options.batchSize)) {
    const wanted = await wantedOf(records, target, options);
    const there = await recordsOf(
      target,
      wanted.map(({ op }) => op.id),
    );
    const [theirs, ours]: [string[], string[]] = [[], []];
    for (const [at, { record, op }] of wanted.entries()) {
      const text = contentText(op);
      const other = there[at];
      const its = other === undefined ? undefined : contentText(other);
      theirs.push(text);
      if (its !== undefined) ours.push(its);
      if (its === text) continue;
      if (record.updatedAt > since) changedMeanwhile++;
      else if (its === undefined) missing++;
      else different++;
      if (examples.length < mostExamples) examples.push(op.id);
    }
    await expected.add(theirs);
    await found.add(ours);
    checked += wanted.length;
    onBatch(checked);
  }
  const bad = missing + different + changedMeanwhile;
  return {
    mode: "content",
    ok: bad <= copied.skipped + copied.failed,
    expected: checked,
    found: checked - bad,
    missing,
    different,
    changedMeanwhile,
    examples,
    sourceHash: expected.result().hash,
    targetHash: found.result().hash,
  };
}

interface Wanted {
  readonly record: WireRecord;
  readonly op: Op;
}

async function wantedOf(
  records: readonly WireRecord[],
  target: Side,
  options: CheckedOptions,
): Promise<readonly Wanted[]> {
  const wanted: Wanted[] = [];
  for (const record of records) {
    // one that could not be made the first time either counts among the failed
    const op = await opOf(record, target, options).catch((error: unknown) => {
      if (DataknobsError.is(error)) return null;
      throw error;
    });
    if (op !== null) wanted.push({ record, op });
  }
  return wanted;
}
