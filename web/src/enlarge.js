// Photographs cleaner and larger: luminance from a network, tile by tile, as colorizer/prints/enlarge.py.

import { within } from "./lab.js";
import { padded, run } from "./network.js";

// Places of the network's grid that make a tile, and those around it that it sees as well. The grid
// is of pixels, or of every second one where the network does not enlarge.
const TILE = 400;
const SEEN = 36;
const SHORTEST = 8;

// How much the cleaning network changes where nothing is amiss, and where surely something is: root
// mean square, in gray levels.
const NOTHING_AMISS = 3.5;
const SURELY_AMISS = 6.5;

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

/** Return gray levels cleaned as far as it is likely that there was something to clean. */
export function doubted(plain, cleaned) {
  const squared = plain.data.reduce((sum, level, at) => sum + (cleaned.data[at] - level) ** 2, 0);
  const amiss = Math.sqrt(squared / plain.data.length);
  const share = within((amiss - NOTHING_AMISS) / (SURELY_AMISS - NOTHING_AMISS));
  const blend = (level, at) => (1 - share) * level + share * cleaned.data[at];
  return { ...plain, data: plain.data.map(blend) };
}
