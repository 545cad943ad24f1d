// Where the demo keeps its films. A store is a line here and nothing anywhere else.
import { join } from "node:path";
import { duckdb } from "@dataknobs/backend-duckdb";
import { file } from "@dataknobs/backend-file";
import { memory } from "@dataknobs/backend-memory";
import { sqlite } from "@dataknobs/backend-sqlite";

/** Stores that run inside this process, in a folder of the demo's own. */
export function embedded(folder) {
  return [
    memory(),
    file({ path: join(folder, "movies.jsonl") }),
    sqlite({ path: join(folder, "movies.db") }),
    duckdb({ path: join(folder, "movies.duckdb") }),
  ];
}

/** Stores on servers, which `npm run demo -- --all` starts; those whose address is known. */
export async function servers() {
  const { DATAKNOBS_POSTGRES_URL, DATAKNOBS_ELASTICSEARCH_URL, DATAKNOBS_S3_URL } = process.env;
  const stores = [];
  if (DATAKNOBS_POSTGRES_URL) {
    const { postgres } = await import("@dataknobs/backend-postgres");
    stores.push(postgres({ connectionString: DATAKNOBS_POSTGRES_URL, table: "dataknobs_demo" }));
  }
  if (DATAKNOBS_ELASTICSEARCH_URL) {
    const { elasticsearch } = await import("@dataknobs/backend-elasticsearch");
    stores.push(elasticsearch({ hosts: DATAKNOBS_ELASTICSEARCH_URL, index: "dataknobs-demo" }));
  }
  if (DATAKNOBS_S3_URL) {
    const { s3 } = await import("@dataknobs/backend-s3");
    stores.push(s3({ endpointUrl: DATAKNOBS_S3_URL, bucket: "dataknobs-demo", prefix: "movies", createBucket: true }));
  }
  return stores;
}
