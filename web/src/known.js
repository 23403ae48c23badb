// Known colours {width, height, data}: Lab a and b over 110 and a mask, at the network's size; from
// points and pictures of hints, as colorizer/known.py makes them. And colours to choose from.

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

/** Draw points {x, y, radius, colour} as hints: a picture, transparent but for opaque discs. */
export function drawPoints(points, { width, height, data: under = null }) {
  const data = under ? new Uint8ClampedArray(under) : new Uint8ClampedArray(4 * width * height);
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
export function fromHints(hints, small) {
  const { width, height } = small;
  let strongest = 1;
  for (let place = 3; place < hints.data.length; place += 4) {
    strongest = Math.max(strongest, hints.data[place]);
  }
  // A pixel has the mean colour of the hints in it. A brush may be soft, or all of it translucent.
  const count = new Float32Array(width * height);
  const data = new Float32Array(3 * width * height);
  for (let pixel = 0; pixel < hints.width * hints.height; pixel++) {
    if (hints.data[4 * pixel + 3] < strongest / 2) continue;
    const [red, green, blue] = hints.data.subarray(4 * pixel, 4 * pixel + 3);
    const row = Math.floor((Math.floor(pixel / hints.width) * height) / hints.height);
    const place = row * width + Math.floor(((pixel % hints.width) * width) / hints.width);
    const [a, b] = chromaOf(red, green, blue);
    count[place] += 1;
    data[3 * place] += a / SCALE;
    data[3 * place + 1] += b / SCALE;
  }
  for (let place = 0; place < count.length; place++) {
    // Of the rim of wide strokes, which covers pixels in part, half counts.
    let most = 0;
    for (let row = Math.max(0, Math.floor(place / width) - 1); row <= place / width + 1; row++) {
      for (let side = -1; side <= 1; side++) {
        const column = (place % width) + side;
        if (row < height && column >= 0 && column < width) {
          most = Math.max(most, count[row * width + column]);
        }
      }
    }
    const counts = count[place] > 0 && count[place] >= most / 2;
    const levels = small.data.subarray(4 * place, 4 * place + 3).map((each) => Math.max(each, DARK));
    const [a, b] = [0, 1].map((channel) => (data[3 * place + channel] / count[place]) * SCALE);
    const chroma = counts ? possibleChroma(luminanceOf(...levels), a, b) : [0, 0];
    data.set([chroma[0] / SCALE, chroma[1] / SCALE, counts ? 1 : 0], 3 * place);
  }
  return { width, height, data };
}

/** Halve known colours as networks take them: the mean of what is known of four, the most mask. */
export function atHalfSize({ width, height, data }) {
  const half = new Float32Array((3 * width * height) / 4);
  for (let row = 0, target = 0; row < height; row += 2) {
    for (let column = 0; column < width; column += 2, target += 3) {
      let [a, b, total, most] = [0, 0, 0, 0];
      for (const place of [0, 1, width, width + 1]) {
        const from = 3 * (row * width + column + place);
        const mask = data[from + 2];
        a += mask * data[from];
        b += mask * data[from + 1];
        total += mask;
        most = Math.max(most, mask);
      }
      half.set([a / Math.max(total, 1e-6), b / Math.max(total, 1e-6), most], target);
    }
  }
  return { width: width / 2, height: height / 2, data: half };
}
