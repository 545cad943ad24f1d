/**
 * Inner products of 8-bit integers, sixteen at a time: what JavaScript has no instruction for, WebAssembly has. The
 * module works on blocks that are copied into its memory, so that the store's arrays stay JavaScript's own.
 *
 *     (func (export "dots") (param $query i32) (param $codes i32) (param $rows i32) (param $stride i32) (param $out i32)
 *       (local $at i32) (local $end i32) (local $sum v128) (local $x v128) (local $y v128)
 *       (local.set $end (i32.add (local.get $query) (local.get $stride)))
 *       (block $done (loop $row
 *         (br_if $done (i32.eqz (local.get $rows)))
 *         (local.set $at (local.get $query))
 *         (local.set $sum (v128.const i64x2 0 0))
 *         (loop $column
 *           $sum = i32x4.add($sum, i32x4.extadd_pairwise_i16x8_s(i16x8.extmul_low_i8x16_s($x = load $at, $y = load $codes)))
 *           $sum = i32x4.add($sum, i32x4.extadd_pairwise_i16x8_s(i16x8.extmul_high_i8x16_s($x, $y)))
 *           $codes += 16; $at += 16; (br_if $column (i32.lt_u $at $end)))
 *         (i32.store $out <the four lanes of $sum added>)
 *         $out += 4; $rows -= 1; (br $row))))
 */
const module_ =
  "AGFzbQEAAAABCQFgBX9/f39/AAMCAQAFBAEBBQUHEQIGbWVtb3J5AgAEZG90cwAACp0BAZoBAgJ/A3sgACADaiEGAkADQCACRQ0BIAAhBf0MAAAAAAAA" +
  "AAAAAAAAAAAAACEHA0AgByAF/QAAACIIIAH9AAAAIgn9nAH9fv2uASAIIAn9nQH9fv2uASEHIAFBEGohASAFQRBqIgUgBkkNAAsgBCAH/RsAIAf9GwFq" +
  "IAf9GwJqIAf9GwNqNgIAIARBBGohBCACQQFrIQIMAAsLCw==";

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  dots(query: number, codes: number, rows: number, stride: number, out: number): void;
}
interface WebAssemblyLike {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: Exports };
}

export interface Int8Kernel {
  /** Rows at once, at this stride; 0 where not one fits. */
  rowsFor(stride: number): number;
  /** Where to put the query's codes, and after them the rows'. */
  readonly bytes: Int8Array;
  /** Inner products of the query with so many rows; valid until the next call. */
  dots(stride: number, rows: number): Int32Array;
}

let kernel: Int8Kernel | null | undefined;

/** `undefined` where WebAssembly is not there, not allowed, or without its vector instructions. */
export function int8Kernel(): Int8Kernel | undefined {
  kernel ??= makeKernel() ?? null;
  return kernel ?? undefined;
}

const mostRows = 512;

function makeKernel(): Int8Kernel | undefined {
  const { WebAssembly } = globalThis as unknown as { readonly WebAssembly?: WebAssemblyLike };
  if (WebAssembly === undefined) return undefined;
  let exports: Exports;
  try {
    const bytes = Uint8Array.from(atob(module_), (character) => character.charCodeAt(0));
    ({ exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes)));
  } catch {
    // a page's policy forbids it, or the engine is too old: the exact search does without
    return undefined;
  }
  const { buffer } = exports.memory;
  return {
    bytes: new Int8Array(buffer),
    rowsFor: (stride) => Math.max(0, Math.min(mostRows, Math.floor((buffer.byteLength - stride) / (stride + 4)))),
    dots(stride, rows) {
      const out = stride * (rows + 1);
      exports.dots(0, stride, rows, stride, out);
      return new Int32Array(buffer, out, rows);
    },
  };
}
