/** Documents of an older layout, or without one, written again with the fields that the layout of now asks for. */
import type { Call } from "@dataknobs/core/backend";
import { documentOf, recordOf } from "./documents.js";
import { classify, serverError } from "./errors.js";
import { pages, type Scope, whole } from "./search.js";
import type { Answer } from "./wire.js";

const maxRounds = 100;

function stale({ layout }: Scope): object {
  return { bool: { must_not: [{ term: { "side.layout": layout.signature } }] } };
}

export async function staleCount(scope: Scope, { signal }: Call): Promise<number> {
  const { wire, layout, routing } = scope;
  await wire.ask({ method: "POST", path: [layout.index, "_refresh"], signal });
  const answer: Answer = await wire.ask({
    method: "POST",
    path: [layout.target, "_search"],
    query: { routing, ...whole },
    body: { query: stale(scope), size: 0, track_total_hits: true },
    signal,
  });
  return answer.hits.total.value;
}

/** Throws `CORRUPT` at a document that is no record: no query could be trusted to find it. */
export async function rebuild(scope: Scope, call: Call): Promise<void> {
  const { wire, layout, routing } = scope;
  for (let round = 0; round < maxRounds; round++) {
    if ((await staleCount(scope, call)) === 0) return;
    const body = {
      query: stale(scope),
      seq_no_primary_term: true,
      sort: ["_shard_doc"],
      size: 1000,
      track_total_hits: false,
    };
    for await (const hits of pages(scope, body, call)) {
      const lines = hits.map((hit) => {
        const action = { index: { _id: hit._id, if_seq_no: hit._seq_no, if_primary_term: hit._primary_term } };
        return `${JSON.stringify(action)}\n${documentOf(recordOf(hit), layout)}\n`;
      });
      const answer: Answer = await wire.ask({
        method: "POST",
        path: [layout.target, "_bulk"],
        query: { routing, require_alias: layout.target !== layout.index, filter_path: "items.*.status,items.*.error" },
        body: lines.join(""),
        ...call,
      });
      for (const { index } of answer.items) {
        // written by another meanwhile, and so with all fields, or deleted
        if (index.status >= 300 && index.status !== 409 && index.status !== 404)
          throw classify(serverError(index.status, index));
      }
    }
  }
}
