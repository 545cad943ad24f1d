/** Whether a path is a file or a folder of parts. */
import { statSync } from "node:fs";
import type { IndexSpec } from "@dataknobs/core/backend";
import { Folder } from "./folder.js";
import type { Settings } from "./options.js";
import { SingleFile } from "./single.js";
import type { Storage } from "./storage.js";

export function storageAt(path: string, settings: Settings, declared: readonly IndexSpec[]): Storage {
  const isFolder =
    settings.partitionBy !== undefined ||
    settings.maxPartBytes !== undefined ||
    statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  if (isFolder) return new Folder(path, settings, declared);
  return new SingleFile(path, { settings, declared, prefix: "" });
}
