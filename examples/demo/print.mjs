// Aligned text for a terminal of 100 columns; colour only where someone sees it.
export const width = 100;

const colourful = process.stdout.isTTY === true && !process.env.NO_COLOR;
const paint = (code) => (text) => (colourful ? `\x1b[${code}m${text}\x1b[0m` : String(text));

export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);
export const yellow = paint(33);
export const cyan = paint(36);

export function line(text = "") {
  console.log(text);
}

export function heading(text) {
  line(`\n${cyan(`── ${text} ${"─".repeat(Math.max(0, width - text.length - 4))}`)}`);
}

/** Rows of cells under a head; numbers to the right, the widest column cut where the line would be too long. */
export function table(head, rows, { indent = 2, style = (text) => text } = {}) {
  const texts = rows.map((row) => row.map(show));
  const widths = head.map((name, column) => Math.max(name.length, ...texts.map((row) => row[column].length)));
  const room = width - indent - 2 * (head.length - 1);
  for (let over = sum(widths) - room; over > 0; over--) widths[widths.indexOf(Math.max(...widths))]--;
  const right = head.map((_, column) => rows.some((row) => typeof row[column] === "number"));
  const print = (cells, paintCell) =>
    line(
      " ".repeat(indent) +
        cells
          .map((text, column) => {
            const cut = text.length > widths[column] ? `${text.slice(0, widths[column] - 1)}…` : text;
            const padding = " ".repeat(widths[column] - cut.length);
            const last = column === cells.length - 1 && !right[column];
            return paintCell(right[column] ? padding + cut : cut + (last ? "" : padding), column);
          })
          .join("  "),
    );
  print(head, dim);
  for (const row of texts) print(row, style);
}

/** Lines no longer than the terminal, broken at spaces. */
export function wrap(text, indent) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== "" && indent.length + last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines.map((one, index) => (index === 0 ? indent : " ".repeat(indent.length)) + one).join("\n");
}

/** One value of a cell. */
function show(value) {
  if (value === null || value === undefined) return "–";
  if (Object.prototype.toString.call(value) === "[object Date]") return value.toISOString().slice(0, 10);
  if (typeof value === "number") {
    return value.toLocaleString("en", { maximumFractionDigits: Number.isInteger(value) ? 0 : 2 });
  }
  return String(value);
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
