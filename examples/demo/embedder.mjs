// A TOY, so that the demo needs no model and no download: a text becomes the count of its words and of the letters in
// them, scattered over some dimensions by a hash. It knows how words are spelled and nothing of what they mean, and says
// nothing about how well a search with a real model's vectors does. Put your model's function in its place.
export const dimensions = 256;

/** The same vector for the same text, on every machine. */
export function embed(text) {
  const vector = new Float32Array(dimensions);
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    add(vector, word, 1);
    const padded = `<${word}>`;
    for (let at = 0; at + 3 <= padded.length; at++) add(vector, padded.slice(at, at + 3), 0.4);
  }
  return vector;
}

function add(vector, feature, weight) {
  let hash = 0x811c9dc5;
  for (const character of feature) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193) >>> 0;
  // one bit decides the sign, so that what collides by chance cancels out on average
  vector[(hash >>> 1) % dimensions] += hash & 1 ? weight : -weight;
}
