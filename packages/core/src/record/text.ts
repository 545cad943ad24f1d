/** Text rules that hold for ids, field names, string values and operands alike. */

/** No U+0000 and no lone surrogate: what every backend can keep unchanged. */
export function isPortableText(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}

/** UTF-8 bytes of a well-formed text. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) continue;
    // a surrogate pair is two units and four bytes
    bytes += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}
