/** Stores that live in a file: saved when asked or closed, loaded when asked, never over another's work. */
import { idsOf, refuses, same } from "../expect.js";
import type { VectorCase, VectorTestSession } from "./case.js";

const vector = [1, 2, 3];

function filed(id: string, run: VectorCase["run"]): VectorCase {
  return {
    id: `file/${id}`,
    requires: ({ persistence }) => persistence === "save",
    run,
    unsupported: async ({ store }: VectorTestSession) => {
      await refuses("UNSUPPORTED", () => store.save());
      await refuses("UNSUPPORTED", () => store.load());
    },
  };
}

export const fileCases: readonly VectorCase[] = [
  filed("closing-saves-what-was-not-saved", async ({ store, reopen }) => {
    await store.add([{ id: "a", vector }]);
    const again = await reopen(store);
    same(await again.count(), 1);
  }),
  filed("closing-may-give-up-what-was-not-saved", async ({ store, reopen }) => {
    await store.add([{ id: "a", vector }]);
    await store.save();
    await store.add([{ id: "b", vector }]);
    await store.close({ save: false });
    same(idsOf(await (await reopen(store)).search(vector)), ["a"]);
  }),
  filed("load-takes-what-another-saved", async ({ store, again }) => {
    await store.add([{ id: "a", vector }]);
    await store.save();
    const other = await again(store);
    await other.add([{ id: "b", vector }]);
    await other.save();
    same(await store.count(), 1);
    await store.load();
    same(idsOf(await store.search(vector)), ["a", "b"]);
    await store.add([{ id: "c", vector }]);
    await store.save();
    await other.load();
    same(await other.count(), 3);
  }),
  filed("what-another-saved-is-not-overwritten", async ({ store, again }) => {
    await store.add([{ id: "a", vector }]);
    await store.save();
    const other = await again(store);
    await other.add([{ id: "b", vector }]);
    await other.save();
    await store.add([{ id: "c", vector }]);
    await refuses("VERSION_CONFLICT", () => store.save());
    same(idsOf(await store.search(vector)), ["a", "c"], "nothing is lost by the refusal");
    await other.load();
    same(idsOf(await other.search(vector)), ["a", "b"], "the file is as the other saved it");
    await store.save({ force: true });
    await other.load();
    same(idsOf(await other.search(vector)), ["a", "c"]);
  }),
  filed("closing-over-anothers-work-fails-and-loses-nothing", async ({ store, again }) => {
    const other = await again(store);
    await other.add([{ id: "b", vector }]);
    await other.save();
    await store.add([{ id: "c", vector }]);
    await refuses("VERSION_CONFLICT", () => store.close());
    same([store.status, idsOf(await store.search(vector))], ["open", ["c"]]);
    await store.save({ force: true });
    await store.close();
    await other.load();
    same(idsOf(await other.search(vector)), ["c"]);
  }),
  filed("load-does-not-give-up-unsaved-changes", async ({ store }) => {
    await store.add([{ id: "a", vector }]);
    await store.save();
    await store.add([{ id: "b", vector }]);
    await refuses("VERSION_CONFLICT", () => store.load());
    same(await store.count(), 2);
    await store.load({ force: true });
    same(idsOf(await store.search(vector)), ["a"]);
    await store.load();
  }),
  filed("saving-twice-without-a-change-is-fine", async ({ store, reopen }) => {
    await store.save();
    await store.add([{ id: "a", vector }]);
    await store.save();
    await store.save();
    await store.updateMetadata("a", { n: 1 });
    await store.save();
    const again = await reopen(store);
    same((await again.get(["a"]))[0]?.metadata, { n: 1 });
  }),
  filed("every-kind-of-write-is-unsaved-until-saved", async ({ store, again }) => {
    const writes = [
      () =>
        store.add([
          { id: "a", vector },
          { id: "b", vector },
          { id: "c", vector },
        ]),
      () => store.updateMetadata("a", { n: 1 }),
      () => store.updateMetadataWhere({ and: [] }, { m: 1 }),
      () => store.delete(["b"]),
      () => store.clear({ path: "id", op: "=", value: "c" }),
      () => store.clear(),
    ];
    for (const write of writes) {
      await write();
      await refuses("VERSION_CONFLICT", () => store.load());
      await store.save();
      await store.load();
    }
    same(await (await again(store)).count(), 0);
  }),
  filed("writes-during-a-save-are-whole", async ({ store, reopen }) => {
    await store.add(Array.from({ length: 300 }, (_, n) => ({ id: `v${n}`, vector: [n + 1, 1, 1], metadata: { n } })));
    const saving = store.save();
    await Promise.all([
      store.delete(["v0", "v299"]),
      store.add([{ id: "new", vector, metadata: { n: 1000 } }]),
      saving,
    ]);
    const again = await reopen(store);
    same(await again.count(), 299);
    for (const n of [1, 150, 298]) {
      same(await again.get([`v${n}`]), [{ id: `v${n}`, vector: new Float32Array([n + 1, 1, 1]), metadata: { n } }]);
    }
  }),
];
