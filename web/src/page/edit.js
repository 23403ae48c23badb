// What a person decides about a photograph: points and look; with undo and redo.

export const NOTHING = { points: [], strength: 1, warmth: 0, tint: 0 };

/** The decisions about one photograph: those that count, those before, those that were undone. */
export class Edits {
  past = [];
  future = [];
  sliding = null; // what counted before a gesture that is not over

  constructor(now = NOTHING) {
    this.now = now;
  }

  /** Change something as one step that can be undone. */
  change(changes) {
    this.slide(changes);
    this.settle();
  }

  /** Change something while a slider or a point moves. */
  slide(changes) {
    this.sliding ??= this.now;
    this.now = { ...this.now, ...changes };
  }

  /** End that gesture. */
  settle() {
    if (!this.sliding) return;
    this.past.push(this.sliding);
    this.future = [];
    this.sliding = null;
  }

  /** Take the last step back; tell whether there was one. */
  undo = () => this.#move(this.past, this.future);
  redo = () => this.#move(this.future, this.past);

  #move(from, to) {
    if (!from.length) return false;
    to.push(this.now);
    this.now = from.pop();
    return true;
  }

  /** Change one of the points; `slide` or `change` says how. */
  changePoint(place, changes, how = "change") {
    const points = this.now.points.map((each, number) =>
      number === place ? { ...each, ...changes } : each,
    );
    this[how]({ points });
  }
}

/** Return chroma with the look of an edit, but for its strength. */
export function toned(chroma, { warmth, tint }) {
  const data = chroma.data.map((value, place) => value + (place % 2 ? warmth : tint));
  return { ...chroma, data };
}
