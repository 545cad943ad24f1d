// Runs the scenario in a real Chromium: served on 127.0.0.1, read back from the page's DOM.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Report } from "../test/report.mjs";
import { bundle } from "./bundle.mjs";
import { findChromium } from "./chromium.mjs";

const page =
  '<!doctype html><meta charset="utf-8"><title>dataknobs</title><body><script type="module" src="/scenario.js"></script>';

const { text } = await bundle();
const server = createServer((request, response) => {
  const script = request.url === "/scenario.js";
  response.writeHead(200, { "content-type": script ? "text/javascript" : "text/html" });
  response.end(script ? text : page);
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));

const report = new Report();
const profile = mkdtempSync(join(tmpdir(), "dataknobs-chromium-"));
try {
  let found;
  await report.case("Chromium loads the bundle and runs it to its end", async () => {
    const dom = await dump(`http://127.0.0.1:${server.address().port}/`);
    const json = /<pre id="result">(.*?)<\/pre>/s.exec(dom)?.[1];
    if (json === undefined) throw new Error(`the page has no result:\n${dom.slice(0, 2000)}`);
    found = JSON.parse(json.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&"));
  });
  for (const { name, failure } of found ?? []) report.add(`Chromium: ${name}`, failure);
} finally {
  server.close();
  server.closeAllConnections();
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
}
report.write(process.argv[2] ?? join(".results", "chromium.json"), "chromium");
process.exitCode = report.failed > 0 ? 1 : 0;

/** The page's DOM once its script has ended. */
function dump(url) {
  const child = spawn(
    findChromium(),
    [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--no-first-run",
      `--user-data-dir=${profile}`,
      "--virtual-time-budget=10000",
      "--dump-dom",
      url,
    ],
    { stdio: ["ignore", "pipe", "pipe"], timeout: 60_000, killSignal: "SIGKILL" },
  );
  let dom = "";
  let errors = "";
  child.stdout.on("data", (chunk) => {
    dom += chunk;
  });
  child.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("close", (status, signal) => {
      if (status === 0) done(dom);
      else fail(new Error(`Chromium ended with ${signal ?? status}:\n${errors.slice(-2000)}`));
    });
  });
}
