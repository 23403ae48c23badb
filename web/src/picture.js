// From an ImageData or a file to pixels: rows of RGBA as they are asked for, upright and in sRGB.

import * as UTIF from "utif2";
import { MOST_MEGAPIXELS } from "./colorizer.js";
import { withoutProfile } from "./metadata.js";
import { toSrgb } from "./profile.js";
import { rowsOf } from "./resize.js";

// None, fax 3 and 4, LZW, JPEG, deflate, PackBits, and deflate's older number.
const TIFF_PACKINGS = [1, 3, 4, 5, 7, 8, 32773, 32946];

let latest = {}; // the file that was decoded last, which is often asked for again

/**
 * Return {width, height, rows(top, count), draw(width, height)} of a picture.
 *
 * That is an ImageData, or a file, {file, key}; files of one key are the same.
 */
export async function sourceOf(picture) {
  const { width, height, file, key } = picture;
  if (!file) return { width, height, rows: rowsOf(picture), draw: () => picture };
  if (latest.key !== key) {
    latest.bitmap?.close();
    latest = {};
    latest = { key, ...(await decode(file)) };
  }
  return sourceOfBitmap(latest);
}

function sourceOfBitmap({ bitmap, change }) {
  const { width, height } = bitmap;
  const read = (columns, lines, ...part) => {
    const canvas = new OffscreenCanvas(columns, lines);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, ...part, 0, 0, columns, lines);
    const image = context.getImageData(0, 0, columns, lines);
    change?.(image.data);
    return image;
  };
  const rows = (top, count) => read(width, count, 0, top, width, count).data;
  const draw = (columns, lines) => read(columns, lines, 0, 0, width, height);
  return { width, height, rows, draw };
}

const check = (width, height) => {
  if (width * height > MOST_MEGAPIXELS * 1e6) throw new Error("large");
};

/**
 * Decode a file: {bitmap, change}, of which the latter makes its colours sRGB where that is left.
 *
 * Throws an Error whose message is the name of a text.
 */
async function decode(file) {
  const head = String.fromCharCode(...new Uint8Array(await file.slice(0, 12).arrayBuffer()));
  if (/^(II\*\0|MM\0\*)/.test(head)) return decodeTiff(await file.arrayBuffer());
  try {
    const { profile, bare } = await withoutProfile(file).catch(() => ({})); // a damaged one
    const change = profile && toSrgb(profile);
    const bitmap = await createImageBitmap(change ? bare : file);
    check(bitmap.width, bitmap.height);
    return { bitmap, change };
  } catch ({ message }) {
    if (message === "large") throw new Error(message);
    throw new Error(/^....ftyp(hei|hev|mif|msf)/s.test(head) ? "heic" : "broken");
  }
}

/** Decode the first page of a TIFF of 1 to 16 bits. Of others UTIF would make black ones. */
async function decodeTiff(bytes) {
  try {
    const [page] = UTIF.decode(bytes);
    const { t256: [width], t257: [height], t258: bits = [1], t259: [packing = 1] = [] } = page;
    const whole = (page.t339 ?? [1]).every((format) => format === 1);
    const upright = (page.t274?.[0] ?? 1) === 1;
    if (bits[0] > 16 || !whole || !upright || !TIFF_PACKINGS.includes(packing)) throw new Error();
    check(width, height);
    UTIF.decodeImage(bytes, page);
    const data = new Uint8ClampedArray(UTIF.toRGBA8(page));
    return { bitmap: await createImageBitmap(new ImageData(data, page.width, page.height)) };
  } catch ({ message }) {
    throw new Error(message === "large" ? message : "tiff");
  }
}
