// People, about 130 bytes of JSON each; the same for the same count, on every machine and run.

const firstNames =
  "Ada Aino Amir Bela Chen Dara Elif Emeka Freya Hana Ines Jonas Kofi Lena Mina Nils Olga Priya Rosa Sven".split(" ");
const lastNames =
  "Abe Berg Costa Dahl Eriksen Fischer Garcia Haugen Ivanov Jensen Kim Lindqvist Mensah Novak Okafor Park".split(" ");
const beginnings =
  "Alt Bad Dor Ebb Fal Gar Hav Ing Jor Kal Lin Mar Nor Ost Per Rav Sol Tor Ul Ves Wal Yst Zan Ald Bre".split(" ");
const ends =
  "berg borg by dal ford furt hagen ham havn heim holm hus land lev lund mark mora nes rup sand sted stad sund torp " +
  "ton tuna um vik ville wick wold worth ard ey ing ling ow stow thwaite toft";
const cities = beginnings.flatMap((beginning) => ends.split(" ").map((end) => beginning + end));
const tags = "chess choir climbing cooking cycling drawing fishing football gardening hiking jazz knitting".split(" ");

/** A city that one record in a thousand has. */
export const rareCity = cities[371];

/** Plain objects; `city` has 1,000 values. */
export function makePeople(count, seed = 1) {
  const next = mulberry32(seed);
  const whole = (below) => Math.floor(next() * below);
  const one = (list) => list[whole(list.length)];
  return Array.from({ length: count }, () => ({
    name: `${one(firstNames)} ${one(lastNames)}`,
    age: 18 + whole(73),
    city: one(cities),
    active: next() < 0.7,
    score: whole(10_000) / 100,
    tags: Array.from({ length: whole(4) }, () => one(tags)),
    joined: new Date(Date.UTC(2015, 0, 1 + whole(4000))).toISOString().slice(0, 10),
  }));
}

/** Some of the positions below `count`, in no order. */
export function somePositions(count, amount, seed = 2) {
  const next = mulberry32(seed);
  return Array.from({ length: amount }, () => Math.floor(next() * count));
}

function mulberry32(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
