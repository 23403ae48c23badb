// The colorizing network: a gray picture and known colours in, chroma out.

import * as ort from "onnxruntime-web/wasm";
import { atHalfSize } from "./known.js";
import { LINEAR, clippedChroma } from "./lab.js";
import { confined } from "./reach.js";
import { scaled, stretchPlanes } from "./resize.js";

// The side of the square that has as many pixels as what the network sees, and how many of them a
// panorama may be long.
const WORKING_SIZE = 224;
const LONGEST = 8;
// The sides at which a picture is seen are multiples of 8; those that the network takes, of 32.
const MULTIPLE = 8;
const STRIDE = 32;

/** Set ONNX Runtime up: `binary` is its WebAssembly. Threads need a page that is isolated. */
export function setUp(binary, threads) {
  ort.env.logLevel = "error";
  Object.assign(ort.env.wasm, { wasmBinary: binary, numThreads: threads });
}

/** Open a network from the bytes of its file. */
export const open = (bytes) => ort.InferenceSession.create(bytes);

/** Run a network on planes, by the names of its inputs; return its first output, a tensor. */
export async function run(session, inputs) {
  const tensors = Object.entries(inputs).map(([name, { width, height, data }]) => {
    const shape = [1, height, width, data.length / (width * height)];
    return [name, new ort.Tensor("float32", data, shape)];
  });
  return (await session.run(Object.fromEntries(tensors)))[session.outputNames[0]];
}

/** Return the width and height at which the network sees a picture: multiples of 8 in length. */
export function networkSize(width, height) {
  const [longer, shorter] = [Math.max(width, height), Math.min(width, height)];
  const wanted = Math.min(WORKING_SIZE * Math.sqrt(longer / shorter), LONGEST * WORKING_SIZE);
  const scale = (Math.floor(wanted / MULTIPLE) * MULTIPLE) / longer;
  return scaled([width, height], scale);
}

/** Return the luma of RGBA, levels of 0 to 255, in OpenCV's fixed point. Source: BT.601. */
export const lumaOf = ({ width, height, data }) =>
  Uint8Array.from({ length: width * height }, (_, place) => {
    const [red, green, blue] = [data[4 * place], data[4 * place + 1], data[4 * place + 2]];
    return (4899 * red + 9617 * green + 1868 * blue + 8192) >> 14;
  });

/** Continue planes in their mirror image, to the right and below, to sides that networks take. */
export function padded({ width, height, data }, channels, multiple = MULTIPLE, least = STRIDE) {
  const grown = (side) => Math.max(least, Math.ceil(side / multiple) * multiple);
  const inside = (place, side) => Math.min(place % (2 * side), 2 * side - 1 - (place % (2 * side)));
  const [columns, rows] = [grown(width), grown(height)];
  const made = new Float32Array(channels * columns * rows);
  for (let row = 0, target = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, target += channels) {
      const from = channels * (inside(row, height) * width + inside(column, width));
      for (let each = 0; each < channels; each++) made[target + each] = data[from + each];
    }
  }
  return { width: columns, height: rows, data: made };
}

/** Return the network's chroma of gray levels with known colours, or with none. */
async function chromaOf(session, gray, { width, height }, known) {
  const light = { width, height, data: Float32Array.from(gray, (level) => level / 255) };
  const grown = (planes, channels) => padded(padded(planes, channels), channels, STRIDE);
  const grayscale = grown(light, 1);
  const half = { width: grayscale.width / 2, height: grayscale.height / 2 };
  half.data = known
    ? atHalfSize(grown(known, 3)).data
    : new Float32Array(3 * half.width * half.height);
  const { dims, data: found } = await run(session, { grayscale, known: half });
  const [, rows, columns] = dims; // Lab a and b at half size
  const chroma = { width: columns, height: rows, data: found };
  const full = stretchPlanes(chroma, 2, 2 * columns, 2 * rows);
  const data = new Float32Array(2 * gray.length);
  gray.forEach((level, place) => {
    const from = 2 * (Math.floor(place / width) * full.width + (place % width));
    data.set(clippedChroma(LINEAR[level], full.data[from], full.data[from + 1]), 2 * place);
  });
  return { width, height, data };
}

/**
 * Predict the chroma of a picture at the network's size, {width, height, data}: Lab a and b.
 *
 * `known` are known colours of the same size; what they change stays within their reach.
 * `automatic` is what was predicted without them, if that is there.
 */
export async function predict(session, small, known, automatic) {
  const gray = lumaOf(small);
  const alone = automatic ?? (await chromaOf(session, gray, small));
  if (!known?.data.some((value, place) => place % 3 === 2 && value > 0)) return alone;
  return confined(await chromaOf(session, gray, small, known), alone, known, gray);
}
