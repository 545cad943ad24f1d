import { spawn } from "node:child_process";

const deadly = ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Runs a command with our own input and output, and answers with its exit status. A signal that would have ended us
 * ends the command first, and then us; without this the command would go on alone.
 */
export function foreground(command, args, options = {}) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { stdio: "inherit", ...options });
    let got;
    let impatient;
    const listener = (signal) => {
      got ??= signal;
      // A terminal sends Ctrl-C to the command too, and twice would mean "at once" to it.
      if (signal === "SIGINT") impatient ??= setTimeout(() => child.kill("SIGTERM"), 1000);
      else child.kill(signal);
    };
    // npm runs us in a shell, which dies of a signal without passing it on.
    const parent = process.ppid;
    const orphaned = () => process.ppid !== parent && got === undefined && listener("SIGTERM");
    const watch = process.env.npm_lifecycle_event === undefined ? undefined : setInterval(orphaned, 500);
    const settle = () => {
      clearTimeout(impatient);
      clearInterval(watch);
      for (const signal of deadly) process.off(signal, listener);
    };
    for (const signal of deadly) process.on(signal, listener);
    child.on("error", (error) => {
      settle();
      fail(error);
    });
    child.on("close", (status) => {
      settle();
      if (got !== undefined) process.kill(process.pid, got);
      else done(status ?? 1);
    });
  });
}
