// Measures two ways of doing one thing against each other: A B, B A, A B … in one process, so that what disturbs one
// disturbs both. What counts is the median of the rounds' ratios; the times are for orientation.

/**
 * One side of a comparison. A function is called and timed; with `setUp` it is called on what that made, once per
 * sample, and `tearDown` gets it after. `time` replaces all that: it gives milliseconds of its own measuring.
 *
 * @typedef {(() => unknown) | { setUp?: () => unknown, run: (state: unknown) => unknown, tearDown?: (state: unknown) => unknown }
 *   | { time: () => Promise<{ ms: number, answer?: unknown }> }} Side
 *
 * @typedef {object} Goal `atMost`: our time per theirs. `atLeast`: our speed per theirs. `below`: our excess, in `unit`.
 * @property {number} [atMost]
 * @property {number} [atLeast]
 * @property {number} [below]
 * @property {string} [unit]
 */

const shortestSample = 25;

export class Bench {
  /** Rows of the table, as they come. */
  #report;
  #group;
  #rounds;

  constructor({ group, rounds, report }) {
    this.#group = group;
    this.#rounds = rounds;
    this.#report = report;
  }

  /**
   * Measures `ours` against `theirs` and adds a row. Both must give the same answer, where they give a number or text.
   * `per`: things done in one call, so that the times shown are those of one.
   */
  async compare({ what, against, goal, ours, theirs, per = 1, rounds = this.#rounds }) {
    const [a, b] = [await ready(ours), await ready(theirs)];
    const answers = [a.answer, b.answer];
    if (answers.every((answer) => answer !== undefined) && answers[0] !== answers[1]) {
      throw new Error(`${what}: ours gives ${answers[0]}, ${against} gives ${answers[1]}`);
    }
    const samples = [];
    for (let round = 0; round < rounds; round++) {
      const order = round % 2 === 0 ? [a, b] : [b, a];
      for (const side of order) side.last = await side.sample();
      samples.push({ ours: a.last, theirs: b.last, ratio: a.last / b.last });
    }
    const slower = median(samples.map(({ ratio }) => ratio));
    const ratio = goal?.atMost === undefined ? 1 / slower : slower;
    this.#report({
      group: this.#group,
      what,
      against,
      ours: median(samples.map((sample) => sample.ours)) / per,
      theirs: median(samples.map((sample) => sample.theirs)) / per,
      ratio,
      goal,
      met: goal === undefined ? undefined : goal.atLeast === undefined ? ratio <= goal.atMost : ratio >= goal.atLeast,
    });
  }

  /** Adds a row for two quantities that were measured elsewhere: ours may be so much more than theirs. */
  difference({ what, against, goal, ours, theirs }) {
    const met = ours - theirs < goal.below;
    this.#report({ group: this.#group, what, against, ours, theirs, difference: ours - theirs, goal, met });
  }
}

/** A side after its warm-up, with the number of calls that makes a sample long enough for the clock. */
async function ready(side) {
  if (side.time !== undefined) {
    const { answer } = await side.time();
    return { answer: comparable(answer), sample: async () => (await side.time()).ms };
  }
  if (side.setUp !== undefined || side.tearDown !== undefined) {
    const { setUp = () => undefined, run, tearDown = () => undefined } = side;
    let answer;
    const sample = async () => {
      const state = await setUp();
      globalThis.gc?.();
      const start = performance.now();
      const result = run(state);
      answer = isThenable(result) ? await result : result;
      const time = performance.now() - start;
      await tearDown(state);
      return time;
    };
    await sample();
    await sample();
    return { answer: comparable(answer), sample };
  }
  const run = side.run ?? side;
  const answer = await run();
  let calls = 1;
  for (const end = performance.now() + 300; ; ) {
    const time = await timed(run, calls);
    if (time < shortestSample) calls = Math.ceil(calls * Math.min(10, (shortestSample * 1.2) / Math.max(time, 0.1)));
    else if (performance.now() > end) break;
  }
  return {
    answer: comparable(answer),
    sample: async () => {
      // no gc() here: collections age the compiled code of the other side away
      return (await timed(run, calls)) / calls;
    },
  };
}

async function timed(run, calls) {
  const start = performance.now();
  for (let call = 0; call < calls; call++) {
    const result = run();
    // an await that is not needed would be measured too
    if (isThenable(result)) await result;
  }
  return performance.now() - start;
}

function isThenable(value) {
  return typeof value?.then === "function";
}

/** Of an answer, what the two sides must agree in. */
function comparable(answer) {
  return typeof answer === "number" || typeof answer === "string" ? answer : undefined;
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
