/** The command line: what there is, and how every command ends. */
import { readFileSync } from "node:fs";
import { DataknobsError } from "@dataknobs/core";
import { Command, CommanderError } from "commander";
import { addAsking } from "./commands/ask.js";
import { addCompletion } from "./commands/completion.js";
import { addKeeping } from "./commands/keep.js";
import { addMoving } from "./commands/move.js";
import { addVectors } from "./commands/vectors.js";
import type { Context } from "./context.js";
import { exitCodeOf, exitCodes } from "./exit.js";
import type { Sink } from "./output.js";

export interface Streams {
  readonly out: Sink;
  readonly err: Sink & { readonly isTTY?: boolean };
  readonly env: { readonly [name: string]: string | undefined };
}

/**
 * Runs one command; gives its exit code.
 *
 * @example
 * await main(["count", "sqlite:app.db"], { out: process.stdout, err: process.stderr, env: process.env });
 */
export async function main(args: readonly string[], { out, err, env }: Streams): Promise<number> {
  const abort = new AbortController();
  let interrupted = false;
  const interrupt = (): void => {
    interrupted = true;
    abort.abort(new Error("interrupted"));
  };
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  let code: number = exitCodes.ok;
  const program = new Command("dataknobs");
  const context: Context = {
    out,
    err,
    env,
    config: () => program.opts<{ config?: string }>().config,
    signal: abort.signal,
    exit: (given) => {
      code = given;
    },
  };
  build(program, context);
  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    const told = interrupted ? "interrupted" : messageOf(error);
    err.write(`dataknobs: ${told}\n`);
    if (program.opts<{ trace?: boolean }>().trace === true) err.write(`${traceOf(error)}\n`);
    return interrupted ? exitCodes.interrupted : exitCodeOf(error);
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}

function build(program: Command, context: Context): void {
  program
    .description("Ask, move and check records in any store.")
    .version(version(), "-V, --version")
    .option("--config <file>", "named stores, for @name; default dataknobs.json")
    .option("--trace", "print where an error came from")
    .exitOverride()
    .showHelpAfterError("(--help tells more)")
    .configureOutput({
      writeOut: (text) => context.out.write(text),
      writeErr: (text) => context.err.write(text),
    })
    .addHelpText("after", help);
  addAsking(program, context);
  addMoving(program, context);
  addVectors(program, context);
  addKeeping(program, context);
  addCompletion(program, context);
  for (const command of program.commands) command.copyInheritedSettings(program);
}

const help = `
A store is a URL, a data file, or @name:
  sqlite:app.db?table=people     duckdb:app.duckdb          file:people.jsonl, or people.csv.gz
  postgres://user@host/db?table=people                      s3://bucket/prefix?region=eu-north-1
  @name                          of the configuration, { "stores": { "name": { "backend": "postgres", … } } };
                                 { "env": "NAME" } there stands for an environment variable

Examples:
  dataknobs info sqlite:app.db
  dataknobs query people.csv -w 'age > 30' -s -age --table
  dataknobs migrate sqlite:app.db duckdb:app.duckdb --checkpoint move.json --verify content
  dataknobs verify sqlite:app.db duckdb:app.duckdb
  dataknobs migrate-vectors memory:vectors.dkv faiss:vectors.dkf --dimensions 384 --verify content

Exit codes: 0 well; 1 failed; 2 wrong usage, query or configuration; 3 not there; 4 not available now;
  5 conflict or difference; 6 damaged data; 7 rights are missing; 130 interrupted`;

function version(): string {
  const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

/** One line for people; a stack is for those who ask. */
function messageOf(error: unknown): string {
  if (DataknobsError.is(error)) return `${error.message} (${error.code})`;
  return error instanceof Error ? error.message : String(error);
}

function traceOf(error: unknown): string {
  const lines: string[] = [];
  for (let one: unknown = error; one instanceof Error; one = one.cause) lines.push(String(one.stack));
  return lines.join("\ncaused by ");
}
