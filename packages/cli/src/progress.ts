/** How far a long job is: a bar with rate and time left on a terminal, a plain line now and then in a log. */
import { SingleBar } from "cli-progress";
import type { Sink } from "./output.js";

export interface Progress {
  update(done: number, total: number): void;
  end(): void;
}

const everyMs = 5000;

export function progressOn(what: string, err: Sink & { readonly isTTY?: boolean }): Progress {
  return err.isTTY === true ? onTerminal(what, err as unknown as NodeJS.WritableStream) : inLog(what, err);
}

function onTerminal(what: string, stream: NodeJS.WritableStream): Progress {
  const bar = new SingleBar({
    format: `${what} {bar} {percentage}% {value}/{total} · {rate}/s · {eta_formatted} left`,
    stream,
    hideCursor: true,
    etaBuffer: 50,
    barsize: 30,
  });
  const started = performance.now();
  let running = false;
  return {
    update(done, total) {
      const rate = Math.round((done / Math.max(1, performance.now() - started)) * 1000);
      if (!running) bar.start(total, done, { rate });
      running = true;
      bar.setTotal(total);
      bar.update(done, { rate });
    },
    end() {
      if (running) bar.stop();
    },
  };
}

function inLog(what: string, err: Sink): Progress {
  const started = performance.now();
  let last = started;
  return {
    update(done, total) {
      const now = performance.now();
      if (now - last < everyMs) return;
      last = now;
      const rate = (done / (now - started)) * 1000;
      const left = rate > 0 ? `, ${Math.ceil((total - done) / rate)} s left` : "";
      err.write(`${what}: ${done} of ${total}, ${Math.round(rate)}/s${left}\n`);
    },
    end() {
      // the report says the rest
    },
  };
}
