// A photograph that is open: its file, what was computed of it, what a person decided.

import { MOST_MEGAPIXELS } from "../colorizer.js";
import { drawPoints, shade } from "../known.js";
import { textOf, withText } from "../metadata.js";
import { scaled } from "../resize.js";
import { Edits, toned } from "./edit.js";
import { HINTS, nameFor, stemOf, typeFor } from "./save.js";
import { forget, keep, readAll } from "./store.js";

const SHOWN = 1600; // pixels of the longer side on the stage, and of points that are saved,
const MINI = 200; // and in the strip
const POINTS = "Points"; // the text of a hints file that holds its points
let lastId = Date.now();

export class Photograph {
  state = "waiting"; // working, done, stopped or failed
  failure = null; // an Error
  scale = 0; // what `picture` is: 0 the file, 1 cleaned, 2 and 4 enlarged as well
  whole = null; // [width, height]
  mini = null; // without colour, as small as in the strip,
  image = null; // and as large as on the stage, while it is there
  automatic = null; // the chroma that the network paints by itself,
  chroma = null; // and with what the points say

  constructor(file, edit, id = ++lastId) {
    Object.assign(this, { id, file, picture: file, edits: new Edits(edit) });
    this.saved = this.edits.now;
  }

  /** Return the photographs that the browser kept over a reload. */
  static async kept() {
    return (await readAll()).map(({ id, file, picture, scale, edit, unsaved }) => {
      const photo = new Photograph(file, edit, id);
      if (unsaved) photo.saved = null;
      return Object.assign(photo, { picture: picture ?? file, scale });
    });
  }

  keep() {
    const { id, file, scale, edits, unsaved } = this;
    const picture = this.picture === file ? null : this.picture;
    return keep({ id, file, picture, scale, edit: edits.now, unsaved });
  }

  forget = () => forget(this.id).catch(() => {}); // a browser that keeps nothing has nothing

  get unsaved() {
    return this.saved !== this.edits.now;
  }

  /** Compute its colours; throws an Error whose message is the name of a text. */
  async open(colorizer) {
    await checkSize(this.picture);
    const { image, whole } = await colorizer.show(this.picture, MINI);
    Object.assign(this, { mini: image, whole, image: null, told: null });
    this.small = await colorizer.shrink(this.picture);
    this.seen = this.scale ? await colorizer.shrink(this.picture, true) : this.small;
    const { width, height } = this.seen;
    const nothing = { width, height, data: new Float32Array(3 * width * height) };
    this.automatic = await colorizer.predict(this.seen, nothing);
    await this.tell(colorizer);
  }

  /** Read it at the size of the stage. */
  load = async (colorizer) => (this.image ??= (await colorizer.show(this.picture, SHOWN)).image);

  /** Predict the chroma with what the points say, unless that is done. */
  async tell(colorizer) {
    const { points, strokes } = this.edits.now;
    if (this.told?.points === points && this.told.strokes === strokes) return;
    let chroma = this.automatic;
    if (points.length || strokes) {
      const known = await colorizer.known(this.hints(points, strokes), this.small);
      chroma = await colorizer.predict(this.seen, known, this.automatic);
    }
    Object.assign(this, { chroma, told: { points, strokes } });
  }

  /** Draw points as hints, over strokes from a file of them. */
  hints(points, strokes) {
    const [width, height] = scaled(this.whole, Math.min(1, SHOWN / Math.max(...this.whole)));
    return drawPoints(points, strokes ?? { width, height });
  }

  /** Paint a picture of it, by default with the look that was decided. */
  paint = (colorizer, image, look = this.edits.now) =>
    colorizer.paint(image, toned(this.chroma, look), look.strength);

  /** Return a place's gray level, its colour by the network alone, and its present one. */
  at(x, y) {
    const { width, height, data } = this.small;
    const place = Math.floor(y * height) * width + Math.floor(x * width);
    const [red, green, blue] = data.subarray(4 * place);
    const level = Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
    const shown = (chroma) => shade(level, ...chroma.data.subarray(2 * place, 2 * place + 2));
    return { level, own: shown(this.automatic), present: shown(this.chroma) };
  }

  /** Write it in colour at its own size: {name, blob}. */
  async write(colorizer, chosen) {
    await this.tell(colorizer);
    const { now } = this.edits;
    const { strength, warmth, tint, points } = now;
    const type = typeFor(this.file, chosen);
    const settings = `model: semantic; settings: strength ${strength}, warmth ${warmth}, ` +
      `tint ${tint}, points ${points.length}, restored and enlarged ${this.scale}`;
    const marks = { original: this.file, settings };
    const chroma = toned(this.chroma, now);
    const blob = await colorizer.write(this.picture, chroma, strength, type, marks);
    this.saved = now;
    await this.keep().catch(() => {});
    return { name: nameFor(this.file, type), blob };
  }

  /** Write its points as colorize.py takes them: {name, blob}. */
  async writeHints() {
    const { points, strokes } = this.edits.now;
    const { width, height, data } = this.hints(points, strokes);
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
    const png = await canvas.convertToBlob({ type: "image/png" });
    const blob = strokes ? png : await withText(png, POINTS, JSON.stringify(points));
    return { name: stemOf(this.file.name) + HINTS, blob };
  }

  /** Take the points of a hints file, or what is painted in one by another program. */
  async readHints(file) {
    const saved = await textOf(file, POINTS);
    if (saved) return this.edits.slide({ points: JSON.parse(saved), strokes: null });
    const bitmap = await createImageBitmap(file);
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext("2d");
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    const alphas = data.filter((_, place) => place % 4 === 3);
    const useless = alphas.every((alpha) => alpha > 127) || alphas.every((alpha) => !alpha);
    const expected = (width * this.whole[1]) / this.whole[0];
    if (useless || Math.abs(height - expected) > 1 + 0.01 * expected) throw new Error("hintsShape");
    this.edits.slide({ points: [], strokes: { width, height, data } });
  }
}

export const isHints = ({ name }) => name.toLowerCase().endsWith(HINTS);

/** Throw where a picture has too many pixels to be decoded; what no browser reads passes. */
async function checkSize(file) {
  const image = new Image();
  image.src = URL.createObjectURL(file);
  await new Promise((resolve) => (image.onload = image.onerror = resolve));
  URL.revokeObjectURL(image.src);
  if (image.naturalWidth * image.naturalHeight > MOST_MEGAPIXELS * 1e6) throw new Error("large");
}
