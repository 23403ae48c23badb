// Known colours {width, height, data}: Lab a and b over 110 and a mask, at the network's size, made
// of points and pictures of hints as colorizer/known.py does. And colours to choose from.

import { chromaOf, colourOf, luminanceOf, possibleChroma } from "./lab.js";

export const SCALE = 110; // networks are given Lab's a and b in this unit

// Black has no chroma at all; but whoever points at a dark fold of a blue coat means the coat.
const DARK = 96;

// Lab a and b that things up to these gray levels usually have, the commonest first.
const LIKELY = [
  [64, [[7, 13], [-16, 18], [4, -15], [27, 19], [22, -41], [48, 34], [48, -73]]],
  [112, [[-6, 12], [15, 33], [-1, -22], [-29, 36], [33, 4], [52, 43], [29, -61]]],
  [152, [[0, 17], [-11, -15], [12, 44], [-31, 41], [32, 0], [13, -47], [44, 46]]],
  [192, [[-4, 20], [-1, -21], [20, 19], [15, 56], [-29, 49], [-27, -3], [36, -19]]],
  [255, [[3, 17], [-3, -17], [-20, 29], [4, 47], [17, -4], [-22, -2], [-20, 66]]],
];
const MOST_CHROMA = 110; // at the top of a palette: more than any colour has

/** Return the sRGB that chroma a, b has at a gray level, or as much of it as there can be. */
export function shade(level, a, b) {
  const lit = Math.max(level, DARK);
  return colourOf(luminanceOf(lit, lit, lit), a, b);
}

/** Return the usual colours of what has a gray level, sRGB, the commonest first. */
export const likely = (level) =>
  LIKELY.find(([highest]) => level <= highest)[1].map(([a, b]) => shade(level, a, b));

/** Return the colour of a palette at a gray level: hues across, `up` from gray to most chroma. */
export function paletteColour(level, across, up) {
  const [hue, chroma] = [2 * Math.PI * across, MOST_CHROMA * up];
  return shade(level, chroma * Math.cos(hue), chroma * Math.sin(hue));
}

/** Return where a palette has a colour: [across, up]. */
export function placeInPalette(colour) {
  const [a, b] = chromaOf(...colour);
  return [(Math.atan2(b, a) / (2 * Math.PI) + 1) % 1, Math.min(1, Math.hypot(a, b) / MOST_CHROMA)];
}

/** Draw points {x, y, radius, colour} as opaque discs: on nothing, or on hints that are there. */
export function drawPoints(points, { width, height, data: under }) {
  const data = new Uint8ClampedArray(under ?? 4 * width * height);
  for (const { x, y, radius, colour } of points) {
    const [column, row] = [Math.floor(x * width), Math.floor(y * height)];
    const reach = Math.round(radius * Math.max(width, height));
    for (let down = Math.max(row - reach, 0); down <= Math.min(row + reach, height - 1); down++) {
      const half = Math.floor(Math.sqrt((reach + 0.5) ** 2 - (down - row) ** 2));
      const last = Math.min(column + half, width - 1);
      for (let across = Math.max(column - half, 0); across <= last; across++) {
        data.set([...colour, 255], 4 * (down * width + across));
      }
    }
  }
  return { width, height, data };
}

/** Return the known colours that hints say, for `small`, the photograph at the network's size. */
export function fromHints(hints, { width, height, data: levels }) {
  const strongest = hints.data.reduce((most, value, place) =>
    place % 4 === 3 && value > most ? value : most, 1);
  // A pixel has the mean colour of the hints in it. A brush may be soft, or all of it translucent.
  const [count, a, b] = [0, 1, 2].map(() => new Float32Array(width * height));
  for (let from = 0; from < hints.data.length; from += 4) {
    if (hints.data[from + 3] < strongest / 2) continue;
    const pixel = from / 4;
    const row = Math.floor((Math.floor(pixel / hints.width) * height) / hints.height);
    const place = row * width + Math.floor(((pixel % hints.width) * width) / hints.width);
    const chroma = chromaOf(...Array.from(hints.data.subarray(from, from + 3)));
    count[place] += 1;
    a[place] += chroma[0];
    b[place] += chroma[1];
  }
  const data = new Float32Array(3 * width * height);
  count.forEach((here, place) => {
    // Of the rim of wide strokes, which covers pixels in part, half counts.
    const column = place % width;
    const sides = [-1, 0, 1].filter((side) => column + side >= 0 && column + side < width);
    const near = (line) => sides.map((side) => count[place + line + side] ?? 0);
    if (!here || here < Math.max(...near(-width), ...near(0), ...near(width)) / 2) return;
    const own = levels.subarray(4 * place, 4 * place + 3);
    const lit = Array.from(own, (level) => Math.max(level, DARK));
    const chroma = possibleChroma(luminanceOf(...lit), a[place] / here, b[place] / here);
    data.set([chroma[0] / SCALE, chroma[1] / SCALE, 1], 3 * place);
  });
  return { width, height, data };
}

/** Halve known colours as networks take them: the mean of what is known of four, the most mask. */
export function atHalfSize({ width, height, data }) {
  const half = new Float32Array((3 * width * height) / 4);
  for (let row = 0, target = 0; row < height; row += 2) {
    for (let column = 0; column < width; column += 2, target += 3) {
      const first = row * width + column;
      const four = [0, 1, width, width + 1].map((each) => data.subarray(3 * (first + each)));
      const sum = (value) => four.reduce((total, each) => total + value(each), 0);
      const known = Math.max(sum(([, , mask]) => mask), 1e-6);
      half[target] = sum(([a, , mask]) => a * mask) / known;
      half[target + 1] = sum(([, b, mask]) => b * mask) / known;
      half[target + 2] = Math.max(...four.map(([, , mask]) => mask));
    }
  }
  return { width: width / 2, height: height / 2, data: half };
}
