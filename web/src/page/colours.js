// The colours that a person chooses from: what is possible at a place, what is likely, used last.

import { likely, paletteColour, placeInPalette } from "../known.js";
import { element } from "./said.js";
import { hexOf } from "./stage.js";
import { text } from "./texts.js";

const PALETTE = { width: 72, height: 24 };
const MOST_RECENT = 8;
const MIDDLE = 128; // the gray level of no place in particular

/**
 * Build the panel of colours. It calls `on.choose(colour)` while a colour is being chosen, and
 * `on.chosen(colour)` when it is.
 */
export function createColours(on) {
  const palette = element("palette");
  const [canvas, knob] = palette.children;
  let level = null;
  let at = [0, 0.5];
  let recent = [];
  const colours = { inHand: null, show, take };

  /** Offer the colours of a place: its gray level, and what the network paints there by itself. */
  function show(newLevel = MIDDLE, own = null) {
    if (newLevel !== level) {
      level = newLevel;
      drawPalette();
    }
    fill(element("likely"), own ? [own, ...likely(level)] : likely(level));
  }

  function drawPalette() {
    Object.assign(canvas, PALETTE);
    const { width, height } = PALETTE;
    const image = new ImageData(width, height);
    for (let place = 0; place < width * height; place++) {
      const [across, up] = [(place % width) / width, 1 - Math.floor(place / width) / (height - 1)];
      image.data.set([...paletteColour(level, across, up), 255], 4 * place);
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
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
  function take(colour) {
    colours.inHand = colour;
    element("chosen").style.backgroundColor = `rgb(${colour})`;
    element("chosen").classList.add("any");
    at = placeInPalette(colour);
    placeKnob();
  }

  function placeKnob() {
    knob.style.left = `${100 * at[0]}%`;
    knob.style.top = `${100 * (1 - at[1])}%`;
    palette.setAttribute("aria-valuenow", Math.round(360 * at[0]));
    palette.setAttribute("aria-valuetext", hexOf(paletteColour(level, ...at)));
  }

  function finish(colour) {
    take(colour);
    const others = recent.filter((each) => hexOf(each) !== hexOf(colour));
    recent = [colour, ...others].slice(0, MOST_RECENT);
    element("recentTitle").hidden = false;
    fill(element("recent"), recent);
    on.choose(colour);
    on.chosen(colour);
  }

  function follow({ clientX, clientY }) {
    const box = palette.getBoundingClientRect();
    const share = (value, low, length) => Math.min(Math.max((value - low) / length, 0), 1);
    at = [share(clientX, box.left, box.width) % 1, 1 - share(clientY, box.top, box.height)];
    placeKnob();
    on.choose(paletteColour(level, ...at));
  }
  palette.onpointerdown = (event) => {
    palette.setPointerCapture(event.pointerId);
    follow(event);
    palette.onpointermove = follow;
  };
  palette.onpointerup = palette.onpointercancel = () => {
    if (palette.onpointermove) finish(paletteColour(level, ...at));
    palette.onpointermove = null;
  };
  palette.onkeydown = (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    at = [(at[0] + move[0] / 36 + 1) % 1, Math.min(Math.max(at[1] + move[1] / 20, 0), 1)];
    const place = [...at]; // gamut may hold the colour back, and not the keys
    finish(paletteColour(level, ...at));
    at = place;
    placeKnob();
  };

  show();
  return colours;
}
