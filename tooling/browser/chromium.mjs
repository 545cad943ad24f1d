// Finds a Chromium, or installs Debian's where this process may.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "chrome.exe"];
const places = ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"];

/** The path of the executable, `DATAKNOBS_CHROMIUM` before any other. */
export function findChromium() {
  if (process.env.DATAKNOBS_CHROMIUM) return process.env.DATAKNOBS_CHROMIUM;
  const folders = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  return [...folders.flatMap((folder) => names.map((name) => join(folder, name))), ...places].find(existsSync);
}

/** What is missing, in words; `undefined` once there is a Chromium. */
export function missingChromium() {
  if (findChromium() !== undefined) return undefined;
  const asked = "no Chromium is there (looked for chromium and google-chrome on PATH, and at DATAKNOBS_CHROMIUM)";
  if (process.getuid?.() !== 0) return asked;
  console.log("Installing Chromium with apt-get …");
  const run = (...args) =>
    spawnSync("apt-get", args, { encoding: "utf8", env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } });
  run("update");
  const install = run("install", "-y", "--no-install-recommends", "chromium");
  if (findChromium() !== undefined) return undefined;
  const reason = install.error?.message ?? install.stderr.trim().split("\n").at(-1);
  return `${asked}, and apt-get could not install it: ${reason}`;
}
