// The picture: painted, before and after, zoom and pan, points that are set, moved, taken away.

import { text } from "./texts.js";

const MOST_ZOOM = 12;
const SLOP = 6; // pixels that a finger or a mouse may move in a click
const STEP = 0.02; // of the picture's longer side, that an arrow key moves; with Shift a quarter

const element = (id) => document.getElementById(id);
const [stage, sheet, painted, original] = ["stage", "sheet", "painted", "original"].map(element);
const within = (value, low, high) => Math.min(Math.max(value, low), high);

/**
 * The stage calls `on.click(x, y)`, `on.select(place)`, `on.move(place, x, y)`, `on.moved(place)` and
 * `on.remove(place)`; x and y are shares of the picture's width and height.
 */
export function createStage(on) {
  let view = { zoom: 1, x: 0, y: 0 };
  let cursor = { x: 0.5, y: 0.5 };
  let size = { width: 1, height: 1 };
  const pointers = new Map();
  let gesture = null;

  /** Lay the sheet out so that the whole picture is seen, and place it as the view says. */
  function lay() {
    const scale = Math.min(stage.clientWidth / size.width, stage.clientHeight / size.height);
    const [width, height] = [size.width * scale, size.height * scale];
    const room = (length, whole) => Math.max(0, (length * view.zoom - whole) / 2);
    const [across, down] = [room(width, stage.clientWidth), room(height, stage.clientHeight)];
    view.x = within(view.x, -across, across);
    view.y = within(view.y, -down, down);
    sheet.style.width = `${width}px`;
    sheet.style.height = `${height}px`;
    sheet.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.zoom})`;
    sheet.style.setProperty("--zoom", view.zoom);
    sheet.classList.toggle("pixels", (scale * view.zoom) / devicePixelRatio > 4);
  }

  /** Return the place of the picture under a point of the window. */
  function placeAt(clientX, clientY) {
    const box = sheet.getBoundingClientRect();
    return [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
  }

  /** Zoom by a factor, so that what is under a point of the window stays there. */
  function zoomAt(factor, clientX, clientY) {
    const box = stage.getBoundingClientRect();
    const zoom = within(view.zoom * factor, 1, MOST_ZOOM);
    const centre = [box.left + box.width / 2, box.top + box.height / 2];
    const [across, down] = [clientX ?? centre[0], clientY ?? centre[1]];
    const grown = zoom / view.zoom;
    view.x = (across - centre[0]) * (1 - grown) + view.x * grown;
    view.y = (down - centre[1]) * (1 - grown) + view.y * grown;
    view.zoom = zoom;
    lay();
  }

  function fit() {
    view = { zoom: 1, x: 0, y: 0 };
    lay();
  }

  function placeCursor() {
    const mark = element("cursor");
    mark.style.left = `${100 * cursor.x}%`;
    mark.style.top = `${100 * cursor.y}%`;
  }

  const middle = (points) => {
    const sum = (name) => points.reduce((total, each) => total + each[name], 0) / points.length;
    const spread = points.length > 1
      ? Math.hypot(points[0].x - points[1].x, points[0].y - points[1].y) : 0;
    return { x: sum("x"), y: sum("y"), spread };
  };

  stage.onpointerdown = (event) => {
    if (event.target.id === "divide" || event.button > 0) return;
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    const point = event.target.closest?.(".point");
    gesture = pointers.size > 1
      ? { pinch: middle([...pointers.values()]) }
      : { x: event.clientX, y: event.clientY, place: point ? Number(point.dataset.place) : null };
    element("cursor").hidden = true;
  };

  stage.onpointermove = (event) => {
    const before = pointers.get(event.pointerId);
    if (!before || !gesture) return;
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (gesture.pinch) {
      const now = middle([...pointers.values()]);
      view.x += now.x - gesture.pinch.x;
      view.y += now.y - gesture.pinch.y;
      if (gesture.pinch.spread) zoomAt(now.spread / gesture.pinch.spread, now.x, now.y);
      gesture.pinch = now;
      return;
    }
    const far = Math.hypot(event.clientX - gesture.x, event.clientY - gesture.y);
    gesture.dragged ||= far > SLOP;
    if (!gesture.dragged) return;
    if (gesture.place === null) {
      view.x += event.clientX - before.x;
      view.y += event.clientY - before.y;
      lay();
    } else {
      const [x, y] = placeAt(event.clientX, event.clientY);
      on.move(gesture.place, within(x, 0, 0.9999), within(y, 0, 0.9999));
    }
  };

  stage.onpointerup = (event) => {
    pointers.delete(event.pointerId);
    if (!gesture || gesture.pinch) {
      if (!pointers.size) gesture = null;
      return;
    }
    const { place, dragged } = gesture;
    gesture = null;
    if (place !== null) return dragged ? on.moved(place) : on.select(place);
    const [x, y] = placeAt(event.clientX, event.clientY);
    if (!dragged && x >= 0 && x < 1 && y >= 0 && y < 1) on.click(x, y);
  };

  stage.onpointercancel = (event) => {
    pointers.delete(event.pointerId);
    gesture = null;
  };

  // Captured pointers send their clicks to the stage.
  stage.ondblclick = (event) => {
    const [point] = document.elementsFromPoint(event.clientX, event.clientY)
      .filter((each) => each.matches(".point"));
    if (point) on.remove(Number(point.dataset.place));
  };

  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomAt(Math.exp(-event.deltaY / 400), event.clientX, event.clientY);
  }, { passive: false });

  stage.onkeydown = (event) => {
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const arrow = arrows[event.key];
    const point = event.target.closest(".point");
    if (event.target.id === "divide") return;
    if (arrow) {
      event.preventDefault();
      const step = (STEP * Math.max(size.width, size.height)) / (event.shiftKey ? 4 : 1) / view.zoom;
      const moved = ({ x, y }) => [
        within(x + (arrow[0] * step) / size.width, 0, 0.9999),
        within(y + (arrow[1] * step) / size.height, 0, 0.9999),
      ];
      if (point) {
        const [x, y] = moved({ x: parseFloat(point.style.left) / 100, y: parseFloat(point.style.top) / 100 });
        on.move(Number(point.dataset.place), x, y);
        on.moved(Number(point.dataset.place));
      } else {
        [cursor.x, cursor.y] = moved(cursor);
        element("cursor").hidden = false;
        placeCursor();
      }
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      if (point) on.select(Number(point.dataset.place));
      else if (!element("cursor").hidden) on.click(cursor.x, cursor.y);
    }
  };

  new ResizeObserver(lay).observe(stage);
  element("in").onclick = () => zoomAt(1.5);
  element("out").onclick = () => zoomAt(1 / 1.5);
  element("fit").onclick = fit;

  const compare = element("compare");
  compare.onclick = () => {
    const on = compare.getAttribute("aria-pressed") !== "true";
    compare.setAttribute("aria-pressed", on);
    element("divide").hidden = original.hidden = !on;
    if (on) element("divide").value = 50;
    divide();
  };
  const divide = () => sheet.style.setProperty("--divide", `${element("divide").value}%`);
  element("divide").oninput = divide;

  /** Show the original as long as a button or a key is held. */
  const peek = (held) => () => {
    sheet.classList.toggle("peek", held);
    original.hidden = !held && compare.getAttribute("aria-pressed") !== "true";
  };
  const button = element("peek");
  button.onpointerdown = peek(true);
  button.onpointerup = button.onpointerleave = button.onpointercancel = button.onblur = peek(false);
  button.onkeydown = ({ key }) => (key === "Enter" || key === " ") && peek(true)();
  button.onkeyup = peek(false);

  return {
    fit,
    zoom: zoomAt,
    peek: (held) => peek(held)(),

    /** Show another photograph: what it was before. */
    open(image) {
      size = image;
      for (const canvas of [painted, original]) {
        canvas.width = image.width;
        canvas.height = image.height;
        canvas.getContext("2d").putImageData(image, 0, 0);
      }
      fit();
    },

    paint: (image) => painted.getContext("2d").putImageData(image, 0, 0),

    /** Return the colour that is shown at a place. */
    colourAt: (x, y) =>
      [...painted.getContext("2d").getImageData(x * size.width, y * size.height, 1, 1).data.slice(0, 3)],

    /** Draw the points, of which one may be selected. */
    mark(points, selected) {
      const box = element("points");
      while (box.children.length > points.length) box.lastChild.remove();
      points.forEach(({ x, y, colour, keep }, place) => {
        const point = box.children[place] ?? box.appendChild(document.createElement("button"));
        point.className = keep ? "point keep" : "point";
        point.dataset.place = place;
        point.style.left = `${100 * x}%`;
        point.style.top = `${100 * y}%`;
        point.style.backgroundColor = `rgb(${colour})`;
        point.setAttribute("aria-pressed", place === selected);
        point.setAttribute("aria-label", text("point", place + 1, hexOf(colour)));
      });
    },
  };
}

export const hexOf = (colour) =>
  `#${[...colour].map((level) => level.toString(16).padStart(2, "0")).join("")}`;
