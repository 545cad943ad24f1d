/** info, query, count, explain: what only reads. */
import { type Command, Option } from "commander";
import { type Context, withStore } from "../context.js";
import { type Format, printRecords, printRows } from "../output.js";
import { type QuestionOptions, questionOf } from "../question.js";
import { label } from "../store.js";

/** Of an option that may be given again. */
export const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

/** The options that make a query. */
export function asking(command: Command): Command {
  return command
    .option("-w, --where <condition>", "a condition such as 'age > 30'; several are joined by and", collect)
    .option("-m, --match <text>", "full text: every word occurs in the fields")
    .option("--fields <list>", "the fields of --match, with commas")
    .option("-q, --query <json>", "a whole query in JSON, to which the other options are added");
}

function paging(command: Command): Command {
  return command
    .option("-s, --sort <field>", "sort by a field; -field descends; may be given again", collect)
    .option("-n, --limit <number>", "at most so many records")
    .option("--offset <number>", "leave out so many at the beginning")
    .option("--select <list>", "only these fields, with commas");
}

export function formats(command: Command, preset: Format): Command {
  return command
    .addOption(new Option("--json", "a line of JSON for each").conflicts(["table", "csv"]))
    .addOption(new Option("--table", "columns for people").conflicts(["json", "csv"]))
    .addOption(new Option("--csv", "comma-separated values with a head").conflicts(["json", "table"]))
    .addHelpText("after", `\nWithout one of --json, --table, --csv: ${preset}.`);
}

interface FormatOptions {
  readonly json?: boolean;
  readonly table?: boolean;
  readonly csv?: boolean;
}

export function formatOf({ json, table, csv }: FormatOptions, preset: Format): Format {
  return json === true ? "json" : table === true ? "table" : csv === true ? "csv" : preset;
}

export function addAsking(program: Command, context: Context): void {
  formats(program.command("info <store>"), "table")
    .description("what a store is and can do")
    .action(async (store: string, options: FormatOptions) => {
      await withStore(context, store, async (db) => {
        const { limits, pushdown, ...can } = db.capabilities;
        const facts = {
          store: label(store),
          backend: db.name,
          records: await db.count(undefined, { signal: context.signal }),
          ...can,
          analyzers: can.analyzers.join(", "),
          pushdown: pushdown.join(", "),
          limits: JSON.stringify(limits),
        };
        const format = formatOf(options, "table");
        if (format === "json") printRows([{ ...facts, pushdown, limits }], format, context.out);
        else
          printRows(
            Object.entries(facts).map(([fact, value]) => ({ fact, value })),
            format,
            context.out,
          );
      });
    });

  formats(paging(asking(program.command("query <store>"))), "json")
    .description("the records that a query finds")
    .addHelpText(
      "after",
      "\nExample: dataknobs query sqlite:app.db -w 'age > 30' -w 'city = Oslo' -s -age -n 10 --table",
    )
    .action(async (store: string, options: QuestionOptions & FormatOptions) => {
      const query = questionOf(options);
      await withStore(context, store, (db) =>
        printRecords(db.stream(query, { signal: context.signal }), formatOf(options, "json"), context.out),
      );
    });

  asking(program.command("count <store>"))
    .description("how many records a query finds")
    .action(async (store: string, options: QuestionOptions) => {
      const query = questionOf(options);
      await withStore(context, store, async (db) => {
        context.out.write(`${await db.count(query, { signal: context.signal })}\n`);
      });
    });

  formats(paging(asking(program.command("explain <store>"))), "table")
    .description("what the store does of a query itself, and what is done here")
    .option("--native", "add the engine's own plan")
    .action(async (store: string, options: QuestionOptions & FormatOptions & { native?: boolean }) => {
      const query = questionOf(options);
      await withStore(context, store, async (db) => {
        const plan = options.native === true ? await db.explain(query, { native: true }) : db.explain(query);
        if (formatOf(options, "table") === "json") {
          context.out.write(`${JSON.stringify(plan)}\n`);
          return;
        }
        const steps = [
          ...plan.clauses.map(({ clause, ...how }) => ({
            part: "op" in clause ? `${[clause.path].flat().join(".")} ${clause.op}` : JSON.stringify(clause),
            ...how,
          })),
          ...(["match", "sort", "limit"] as const).map((part) => ({ part, ...plan[part] })),
        ].filter(({ how }) => how !== "none");
        const rows = steps.map(({ part, how, ...rest }) => {
          const { index, why } = rest as { index?: string; why?: string };
          return { part, how, index, why };
        });
        printRows(rows, formatOf(options, "table"), context.out);
        context.out.write(`records looked at: ${plan.scan === "index" ? "those that an index gives" : "all"}\n`);
        const own = "nativePlan" in plan ? plan.nativePlan : plan.native;
        if (own !== undefined)
          context.out.write(`${typeof own === "string" ? own : JSON.stringify(own, undefined, 2)}\n`);
      });
    });
}
