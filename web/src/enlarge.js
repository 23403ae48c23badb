// Photographs cleaner and larger: luminance from a network, tile by tile, as colorizer/prints/enlarge.py.

import { ramp } from "./lab.js";
import { padded, run } from "./network.js";

// Places of the network's grid that make a tile, and those around it that it sees as well. The grid
// is of pixels, or of every second one where the network does not enlarge.
const TILE = 400;
const SEEN = 36;
const SHORTEST = 8;

// How much the network that cleans at one size changes, root mean square in gray levels: nothing of
// it is taken to the first, all from the second. Where nothing is enlarged, texture looks like grain:
// then it has to be much beside the fine detail that is left, or so much that it is no texture.
const AMISS = [2, 4];
const AMISS_IN_DETAIL = [0.25, 0.4];
const NO_TEXTURE = [11, 13];

/** Cut a part out of gray levels, as light in [0, 1]. */
function part({ width, data }, left, top, right, bottom) {
  const row = (_, number) => {
    const start = (top + number) * width;
    return Array.from(data.subarray(start + left, start + right), (level) => level / 255);
  };
  const rows = Array.from({ length: bottom - top }, row);
  return { width: right - left, height: bottom - top, data: rows.flat() };
}

/**
 * Run a network over gray levels {width, height, data}; return those `times` as wide and high.
 *
 * `tell(share)` is called after each tile; what it throws stops the work.
 */
export async function enlarged(session, gray, times, tell) {
  const { width, height } = gray;
  const step = times === 2 ? 1 : 2;
  const [side, seen] = [step * TILE, step * SEEN];
  const made = { width: times * width, height: times * height };
  made.data = new Uint8ClampedArray(made.width * made.height);
  const tiles = Math.ceil(width / side) * Math.ceil(height / side);
  let done = 0;
  for (let top = 0; top < height; top += side) {
    for (let left = 0; left < width; left += side) {
      const [first, above] = [Math.max(0, left - seen), Math.max(0, top - seen)];
      const last = [Math.min(width, left + side + seen), Math.min(height, top + side + seen)];
      const tile = padded(part(gray, first, above, ...last), 1, 2 * step, SHORTEST);
      const { data } = await run(session, { [session.inputNames[0]]: tile });
      const columns = times * Math.min(side, width - left);
      for (let row = 0; row < times * Math.min(side, height - top); row++) {
        const from = (times * (top - above) + row) * times * tile.width + times * (left - first);
        const levels = data.subarray(from, from + columns).map((light) => 255 * light);
        made.data.set(levels, (times * top + row) * made.width + times * left); // and rounds
      }
      await tell(++done / tiles);
    }
  }
  return made;
}

/** Return how much is taken, 0 to 1, of what a network made of gray levels of the same size. */
export function shareTaken({ data: before }, { width, height, data }, enlarging) {
  const inside = (place, end) => (end === 1 ? 0 : place < 0 ? 1 : place === end ? end - 2 : place);
  const at = (x, y) => data[inside(y, height) * width + inside(x, width)];
  let [changed, fine] = [0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const level = data[y * width + x];
      changed += (level - before[y * width + x]) ** 2;
      fine += (at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1) - 4 * level) ** 2;
    }
  }
  const amiss = Math.sqrt(changed / data.length);
  if (enlarging) return ramp(amiss, AMISS);
  const inDetail = Math.sqrt(changed / Math.max(fine, 1e-9));
  const sure = Math.max(ramp(inDetail, AMISS_IN_DETAIL), ramp(amiss, NO_TEXTURE));
  return Math.min(ramp(amiss, AMISS), sure);
}

/** Return gray levels with a share of what a network made of them. */
export function blended(plain, cleaned, share) {
  const blend = (level, at) => (1 - share) * level + share * cleaned.data[at];
  return { ...plain, data: plain.data.map(blend) };
}
