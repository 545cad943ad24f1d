/**
 * Triggers of a shared table, in plain SQL, since the other program has none of our functions. A write that leaves
 * the version as it was is foreign: it gets a new version, and what we keep beside the data is no longer true.
 */
import { quoteIdentifier } from "@dataknobs/sql";
import { type Layout, textNames } from "./layout.js";
import { hasWords } from "./words.js";

export interface Trigger {
  readonly name: string;
  readonly text: string;
}

export function makeTriggers(layout: Layout): Trigger[] {
  const table = quoteIdentifier(layout.table);
  const { stale } = textNames(layout);
  const mark = (row: "NEW" | "OLD"): string =>
    hasWords(layout) ? `INSERT OR IGNORE INTO ${stale} (id) VALUES (${row}.id); ` : "";
  const disown =
    `UPDATE ${table} SET version = lower(hex(randomblob(16))), types = NULL, metadata_types = NULL, keys = NULL, metadata_keys = NULL, ` +
    "updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = NEW.id; ";
  const trigger = (suffix: string, head: string, body: string): Trigger => {
    const name = `${layout.table}_foreign_${suffix}`;
    return { name, text: `CREATE TRIGGER ${quoteIdentifier(name)} AFTER ${head} BEGIN ${body}END` };
  };
  const triggers = [
    trigger("insert", `INSERT ON ${table} WHEN NEW.version IS NULL`, disown + mark("NEW")),
    trigger(
      "update",
      `UPDATE OF id, data, metadata ON ${table} WHEN NEW.version IS OLD.version`,
      disown + mark("NEW") + mark("OLD"),
    ),
  ];
  if (hasWords(layout)) triggers.push(trigger("delete", `DELETE ON ${table}`, mark("OLD")));
  return triggers;
}
