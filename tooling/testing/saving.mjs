// What processes do that save a vector store's file: until they kill themselves amid a save, or against each other.
import { existsSync, writeFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout } from "node:timers/promises";
import { DataknobsError } from "@dataknobs/core";

/** The process ends at the `after`th of the file operations that the plan names. */
export function killAt({ operation, after }) {
  const files = process.getBuiltinModule("node:fs/promises");
  let seen = 0;
  const die = () => process.kill(process.pid, "SIGKILL");
  const due = (name) => name === operation && ++seen >= after;

  for (const name of ["rename", "link", "rm", "readdir"]) {
    const right = files[name];
    files[name] = async (...args) => {
      if (due(`before ${name}`)) die();
      const result = await right(...args);
      if (due(`after ${name}`)) die();
      return result;
    };
  }
  const { open } = files;
  files.open = async (...args) => {
    const file = await open(...args);
    if (args[1] !== "wx") return file;
    const { write, sync } = file;
    file.write = async (bytes, offset, length) => {
      // a part of it, as a crash may leave it
      if (due("write")) {
        await write.call(file, bytes, offset, Math.floor(length / 2));
        die();
      }
      return write.call(file, bytes, offset, length);
    };
    file.sync = async () => {
      if (due("sync")) die();
      return sync.call(file);
    };
    return file;
  };
}

/** Saves again and again, and prints what it tries and what was saved. Vectors have 8 dimensions. */
export async function saveAgain(store) {
  for (let round = 1; round <= 20; round++) {
    const vector = new Array(8).fill(round);
    await store.add(Array.from({ length: 200 }, (_, n) => ({ id: `v${n}`, vector, metadata: { round } })));
    writeSync(1, `trying ${round}\n`);
    await store.save();
    writeSync(1, `saved ${round}\n`);
  }
}

/** Adds a row of its own and saves, loading anew where another was first; prints how often it was told. */
export async function rival(store, { path, name, names, rounds }) {
  // all have the store open before the first one saves: then one of them has to be told
  writeFileSync(`${dirname(path)}.${name}`, "");
  while (!names.every((one) => existsSync(`${dirname(path)}.${one}`))) await setTimeout(2);
  let told = 0;
  for (let round = 0; round < rounds; ) {
    await store.add([{ id: `${name}-${round}`, vector: new Array(8).fill(round) }]);
    try {
      await store.save();
      round++;
    } catch (error) {
      if (!DataknobsError.is(error, "VERSION_CONFLICT")) throw error;
      told++;
      await store.load({ force: true });
    }
  }
  await store.close();
  process.stdout.write(`${told}\n`);
}
