// Pictures {width, height, data}, RGBA of 8 bits, and planes of numbers at other sizes, as OpenCV
// makes them.

// Taps say which rows or columns a new one is made of: so many `weights` from `first` on.

/** Shrink: the mean of what a new pixel covers. */
function areaTaps(from, to) {
  const scale = from / to;
  return Array.from({ length: to }, (_, place) => {
    const begin = place * scale;
    const end = Math.min(begin + scale, from);
    const first = Math.floor(begin + 1e-6);
    const weights = [];
    for (let each = first; each < end - 1e-6; each++) {
      weights.push((Math.min(each + 1, end) - Math.max(each, begin)) / (end - begin));
    }
    return { first, weights };
  });
}

/** Weigh the neighbours of a place; beyond the edge is the edge. */
const sampleTaps = (from, to, before, weigh) =>
  Array.from({ length: to }, (_, place) => {
    const centre = ((place + 0.5) * from) / to - 0.5;
    const floor = Math.floor(centre);
    const inside = (each) => Math.max(0, Math.min(floor - before + each, from - 1));
    const kernel = weigh(centre - floor);
    const first = inside(0);
    const weights = new Array(inside(kernel.length - 1) - first + 1).fill(0);
    kernel.forEach((weight, each) => (weights[inside(each) - first] += weight));
    return { first, weights };
  });

export const linearTaps = (from, to) => sampleTaps(from, to, 0, (t) => [1 - t, t]);

/** Enlarge: the cubic kernel with OpenCV's slope of -0.75. */
const cubicTaps = (from, to) =>
  sampleTaps(from, to, 1, (t) => {
    const near = (d) => (1.25 * d - 2.25) * d * d + 1;
    const far = (d) => ((-0.75 * d + 3.75) * d - 6) * d + 3;
    return [far(1 + t), near(t), near(1 - t), far(2 - t)];
  });

const BAND = 64; // new rows that are made at a time

/** Return how to read rows of interleaved `data`: (top, count) gives them. */
export const rowsOf = ({ width, data }, channels = 4) => (top, count) =>
  data.subarray(channels * width * top, channels * width * (top + count));

/** Make `data`, an array for the result, from rows of `width`, by taps of rows and columns. */
function resample(source, width, channels, rows, columns, data) {
  const line = channels * columns.length;
  const sum = new Float32Array(line);
  for (let top = 0; top < rows.length; top += BAND) {
    const band = rows.slice(top, top + BAND);
    const begin = band[0].first;
    const last = band[band.length - 1];
    const count = last.first + last.weights.length - begin;
    const read = source(begin, count);
    const across = new Float32Array(count * line);
    for (let row = 0, target = 0; row < count; row++) {
      for (const { first, weights } of columns) {
        for (let channel = 0; channel < channels; channel++) {
          let place = channels * (row * width + first) + channel;
          let total = 0;
          for (let each = 0; each < weights.length; each++, place += channels) {
            total += weights[each] * read[place];
          }
          across[target++] = total;
        }
      }
    }
    band.forEach(({ first, weights }, number) => {
      sum.fill(0);
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
  for (let top = 0, target = 0; top < height / 2; top += BAND) {
    const count = Math.min(BAND, height / 2 - top);
    const rows = source(2 * top, 2 * count);
    for (let row = 0; row < count; row++) {
      for (let pair = 2 * row * line; pair < (2 * row + 1) * line; pair += 8) {
        for (let above = pair; above < pair + 4; above++) {
          const below = above + line;
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
  while (height >= 4 * newHeight && width >= 4 * newWidth) {
    const [columns, rows] = [Math.ceil(width / 2), Math.ceil(height / 2)];
    const half =
      width % 2 || height % 2
        ? resample(source, width, 4, linearTaps(height, rows), linearTaps(width, columns),
            new Uint8ClampedArray(4 * rows * columns))
        : halved(source, width, height);
    source = rowsOf(half);
    ({ width, height } = half);
  }
  // OpenCV rounds halves up here, and elsewhere to even.
  if (width === 2 * newWidth && height === 2 * newHeight) return halved(source, width, height);
  const taps = newHeight <= height && newWidth <= width ? areaTaps : cubicTaps;
  return resample(source, width, 4, taps(height, newHeight), taps(width, newWidth),
    new Uint8ClampedArray(4 * newHeight * newWidth));
}

const resizedPlanes = (taps) => (planes, channels, width, height) =>
  resample(rowsOf(planes, channels), planes.width, channels, taps(planes.height, height),
    taps(planes.width, width), new Float32Array(channels * width * height));

/** Resize planes of numbers, interleaved, by the mean of the area, or bilinearly. */
export const shrinkPlanes = resizedPlanes(areaTaps);
export const stretchPlanes = resizedPlanes(linearTaps);
