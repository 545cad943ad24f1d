// A process that saves again and again until it kills itself at the file operation that its arguments name.
import { writeSync } from "node:fs";
import { openVectorStore } from "@dataknobs/core";
import { faiss } from "../../dist/index.js";

const { path, operation, after } = JSON.parse(process.argv[2]);
const files = process.getBuiltinModule("node:fs/promises");
let seen = 0;
const die = () => process.kill(process.pid, "SIGKILL");
const due = (name) => name === operation && ++seen >= after;

const { open, rename } = files;
files.rename = async (...args) => {
  if (due("before rename")) die();
  await rename(...args);
  if (due("after rename")) die();
};
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

const store = await openVectorStore(faiss({ path, indexType: "HNSW8" }), { dimensions: 8, metric: "euclidean" });
for (let round = 1; round <= 20; round++) {
  const vector = new Array(8).fill(round);
  await store.add(Array.from({ length: 200 }, (_, n) => ({ id: `v${n}`, vector, metadata: { round } })));
  writeSync(1, `trying ${round}\n`);
  await store.save();
  writeSync(1, `saved ${round}\n`);
}
