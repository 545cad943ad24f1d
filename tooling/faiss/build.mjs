// Brings the binary of faiss-node to where its own install script would have put it. That script downloads from outside
// of the package registry, so it does not run here; instead the source that the npm package carries is compiled against
// Debian's libfaiss-dev, in some seconds, once for each set of versions. It is compiled as the published binary is: what
// Faiss refuses ends the process, so that a test which passes has called nothing that Faiss refuses.
//
//     node tooling/faiss/build.mjs     exits with 1 and the reason where this machine cannot have it
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder, npm } from "../bootstrap/download.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const versions = JSON.parse(readFileSync(join(here, "versions.json"), "utf8"));
const debian = ["libfaiss-dev", "libopenblas0-pthread"];

/** Why the tests of the faiss store cannot run here; `undefined` once its binary is in place. */
export function missingFaiss() {
  try {
    provideFaiss();
    return undefined;
  } catch (error) {
    return error.message;
  }
}

/** Puts the binary in place, made before or now. */
export function provideFaiss() {
  const packaged = packageFolder();
  const target = join(packaged, "build", "Release", "faiss-node.node");
  if (existsSync(target) && loads(packaged)) return;
  if (process.platform !== "linux")
    throw new Error(`the binary is compiled on Debian Linux only, not on ${process.platform}.`);
  const built = join(build(), "faiss-node.node");
  mkdirSync(dirname(target), { recursive: true });
  const incoming = `${target}.${process.pid}`;
  copyFileSync(built, incoming);
  renameSync(incoming, target);
  const problem = loadProblem(packaged);
  if (problem !== undefined) throw new Error(`the binary that was compiled does not load: ${problem}`);
}

/** Where the package that is tested finds faiss-node. */
function packageFolder() {
  const store = createRequire(join(here, "..", "..", "packages", "vector-faiss", "package.json"));
  return realpathSync(dirname(store.resolve("faiss-node/package.json")));
}

/** In a process of its own: this one would keep what it loaded. */
function loadProblem(folder) {
  const run = spawnSync(process.execPath, ["-e", "require(process.argv[1])", folder], { encoding: "utf8" });
  return run.status === 0 ? undefined : (run.stderr.match(/^\w*Error.*$/m)?.[0] ?? `status ${run.status}`);
}

function loads(folder) {
  return loadProblem(folder) === undefined;
}

/** The folder in the cache that has the binary. */
function build() {
  const installed = debianVersion() ?? installDebian();
  const cache = cacheFolder();
  const key = [`faiss-node-${versions["faiss-node"]}`, `napi-${versions["node-addon-api"]}`, `faiss-${installed}`];
  const folder = join(cache, `${key.join("-").replace(/[^\w.+-]/g, "_")}-${process.platform}-${process.arch}`);
  if (existsSync(folder)) return folder;
  console.error(`dataknobs: compiling faiss-node ${versions["faiss-node"]} against libfaiss ${installed} …`);
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, "incoming-"));
  try {
    compile(work);
    // only what is needed is kept
    const done = join(work, "done");
    mkdirSync(done);
    renameSync(join(work, "faiss-node.node"), join(done, "faiss-node.node"));
    try {
      renameSync(done, folder);
    } catch (error) {
      // Another process was faster; its copy is as good as ours.
      if (!existsSync(folder)) throw error;
    }
    return folder;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function compile(work) {
  writeFileSync(join(work, "package.json"), '{ "private": true }\n');
  const specs = Object.entries(versions).map(([name, version]) => `${name}@${version}`);
  // faiss-node has a node-addon-api of its own, of this version
  run(
    npm(["install", "--prefix", work, "--ignore-scripts", "--no-audit", "--no-fund", ...specs], { cwd: work }),
    "npm install",
  );
  // libfaiss 1.7.3 has no name for the type of ids
  writeFileSync(join(work, "ids.h"), "#include <cstdint>\nnamespace faiss { using idx_t = std::int64_t; }\n");
  const multiarch = run(spawnSync("g++", ["-print-multiarch"], { encoding: "utf8" }), "g++").trim();
  const modules = join(work, "node_modules");
  const args = [
    ...["-O2", "-std=c++17", "-fPIC", "-shared", "-fopenmp", "-include", join(work, "ids.h")],
    ...["-DNAPI_VERSION=8", "-DNAPI_CPP_EXCEPTIONS"],
    ...[`-I${join(modules, "node-api-headers", "include")}`, `-I${join(modules, "node-addon-api")}`],
    ...[join(modules, "faiss-node", "src", "faiss.cc"), "-o", join(work, "faiss-node.node")],
    ...["-Wl,--exclude-libs,ALL", `/usr/lib/${multiarch}/libfaiss.a`, "-lblas", "-llapack", "-static-libstdc++"],
  ];
  run(spawnSync("g++", args, { encoding: "utf8" }), "g++");
}

/** What a command printed; throws with what it complained of. */
function run({ status, error, stdout, stderr }, command) {
  if (status === 0) return stdout;
  const what =
    error?.code === "ENOENT" ? "is not installed" : (error?.message ?? stderr).trim().split("\n").slice(-5).join("\n");
  throw new Error(`faiss-node cannot be compiled here: ${command} ${what}`);
}

function debianVersion() {
  const query = spawnSync("dpkg-query", ["-W", "-f", "$" + "{db:Status-Status} $" + "{Version}\n", ...debian], {
    encoding: "utf8",
  });
  const lines = (query.stdout ?? "").trim().split("\n");
  if (lines.length !== debian.length || lines.some((line) => !line.startsWith("installed "))) return undefined;
  return lines[0].split(" ")[1];
}

function installDebian() {
  const by = `apt-get install ${debian.join(" ")}`;
  if (process.getuid?.() !== 0) throw new Error(`libfaiss is not installed; as root: ${by}`);
  const install = () =>
    spawnSync("apt-get", ["install", "-y", "--no-install-recommends", ...debian], {
      encoding: "utf8",
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
  let done = install();
  if (done.status !== 0 && done.error === undefined) {
    spawnSync("apt-get", ["update"], { encoding: "utf8" });
    done = install();
  }
  const version = done.status === 0 ? debianVersion() : undefined;
  if (version === undefined)
    throw new Error(`libfaiss cannot be installed here: \`${by}\` failed.\n${done.error?.message ?? done.stderr}`);
  return version;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const reason = missingFaiss();
  if (reason !== undefined) {
    console.error(`The native module of the faiss store is not there: ${reason}`);
    process.exitCode = 1;
  }
}
