// The worker behind colorizer.js: one request after the other, each a verb and what it is given.

import { painter } from "./chroma.js";
import { blended, enlarged, shareTaken } from "./enlarge.js";
import { fromHints } from "./known.js";
import { marked } from "./metadata.js";
import { lumaOf, networkSize, open, predict, setUp } from "./network.js";
import { sourceOf } from "./picture.js";
import { scaled, shrink } from "./resize.js";
import { curveOf, unfaded } from "./tones.js";

const BAND = 256; // rows that are painted at a time

let network;
let latest = {}; // the file that was made smaller last, which is often asked for again
const stopped = new Set();

/** Fetch the bytes of an address; a host may have undone their gzip already. */
async function bytesOf(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(plain).arrayBuffer());
}

/** Return a picture at another size, by default the network's: {width, height, data}. */
async function smaller(picture, size, restored) {
  const wanted = `${picture.key} ${size ?? ""} ${restored}`;
  if (picture.key !== undefined && latest.wanted === wanted) return latest.small;
  const source = await sourceOf(picture);
  const { width, height, rows } = restored ? unfaded(source) : source;
  const small = shrink(rows, width, height, ...(size ?? networkSize(width, height)));
  latest = { wanted, small };
  return small;
}

const imageData = ({ width, height, data }) => new ImageData(data, width, height);

/** Return how to read the rows of gray levels as RGBA: (top, count). */
const rowsOfGray = ({ width, data }) => (top, count) => {
  const band = new Uint8ClampedArray(4 * width * count).fill(255);
  const levels = data.subarray(top * width, (top + count) * width);
  levels.forEach((level, pixel) => band.fill(level, 4 * pixel, 4 * pixel + 3));
  return band;
};

/** Fill a canvas of a size band by band: `make(top, count)` returns rows of RGBA. */
function drawn(width, height, make) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  for (let top = 0; top < height; top += BAND) {
    const count = Math.min(BAND, height - top);
    context.putImageData(new ImageData(make(top, count), width, count), 0, top);
  }
  return canvas;
}

/** Return how to paint a picture: its size, and a function that makes painted rows. */
async function painting(picture, chroma, strength) {
  const { width, height, rows } = await sourceOf(picture);
  const small = await smaller(picture, [chroma.width, chroma.height]);
  const paint = painter(small, chroma, strength, width, height);
  const make = (top, count) => {
    const band = new Uint8ClampedArray(rows(top, count));
    paint(band, top);
    return band;
  };
  return { width, height, make };
}

const verbs = {
  async start(address, binary, threads) {
    const [bytes, wasm] = await Promise.all([bytesOf(address), bytesOf(binary)]);
    setUp(wasm, threads);
    network = await open(bytes);
    // Browsers compile what runs: better now, while somebody chooses a photograph.
    await predict(network, { width: 32, height: 32, data: new Uint8ClampedArray(4 * 32 * 32) });
  },

  shrink: async (picture, restored) => imageData(await smaller(picture, null, restored)),

  async show(picture, longest) {
    const { width, height, draw } = await sourceOf(picture);
    const whole = [width, height];
    return { image: draw(...scaled(whole, Math.min(1, longest / Math.max(...whole)))), whole };
  },

  known: async (hints, small) => fromHints(hints, small),

  async predict(picture, known, automatic) {
    const small = await smaller(picture, known && [known.width, known.height]);
    return predict(network, small, known, automatic);
  },

  async paint(picture, chroma, strength) {
    const { width, height, make } = await painting(picture, chroma, strength);
    return new ImageData(make(0, height), width, height);
  },

  async write(picture, chroma, strength, type, settings) {
    const { width, height, make } = await painting(picture, chroma, strength);
    const canvas = drawn(width, height, make);
    if (type === "image/jpeg") {
      const behind = { globalCompositeOperation: "destination-over", fillStyle: "white" };
      Object.assign(canvas.getContext("2d"), behind).fillRect(0, 0, width, height);
    }
    const blob = await canvas.convertToBlob({ type, quality: 0.95 });
    return marked(blob, settings.original ?? picture.file, { width, height, ...settings });
  },

  async enlarge(picture, scale, addresses, number) {
    const { width, height, rows } = await sourceOf(picture);
    let gray = { width, height, data: lumaOf({ width, height, data: rows(0, height) }) };
    const curve = curveOf({ width, height, rows: rowsOfGray(gray) });
    let begin = 0;
    // Pass a gray picture through a network, which takes this part of the time.
    const pass = async (address, gray, times, part) => {
      const session = await open(await bytesOf(address));
      try {
        return await enlarged(session, gray, times, async (share) => {
          postMessage({ number, share: begin + share * part });
          await new Promise((resolve) => setTimeout(resolve)); // a stop may have come
          if (stopped.has(number)) throw new Error("stopped");
        });
      } finally {
        begin += part;
        await session.release();
      }
    };
    const [judging, cleaning, enlarging] = addresses;
    // What enlarges four times ends with four times the pixels.
    const parts = { 1: [1], 2: [0.2, 0.3, 0.5], 4: [0.05, 0.1, 0.15, 0.7] }[scale];
    let cleaned = await pass(judging, gray, 1, parts[0]);
    const share = shareTaken(gray, cleaned, scale > 1);
    if (scale > 1) {
      cleaned = share && (await pass(cleaning, gray, 2, parts[1]));
      gray = await pass(enlarging, gray, 2, parts[2]);
    }
    if (share) gray = blended(gray, cleaned, share);
    if (scale === 4) gray = await pass(enlarging, gray, 2, parts[3]);
    gray.data = gray.data.map((level) => curve[level]);
    return drawn(gray.width, gray.height, rowsOfGray(gray)).convertToBlob({ type: "image/png" });
  },
};

// ONNX Runtime's own threads begin with this file as well.
if (!self.name.startsWith("em-pthread")) {
  let last = Promise.resolve();
  self.onmessage = ({ data: { number, verb, given, stop } }) => {
    if (stop !== undefined) return stopped.add(stop);
    last = last.then(async () => {
      try {
        if (stopped.has(number)) throw new Error("stopped");
        postMessage({ number, answer: await verbs[verb](...given, number) });
      } catch (error) {
        postMessage({ number, failure: error.message || error.name });
      }
    });
  };
}
