// Chroma onto a photograph's own luminance: colorizer/chroma.py, strip by strip.

import {
  LEVEL_OF_STEP, LINEAR, LUMINANCE, RGB_OF_X, RGB_OF_Z, ROOT_OF_STEP, STEPS,
  lightOf, luminanceOf, possibleShare, rootOf,
} from "./lab.js";
import { linearTaps, rowsOf } from "./resize.js";

// What counts as flat where chroma is a straight line in lightness, in squared L / 100.
const FIT_EPSILON = 0.05 ** 2;

/** Return the mean of each place and its eight neighbours; beyond the edge is the edge. */
function mean(plane, width, height) {
  const across = new Float32Array(plane.length);
  const made = new Float32Array(plane.length);
  for (let place = 0; place < plane.length; place++) {
    const column = place % width;
    const left = column ? plane[place - 1] : plane[place];
    const right = column < width - 1 ? plane[place + 1] : plane[place];
    across[place] = left + plane[place] + right;
  }
  for (let place = 0; place < plane.length; place++) {
    const above = place >= width ? across[place - width] : across[place];
    const below = place < plane.length - width ? across[place + width] : across[place];
    made[place] = (above + across[place] + below) / 9;
  }
  return made;
}

/**
 * Fit Lab chroma as straight lines in the photograph's own root of luminance.
 *
 * `small` is the photograph at the chroma's size. Returns four interleaved planes: slope and offset
 * of root(X), then of root(Z). Enlarged and applied to the full-size root(Y), they let chroma
 * change where lightness does. Source: He & Sun 2015, "Fast Guided Filter".
 */
function fitChroma(small, chroma, strength) {
  const { width, height } = chroma;
  const size = width * height;
  const averaged = (value) => mean(Float32Array.from({ length: size }, value), width, height);
  const guide = Float32Array.from({ length: size }, (_, place) =>
    rootOf(luminanceOf(...small.data.subarray(4 * place, 4 * place + 3))),
  );
  const meanGuide = mean(guide, width, height);
  const meanSquare = averaged((_, place) => guide[place] ** 2);
  const lines = new Float32Array(4 * size);
  for (const [channel, unit] of [[0, 500], [1, -200]]) {
    const distance = Float32Array.from({ length: size }, (_, place) =>
      (strength * chroma.data[2 * place + channel]) / unit,
    );
    const meanDistance = mean(distance, width, height);
    const meanProduct = averaged((_, place) => guide[place] * distance[place]);
    const slope = averaged((_, place) => {
      const covariance = meanProduct[place] - meanGuide[place] * meanDistance[place];
      return covariance / (meanSquare[place] - meanGuide[place] ** 2 + FIT_EPSILON);
    });
    for (let place = 0; place < size; place++) {
      lines[4 * place + 2 * channel] = 1 + slope[place];
      lines[4 * place + 2 * channel + 1] = distance[place] - slope[place] * guide[place];
    }
  }
  return lines;
}

/**
 * Return a function that paints rows of RGBA in place: (rows, top, count).
 *
 * They are those of a photograph of `width` and `height`, of which `small` is the picture at the
 * size of `chroma`. Luminance stays; colours that sRGB cannot show lose chroma until it can.
 */
export function painter(small, chroma, strength, width, height) {
  const lines = fitChroma(small, chroma, strength);
  const down = linearTaps(chroma.height, height);
  const columns = linearTaps(chroma.width, width);
  const left = Int32Array.from(columns, ({ first }) => 4 * first);
  const step = Int32Array.from(columns, ({ weights }) => 4 * (weights.length - 1));
  const share = Float32Array.from(columns, ({ weights }) => weights[1] ?? 0);
  const line = new Float32Array(4 * chroma.width);
  return (rows, top, count) => {
    for (let row = 0; row < count; row++) {
      const { first, weights } = down[top + row];
      for (let place = 0; place < line.length; place++) {
        const above = 4 * chroma.width * first + place;
        line[place] = weights[0] * lines[above];
        if (weights.length > 1) line[place] += weights[1] * lines[above + line.length];
      }
      paintRow(rows.subarray(4 * width * row, 4 * width * (row + 1)), line, left, step, share);
    }
  };
}

/** Paint a row of RGBA with the lines of its chroma, which pixels sample by `left` and `share`. */
function paintRow(row, line, left, step, share) {
  const [redWeight, greenWeight, blueWeight] = LUMINANCE;
  const [redOfX, greenOfX, blueOfX] = RGB_OF_X;
  const [redOfZ, greenOfZ, blueOfZ] = RGB_OF_Z;
  for (let column = 0, pixel = 0; column < left.length; column++, pixel += 4) {
    const y = redWeight * LINEAR[row[pixel]] + greenWeight * LINEAR[row[pixel + 1]] +
      blueWeight * LINEAR[row[pixel + 2]];
    const light = y * STEPS + 0.5; // in whole steps, rounded, it is the place in the tables
    const root = ROOT_OF_STEP[light | 0];
    const near = left[column];
    const far = near + step[column];
    const part = share[column];
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

/** Paint a picture {width, height, data} and return it; `small` is it at the chroma's size. */
export function addChroma(picture, small, chroma, strength) {
  const { width, height } = picture;
  const data = new Uint8ClampedArray(picture.data);
  painter(small, chroma, strength, width, height)(rowsOf({ width, data })(0, height), 0, height);
  return { width, height, data };
}
