// Pictures of RGBA, and planes of numbers, {width, height, data}, at other sizes as OpenCV makes
// them. Taps say which rows or columns a new one is made of: so many `weights` from `first` on.

const BAND = 64; // new rows that are made at a time

/** Return the sides of a picture times a scale, in pixels. */
export const scaled = (sides, scale) => sides.map((side) => Math.max(1, Math.round(side * scale)));

/** Shrink: the mean of what a new pixel covers. */
const areaTaps = (from, to) =>
  Array.from({ length: to }, (_, place) => {
    const [begin, end] = [(place * from) / to, Math.min(((place + 1) * from) / to, from)];
    const first = Math.floor(begin + 1e-6);
    const covered = (each) => (Math.min(each + 1, end) - Math.max(each, begin)) / (end - begin);
    const length = Math.ceil(end - 1e-6) - first;
    return { first, weights: Array.from({ length }, (_, each) => covered(first + each)) };
  });

/** Weigh the neighbours of a place, from so many `before` it on; beyond the edge is the edge. */
const sampleTaps = (from, to, before, weigh) =>
  Array.from({ length: to }, (_, place) => {
    const centre = ((place + 0.5) * from) / to - 0.5;
    const kernel = weigh(centre - Math.floor(centre));
    const start = Math.floor(centre) - before;
    const inside = (each) => Math.max(0, Math.min(start + each, from - 1));
    const weights = new Array(inside(kernel.length - 1) - inside(0) + 1).fill(0);
    kernel.forEach((weight, each) => (weights[inside(each) - inside(0)] += weight));
    return { first: inside(0), weights };
  });

export const linearTaps = (from, to) => sampleTaps(from, to, 0, (t) => [1 - t, t]);

/** Enlarge: the cubic kernel with OpenCV's slope of -0.75. */
const cubicTaps = (from, to) => {
  const near = (d) => (1.25 * d - 2.25) * d * d + 1;
  const far = (d) => ((-0.75 * d + 3.75) * d - 6) * d + 3;
  return sampleTaps(from, to, 1, (t) => [far(1 + t), near(t), near(1 - t), far(2 - t)]);
};

/** Return how to read the rows of interleaved data: (top, count). */
export const rowsOf = ({ width, data }, channels = 4) => (top, count) =>
  data.subarray(channels * width * top, channels * width * (top + count));

/** Fill `data` from rows of `width`, which `source(top, count)` gives, by taps. */
function resample(source, width, channels, rows, columns, data) {
  const line = channels * columns.length;
  for (let top = 0; top < rows.length; top += BAND) {
    const band = rows.slice(top, top + BAND);
    const [begin, last] = [band[0].first, band.at(-1)];
    const count = last.first + last.weights.length - begin;
    const read = source(begin, count);
    const across = new Float32Array(count * line);
    for (let row = 0, target = 0; row < count; row++) {
      for (const { first, weights } of columns) {
        for (let channel = 0; channel < channels; channel++) {
          let [place, total] = [channels * (row * width + first) + channel, 0];
          for (let each = 0; each < weights.length; each++, place += channels) {
            total += weights[each] * read[place];
          }
          across[target++] = total;
        }
      }
    }
    band.forEach(({ first, weights }, number) => {
      const sum = new Float32Array(line);
      weights.forEach((weight, each) => {
        const start = (first - begin + each) * line;
        for (let place = 0; place < line; place++) sum[place] += weight * across[start + place];
      });
      data.set(sum, (top + number) * line); // a clamped array rounds
    });
  }
  return { width: columns.length, height: rows.length, data };
}

/** Halve RGBA of an even width and height, which is most of the work with large photographs. */
function halved(source, width, height) {
  const data = new Uint8ClampedArray(width * height);
  const line = 4 * width;
  for (let top = 0, target = 0; top < height; top += 2 * BAND) {
    const rows = source(top, Math.min(2 * BAND, height - top));
    for (let start = 0; start < rows.length; start += 2 * line) {
      for (let pair = start; pair < start + line; pair += 8) {
        for (let above = pair, below = pair + line; above < pair + 4; above++, below++) {
          data[target++] = (rows[above] + rows[above + 4] + rows[below] + rows[below + 4] + 2) >> 2;
        }
      }
    }
  }
  return { width: width / 2, height: height / 2, data };
}

/**
 * Resize a picture as colorizer/photos.py does: halved as often as leaves enough for the mean of
 * the area; cubic where a side grows. `source(top, count)` gives rows of RGBA.
 */
export function shrink(source, width, height, newWidth, newHeight) {
  const resized = (taps, columns, rows) => {
    const data = new Uint8ClampedArray(4 * columns * rows);
    return resample(source, width, 4, taps(height, rows), taps(width, columns), data);
  };
  while (height >= 4 * newHeight && width >= 4 * newWidth) {
    const odd = width % 2 || height % 2;
    const half = odd
      ? resized(linearTaps, Math.ceil(width / 2), Math.ceil(height / 2))
      : halved(source, width, height);
    source = rowsOf(half);
    ({ width, height } = half);
  }
  // OpenCV rounds halves up here, and elsewhere to even.
  if (width === 2 * newWidth && height === 2 * newHeight) return halved(source, width, height);
  const shrinks = newHeight <= height && newWidth <= width;
  return resized(shrinks ? areaTaps : cubicTaps, newWidth, newHeight);
}

const resizedPlanes = (taps) => (planes, channels, width, height) => {
  const [rows, columns] = [taps(planes.height, height), taps(planes.width, width)];
  const data = new Float32Array(channels * width * height);
  return resample(rowsOf(planes, channels), planes.width, channels, rows, columns, data);
};

/** Resize planes of numbers, interleaved, by the mean of the area, or bilinearly. */
export const shrinkPlanes = resizedPlanes(areaTaps);
export const stretchPlanes = resizedPlanes(linearTaps);
