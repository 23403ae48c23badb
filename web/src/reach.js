// How far a known colour goes: to where edges begin, and beyond them only what is no surprise.
// The sums of colorizer/reach.py, which says why; all at half the network's size.

import { SCALE } from "./known.js";
import { LINEAR, rootOf } from "./lab.js";
import { shrinkPlanes, stretchPlanes } from "./resize.js";

const SMOOTHING = 1.25; // pixels over which luminance and chroma are smoothed: texture is no edge
const FARTHEST = 120; // a way ends where the squared differences of Lab along it add up to this,
const SHARPNESS = 8; // and how suddenly
const SURPRISE = 20; // what differs from the automatic chroma by less goes all the way
const SWEEPS = 3; // over the picture, each to all four sides: a way may turn so often

/** Blur planes by a Gaussian, in place; beyond the edge is the mirror image. */
function blur({ width, height, data }, channels) {
  const radius = Math.round(4 * SMOOTHING);
  const weights = Array.from({ length: 2 * radius + 1 }, (_, place) =>
    Math.exp(-((place - radius) ** 2) / (2 * SMOOTHING ** 2)),
  );
  const whole = weights.reduce((sum, weight) => sum + weight);
  const inside = (place, length) => {
    if (length === 1) return 0;
    const turn = Math.abs(place) % (2 * length - 2);
    return Math.min(turn, 2 * length - 2 - turn);
  };
  for (const [lines, length, next, stride] of [
    [height, width, width, 1],
    [width, height, 1, width],
  ]) {
    const line = new Float32Array(length);
    for (let number = 0; number < lines * channels; number++) {
      const channel = number % channels;
      const at = (place) =>
        channels * (Math.floor(number / channels) * next + place * stride) + channel;
      for (let place = 0; place < length; place++) line[place] = data[at(place)];
      for (let place = 0; place < length; place++) {
        let sum = 0;
        weights.forEach((weight, each) => {
          sum += weight * line[inside(place + each - radius, length)];
        });
        data[at(place)] = sum / whole;
      }
    }
  }
}

/** Return the squared differences of Lab along the easiest way to any seed. */
function edgesTo(seeds, { width, height, data: lab }) {
  const far = Float32Array.from(seeds, (seed) => (seed > 0 ? 0 : Infinity));
  const step = (from, to) => {
    let sum = 0;
    for (let channel = 0; channel < 3; channel++) {
      sum += (lab[3 * from + channel] - lab[3 * to + channel]) ** 2;
    }
    far[to] = Math.min(far[to], far[from] + sum);
  };
  const { length } = far;
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (let place = width; place < length; place++) step(place - width, place);
    for (let place = length - width - 1; place >= 0; place--) step(place + width, place);
    for (let place = 0; place < length; place++) if (place % width) step(place - 1, place);
    for (let place = length - 1; place >= 0; place--) if (place % width) step(place, place - 1);
  }
  return far;
}

/** Return, for each place, the nearest known one, by the distances of a chamfer of 5 x 5. */
function nearestKnown({ width, height, data }) {
  const far = new Float32Array(width * height).fill(Infinity);
  const nearest = Int32Array.from(far, (_, place) => place);
  for (let place = 0; place < far.length; place++) if (data[3 * place + 2] > 0) far[place] = 0;
  const moves = [
    [-1, -2, 2.1969], [1, -2, 2.1969], [-2, -1, 2.1969], [-1, -1, 1.4],
    [0, -1, 1], [1, -1, 1.4], [2, -1, 2.1969], [-1, 0, 1],
  ];
  for (const sign of [1, -1]) {
    for (let number = 0; number < far.length; number++) {
      const place = sign > 0 ? number : far.length - 1 - number;
      const [column, row] = [place % width, Math.floor(place / width)];
      for (const [across, down, distance] of moves) {
        const [x, y] = [column + sign * across, row + sign * down];
        if (x < 0 || x >= width || y < 0 || y >= height) continue;
        const from = y * width + x;
        if (far[from] + distance < far[place]) {
          far[place] = far[from] + distance;
          nearest[place] = nearest[from];
        }
      }
    }
  }
  return nearest;
}

/**
 * Return chroma that is `told` where known colours reach, and `automatic` elsewhere.
 *
 * `told` is predicted with the known colours, `automatic` without; `gray` are the levels, 0 to 255,
 * that the network saw.
 */
export function confined(told, automatic, known, gray) {
  const { width, height } = told;
  const size = width * height;
  const [halfWidth, halfHeight] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const lab = new Float32Array(3 * size);
  for (let place = 0; place < size; place++) {
    lab[3 * place] = 116 * rootOf(LINEAR[gray[place]]) - 16;
    lab[3 * place + 1] = automatic.data[2 * place];
    lab[3 * place + 2] = automatic.data[2 * place + 1];
  }
  const halfLab = shrinkPlanes({ width, height, data: lab }, 3, halfWidth, halfHeight);
  blur(halfLab, 3);
  const mask = { width, height, data: known.data.filter((_, place) => place % 3 === 2) };
  const seeds = shrinkPlanes(mask, 1, halfWidth, halfHeight).data;
  const within = edgesTo(seeds, halfLab).map((far) => 1 / (1 + (far / FARTHEST) ** SHARPNESS));
  const half = { width: halfWidth, height: halfHeight, data: within };
  const reached = stretchPlanes(half, 1, width, height).data;
  const nearest = nearestKnown(known);
  const data = new Float32Array(2 * size);
  for (let place = 0; place < size; place++) {
    const [from, to] = [3 * nearest[place], 2 * nearest[place]];
    const amiss = Math.hypot(
      known.data[from] * SCALE - automatic.data[to],
      known.data[from + 1] * SCALE - automatic.data[to + 1],
    );
    const share = reached[place] + (1 - reached[place]) * Math.exp(-((amiss / SURPRISE) ** 2));
    for (const each of [2 * place, 2 * place + 1]) {
      data[each] = automatic.data[each] + share * (told.data[each] - automatic.data[each]);
    }
  }
  return { width, height, data };
}
