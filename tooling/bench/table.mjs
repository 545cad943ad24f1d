// The rows as text.

const heads = ["", "what", "ours", "against", "theirs", "ratio", "goal", ""];

/** Lost rows are marked, not hidden. */
export function tableOf(rows) {
  const lines = rows.map((row) => [
    row.group,
    row.what,
    quantity(row.ours, row.goal),
    row.against,
    quantity(row.theirs, row.goal),
    row.difference === undefined
      ? `${number(row.ratio)}×`
      : `${row.difference < 0 ? "" : "+"}${quantity(row.difference, row.goal)}`,
    goalText(row.goal),
    row.met === undefined ? "" : row.met ? "met" : "MISSED",
  ]);
  const widths = heads.map((head, column) => Math.max(head.length, ...lines.map((line) => line[column].length)));
  const right = new Set([2, 4, 5]);
  const print = (cells) =>
    cells
      .map((cell, column) => (right.has(column) ? cell.padStart(widths[column]) : cell.padEnd(widths[column])))
      .join("  ")
      .trimEnd();
  return [print(heads), print(widths.map((width) => "─".repeat(width))), ...lines.map(print)].join("\n");
}

/** Rows without a goal are there for the record. */
function goalText(goal) {
  if (goal === undefined) return "";
  const { atMost, atLeast, below, unit } = goal;
  if (below !== undefined) return `< ${quantity(below, { below, unit })} more`;
  return atMost === undefined ? `≥ ${atLeast}× as fast` : `≤ ${atMost}× the time`;
}

function quantity(value, goal) {
  const { below, unit = "" } = goal ?? {};
  if (below !== undefined) return `${number(value)} ${unit}`.trimEnd();
  if (value >= 1000) return `${number(value / 1000)} s`;
  if (value >= 1) return `${number(value)} ms`;
  if (value >= 1e-3) return `${number(value * 1e3)} µs`;
  return `${number(value * 1e6)} ns`;
}

function number(value) {
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
}
