// The photographs that are open: their states, what was computed of them, how they are colorized.

import { drawPoints, shade } from "../known.js";
import { textOf, withText } from "../metadata.js";
import { Edits, toned } from "./edit.js";
import { forget, keep, readAll } from "./store.js";
import { HINTS, nameFor, stemOf, typeFor } from "./save.js";

export const SHOWN = 1600; // pixels of the longer side of what is shown, and of saved points
const MINI = 160; // and in the strip
const POINTS = "Points"; // the text of a hints file that holds its points

/** A photograph: its file, the `picture` that is painted, which may be cleaner, and the edits. */
export class Photograph {
  state = "waiting";
  failure = null;
  scale = 0;
  whole = null; // [width, height]
  mini = null; // as the strip shows it, without colour
  image = null; // as the stage shows it, of the current one only
  automatic = null; // the chroma that the network paints by itself,
  chroma = null; // and with what the person says

  constructor(file, id) {
    this.id = id;
    this.file = this.picture = file;
    this.edits = new Edits();
    this.saved = this.edits.now;
  }

  /** Return the photographs that the browser kept. */
  static async kept() {
    return (await readAll()).map(({ id, file, picture, scale, edit, saved }) => {
      const photo = new Photograph(file, id);
      Object.assign(photo, { picture: picture ?? file, scale, edits: new Edits(edit) });
      photo.saved = saved ? photo.edits.now : null;
      return photo;
    });
  }

  /** Keep it over a reload. */
  keep() {
    const { id, file, scale, edits } = this;
    const picture = this.picture === file ? null : this.picture;
    return keep({ id, file, picture, scale, edit: edits.now, saved: !this.unsaved });
  }

  forget = () => forget(this.id);

  get unsaved() {
    return this.saved !== this.edits.now;
  }

  /** Compute all that is shown of it. */
  async open(colorizer) {
    const { image, whole } = await colorizer.show(this.picture, MINI);
    Object.assign(this, { mini: image, whole });
    this.small = await colorizer.shrink(this.picture);
    this.automatic = await colorizer.predict(this.picture);
    this.told = null;
    await this.tell(colorizer);
  }

  /** Read it at the size of the stage. */
  async load(colorizer) {
    this.image ??= (await colorizer.show(this.picture, SHOWN)).image;
    return this.image;
  }

  /** Predict the chroma with what the points say, unless that is done. */
  async tell(colorizer) {
    const { points, strokes } = this.edits.now;
    if (this.told?.points === points && this.told.strokes === strokes) return;
    this.chroma = this.automatic;
    if (points.length || strokes) {
      const known = await colorizer.known(this.hints(points, strokes), this.small);
      this.chroma = await colorizer.predict(this.small, known, this.automatic);
    }
    this.told = { points, strokes };
  }

  /** Draw points as hints, over strokes that were opened. */
  hints(points, strokes) {
    const scale = Math.min(1, SHOWN / Math.max(...this.whole));
    const [width, height] = this.whole.map((side) => Math.max(1, Math.round(side * scale)));
    return drawPoints(points, strokes ?? { width, height });
  }

  /** Paint a picture of it with all that was decided. */
  paint(colorizer, image, look = this.edits.now) {
    return colorizer.paint(image, toned(this.chroma, look), look.strength);
  }

  /** Return the gray level at a place, what the network paints there by itself, and what is there. */
  at(x, y) {
    const { width, height, data } = this.small;
    const place = Math.floor(y * height) * width + Math.floor(x * width);
    const [red, green, blue] = data.subarray(4 * place, 4 * place + 3);
    const level = Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
    const shown = (chroma) => shade(level, ...chroma.data.subarray(2 * place, 2 * place + 2));
    return { level, own: shown(this.automatic), present: shown(this.chroma) };
  }

  /** Write it in colour at its own size: {name, blob}. */
  async write(colorizer, chosen) {
    if (!this.chroma) await this.open(colorizer);
    await this.tell(colorizer);
    const { now } = this.edits;
    const type = typeFor(this.file, chosen);
    const settings = [
      "semantic", `strength ${now.strength}`, `warmth ${now.warmth}`, `tint ${now.tint}`,
      `points ${now.points.length}`, `restored and enlarged ${this.scale}`,
    ].join(", ");
    const marks = { original: this.file, settings };
    const chroma = toned(this.chroma, now);
    const blob = await colorizer.write(this.picture, chroma, now.strength, type, marks);
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

  /** Take the points of a hints file; throws where it has another shape, or says nothing. */
  async readHints(file) {
    const saved = await textOf(file, POINTS);
    if (saved) return this.edits.change({ points: JSON.parse(saved), strokes: null });
    const bitmap = await createImageBitmap(file);
    const { width, height } = bitmap;
    const expected = (width * this.whole[1]) / this.whole[0];
    if (Math.abs(height - expected) > 1 + 0.01 * expected) throw new Error("hintsShape");
    const context = new OffscreenCanvas(width, height).getContext("2d");
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    const alphas = data.filter((_, place) => place % 4 === 3);
    if (alphas.every((alpha) => alpha > 127) || !alphas.some(Boolean)) throw new Error("hintsShape");
    this.edits.change({ points: [], strokes: { width, height, data } });
  }
}

export const isHints = (file) => file.name.toLowerCase().endsWith(HINTS);
