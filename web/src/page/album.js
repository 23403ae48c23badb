// All photographs that are open: the strip, which one is current, colorizing one after the other.

import { Photograph, isHints } from "./photograph.js";
import { download, packed, stemOf } from "./save.js";
import { element, explain, lasting, say, wait } from "./said.js";
import { drawOn } from "./stage.js";
import { forgetAll } from "./store.js";
import { text } from "./texts.js";

/** Build the album for a promise of a colorizer; it calls `on.show(photo)` for the current one. */
export function createAlbum(colorizer, on) {
  const photos = [];
  const album = { photos, current: null, add, choose, close, closeAll, draw, restore, saveAll };
  let running = null;

  /** Open files: photographs, and hints of photographs that are open. */
  async function add(files) {
    const added = files.filter((file) => !isHints(file)).map((file) => new Photograph(file));
    photos.push(...added);
    for (const photo of added) album.keep(photo);
    if (added.length) choose(added[0]);
    await running;
    for (const file of files.filter(isHints)) await openHints(file);
  }

  /** Keep a photograph over a reload; a browser that does not is named. */
  album.keep = (photo) => photo.keep().catch(() => say("forgetful"));

  async function openHints(file) {
    const named = ({ file: { name } }) => stemOf(name) === stemOf(file.name);
    const photo = photos.find(named) ?? album.current;
    if (photo?.state !== "done") return say("hintsAlone", file.name);
    try {
      await photo.readHints(file);
      choose(photo);
      await on.change();
      say("hintsOpened", file.name);
    } catch (error) {
      explain(error, file.name);
    }
  }

  /** Open what the browser kept. */
  async function restore() {
    photos.push(...(await Photograph.kept().catch(() => [])));
    if (photos.length) choose(photos[0]);
  }

  /** Make a photograph the current one; null: there is none. */
  function choose(photo) {
    if (album.current && album.current !== photo) album.current.image = null;
    album.current = photo;
    document.body.classList.toggle("empty", !photo);
    element("sheet").hidden = photo?.state !== "done";
    if (photo?.state === "stopped") photo.state = "waiting";
    if (photo?.state === "done") on.show(photo);
    element("failure").hidden = photo?.state !== "failed";
    if (photo?.state === "failed") fail(photo);
    if (photos.some(({ state }) => state === "waiting")) running ??= colorizeAll();
    draw();
  }

  /** Colorize what waits, the current one first. */
  async function colorizeAll() {
    await lasting(async (tell, signal) => {
      const waiting = () => photos.filter(({ state }) => state === "waiting");
      for (let done = 1; waiting().length && !signal.aborted; done++) {
        await colorize(waiting().find((photo) => photo === album.current) ?? waiting()[0]);
        tell(done / (done + waiting().length));
      }
      for (const photo of waiting()) photo.state = "stopped";
      if (signal.aborted) say("stopped");
    });
    running = null;
    const done = photos.filter(({ state }) => state === "done").length;
    if (done > 1 && done === photos.length) say("allPainted", done);
    draw();
  }

  async function colorize(photo) {
    photo.state = "working";
    if (photo === album.current) wait("painting", photo.file.name);
    draw();
    try {
      await photo.open(await colorizer);
      await album.drawMini(photo);
      photo.state = "done";
      if (photo === album.current) await on.show(photo);
      say("painted", photo.file.name);
    } catch (error) {
      Object.assign(photo, { state: "failed", failure: error });
      photo.forget();
      fail(photo);
    }
    if (photo === album.current) wait();
    draw();
  }

  /** Say why a photograph cannot be shown, and say it where it would be. */
  function fail(photo) {
    const sentence = explain(photo.failure, photo.file.name);
    if (photo !== album.current) return;
    element("failure").hidden = false;
    element("failure").textContent = sentence;
  }

  album.drawMini = async (photo) => {
    photo.canvas ??= document.createElement("canvas");
    drawOn(photo.canvas, await photo.paint(await colorizer, photo.mini));
  };

  /** Draw the strip: each photograph with its state. */
  function draw() {
    const list = element("strip").firstElementChild;
    while (list.children.length > photos.length) list.lastChild.remove();
    photos.forEach((photo, place) => {
      const item = list.children[place] ?? list.appendChild(document.createElement("li"));
      const button = item.firstChild ?? item.appendChild(document.createElement("button"));
      const name = Object.assign(document.createElement("span"), { textContent: photo.file.name });
      button.replaceChildren(photo.canvas ?? document.createElement("i"), name);
      button.className = photo.state;
      button.setAttribute("aria-label", `${photo.file.name}, ${text(photo.state)}`);
      button.setAttribute("aria-current", photo === album.current);
      button.onclick = () => choose(photo);
    });
    element("strip").hidden = photos.length < 2;
    element("saveAll").hidden = photos.filter(({ state }) => state === "done").length < 2;
  }

  function close(...closed) {
    for (const photo of closed) {
      photos.splice(photos.indexOf(photo), 1);
      photo.forget();
    }
    element("status").textContent = "";
    choose(photos[0] ?? null);
  }

  function closeAll() {
    if (!confirm(text("closeSure"))) return;
    forgetAll().catch(() => {});
    close(...photos);
  }

  /** Save all that is in colour as a ZIP. */
  async function saveAll() {
    const done = photos.filter(({ state }) => state === "done");
    async function* written(tell, signal) {
      for (const [place, photo] of done.entries()) {
        if (signal.aborted) throw new Error("stopped");
        say("packing", place + 1, done.length);
        yield await photo.write(await colorizer, element("format").value);
        tell((place + 1) / done.length);
      }
    }
    try {
      download(await lasting((...given) => packed(written(...given))), "colorized.zip");
      say("saved", "colorized.zip");
    } catch (error) {
      explain(error, "colorized.zip");
    }
  }

  return album;
}
