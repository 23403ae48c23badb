// Chroma onto a photograph's own luminance: colorizer/chroma.py, row by row.

import { LINEAR, LUMINANCE, RGB_OF_X, RGB_OF_Z, lightOf, luminanceOf, rootOf } from "./lab.js";
import { LEVEL_OF_STEP, ROOT_OF_STEP, STEPS, possibleShare } from "./lab.js";
import { linearTaps } from "./resize.js";

// What counts as flat where chroma is a straight line in lightness, in squared L / 100.
const FIT_EPSILON = 0.05 ** 2;

/** Return the mean of each place and its eight neighbours; beyond the edge is the edge. */
function mean(plane, width) {
  const across = plane.map((value, place) => {
    const column = place % width;
    const left = column ? plane[place - 1] : value;
    return left + value + (column < width - 1 ? plane[place + 1] : value);
  });
  return across.map((value, place) => {
    return ((across[place - width] ?? value) + value + (across[place + width] ?? value)) / 9;
  });
}

/**
 * Fit Lab chroma as straight lines in the photograph's own root of luminance.
 *
 * `small` is the photograph at the chroma's size. Returns four interleaved planes: slope and offset
 * of root(X), then of root(Z). Enlarged and applied to the full-size root(Y), they let chroma
 * change where lightness does. Source: He & Sun 2015, "Fast Guided Filter".
 */
function fitChroma(small, { width, height, data }, strength) {
  const size = { length: width * height };
  const plane = (value) => Float32Array.from(size, (_, place) => value(place));
  const averaged = (value) => mean(plane(value), width);
  const levels = (place) => small.data.subarray(4 * place, 4 * place + 3);
  const guide = plane((place) => rootOf(luminanceOf(...levels(place))));
  const [middle, square] = [mean(guide, width), averaged((place) => guide[place] ** 2)];
  const lines = new Float32Array(4 * guide.length);
  for (const [channel, unit] of [[0, 500], [1, -200]]) {
    const distance = plane((place) => (strength * data[2 * place + channel]) / unit);
    const far = mean(distance, width);
    const product = averaged((place) => guide[place] * distance[place]);
    const slope = averaged((place) => {
      const covariance = product[place] - middle[place] * far[place];
      return covariance / (square[place] - middle[place] ** 2 + FIT_EPSILON);
    });
    guide.forEach((root, place) => {
      lines[4 * place + 2 * channel] = 1 + slope[place];
      lines[4 * place + 2 * channel + 1] = distance[place] - slope[place] * root;
    });
  }
  return lines;
}

/**
 * Return a function that paints rows of RGBA in place: (rows, top).
 *
 * They are those of a photograph of `width` and `height`, of which `small` is the picture at the
 * size of `chroma`. Luminance stays; colours that sRGB cannot show lose chroma until it can.
 */
export function painter(small, chroma, strength, width, height) {
  const lines = fitChroma(small, chroma, strength);
  const [down, columns] = [linearTaps(chroma.height, height), linearTaps(chroma.width, width)];
  const left = Int32Array.from(columns, ({ first }) => 4 * first);
  const right = Int32Array.from(columns, ({ first, weights }) => 4 * (first + weights.length - 1));
  const share = Float32Array.from(columns, ({ weights }) => weights[1] ?? 0);
  const line = new Float32Array(4 * chroma.width);
  return (rows, top) => {
    for (let row = 0; 4 * width * row < rows.length; row++) {
      const { first, weights } = down[top + row];
      const [above, below] = [first, first + weights.length - 1].map((each) => each * line.length);
      for (let place = 0; place < line.length; place++) {
        const near = lines[above + place];
        line[place] = near + (weights[1] ?? 0) * (lines[below + place] - near);
      }
      paintRow(rows.subarray(4 * width * row, 4 * width * (row + 1)), line, left, right, share);
    }
  };
}

/** Paint a row of RGBA with the lines of its chroma, between places `left` and `right` of each. */
function paintRow(row, line, left, right, share) {
  const [redWeight, greenWeight, blueWeight] = LUMINANCE;
  const [redOfX, greenOfX, blueOfX] = RGB_OF_X;
  const [redOfZ, greenOfZ, blueOfZ] = RGB_OF_Z;
  for (let column = 0, pixel = 0; column < left.length; column++, pixel += 4) {
    const y = redWeight * LINEAR[row[pixel]] + greenWeight * LINEAR[row[pixel + 1]] +
      blueWeight * LINEAR[row[pixel + 2]];
    const light = y * STEPS + 0.5; // in whole steps, rounded, it is the place in the tables
    const root = ROOT_OF_STEP[light | 0];
    const [near, far, part] = [left[column], right[column], share[column]];
    const slopeX = line[near] + part * (line[far] - line[near]);
    const offsetX = line[near + 1] + part * (line[far + 1] - line[near + 1]);
    const slopeZ = line[near + 2] + part * (line[far + 2] - line[near + 2]);
    const offsetZ = line[near + 3] + part * (line[far + 3] - line[near + 3]);
    const x = lightOf(slopeX * root + offsetX) - y;
    const z = lightOf(slopeZ * root + offsetZ) - y;
    const red = redOfX * x + redOfZ * z;
    const green = greenOfX * x + greenOfZ * z;
    const blue = blueOfX * x + blueOfZ * z;
    const scale = STEPS * possibleShare(y, red, green, blue);
    row[pixel] = LEVEL_OF_STEP[Math.max(0, light + scale * red) | 0];
    row[pixel + 1] = LEVEL_OF_STEP[Math.max(0, light + scale * green) | 0];
    row[pixel + 2] = LEVEL_OF_STEP[Math.max(0, light + scale * blue) | 0];
  }
}
