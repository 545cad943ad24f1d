/** Hostile names and texts: they work as they are, and nothing is ever injected. */
import { where } from "../../query/builder.js";
import type { Fields } from "../../record/values.js";
import { idsOf, same } from "../expect.js";
import { goodIds, hostileNames, hostileTexts } from "../strings.js";
import type { VectorCase } from "./case.js";

function field(name: string, value: Fields[string]): Fields {
  return Object.defineProperty({}, name, { value, enumerable: true, configurable: true, writable: true }) as Fields;
}

export const hostileCases: readonly VectorCase[] = [
  {
    id: "hostile/ids-are-kept-and-found",
    run: async ({ store }) => {
      await store.add(goodIds.map((id, n) => ({ id, vector: [n + 1, 1, 1], metadata: { n }, text: id })));
      same(await store.count(), goodIds.length);
      const rows = await store.get(goodIds);
      for (const [n, id] of goodIds.entries()) {
        const what = `the id ${JSON.stringify(id.slice(0, 40))}`;
        same([rows[n]?.id, rows[n]?.metadata, rows[n]?.text], [id, { n }, id], what);
        same(idsOf(await store.search([1, 1, 1], { filter: where("id", "=", id) })), [id], what);
      }
      const half = goodIds.filter((_, n) => n % 2 === 0);
      same(new Set(await store.delete(half)), new Set([true]));
      same(await store.count(), goodIds.length - half.length);
      for (const id of goodIds) same(await store.updateMetadata(id, { new: true }), !half.includes(id));
    },
  },
  {
    id: "hostile/field-names-are-kept-and-found",
    run: async ({ store }) => {
      await store.add(
        hostileNames.map((name, n) => ({
          id: `r${n}`,
          vector: [n + 1, 1, 1],
          metadata: { ...field("o", field(name, n)), ...field(name, n) },
        })),
      );
      for (const [n, name] of hostileNames.entries()) {
        const what = `the field ${JSON.stringify(name.slice(0, 40))}`;
        same(idsOf(await store.search([1, 1, 1], { filter: where(["metadata", name], "=", n) })), [`r${n}`], what);
        same(await store.count(where(["o", name], ">=", n)), 1, `nested, ${what}`);
        same(Object.hasOwn((await store.get([`r${n}`]))[0]?.metadata ?? {}, name), true, what);
      }
      same(({} as { polluted?: number }).polluted, undefined);
    },
  },
  {
    id: "hostile/field-names-are-changed",
    run: async ({ store }) => {
      await store.add([{ id: "a", vector: [1, 1, 1] }]);
      for (const name of hostileNames) {
        const what = `the field ${JSON.stringify(name.slice(0, 40))}`;
        same(await store.updateMetadataWhere({ and: [] }, field(name, new Date(7))), 1, what);
        same((await store.get(["a"]))[0]?.metadata, field(name, new Date(7)), what);
        same(await store.updateMetadata("a", {}), true, what);
      }
    },
  },
  {
    id: "hostile/texts-are-kept-and-found",
    run: async ({ store }) => {
      await store.add(
        hostileTexts.map((v, n) => ({ id: `r${n}`, vector: [n + 1, 1, 1], metadata: { v, list: [v] }, text: v })),
      );
      for (const [n, v] of hostileTexts.entries()) {
        const what = `the text ${JSON.stringify(v)}`;
        same(idsOf(await store.search([1, 1, 1], { filter: where("v", "=", v) })), [`r${n}`], what);
        same(await store.count(where("v", "in", [v, "no such text"])), 1, what);
        same(await store.count(where("list", "contains", v)), 1, what);
        same(await store.count(where("v", "like", v.replace(/[\\%_]/g, "\\$&"))), 1, what);
        same((await store.get([`r${n}`]))[0]?.text, v, what);
      }
    },
  },
];
