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
  const radius = 4 * SMOOTHING;
  const bell = Array.from({ length: 2 * radius + 1 }, (_, place) =>
    Math.exp(-((place - radius) ** 2) / (2 * SMOOTHING ** 2)));
  const whole = bell.reduce((sum, weight) => sum + weight);
  const ways = [[height, width, width, 1], [width, 1, height, width]];
  for (const [lines, next, length, stride] of ways) {
    const turn = Math.max(1, 2 * length - 2);
    const inside = (place) => Math.min(Math.abs(place) % turn, turn - (Math.abs(place) % turn));
    for (let number = 0; number < lines * channels; number++) {
      const begin = channels * Math.floor(number / channels) * next + (number % channels);
      const at = (place) => begin + channels * place * stride;
      const line = Float32Array.from({ length }, (_, place) => data[at(place)]);
      for (let place = 0; place < length; place++) {
        const sum = bell.reduce((total, weight, each) =>
          total + weight * line[inside(place + each - radius)], 0);
        data[at(place)] = sum / whole;
      }
    }
  }
}

/** Return the squared differences of Lab along the easiest way to any seed. */
function edgesTo(seeds, { width, data: lab }) {
  const far = seeds.map((seed) => (seed > 0 ? 0 : Infinity));
  const last = far.length - 1;
  const step = (from, to) => {
    let sum = far[from];
    for (let each = 0; each < 3; each++) sum += (lab[3 * from + each] - lab[3 * to + each]) ** 2;
    far[to] = Math.min(far[to], sum);
  };
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (let place = width; place <= last; place++) step(place - width, place);
    for (let place = last; place >= width; place--) step(place, place - width);
    for (let place = 1; place <= last; place++) if (place % width) step(place - 1, place);
    for (let place = last; place > 0; place--) if (place % width) step(place, place - 1);
  }
  return far;
}

/** Return how far a place is, about, as OpenCV measures it with a mask of 5 x 5. */
function chamfer(across, down) {
  const [long, short] = [Math.max(across, down), Math.min(across, down)];
  if (long >= 2 * short) return long - 2 * short + 2.1969 * short;
  return 1.4 * (2 * short - long) + 2.1969 * (long - short);
}

/** Return, for each place, how far the nearest known colour is from the chroma painted alone. */
function surprise(known, automatic) {
  const { width, data } = known;
  const seeds = [];
  for (let place = 0; 3 * place < data.length; place++) {
    if (!data[3 * place + 2]) continue;
    const amiss = Math.hypot(
      data[3 * place] * SCALE - automatic.data[2 * place],
      data[3 * place + 1] * SCALE - automatic.data[2 * place + 1]);
    seeds.push({ x: place % width, y: Math.floor(place / width), amiss });
  }
  return Float32Array.from({ length: data.length / 3 }, (_, place) => {
    const [column, row] = [place % width, Math.floor(place / width)];
    let [nearest, amiss] = [Infinity, 0];
    for (const seed of seeds) {
      const distance = chamfer(Math.abs(seed.x - column), Math.abs(seed.y - row));
      if (distance < nearest) [nearest, amiss] = [distance, seed.amiss];
    }
    return amiss;
  });
}

/**
 * Return chroma that is `told` where known colours reach, and `automatic` elsewhere.
 *
 * `told` is predicted with the known colours, `automatic` without; `gray` are the levels, 0 to 255,
 * that the network saw.
 */
export function confined(told, automatic, known, gray) {
  const { width, height } = told;
  const [halfWidth, halfHeight] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const planes = (data) => ({ width, height, data: Float32Array.from(data) });
  const lab = planes({ length: 3 * gray.length });
  gray.forEach((level, place) => {
    const [a, b] = automatic.data.subarray(2 * place);
    lab.data.set([116 * rootOf(LINEAR[level]) - 16, a, b], 3 * place);
  });
  const half = shrinkPlanes(lab, 3, halfWidth, halfHeight);
  blur(half, 3);
  const mask = planes(known.data.filter((_, place) => place % 3 === 2));
  const far = edgesTo(shrinkPlanes(mask, 1, halfWidth, halfHeight).data, half);
  const within = { ...half, data: far.map((each) => 1 / (1 + (each / FARTHEST) ** SHARPNESS)) };
  const reached = stretchPlanes(within, 1, width, height).data;
  const common = surprise(known, automatic).map((amiss) => Math.exp(-((amiss / SURPRISE) ** 2)));
  const data = told.data.map((value, each) => {
    const place = each >> 1;
    const share = reached[place] + (1 - reached[place]) * common[place];
    return automatic.data[each] + share * (value - automatic.data[each]);
  });
  return { width, height, data };
}
