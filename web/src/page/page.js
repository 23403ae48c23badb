// The page: what happens when its parts are used.

import { load } from "../colorizer.js";
import { createAlbum } from "./album.js";
import { createColours } from "./colours.js";
import { LOOKS } from "./edit.js";
import { download } from "./save.js";
import { element, explain, lasting, say, stop, wait } from "./said.js";
import { createStage, drawOn, hexOf } from "./stage.js";
import { offerLanguages, text } from "./texts.js";

const NETWORKS = {
  1: ["restore.onnx.gz"],
  2: ["restore.onnx.gz", "enlarge_photo.onnx.gz", "enlarge_clean.onnx.gz"],
  4: ["restore.onnx.gz", "enlarge_photo.onnx.gz", "enlarge_clean.onnx.gz"],
};
const SLIDERS = ["strength", "warmth", "tint"];
const TABS = ["colours", "look", "improve", "save"];
const CLOSE = 0.0125; // a click so near to a point, as a share of the longer side, means the point

/** Return the address of a file of the page: beside it, or within it. */
function address(name) {
  const inside = document.querySelector(`script[data-name="${name}"]`);
  if (!inside) return new URL(name, document.baseURI).href;
  if (!name.endsWith(".js")) return `data:application/octet-stream;base64,${inside.textContent}`;
  return URL.createObjectURL(new Blob([inside.textContent], { type: "text/javascript" }));
}

offerLanguages(element("language"), () => {
  album.draw();
  if (album.current?.chroma) showEdit();
});
say("loading");
const worker = address("worker.js");
const colorizer = load(address("colour.onnx.gz"), {
  wasm: address("ort.wasm.gz"),
  worker,
  workerType: worker.startsWith("blob:") ? "classic" : "module", // no module from file://
});
const album = createAlbum(colorizer, { show, change });
let selected = null; // the place of one of the points

// ------------------------------------------------------------------------------ what is shown

/** Show a photograph that is in colour. */
async function show(photo) {
  selected = null;
  const image = await photo.load(await colorizer);
  const painted = await photo.paint(await colorizer, image);
  if (photo !== album.current) return;
  stage.open(image, painted);
  element("sheet").hidden = false;
  showEdit();
}

let refreshing = null;
let outdated = false;

/** Paint what the edit says now: the newest one, however many changes come meanwhile. */
function change() {
  showEdit();
  outdated = true;
  element("stage").setAttribute("aria-busy", true);
  refreshing ??= refresh().finally(() => {
    refreshing = null;
    element("stage").setAttribute("aria-busy", false);
  });
  return refreshing;
}

async function refresh() {
  while (outdated) {
    outdated = false;
    const photo = album.current;
    if (photo?.state !== "done") return;
    await photo.tell(await colorizer);
    const painted = await photo.paint(await colorizer, await photo.load(await colorizer));
    if (photo === album.current) stage.paint(painted);
    await album.drawMini(photo);
  }
}

/** Show points and sliders, and what can be undone. */
function showEdit() {
  const photo = album.current;
  const { now, past, future } = photo.edits;
  if (selected >= now.points.length) selected = null;
  stage.draw(now.points, selected);
  element("undo").disabled = !past.length;
  element("redo").disabled = !future.length;
  element("remove").disabled = selected === null;
  element("clear").disabled = element("saveHints").disabled = !now.points.length && !now.strokes;
  element("advice").textContent = text(selected === null ? "adviceFirst" : "advicePick");
  for (const name of SLIDERS) {
    element(name).value = now[name];
    const said = name === "strength" ? `${Math.round(100 * now[name])} %` : now[name];
    element(name).previousElementSibling.textContent = said;
  }
  document.querySelector(`[name=scale][value="${photo.scale}"]`).checked = true;
  element("facts").textContent = text("facts", photo.file.name, ...photo.whole);
  const point = now.points[selected];
  if (point) {
    const { level, own } = photo.at(point.x, point.y);
    colours.show(level, own, point.colour);
    element("radius").value = 100 * point.radius;
  }
  drawLooks();
}

/** Show four looks of the current photograph to choose from. */
async function drawLooks() {
  const photo = album.current;
  if (element("look").hidden || !photo?.chroma) return;
  for (const [place, { name, ...look }] of LOOKS.entries()) {
    const image = await photo.paint(await colorizer, photo.mini, look);
    const box = element("looks");
    const button = box.children[place] ?? box.appendChild(document.createElement("button"));
    const canvas = button.firstElementChild ?? document.createElement("canvas");
    drawOn(canvas, image);
    button.replaceChildren(canvas, text(name));
    const same = SLIDERS.every((each) => photo.edits.now[each] === look[each]);
    button.setAttribute("aria-pressed", same);
    button.onclick = () => decide(look);
  }
}

// ------------------------------------------------------------------------------ what is decided

const edits = () => album.current.edits;

/** End a change: it can be undone and survives a reload. */
function settle(name, ...values) {
  edits().settle();
  album.keep(album.current);
  change();
  if (name) say(name, ...values);
}

function decide(changes, ...said) {
  edits().slide(changes);
  settle(...said);
}

function move(place, changes) {
  selected = place;
  edits().slidePoint(place, changes);
  change();
}

function select(place) {
  selected = place;
  showEdit();
}

function remove(place) {
  if (place === null) return;
  selected = null;
  const points = edits().now.points.filter((_, each) => each !== place);
  decide({ points }, "pointGone", place + 1);
}

function step(direction) {
  if (!edits()[direction]()) return;
  selected = null;
  settle(direction === "undo" ? "undone" : "redone");
}

const mode = () => document.querySelector("[name=mode]:checked").value;
const paintMode = () => (document.querySelector("[name=mode][value=paint]").checked = true);

/** Take a click on the photograph, x and y as shares of its sides. */
function click(x, y) {
  const { points } = edits().now;
  const { width, height } = album.current.image;
  const far = (point) => Math.hypot((point.x - x) * width, (point.y - y) * height);
  const near = points.findLastIndex((point) => far(point) < CLOSE * Math.max(width, height));
  if (near >= 0) return select(near);
  if (mode() === "pick") {
    colours.take(stage.colourAt(x, y));
    paintMode();
    return say("picked", hexOf(colours.inHand));
  }
  const keep = mode() === "keep";
  const { present } = album.current.at(x, y);
  const colour = keep ? present : (colours.inHand ?? present);
  const point = { x, y, radius: element("radius").value / 100, colour, keep };
  selected = points.length;
  decide({ points: [...points, point] }, keep ? "pointKept" : "pointSet", selected + 1);
}

const stage = createStage({
  click,
  select,
  remove,
  move: (place, x, y) => move(place, { x, y }),
  moved: (place) => settle("pointMoved", place + 1),
});

const colours = createColours({
  choose: (colour) => selected !== null && move(selected, { colour, keep: false }),
  chosen() {
    paintMode();
    if (selected !== null) settle();
  },
});

// ------------------------------------------------------------------------------ clean and save

/** Do something with the current photograph and say what became of it. */
async function attempt(act) {
  const photo = album.current;
  try {
    await act(photo);
  } catch (error) {
    explain(error, photo.file.name);
  }
  wait();
  if (photo === album.current) showEdit();
}

/** Clean and enlarge the current photograph, or bring the file back as it was. */
const improve = (scale) =>
  attempt(async (photo) => {
    const { name } = photo.file;
    const painter = await colorizer;
    let picture = photo.file;
    if (scale) {
      wait("improving", name);
      const networks = NETWORKS[scale].map(address);
      picture = await lasting((tell, signal) =>
        painter.enlarge(photo.file, scale, networks, { tell, signal }));
    }
    wait("painting", name);
    Object.assign(photo, { picture, scale });
    await photo.open(painter);
    await album.drawMini(photo);
    if (photo === album.current) await show(photo);
    album.keep(photo);
    say(scale ? "improved" : "painted", name);
  });

/** Save a file of the current photograph: `make(photo)` promises {name, blob}. */
const save = (make) =>
  attempt(async (photo) => {
    wait("packing", 1, 1);
    const { name, blob } = await make(photo);
    download(blob, name);
    say("saved", name);
  });

async function openExample() {
  const content = await (await fetch(address("example.jpg"))).arrayBuffer();
  album.add([new File([content], "example.jpg", { type: "image/jpeg" })]);
}

// ------------------------------------------------------------------------------ the parts

function showTab(name) {
  for (const each of TABS) {
    const tab = document.querySelector(`[aria-controls=${each}]`);
    element(each).hidden = each !== name;
    tab.setAttribute("aria-selected", each === name);
    tab.tabIndex = each === name ? 0 : -1;
  }
  drawLooks();
}

for (const [place, name] of TABS.entries()) {
  const tab = document.querySelector(`[aria-controls=${name}]`);
  tab.onclick = () => showTab(name);
  tab.onkeydown = ({ key }) => {
    const way = { ArrowRight: 1, ArrowLeft: -1 }[key] ?? 0;
    const turn = document.documentElement.dir === "rtl" ? -way : way;
    const next = TABS[(place + turn + TABS.length) % TABS.length];
    showTab(next);
    document.querySelector(`[aria-controls=${next}]`).focus();
  };
}
showTab("colours");

const clicks = {
  open: () => element("files").click(),
  openFirst: () => element("files").click(),
  camera: () => element("shot").click(),
  example: openExample,
  undo: () => step("undo"),
  redo: () => step("redo"),
  remove: () => remove(selected),
  clear: () => decide({ points: [], strokes: null }, "pointsGone"),
  close: () => album.close(album.current),
  closeAll: album.closeAll,
  about: () => element("aboutDialog").showModal(),
  saveOne: () => save(async (photo) => photo.write(await colorizer, element("format").value)),
  saveHints: () => save((photo) => photo.writeHints()),
  saveAll: album.saveAll,
  stop,
};
for (const [id, act] of Object.entries(clicks)) element(id).onclick = act;

for (const input of [element("files"), element("shot")]) {
  input.onchange = () => {
    album.add([...input.files]);
    input.value = "";
  };
}
document.ondragover = (event) => event.preventDefault();
document.ondrop = (event) => {
  event.preventDefault();
  album.add([...event.dataTransfer.files]);
};
document.onpaste = ({ clipboardData }) => album.add([...clipboardData.files]);

element("radius").oninput = ({ target }) => {
  if (selected !== null) move(selected, { radius: target.value / 100 });
};
element("radius").onchange = () => selected !== null && settle();
for (const name of SLIDERS) {
  element(name).oninput = ({ target }) => {
    edits().slide({ [name]: Number(target.value) });
    change();
  };
  element(name).onchange = () => settle();
}
for (const radio of document.querySelectorAll("[name=scale]")) {
  radio.onchange = () => improve(Number(radio.value));
}

const keys = {
  "Ctrl+z": () => step("undo"),
  "Ctrl+Z": () => step("redo"),
  "Ctrl+y": () => step("redo"),
  Delete: () => remove(selected),
  Backspace: () => remove(selected),
  Escape: () => select(null),
  "+": () => stage.zoom(1.5),
  "-": () => stage.zoom(1 / 1.5),
  0: stage.fit,
  o: () => stage.peek(true),
};
document.onkeydown = (event) => {
  const act = keys[event.ctrlKey || event.metaKey ? `Ctrl+${event.key}` : event.key];
  if (!act || !album.current?.image || event.target.closest("select, dialog")) return;
  event.preventDefault();
  act();
};
document.onkeyup = ({ key }) => {
  if (key === "o") stage.peek(false);
};
addEventListener("beforeunload", (event) => {
  if (album.photos.some(({ unsaved }) => unsaved)) event.preventDefault();
});

colorizer.then(
  () => element("status").textContent === text("loading") && (element("status").textContent = ""),
  (error) => say("cannotStart", error.message),
);
if (location.protocol.startsWith("http")) navigator.serviceWorker?.register("sw.js");
element("exampleImage").src = address("example.jpg");
album.restore().then(() => document.body.classList.add("ready"));
