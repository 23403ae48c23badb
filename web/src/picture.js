// From an ImageData or a file to pixels: rows of RGBA as they are asked for, upright and in sRGB.

import * as UTIF from "utif2";
import { MOST_MEGAPIXELS } from "./colorizer.js";

const isTiff = (head) => /^(II\*\0|MM\0\*)/.test(head);
const isHeic = (head) => /^....ftyp(hei|hev|mif|msf)/s.test(head);

let latest = {}; // the picture that was decoded last, which is often asked for again

/**
 * Return {width, height, rows(top, count), draw(width, height)} of a picture.
 *
 * That is an ImageData, or a file, {file, key}; files of one key are the same.
 */
export async function sourceOf(picture) {
  if (!picture.file) return sourceOfPixels(picture);
  if (latest.key !== picture.key) {
    latest.bitmap?.close();
    latest = {};
    latest = { key: picture.key, bitmap: await decode(picture.file) };
  }
  return sourceOfBitmap(latest.bitmap);
}

function sourceOfPixels(picture) {
  const { width, height, data } = picture;
  const rows = (top, count) => data.subarray(4 * width * top, 4 * width * (top + count));
  return { width, height, rows, draw: () => new ImageData(data, width, height) };
}

function sourceOfBitmap(bitmap) {
  const { width, height } = bitmap;
  const read = (canvas, ...part) => {
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, ...part, 0, 0, canvas.width, canvas.height);
    return context.getImageData(0, 0, canvas.width, canvas.height);
  };
  const rows = (top, count) =>
    read(new OffscreenCanvas(width, count), 0, top, width, count).data;
  const draw = (columns, lines) =>
    read(new OffscreenCanvas(columns, lines), 0, 0, width, height);
  return { width, height, rows, draw };
}

/** Decode a file; throws an Error whose message is the name of a sentence in texts.js. */
async function decode(blob) {
  const head = String.fromCharCode(...new Uint8Array(await blob.slice(0, 16).arrayBuffer()));
  if (isTiff(head)) return decodeTiff(await blob.arrayBuffer());
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob);
  } catch {
    throw new Error(isHeic(head) ? "heic" : "broken");
  }
  if (bitmap.width * bitmap.height > MOST_MEGAPIXELS * 1e6) throw new Error("large");
  return bitmap;
}

/** Decode the first page of a TIFF. */
async function decodeTiff(bytes) {
  let page;
  try {
    [page] = UTIF.decode(bytes);
    const [width, height] = [page.t256[0], page.t257[0]];
    if (width * height > MOST_MEGAPIXELS * 1e6) throw new Error("large");
    UTIF.decodeImage(bytes, page);
  } catch (error) {
    throw new Error(error.message === "large" ? "large" : "tiff");
  }
  const data = new Uint8ClampedArray(UTIF.toRGBA8(page));
  if (!page.width || data.length !== 4 * page.width * page.height) throw new Error("tiff");
  return createImageBitmap(new ImageData(data, page.width, page.height));
}
