// The colours that a person chooses from: what is possible at a place, what is likely, used last.

import { likely, paletteColour, placeInPalette } from "../known.js";
import { within } from "../lab.js";
import { element } from "./said.js";
import { hexOf } from "./stage.js";
import { text } from "./texts.js";

const PALETTE = { width: 72, height: 24 };
const MOST_RECENT = 8;
const MIDDLE = 128; // the gray level of no place in particular
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** Build it. It calls `on.choose(colour)` while one is being chosen, and then `on.chosen()`. */
export function createColours(on) {
  const palette = element("palette");
  const [canvas, knob] = palette.children;
  const colours = { inHand: null, show, take };
  let [level, at, recent] = [null, [0, 0.5], []];

  /** Offer the colours of a place: its gray level, what the network paints there, what is set. */
  function show(newLevel = MIDDLE, own = null, set = null) {
    if (newLevel !== level) {
      level = newLevel;
      const { width, height } = Object.assign(canvas, PALETTE);
      const image = new ImageData(width, height);
      for (let place = 0; place < width * height; place++) {
        const up = 1 - Math.floor(place / width) / (height - 1);
        image.data.set([...paletteColour(level, (place % width) / width, up), 255], 4 * place);
      }
      canvas.getContext("2d").putImageData(image, 0, 0);
    }
    if (set && !palette.onpointermove) placeKnob(placeInPalette(set));
    fill(element("likely"), own ? [own, ...likely(level)] : likely(level));
  }

  /** Let a row show colours to click on. */
  function fill(row, shown) {
    row.replaceChildren(...shown.map((colour) => {
      const swatch = document.createElement("button");
      swatch.style.backgroundColor = `rgb(${colour})`;
      swatch.setAttribute("aria-label", text("colour", hexOf(colour)));
      swatch.onclick = () => finish(colour);
      return swatch;
    }));
  }

  /** Show a colour as the one in hand; a click on the photograph sets it. */
  function take(colour, place = placeInPalette(colour)) {
    colours.inHand = colour;
    element("chosen").style.backgroundColor = `rgb(${colour})`;
    element("chosen").classList.add("any");
    placeKnob(place);
  }

  function placeKnob(place) {
    at = place;
    Object.assign(knob.style, { left: `${100 * at[0]}%`, top: `${100 * (1 - at[1])}%` });
    palette.setAttribute("aria-valuenow", Math.round(360 * at[0]));
    palette.setAttribute("aria-valuetext", hexOf(paletteColour(level, ...at)));
  }

  function finish(colour, place) {
    take(colour, place);
    const others = recent.filter((each) => hexOf(each) !== hexOf(colour));
    recent = [colour, ...others].slice(0, MOST_RECENT);
    element("recentTitle").hidden = false;
    fill(element("recent"), recent);
    on.choose(colour);
    on.chosen();
  }

  function follow({ clientX, clientY }) {
    const { left, top, width, height } = palette.getBoundingClientRect();
    placeKnob([within((clientX - left) / width) % 1, 1 - within((clientY - top) / height)]);
    on.choose(paletteColour(level, ...at));
  }
  palette.onpointerdown = (event) => {
    palette.setPointerCapture(event.pointerId);
    palette.onpointermove = follow;
    follow(event);
  };
  palette.onpointerup = palette.onpointercancel = () => {
    palette.onpointermove = null;
    finish(paletteColour(level, ...at), at);
  };
  palette.onkeydown = (event) => {
    if (!MOVES[event.key]) return;
    event.preventDefault();
    const [across, up] = MOVES[event.key];
    const place = [(at[0] + across / 36 + 1) % 1, within(at[1] + up / 20)];
    finish(paletteColour(level, ...place), place);
  };

  show();
  return colours;
}
