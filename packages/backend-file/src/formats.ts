/** Formats by name. */
import { csv } from "./formats/csv.js";
import type { Format } from "./formats/format.js";
import { json } from "./formats/json.js";
import { parquet } from "./formats/parquet.js";
import type { Settings } from "./options.js";

/** How a format reads and writes whole files; `undefined` for a log. */
export function formatOf(settings: Settings): Format | undefined {
  switch (settings.format) {
    case "jsonl":
      return undefined;
    case "json":
      return json;
    case "csv":
      return csv;
    case "parquet":
      return parquet(settings);
  }
}
