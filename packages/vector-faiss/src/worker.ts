/** The engine on a thread of its own: it answers in the order in which it is asked. */
import { parentPort, workerData } from "node:worker_threads";
import { Engine } from "./engine.js";
import { toWire } from "./errors.js";
import type { Answer, Argument, Message, OperationName } from "./protocol.js";

const port = parentPort;
if (port === null) throw new TypeError("worker.js runs as a worker thread only.");
const engine = new Engine(new Int32Array(workerData as SharedArrayBuffer));

port.on("message", (message: Message | null) => {
  // asked to end, and all that was asked before is answered
  if (message === null) return port.close();
  const { id, name, argument } = message;
  let answer: Answer;
  try {
    answer = { id, result: engine.call(name, argument as Argument<OperationName>) };
  } catch (error) {
    answer = { id, error: toWire(error) };
  }
  port.postMessage(answer, transfersOf(answer));
});

/** Memory that the answer gives away. */
function transfersOf(answer: Answer): ArrayBuffer[] {
  if ("error" in answer || typeof answer.result !== "object" || answer.result === null) return [];
  return Object.values(answer.result).flatMap((value: unknown) =>
    ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer ? [value.buffer] : [],
  );
}
