/**
 * Numbers that Chroma compares as JavaScript does. Its JSON parser is off by the last bit for some texts of more than 15
 * digits, and by different bits in a row and in a filter. So a filter pushes plain numbers only, which every parser
 * reads exactly; any other number stands in Chroma between its two plain neighbours, where it compares with every
 * plain number as it should, and its own value is kept beside.
 */

/** At most 15 digits, or a safe integer; written without an exponent, and within 64-bit integers. */
export function isPlain(number: number): boolean {
  if (Number.isSafeInteger(number)) return true;
  const size = Math.abs(number);
  return size >= least && size < most && Number(number.toPrecision(15)) === number;
}

const least = 1e-7;
const most = 1e18;

/** Itself, or something strictly between its plain neighbours. */
export function standIn(number: number): number {
  if (isPlain(number)) return number;
  const size = Math.abs(number);
  return Math.sign(number) * betweenNeighbours(size);
}

function betweenNeighbours(size: number): number {
  if (size >= most) return 1e21;
  if (size < least) return 5e-8;
  // safe integers of 16 digits are plain, and so are its neighbours
  if (size >= 1e15 && size < Number.MAX_SAFE_INTEGER) return Math.floor(size) + 0.5;
  const [digits = "", exponent = ""] = size.toExponential(14).split("e");
  const nearest = digits.replace(".", "");
  const last = Number(exponent) - 14;
  if (Number(`${nearest}e${last}`) < size) return Number(`${nearest}5e${last - 1}`);
  // below a power of ten the plain numbers lie closer together
  if (nearest === "100000000000000") return Number(`9999999999999995e${last - 2}`);
  return Number(`${Number(nearest) - 1}5e${last - 1}`);
}
