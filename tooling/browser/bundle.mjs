// Bundles core and the memory stores for a browser. Nothing of it may ask for a Node module.
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { Report } from "../test/report.mjs";

/** The scenario and all that it needs, as the text of one script. */
export async function bundle() {
  const { outputFiles, metafile } = await build({
    entryPoints: [fileURLToPath(new URL("scenario.mjs", import.meta.url))],
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    minify: true,
    metafile: true,
    write: false,
    logLevel: "silent",
    // left as imports, so that they are found below and not only by their absence
    external: ["node:*"],
  });
  return { text: outputFiles[0].text, imports: Object.values(metafile.outputs).flatMap((output) => output.imports) };
}

/** The part that needs no browser. */
export async function runBundle(results) {
  const report = new Report();
  await report.case(
    "core, backend-memory and vector-memory bundle for browsers, with no import of a Node module",
    async () => {
      const { text, imports } = await bundle();
      const foreign = imports.filter(({ external }) => external === true);
      if (foreign.length > 0) throw new Error(`the bundle imports ${foreign.map(({ path }) => path).join(", ")}`);
      if (/\b(?:from|import|require)\s*\(?\s*["']node:/.test(text)) throw new Error("the bundle names a node: module");
      const size = (bytes) => `${(bytes / 1024).toFixed(0)} kB`;
      console.log(`    ${size(text.length)} minified, ${size(gzipSync(text).length)} with gzip`);
    },
  );
  report.write(results, "browser bundle");
}
