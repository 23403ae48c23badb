// The picture: before and after, zoom and pan, points that are set, moved and taken away.

import { element } from "./said.js";
import { text } from "./texts.js";

const MOST_ZOOM = 12;
const SLOP = 6; // pixels that a finger or a mouse may move in a click
const STEP = 0.02; // of the longer side, that an arrow key moves; with Shift a quarter
const LAST = 0.9999; // a place on the last pixel

const [stage, sheet, original, cursorMark, compare, divider, peekButton] = [
  "stage", "sheet", "original", "cursor", "compare", "divide", "peek",
].map(element);
const within = (value, low, high) => Math.min(Math.max(value, low), high);

export const hexOf = (colour) =>
  `#${[...colour].map((level) => level.toString(16).padStart(2, "0")).join("")}`;

/**
 * Build the stage. It calls `on.click(x, y)`, `on.select(place)`, `on.move(place, x, y)`,
 * `on.moved(place)`, `on.remove(place)`; x and y are shares of the picture's width and height.
 */
export function createStage(on) {
  let view = { zoom: 1, x: 0, y: 0 };
  let size = { width: 1, height: 1 };
  const cursor = { x: 0.5, y: 0.5 };
  const pointers = new Map();
  let gesture = null; // { x, y, place, dragged } of one pointer, or { pinch } of several

  /** Lay the sheet out so that the whole picture is seen, and place it as the view says. */
  function lay() {
    const { clientWidth, clientHeight } = stage;
    const scale = Math.min(clientWidth / size.width, clientHeight / size.height);
    const [width, height] = [size.width * scale, size.height * scale];
    const held = (place, length, whole) => {
      const room = Math.max(0, (length * view.zoom - whole) / 2);
      return within(place, -room, room);
    };
    view.x = held(view.x, width, clientWidth);
    view.y = held(view.y, height, clientHeight);
    const transform = `translate(${view.x}px, ${view.y}px) scale(${view.zoom})`;
    Object.assign(sheet.style, { width: `${width}px`, height: `${height}px`, transform });
    sheet.style.setProperty("--zoom", view.zoom);
    sheet.classList.toggle("pixels", (scale * view.zoom) / devicePixelRatio > 4);
  }

  function fit() {
    view = { zoom: 1, x: 0, y: 0 };
    lay();
  }

  /** Zoom by a factor, so that what is under a point of the window stays there. */
  function zoom(factor, clientX = null, clientY = null) {
    const box = stage.getBoundingClientRect();
    const [centreX, centreY] = [box.left + box.width / 2, box.top + box.height / 2];
    const grown = within(view.zoom * factor, 1, MOST_ZOOM) / view.zoom;
    view = {
      zoom: view.zoom * grown,
      x: ((clientX ?? centreX) - centreX) * (1 - grown) + view.x * grown,
      y: ((clientY ?? centreY) - centreY) * (1 - grown) + view.y * grown,
    };
    lay();
  }

  /** Return the place of the picture under a point of the window. */
  function placeAt({ clientX, clientY }) {
    const box = sheet.getBoundingClientRect();
    return [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
  }

  function pinchOf([first, second]) {
    const far = Math.hypot(first.x - second.x, first.y - second.y);
    return { x: (first.x + second.x) / 2, y: (first.y + second.y) / 2, far };
  }

  stage.onpointerdown = (event) => {
    if (event.target === divider || event.button > 0) return;
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    const place = event.target.closest(".point")?.dataset.place;
    gesture = pointers.size > 1
      ? { pinch: pinchOf([...pointers.values()]) }
      : { x: event.clientX, y: event.clientY, place: place && Number(place) };
    cursorMark.hidden = true;
  };

  stage.onpointermove = (event) => {
    const before = pointers.get(event.pointerId);
    if (!before || !gesture) return;
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (gesture.pinch) {
      if (pointers.size < 2) return;
      const now = pinchOf([...pointers.values()]);
      view.x += now.x - gesture.pinch.x;
      view.y += now.y - gesture.pinch.y;
      zoom(now.far / gesture.pinch.far, now.x, now.y);
      gesture.pinch = now;
      return;
    }
    gesture.dragged ||= Math.hypot(event.clientX - gesture.x, event.clientY - gesture.y) > SLOP;
    if (!gesture.dragged) return;
    if (gesture.place !== undefined) {
      on.move(gesture.place, ...placeAt(event).map((share) => within(share, 0, LAST)));
    } else {
      view.x += event.clientX - before.x;
      view.y += event.clientY - before.y;
      lay();
    }
  };

  stage.onpointerup = (event) => {
    pointers.delete(event.pointerId);
    const { place, dragged, pinch } = gesture ?? { pinch: true };
    if (pinch) return;
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

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  stage.onkeydown = (event) => {
    const point = event.target.closest(".point");
    const place = Number(point?.dataset.place);
    const pressed = event.key === "Enter" || event.key === " ";
    if (event.target === divider || !(pressed || ARROWS[event.key])) return;
    event.preventDefault();
    if (pressed) {
      if (point) on.select(place);
      else if (!cursorMark.hidden) on.click(cursor.x, cursor.y);
      return;
    }
    const step = (STEP * Math.max(size.width, size.height)) / view.zoom / (event.shiftKey ? 4 : 1);
    const [across, down] = ARROWS[event.key];
    const moved = (x, y) => [
      within(x + (across * step) / size.width, 0, LAST),
      within(y + (down * step) / size.height, 0, LAST),
    ];
    if (point) {
      const { left, top } = point.style;
      on.move(place, ...moved(parseFloat(left) / 100, parseFloat(top) / 100));
      on.moved(place);
    } else {
      [cursor.x, cursor.y] = moved(cursor.x, cursor.y);
      cursorMark.hidden = false;
      Object.assign(cursorMark.style, { left: `${100 * cursor.x}%`, top: `${100 * cursor.y}%` });
    }
  };

  const comparing = () => compare.getAttribute("aria-pressed") === "true";
  const divide = () => sheet.style.setProperty("--divide", `${divider.value}%`);
  compare.onclick = () => {
    compare.setAttribute("aria-pressed", !comparing());
    divider.hidden = original.hidden = !comparing();
    divide();
  };
  divider.oninput = divide;

  /** Show the original as long as a button or a key is held. */
  function peek(held) {
    sheet.classList.toggle("peek", held);
    original.hidden = !held && !comparing();
  }
  peekButton.onpointerdown = () => peek(true);
  peekButton.onkeydown = ({ key }) => (key === "Enter" || key === " ") && peek(true);
  for (const end of ["pointerup", "pointerleave", "pointercancel", "blur", "keyup"]) {
    peekButton[`on${end}`] = () => peek(false);
  }

  new ResizeObserver(lay).observe(stage);
  element("in").onclick = () => zoom(1.5);
  element("out").onclick = () => zoom(1 / 1.5);
  element("fit").onclick = fit;

  const context = element("painted").getContext("2d", { willReadFrequently: true });
  return {
    fit,
    zoom,
    peek,

    /** Show another photograph: what it was before. */
    open(image) {
      size = image;
      for (const { canvas } of [context, original.getContext("2d")]) {
        Object.assign(canvas, { width: image.width, height: image.height });
        canvas.getContext("2d").putImageData(image, 0, 0);
      }
      fit();
    },

    paint: (image) => context.putImageData(image, 0, 0),

    /** Return the colour that is shown at a place. */
    colourAt: (x, y) =>
      [...context.getImageData(x * size.width, y * size.height, 1, 1).data.subarray(0, 3)],

    /** Draw the points, of which one may be selected. */
    mark(points, selected) {
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
    },
  };
}
