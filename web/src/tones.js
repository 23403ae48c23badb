// Tones of faded prints: black, white and the middle as a photograph has them. The sums are those
// of colorizer/prints/fading.py, and of `frame` in colorizer/prints/scans.py, which say why.

import { ramp, within } from "./lab.js";
import { shrink } from "./resize.js";

const END = 0.005;
const [BLACK, MIDDLE, WHITE] = [0.03, 0.45, 0.93];
const TOWARDS = 0.3;
const FADED = [0.18, 0.21];
const MOST_GAIN = 2.5;
const [LEAST_GAMMA, MOST_GAMMA] = [0.6, 1.6];

const BAND = 256; // rows that are counted at a time
const LOOKED_AT = 400; // pixels a side in which a frame is looked for
const [MOST_FRAME, FRAME_DEVIATION] = [0.2, 5];
const [DARK, BRIGHT] = [40, 215];

const meanOf = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Return where what is no frame begins and ends along a side of so many pixels, from its lines. */
function inside(lines, side) {
  const even = lines.map((line) => {
    const mean = meanOf(line);
    const deviation = Math.sqrt(meanOf(line.map((level) => (level - mean) ** 2)));
    return deviation <= FRAME_DEVIATION && (mean <= DARK || mean >= BRIGHT);
  });
  const leading = (each) => {
    const count = each.indexOf(false);
    const sure = count > 0 && count <= Math.round(MOST_FRAME * each.length);
    return sure ? Math.round(((count + 1) * side) / each.length) : 0; // in one more they mix
  };
  return [leading(even), side - leading([...even].reverse())];
}

/** Count the levels of a gray picture inside its frame. */
function counted({ width, height, rows }) {
  const [columns, lines] = [width, height].map((side) => Math.min(side, LOOKED_AT));
  const { data } = shrink(rows, width, height, columns, lines);
  const planeOf = (count, next, length, stride) =>
    Array.from({ length: count }, (_, line) =>
      Array.from({ length }, (_, place) => data[4 * (line * next + place * stride)]));
  const [top, bottom] = inside(planeOf(lines, columns, columns, 1), height);
  const [left, right] = inside(planeOf(columns, 1, lines, columns), width);
  const counts = new Float64Array(256);
  for (let first = top; first < bottom; first += BAND) {
    const band = rows(first, Math.min(BAND, bottom - first));
    for (let start = 0; start < band.length; start += 4 * width) {
      for (let column = left; column < right; column++) counts[band[start + 4 * column]]++;
    }
  }
  return counts;
}

/** Return what each level of a gray picture {width, height, rows} of RGBA becomes. */
export function curveOf(gray) {
  const counts = counted(gray);
  const all = counts.reduce((sum, count) => sum + count);
  const levels = Uint8ClampedArray.from(counts.keys());
  let below = 0;
  const share = counts.map((count) => (below += count) / all);
  const [black, white] = [END, 1 - END].map((end) => share.findIndex((each) => each >= end) / 255);
  const amiss = Math.max(0, black - BLACK) + Math.max(0, WHITE - white);
  const sure = ramp(amiss, FADED);
  if (!sure || white <= black) return levels;
  const gain = Math.min(MOST_GAIN, (WHITE - BLACK) / (white - black));
  const low = BLACK + (WHITE - BLACK - gain * (white - black)) / 2;
  const stretched = Array.from(levels, (level) => within(low + gain * (level / 255 - black)));
  const mean = stretched.reduce((sum, light, level) => sum + light * counts[level], 0) / all;
  const wanted = mean + TOWARDS * (MIDDLE - mean);
  const gamma = Math.log(wanted) / Math.log(within(mean, 0.01, 0.99));
  const power = within(gamma, LEAST_GAMMA, MOST_GAMMA);
  return levels.map((level) => level + sure * (255 * stretched[level] ** power - level));
}

/** Return a gray picture with the tones of one that has not faded. */
export function unfaded(gray) {
  const levels = curveOf(gray);
  const changed = (value, place) => (place % 4 === 3 ? value : levels[value]);
  return { ...gray, rows: (top, count) => gray.rows(top, count).map(changed) };
}
