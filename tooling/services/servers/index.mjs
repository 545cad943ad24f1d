import { chroma } from "./chroma.mjs";
import { elasticsearch } from "./elasticsearch.mjs";
import { postgres } from "./postgres.mjs";
import { s3 } from "./s3.mjs";

/** Every server by its name; README.md describes the shape. */
export const servers = { postgres, elasticsearch, s3, chroma };
