// Colours to sRGB by a profile of curves and a matrix, with the sums of Little CMS for 8 bits: each
// browser rounds in its own way, and in dark channels a level more or less becomes several.

import { gammaOf, within } from "./lab.js";

const ONE = 1 << 14; // in fixed point
const SAME = 2; // levels by which a profile that is sRGB may differ from it
const STEP = 51; // levels between those that tell
// XYZ (D50) to linear sRGB, by Bradford's adaptation.
const RGB_OF_XYZ = [
  [3.13418636, -1.61720896, -0.49069406],
  [-0.9787485, 1.9161301, 0.0334334],
  [0.07196393, -0.22899387, 1.40575373],
];

const fixed = (value) => Math.floor(ONE * value + 0.5);
const LEVELS = Uint8Array.from({ length: ONE + 1 }, (_, light) => {
  const deep = Math.floor(65535 * gammaOf(light / ONE) + 0.5);
  return (65281 * deep + (1 << 23)) / (1 << 24);
});
const levelOf = (light) => LEVELS[within((light + ONE / 2) >> 14, 0, ONE)];

/** Return the function of a curve's tag, from levels to light, both 0 to 1. */
function curveOf(tag) {
  if (tag.getUint32(0) === 0x70617261) { // "para"
    const count = { 0: 1, 3: 5 }[tag.getUint16(8)]; // others are not those of photographs
    const numbers = Array.from({ length: count }, (_, each) => tag.getInt32(12 + 4 * each) / 65536);
    const [gamma, a = 1, b = 0, c = 0, d = 0] = numbers;
    return (x) => (x >= d ? (a * x + b) ** gamma : c * x);
  }
  const last = tag.getUint32(8) - 1;
  if (last < 1) return (x) => x ** (last ? 1 : tag.getUint16(12) / 256);
  return (x) => {
    const place = Math.min(Math.floor(x * last), last - 1);
    const [low, high] = [12, 14].map((each) => tag.getUint16(2 * place + each) / 65535);
    return low + (x * last - place) * (high - low);
  };
}

/** Return the tags of a profile by their names: each a DataView. */
function tagsOf({ buffer, byteOffset, length }) {
  const view = new DataView(buffer, byteOffset, length);
  const entries = Array.from({ length: view.getUint32(128) }, (_, each) => {
    const [place, size] = [136, 140].map((field) => view.getUint32(12 * each + field));
    const letters = [132, 133, 134, 135].map((field) => view.getUint8(12 * each + field));
    return [String.fromCharCode(...letters), new DataView(buffer, byteOffset + place, size)];
  });
  return Object.fromEntries(entries);
}

/** Return a function that changes RGBA by a profile's tags, in place. */
function changeOf(tags) {
  const named = (rest) => ["r", "g", "b"].map((each) => tags[each + rest]);
  const [reds, greens, blues] = named("TRC").map(curveOf).map((curve) =>
    Int32Array.from({ length: 256 }, (_, level) => fixed(curve(level / 255))));
  const part = (tag, row) =>
    row.reduce((sum, share, each) => sum + (share * tag.getInt32(8 + 4 * each)) / 65536, 0);
  const matrix = RGB_OF_XYZ.map((row) => named("XYZ").map((tag) => fixed(part(tag, row))));
  return (pixels) => {
    for (let place = 0; place < pixels.length; place += 4) {
      const [red, green] = [reds[pixels[place]], greens[pixels[place + 1]]];
      const blue = blues[pixels[place + 2]];
      for (let each = 0; each < 3; each++) {
        const [r, g, b] = matrix[each];
        pixels[place + each] = levelOf(r * red + g * green + b * blue);
      }
    }
  };
}

/** Tell whether a change leaves colours where they are. */
function isNone(change) {
  const steps = [0, 1, 2, 3, 4, 5];
  const levels = steps.flatMap((r) => steps.flatMap((g) => steps.flatMap((b) => [r, g, b, 5])))
    .map((step) => STEP * step);
  const changed = [...levels];
  change(changed);
  return levels.every((level, place) => Math.abs(level - changed[place]) <= SAME);
}

/** Return how to change RGBA to sRGB by a profile, in place; null where it is another kind. */
export function toSrgb(profile) {
  try {
    const tags = tagsOf(profile);
    if (tags.A2B0) return null; // a table, which counts more than a matrix
    const change = changeOf(tags);
    return isNone(change) ? () => {} : change;
  } catch {
    return null; // of gray or CMYK, or damaged
  }
}
