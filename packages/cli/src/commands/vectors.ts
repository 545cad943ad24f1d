/** migrate-vectors, verify-vectors: from one vector store into another. */
import {
  DataknobsError,
  type MigrateVectorsOptions,
  migrateVectors,
  openVectorStore,
  type VectorStore,
  type VectorStoreConfig,
  vectorContentHash,
} from "@dataknobs/core";
import type { Command } from "commander";
import type { Context } from "../context.js";
import { type JobOptions, jobOptions, printHashes, runJob, whole } from "../job.js";
import { type QuestionOptions, questionOf } from "../question.js";
import { label, sourceOf } from "../store.js";
import { collect } from "./ask.js";

interface StoreOptions {
  readonly dimensions?: number;
  readonly metric?: string;
}

interface VectorJobOptions extends JobOptions, StoreOptions, Pick<QuestionOptions, "where"> {
  readonly scope?: readonly string[];
}

const urls =
  "\nA vector store is a URL, memory:vectors.dkv, faiss:vectors.dkf, chroma://host:8000/vectors, postgres://user@host/db?table=vectors," +
  "\nor @name of the configuration. ?dimensions=384&metric=dot&scope=tenant-1 may follow, or the options tell.";

function stores(command: Command): Command {
  return command
    .option("--dimensions <number>", "of the vectors in both stores, where a URL does not say", whole)
    .option("--metric <name>", "cosine, euclidean or dot, where a URL does not say");
}

export function addVectors(program: Command, context: Context): void {
  stores(jobOptions(program.command("migrate-vectors <from> <to>"), "vectors"))
    .description("copy the vectors of one vector store into another, to the bit")
    .option("-w, --where <condition>", "on metadata, such as 'lang = en'; several are joined by and", collect)
    .option("--scope <name>", "bring over this scope, into the one of its name; may be given again", collect)
    .addHelpText(
      "after",
      `${urls}\n\nExample: dataknobs migrate-vectors memory:vectors.dkv postgres://app@db/app?table=vectors --dimensions 384 --verify content`,
    )
    .action((from: string, to: string, options: VectorJobOptions) => move(context, from, to, options));

  stores(program.command("verify-vectors <from> <to>"))
    .description("compare the content of two vector stores, whatever the order; differs: exit code 5")
    .option("--json", "the answer as JSON")
    .addHelpText("after", urls)
    .action((from: string, to: string, options: StoreOptions & { json?: boolean }) =>
      verify(context, from, to, options),
    );
}

async function withVectors<R>(
  context: Context,
  name: string,
  { dimensions, metric }: StoreOptions,
  work: (store: VectorStore) => Promise<R>,
): Promise<R> {
  const source = sourceOf(name, { config: context.config(), env: context.env });
  const given = { ...(dimensions !== undefined && { dimensions }), ...(metric !== undefined && { metric }) };
  // what a URL says counts: settings beside it would win over it
  const said = typeof source === "string" ? [...new URLSearchParams(source.split("?")[1]).keys()] : Object.keys(source);
  const settings = Object.fromEntries(Object.entries(given).filter(([key]) => !said.includes(key)));
  await using store = await openVectorStore(source as string | VectorStoreConfig, settings);
  return await work(store);
}

async function move(context: Context, from: string, to: string, options: VectorJobOptions): Promise<void> {
  const { onConflict, batchSize, checkpoint, dryRun, scope } = options;
  const { where: filter } = questionOf({ where: options.where });
  const asked: MigrateVectorsOptions = {
    filter,
    onConflict,
    verify: dryRun === true ? "none" : options.verify,
    signal: context.signal,
    ...(batchSize !== undefined && { batchSize }),
    ...(checkpoint !== undefined && { checkpoint }),
    ...(dryRun !== undefined && { dryRun }),
    ...(scope !== undefined && { scopes: scope }),
    ...(options.continue === true && { onError: () => true }),
  };
  if (from === to) throw new DataknobsError("INVALID_CONFIG", "Both stores are the same.");
  await withVectors(context, from, options, (source) =>
    withVectors(context, to, options, (target) =>
      runJob(context, `${label(from)} → ${label(to)}`, options, (onProgress) =>
        migrateVectors(source, target, { ...asked, onProgress }),
      ),
    ),
  );
}

async function verify(
  context: Context,
  from: string,
  to: string,
  options: StoreOptions & { json?: boolean },
): Promise<void> {
  const { signal } = context;
  const hashes = await withVectors(context, from, options, (here) =>
    withVectors(context, to, options, async (there) => ({
      from: await vectorContentHash(here, { signal }),
      to: await vectorContentHash(there, { signal }),
    })),
  );
  printHashes(context, options.json === true, [from, hashes.from], [to, hashes.to], "vectors");
}
