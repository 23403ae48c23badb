// The page: what happens when its parts are used.

import { load } from "../colorizer.js";
import { Photograph, isHints } from "./album.js";
import { createColours } from "./colours.js";
import { hexOf, createStage } from "./stage.js";
import { download, packed, stemOf } from "./save.js";
import { fillIn, isText, offerLanguages, text } from "./texts.js";
import { LOOKS } from "./looks.js";
import { forgetAll } from "./store.js";

const NETWORKS = {
  1: ["restore.onnx.gz"],
  2: ["enlarge_photo.onnx.gz"],
  4: ["enlarge_photo.onnx.gz", "enlarge_clean.onnx.gz"],
};
const SLIDERS = ["strength", "warmth", "tint"];
const TABS = ["colours", "look", "improve", "save"];
const CLOSE = 0.025; // a click so near to a point, as a share of the picture's longer side, means it

const element = (id) => document.getElementById(id);
const photos = [];
let current = null;
let selected = null; // the place of a point among those of the current photograph
let colorizer; // a promise
let stopper = null; // of what lasts

/** Return the address of a file of the page: beside it, or within it. */
function address(name) {
  const inside = document.querySelector(`script[data-name="${name}"]`);
  if (!inside) return new URL(name, document.baseURI).href;
  if (!name.endsWith(".js")) return `data:application/octet-stream;base64,${inside.textContent.trim()}`;
  return URL.createObjectURL(new Blob([inside.textContent], { type: "text/javascript" }));
}

// ------------------------------------------------------------------------------ what is said

function say(name, ...values) {
  element("status").textContent = text(name, ...values);
}

/** Show over the picture what is waited for, or nothing. */
function busy(name, ...values) {
  element("busy").hidden = !name;
  if (name) element("busyText").textContent = text(name, ...values);
}

/** Say why something failed: a sentence of texts.js, or what an Error says. */
function explain(error, name) {
  if (error.message === "stopped") return say("stopped");
  const known = isText(error.message) ? error.message : "memory";
  if (known === "memory") console.error(error);
  return say(known, name);
}

/** Do what lasts, with its progress and a Stop; `act(tell, signal)`. */
async function lasting(act) {
  stopper = new AbortController();
  element("progress").hidden = false;
  const bar = element("progress").querySelector("progress");
  bar.value = 0;
  try {
    return await act((share) => (bar.value = share), stopper.signal);
  } finally {
    element("progress").hidden = true;
    stopper = null;
  }
}

// ------------------------------------------------------------------------------ photographs

/** Open files: photographs, and hints of photographs that are open. */
async function add(files) {
  const hints = files.filter(isHints);
  const added = files.filter((file) => !isHints(file)).map((file) => new Photograph(file, newId()));
  photos.push(...added);
  for (const photo of added) keep(photo);
  drawStrip();
  if (added.length) choose(added[0]);
  await colorizeAll();
  for (const file of hints) await openHints(file);
}

let lastId = Date.now();
const newId = () => ++lastId;

/** Keep a photograph over a reload; say so, once, where a browser does not. */
function keep(photo) {
  photo.keep().catch(() => say("forgetful"));
}

async function openHints(file) {
  const named = (photo) => stemOf(photo.file.name) === stemOf(file.name);
  const photo = photos.find(named) ?? current;
  if (!photo?.chroma) return say("hintsAlone", file.name);
  try {
    await photo.readHints(file);
    choose(photo);
    await changed();
    say("hintsOpened", file.name);
  } catch (error) {
    explain(error, file.name);
  }
}

let painting = null;

/** Colorize what waits, the current photograph first. */
function colorizeAll() {
  painting ??= lasting(async (tell, signal) => {
    for (let done = 0; ; done++) {
      const waiting = photos.filter(({ state }) => state === "waiting");
      if (!waiting.length) break;
      if (signal.aborted) {
        for (const photo of waiting) photo.state = "stopped";
        say("stopped");
        break;
      }
      await colorizeOne(waiting.includes(current) ? current : waiting[0]);
      tell((done + 1) / (done + waiting.length));
    }
  }).finally(() => {
    painting = null;
    drawStrip();
    const done = photos.filter(({ state }) => state === "done").length;
    if (done > 1 && photos.every(({ state }) => state === "done")) say("allPainted", done);
  });
  return painting;
}

async function colorizeOne(photo) {
  photo.state = "working";
  drawStrip();
  if (photo === current) busy("painting", photo.file.name);
  try {
    await photo.open(await colorizer);
    photo.state = "done";
    await drawMini(photo);
    if (photo === current) await show(photo);
    say("painted", photo.file.name);
  } catch (error) {
    photo.state = "failed";
    photo.failure = error.message;
    explain(error, photo.file.name);
    photo.forget().catch(() => {});
  }
  if (photo === current) busy();
  drawStrip();
}

/** Make a photograph the current one. */
function choose(photo) {
  if (current && current !== photo) current.image = null;
  current = photo;
  selected = null;
  document.body.classList.toggle("empty", !photo);
  drawStrip();
  if (!photo) return;
  if (photo.state === "stopped") photo.state = "waiting";
  if (photo.state === "done") show(photo);
  else if (photo.state === "failed") explain(new Error(photo.failure), photo.file.name);
  else colorizeAll();
  element("sheet").hidden = photo.state !== "done";
}

/** Show a photograph that is in colour. */
async function show(photo) {
  const image = await photo.load(await colorizer);
  if (photo !== current) return;
  const painted = await photo.paint(await colorizer, image);
  if (photo !== current) return;
  stage.open(image);
  stage.paint(painted);
  element("sheet").hidden = false;
  showEdit();
}

/** Close a photograph, or all. */
function close(...closed) {
  for (const photo of closed) {
    photos.splice(photos.indexOf(photo), 1);
    photo.forget().catch(() => {});
  }
  choose(photos[0] ?? null);
  element("status").textContent = "";
}

async function drawMini(photo) {
  const mini = await photo.paint(await colorizer, photo.mini);
  photo.canvas ??= document.createElement("canvas");
  Object.assign(photo.canvas, { width: mini.width, height: mini.height });
  photo.canvas.getContext("2d").putImageData(mini, 0, 0);
}

/** Draw the strip of all photographs, each with its state. */
function drawStrip() {
  const list = element("strip").firstElementChild;
  while (list.children.length > photos.length) list.lastChild.remove();
  photos.forEach((photo, place) => {
    const item = list.children[place] ?? list.appendChild(document.createElement("li"));
    const button = item.firstChild ?? item.appendChild(document.createElement("button"));
    const canvas = photo.canvas ?? document.createElement("span");
    const name = document.createElement("span");
    name.textContent = photo.file.name;
    button.replaceChildren(canvas, name);
    button.className = photo.state;
    button.setAttribute("aria-label", `${photo.file.name}, ${text(photo.state)}`);
    button.setAttribute("aria-current", photo === current);
    button.onclick = () => choose(photo);
  });
  element("strip").hidden = photos.length < 2;
  element("saveAll").hidden = photos.filter(({ state }) => state === "done").length < 2;
}

// ------------------------------------------------------------------------------ points and look

let refreshing = null;

/** Show what the edit says: the newest one, however many changes come meanwhile. */
function changed() {
  showEdit();
  if (refreshing) return (refreshing.again = true);
  refreshing = { again: false };
  return refresh(current).finally(() => (refreshing = null));
}

async function refresh(photo) {
  do {
    refreshing.again = false;
    await photo.tell(await colorizer);
    const painted = await photo.paint(await colorizer, await photo.load(await colorizer));
    if (photo === current) stage.paint(painted);
    await drawMini(photo);
  } while (refreshing.again && photo === current);
  if (photo !== current && current?.chroma) return refresh(current);
  drawLooks();
}

/** Show points, sliders, what can be undone. */
function showEdit() {
  const { now, past, future } = current.edits;
  if (selected >= now.points.length) selected = null;
  stage.mark(now.points, selected);
  element("undo").disabled = !past.length;
  element("redo").disabled = !future.length;
  element("remove").disabled = selected === null;
  element("clear").disabled = !now.points.length && !now.strokes;
  element("saveHints").disabled = element("clear").disabled;
  element("advice").textContent = text(selected === null ? "adviceFirst" : "advicePick");
  for (const name of SLIDERS) {
    element(name).value = now[name];
    element(name).previousElementSibling.textContent =
      name === "strength" ? `${Math.round(100 * now[name])} %` : now[name];
  }
  document.querySelector(`[name=scale][value="${current.scale}"]`).checked = true;
  element("facts").textContent = text("facts", current.file.name, ...current.whole);
  const point = now.points[selected];
  if (point) {
    const { level, own } = current.at(point.x, point.y);
    colours.show(level, own);
    element("radius").value = 100 * point.radius;
  }
  if (!element("look").hidden) drawLooks();
}

/** End a change: it can be undone, and survives a reload. */
function settle(name, ...values) {
  current.edits.settle();
  keep(current);
  changed();
  if (name) say(name, ...values);
}

const stage = createStage({
  click(x, y) {
    const { width, height } = current.image;
    const longer = Math.max(width, height);
    const near = current.edits.now.points.findLastIndex(
      (point) => Math.hypot((point.x - x) * width, (point.y - y) * height) < CLOSE * longer / 2,
    );
    if (near >= 0) return this.select(near);
    const mode = document.querySelector("[name=mode]:checked").value;
    if (mode === "pick") {
      colours.take(stage.colourAt(x, y));
      document.querySelector("[name=mode][value=paint]").checked = true;
      return say("picked", hexOf(colours.inHand));
    }
    const { present } = current.at(x, y);
    const keeps = mode === "keep";
    const colour = keeps ? present : (colours.inHand ?? present);
    const radius = element("radius").value / 100;
    const points = [...current.edits.now.points, { x, y, radius, colour, keep: keeps }];
    current.edits.slide({ points });
    selected = points.length - 1;
    settle(keeps ? "pointKept" : "pointSet", points.length);
  },
  select(place) {
    selected = place;
    showEdit();
  },
  move(place, x, y) {
    selected = place;
    current.edits.changePoint(place, { x, y }, "slide");
    changed();
  },
  moved: (place) => settle("pointMoved", place + 1),
  remove(place) {
    const points = current.edits.now.points.filter((_, number) => number !== place);
    current.edits.slide({ points });
    selected = null;
    settle("pointGone", place + 1);
    element("stage").focus();
  },
});

const colours = createColours({
  choose(colour) {
    if (selected === null) return;
    current.edits.changePoint(selected, { colour, keep: false }, "slide");
    changed();
  },
  chosen() {
    document.querySelector("[name=mode][value=paint]").checked = true;
    if (selected !== null) settle();
  },
});

function step(direction) {
  if (!current?.edits[direction]()) return;
  selected = null;
  settle(direction === "undo" ? "undone" : "redone");
}

/** Show four looks of the current photograph to choose from. */
async function drawLooks() {
  if (element("look").hidden || !current?.chroma) return;
  const photo = current;
  const { now } = photo.edits;
  for (const [place, { name, ...look }] of LOOKS.entries()) {
    const box = element("looks");
    const button = box.children[place] ?? box.appendChild(document.createElement("button"));
    const chosen = SLIDERS.every((each) => now[each] === look[each]);
    button.setAttribute("aria-pressed", chosen);
    button.onclick = () => {
      current.edits.slide(look);
      settle();
    };
    const canvas = button.querySelector("canvas") ?? document.createElement("canvas");
    const image = await photo.paint(await colorizer, photo.mini, look);
    if (photo !== current) return;
    Object.assign(canvas, { width: image.width, height: image.height });
    canvas.getContext("2d").putImageData(image, 0, 0);
    button.replaceChildren(canvas, text(name));
  }
}

// ------------------------------------------------------------------------------ clean and save

/** Clean and enlarge the current photograph, or bring the file back as it was. */
async function improve(scale) {
  const photo = current;
  const { name } = photo.file;
  try {
    if (scale) {
      busy("improving", name);
      photo.picture = await lasting(async (tell, signal) =>
        (await colorizer).enlarge(photo.file, scale, NETWORKS[scale].map(address), { tell, signal }),
      );
    } else photo.picture = photo.file;
    photo.scale = scale;
    photo.image = null;
    busy("painting", name);
    await photo.open(await colorizer);
    await drawMini(photo);
    if (photo === current) await show(photo);
    keep(photo);
    say(scale ? "improved" : "painted", name);
  } catch (error) {
    explain(error, name);
    showEdit();
  }
  busy();
}

async function saveOne() {
  const photo = current;
  busy("packing", 1, 1);
  try {
    const { name, blob } = await photo.write(await colorizer, element("format").value);
    download(blob, name);
    say("saved", name);
  } catch (error) {
    explain(error, photo.file.name);
  }
  busy();
}

async function saveAll() {
  const done = photos.filter(({ state }) => state === "done");
  try {
    const archive = await lasting((tell, signal) => packed(written(done, tell, signal)));
    download(archive, "colorized.zip");
    say("saved", "colorized.zip");
  } catch (error) {
    explain(error, "colorized.zip");
  }
  busy();
}

async function* written(done, tell, signal) {
  for (const [place, photo] of done.entries()) {
    if (signal.aborted) throw new Error("stopped");
    say("packing", place + 1, done.length);
    yield await photo.write(await colorizer, element("format").value);
    tell((place + 1) / done.length);
  }
}

async function saveHints() {
  const { name, blob } = await current.writeHints();
  download(blob, name);
  say("saved", name);
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

function wire() {
  for (const id of ["open", "openFirst"]) element(id).onclick = () => element("files").click();
  element("camera").onclick = () => element("shot").click();
  for (const input of [element("files"), element("shot")]) {
    input.onchange = () => {
      add([...input.files]);
      input.value = "";
    };
  }
  element("example").onclick = async () => {
    const blob = await (await fetch(address("example.jpg"))).blob();
    add([new File([blob], "example.jpg", { type: "image/jpeg" })]);
  };
  document.ondragover = (event) => event.preventDefault();
  document.ondrop = (event) => {
    event.preventDefault();
    add([...event.dataTransfer.files]);
  };
  document.onpaste = ({ clipboardData }) => {
    if (clipboardData.files.length) add([...clipboardData.files]);
  };

  element("undo").onclick = () => step("undo");
  element("redo").onclick = () => step("redo");
  element("remove").onclick = () => stageRemove();
  element("clear").onclick = () => {
    current.edits.slide({ points: [], strokes: null });
    settle();
  };
  element("saveHints").onclick = saveHints;
  element("saveOne").onclick = saveOne;
  element("saveAll").onclick = saveAll;
  element("close").onclick = () => close(current);
  element("closeAll").onclick = () => {
    if (!confirm(text("closeSure"))) return;
    forgetAll().catch(() => {});
    close(...photos);
  };
  element("stop").onclick = () => stopper?.abort();
  element("about").onclick = () => element("aboutDialog").showModal();

  element("radius").oninput = ({ target }) => {
    if (selected === null) return;
    current.edits.changePoint(selected, { radius: target.value / 100 }, "slide");
    changed();
  };
  element("radius").onchange = () => selected !== null && settle();
  for (const name of SLIDERS) {
    element(name).oninput = ({ target }) => {
      current.edits.slide({ [name]: Number(target.value) });
      changed();
    };
    element(name).onchange = () => settle();
  }
  for (const radio of document.querySelectorAll("[name=scale]")) {
    radio.onchange = () => improve(Number(radio.value));
  }
  for (const name of TABS) {
    const tab = document.querySelector(`[aria-controls=${name}]`);
    tab.onclick = () => showTab(name);
    tab.onkeydown = ({ key }) => {
      const way = { ArrowRight: 1, ArrowLeft: -1 }[key];
      if (!way) return;
      const turn = document.documentElement.dir === "rtl" ? -way : way;
      const next = TABS[(TABS.indexOf(name) + turn + TABS.length) % TABS.length];
      showTab(next);
      document.querySelector(`[aria-controls=${next}]`).focus();
    };
  }
  showTab("colours");

  document.onkeydown = (event) => {
    if (!current?.image || event.target.matches("select, dialog *")) return;
    const pressed = event.ctrlKey || event.metaKey ? `Ctrl+${event.key.toLowerCase()}` : event.key;
    const act = {
      "Ctrl+z": () => step(event.shiftKey ? "redo" : "undo"),
      "Ctrl+y": () => step("redo"),
      Delete: stageRemove, Backspace: stageRemove,
      Escape: () => { selected = null; showEdit(); },
      "+": () => stage.zoom(1.5), "-": () => stage.zoom(1 / 1.5), 0: stage.fit,
      o: () => stage.peek(true),
    }[pressed];
    if (!act) return;
    event.preventDefault();
    act();
  };
  document.onkeyup = ({ key }) => key === "o" && stage.peek(false);
  addEventListener("beforeunload", (event) => {
    if (photos.some(({ unsaved }) => unsaved)) event.preventDefault();
  });
}

const stageRemove = () => {
  if (selected === null) return;
  const points = current.edits.now.points.filter((_, number) => number !== selected);
  current.edits.slide({ points });
  const gone = selected + 1;
  selected = null;
  settle("pointGone", gone);
};

async function start() {
  offerLanguages(element("language"), () => {
    drawStrip();
    if (current?.image) showEdit();
  });
  wire();
  say("loading");
  const options = { wasm: address("ort.wasm.gz"), worker: address("worker.js") };
  if (options.worker.startsWith("blob:")) options.workerType = "classic"; // no module from file://
  colorizer = load(address("colour.onnx.gz"), options);
  colorizer.then(
    () => element("status").textContent === text("loading") && (element("status").textContent = ""),
    (error) => say("cannotStart", error.message),
  );
  const kept = await Photograph.kept().catch(() => []);
  photos.push(...kept);
  if (kept.length) choose(kept[0]);
  document.body.classList.add("ready");
  if (kept.length) await colorizeAll();
  await colorizer;
  if (location.protocol.startsWith("http")) navigator.serviceWorker?.register("sw.js");
}

start();
