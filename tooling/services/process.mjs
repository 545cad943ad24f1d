// Who a process is. A number alone names nobody: it is given again once its process has ended.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** When the process began, in the system's own terms; `undefined` where there is none (or only a zombie of it). */
function startOf(pid) {
  if (process.platform === "linux") {
    let stat;
    try {
      stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    } catch {
      return undefined;
    }
    // The second field is the program's name in parentheses, which may hold spaces and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // In ticks since the boot, so the boot is part of it.
    return "ZX".includes(fields[0]) ? undefined : `${fields[19]}-${bootId()}`;
  }
  const asked = spawnSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], { encoding: "utf8" });
  const [, state, started] = /^\s*(\S+)\s+(.*\S)\s*$/.exec(asked.stdout ?? "") ?? [];
  return started === undefined || state.startsWith("Z") ? undefined : started.replaceAll(/\W+/g, "-");
}

function bootId() {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim().slice(0, 8);
}

/** What `isAlive` needs to know a process again. */
export function identify(pid) {
  return { pid, start: startOf(pid) };
}

export function isAlive(identity) {
  return identity?.start !== undefined && startOf(identity.pid) === identity.start;
}

/** Ends a process that leads its own group: asks with `signal`, and after `seconds` kills the group. */
export async function end(identity, signal, seconds) {
  if (!isAlive(identity)) return;
  process.kill(identity.pid, signal);
  const deadline = Date.now() + seconds * 1000;
  while (isAlive(identity)) {
    if (Date.now() > deadline) {
      process.kill(-identity.pid, "SIGKILL");
      while (isAlive(identity)) await sleep(50);
      return;
    }
    await sleep(50);
  }
}

/** Runs a program to its end and answers with its output; the end of the output is in the error where it fails. */
export function run(command, args, options = {}) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        output = (output + chunk).slice(-65_536);
      });
    }
    child.on("error", fail);
    child.on("close", (status, signal) => {
      if (status === 0) done(output);
      else
        fail(
          new Error(
            `${command} ended with ${signal ?? status}.\n${output.trimEnd().split("\n").slice(-20).join("\n")}`,
          ),
        );
    });
  });
}

/** Whether a program runs here at all. */
export function canRun(command, args) {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}
