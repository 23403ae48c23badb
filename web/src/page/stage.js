// The picture: before and after, zoom and pan, points that are set, moved and taken away.

import { within } from "../lab.js";
import { element } from "./said.js";
import { text } from "./texts.js";

const MOST_ZOOM = 12;
const SLOP = 6; // pixels that a finger or a mouse may move in a click
const STEP = 0.02; // of the longer side, that an arrow key moves; with Shift a quarter
const LAST = 0.9999; // a place on the last pixel
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export const hexOf = (colour) =>
  `#${[...colour].map((level) => level.toString(16).padStart(2, "0")).join("")}`;

/** Draw an ImageData on a canvas, which becomes as large. */
export function drawOn(canvas, image) {
  Object.assign(canvas, { width: image.width, height: image.height });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/**
 * Build the stage. It calls `on.click(x, y)`, `on.select(place)`, `on.move(place, x, y)`,
 * `on.moved(place)`, `on.remove(place)`; x and y are shares of the picture's width and height.
 */
export function createStage(on) {
  const names = ["stage", "sheet", "original", "cursor", "compare", "divide", "peek"];
  const [stage, sheet, original, mark, compare, divider, peekButton] = names.map(element);
  const context = element("painted").getContext("2d", { willReadFrequently: true });
  const cursor = { x: 0.5, y: 0.5 };
  const pointers = new Map();
  let view = { zoom: 1, x: 0, y: 0 };
  let size = { width: 1, height: 1 };
  let gesture = null; // { x, y, place, dragged } of one pointer, or { pinch } of two

  /** Lay the sheet out so that the whole picture is seen, and place it as the view says. */
  function lay() {
    const { clientWidth, clientHeight } = stage;
    const scale = Math.min(clientWidth / size.width, clientHeight / size.height);
    const [width, height] = [size.width * scale, size.height * scale];
    const room = (length, whole) => Math.max(0, (length * view.zoom - whole) / 2);
    const [across, down] = [room(width, clientWidth), room(height, clientHeight)];
    const [x, y] = [within(view.x, -across, across), within(view.y, -down, down)];
    view = { ...view, x, y };
    const transform = `translate(${x}px, ${y}px) scale(${view.zoom})`;
    Object.assign(sheet.style, { width: `${width}px`, height: `${height}px`, transform });
    sheet.style.setProperty("--zoom", view.zoom);
    sheet.classList.toggle("pixels", (scale * view.zoom) / devicePixelRatio > 4);
  }

  function fit() {
    view = { zoom: 1, x: 0, y: 0 };
    lay();
  }

  /** Zoom by a factor, so that what is under a point of the window, or the middle, stays there. */
  function zoom(factor, clientX, clientY) {
    const { left, top, width, height } = stage.getBoundingClientRect();
    const across = clientX === undefined ? 0 : clientX - left - width / 2;
    const down = clientY === undefined ? 0 : clientY - top - height / 2;
    const grown = within(view.zoom * factor, 1, MOST_ZOOM) / view.zoom;
    const moved = (place, pointer) => pointer * (1 - grown) + place * grown;
    view = { zoom: view.zoom * grown, x: moved(view.x, across), y: moved(view.y, down) };
    lay();
  }

  function pan(across, down) {
    view = { ...view, x: view.x + across, y: view.y + down };
    lay();
  }

  /** Return the place of the picture under a pointer. */
  function placeAt({ clientX, clientY }) {
    const { left, top, width, height } = sheet.getBoundingClientRect();
    return [(clientX - left) / width, (clientY - top) / height];
  }

  function pinchOf([first, second]) {
    const far = Math.hypot(first.x - second.x, first.y - second.y);
    return { x: (first.x + second.x) / 2, y: (first.y + second.y) / 2, far };
  }

  stage.onpointerdown = (event) => {
    const { target, button, pointerId, clientX: x, clientY: y } = event;
    if (target === divider || button > 0) return;
    stage.setPointerCapture(pointerId);
    pointers.set(pointerId, { x, y });
    const place = target.closest(".point")?.dataset.place;
    const pinch = pointers.size > 1 && pinchOf([...pointers.values()]);
    gesture = pinch ? { pinch } : { x, y, place: place && Number(place) };
    mark.hidden = true;
  };

  stage.onpointermove = (event) => {
    const { pointerId, clientX: x, clientY: y } = event;
    const before = pointers.get(pointerId);
    if (!before || !gesture) return;
    pointers.set(pointerId, { x, y });
    if (gesture.pinch) {
      if (pointers.size < 2) return;
      const now = pinchOf([...pointers.values()]);
      pan(now.x - gesture.pinch.x, now.y - gesture.pinch.y);
      zoom(now.far / gesture.pinch.far, now.x, now.y);
      gesture.pinch = now;
      return;
    }
    gesture.dragged ||= Math.hypot(x - gesture.x, y - gesture.y) > SLOP;
    if (!gesture.dragged) return;
    if (gesture.place === undefined) return pan(x - before.x, y - before.y);
    on.move(gesture.place, ...placeAt(event).map((share) => within(share, 0, LAST)));
  };

  stage.onpointerup = (event) => {
    pointers.delete(event.pointerId);
    if (!gesture || gesture.pinch) return;
    const { place, dragged } = gesture;
    gesture = null;
    if (place !== undefined) return dragged ? on.moved(place) : on.select(place);
    const [x, y] = placeAt(event);
    if (!dragged && x >= 0 && x < 1 && y >= 0 && y < 1) on.click(x, y);
  };

  stage.onpointercancel = ({ pointerId }) => {
    pointers.delete(pointerId);
    gesture = null;
  };

  // A captured pointer sends its clicks to the stage.
  stage.ondblclick = ({ clientX, clientY }) => {
    const under = document.elementsFromPoint(clientX, clientY);
    const point = under.find((each) => each.matches(".point"));
    if (point) on.remove(Number(point.dataset.place));
  };

  const wheel = (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), event.clientX, event.clientY);
  };
  stage.addEventListener("wheel", wheel, { passive: false });

  stage.onkeydown = (event) => {
    const pressed = event.key === "Enter" || event.key === " ";
    if (event.target === divider || !(pressed || ARROWS[event.key])) return;
    event.preventDefault();
    const point = event.target.closest(".point");
    const place = Number(point?.dataset.place);
    if (pressed && point) return on.select(place);
    if (pressed) return mark.hidden || on.click(cursor.x, cursor.y);
    const step = (STEP * Math.max(size.width, size.height)) / view.zoom / (event.shiftKey ? 4 : 1);
    const [across, down] = ARROWS[event.key];
    const { left, top } = (point ?? { style: {} }).style;
    const from = point ? { x: parseFloat(left) / 100, y: parseFloat(top) / 100 } : cursor;
    const x = within(from.x + (across * step) / size.width, 0, LAST);
    const y = within(from.y + (down * step) / size.height, 0, LAST);
    if (point) {
      on.move(place, x, y);
      on.moved(place);
    } else {
      Object.assign(cursor, { x, y });
      Object.assign(mark.style, { left: `${100 * x}%`, top: `${100 * y}%` });
      mark.hidden = false;
    }
  };

  const comparing = () => compare.getAttribute("aria-pressed") === "true";
  divider.oninput = () => sheet.style.setProperty("--divide", `${divider.value}%`);
  compare.onclick = () => {
    compare.setAttribute("aria-pressed", !comparing());
    divider.hidden = original.hidden = !comparing();
    divider.oninput();
  };

  /** Show the original as long as a button or a key is held. */
  function peek(held) {
    sheet.classList.toggle("peek", held);
    original.hidden = !held && !comparing();
  }
  peekButton.onpointerdown = () => peek(true);
  peekButton.onkeydown = ({ key }) => {
    if (key === "Enter" || key === " ") peek(true);
  };
  for (const end of ["pointerup", "pointerleave", "pointercancel", "blur", "keyup"]) {
    peekButton[`on${end}`] = () => peek(false);
  }

  new ResizeObserver(lay).observe(stage);
  element("in").onclick = () => zoom(1.5);
  element("out").onclick = () => zoom(1 / 1.5);
  element("fit").onclick = fit;

  /** Show another photograph: as it was before, and painted. */
  function open(image, painted) {
    size = image;
    drawOn(original, image);
    drawOn(context.canvas, painted);
    fit();
  }

  /** Return the colour that is shown at a place. */
  function colourAt(x, y) {
    const { data } = context.getImageData(x * size.width, y * size.height, 1, 1);
    return [...data.subarray(0, 3)];
  }

  /** Draw the points, of which one may be selected. */
  function draw(points, selected) {
    const box = element("points");
    while (box.children.length > points.length) box.lastChild.remove();
    points.forEach(({ x, y, colour, keep }, place) => {
      const point = box.children[place] ?? box.appendChild(document.createElement("button"));
      point.className = keep ? "point keep" : "point";
      point.dataset.place = place;
      const [left, top] = [`${100 * x}%`, `${100 * y}%`];
      Object.assign(point.style, { left, top, backgroundColor: `rgb(${colour})` });
      point.setAttribute("aria-pressed", place === selected);
      point.setAttribute("aria-label", text("point", place + 1, hexOf(colour)));
    });
  }

  return { open, draw, fit, zoom, peek, colourAt, paint: (image) => drawOn(context.canvas, image) };
}
