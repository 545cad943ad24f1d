import { openVectorStore, where } from "@dataknobs/core";
import { pgvector } from "@dataknobs/vector-pgvector";
import driver from "postgres";
import { clustered, questionsNear } from "./clusters.mjs";
const url=process.env.DATAKNOBS_POSTGRES_URL;
const sql = driver(url, { onnotice: () => undefined });
await sql`CREATE SCHEMA IF NOT EXISTS dk_scratch_pgv`;
const store = await openVectorStore(pgvector({connectionString:url, schemaName:"dk_scratch_pgv", table:"x", createExtension:true, indexType:"hnsw", buildAt:0}),{dimensions:128});
const vectors = clustered(20000,128);
if (await store.count()===0){ await store.add(vectors.map((vector, n) => ({id:`v${n}`,vector,metadata:{n,hundredth:n%97}}))); await store.buildIndex(); await sql`VACUUM ANALYZE dk_scratch_pgv.x`;}
const qs=questionsNear(vectors,20).map(q=>`[${q.join(",")}]`);
const cond="scope='' AND CASE WHEN jsonb_typeof(metadata -> 'hundredth') = 'number' THEN (metadata -> 'hundredth')::float8 = 7 ELSE FALSE END";
const truth=[];
for(const q of qs) truth.push(new Set((await sql.unsafe(`SELECT id FROM dk_scratch_pgv.x WHERE ${cond} ORDER BY (embedding <=> $1)+0 LIMIT 10`,[q])).map(r=>r.id)));
for (const mode of ["relaxed_order","strict_order"]) for (const ef of [40,100,200,400,1000]) for (const over of [1,2,4]) {
  let found=0; const t=performance.now();
  for (const [i,q] of qs.entries()) {
    const rows = await sql.begin(async tx=>{ await tx`SELECT set_config('hnsw.iterative_scan', ${mode}, true), set_config('hnsw.ef_search', ${String(ef)}, true)`; return tx.unsafe(`SELECT id, embedding <=> $1 AS d FROM dk_scratch_pgv.x WHERE ${cond} ORDER BY embedding <=> $1 LIMIT ${11*over}`,[q]);});
    found += rows.toSorted((a,b)=>a.d-b.d).slice(0,10).filter(r=>truth[i].has(r.id)).length;
  }
  console.log(mode, ef, over, found/200, ((performance.now()-t)/20).toFixed(1)+"ms");
}
const ex=await sql.unsafe(`EXPLAIN ANALYZE SELECT id, embedding <=> $1 AS d FROM dk_scratch_pgv.x WHERE ${cond} ORDER BY embedding <=> $1 LIMIT 11`,[qs[0]]).values();
console.log(ex.map(r=>r[0]).join("\n"));
const {sql:text, params}=store.explain({k:10, include:[], exact:true}).native;
for (const [t,p] of [[text,[qs[0],...params.slice(1)]],["SELECT id, distance FROM (SELECT id, (embedding <=> $1::vector) + 0 AS distance FROM dk_scratch_pgv.x WHERE scope='' AND TRUE ORDER BY distance LIMIT 10) AS near ORDER BY distance+0,id",[qs[0]]]]) { await sql.unsafe("EXPLAIN ANALYZE "+t,p); console.log((await sql.unsafe("EXPLAIN ANALYZE "+t,p).values()).map(r=>r[0]).join("\n")); }
