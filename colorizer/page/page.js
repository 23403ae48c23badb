// Presses and keys on the photograph and on the palette, as shares of their sides; folders of
// uploads; names for screen readers. Gradio knows none of these: what was pressed lies in
// window.colorizer, from which the `js` of an event takes it, and a hidden button tells the server.
(() => {
  const AREAS = { picture: "press-picture", palette: "press-palette" };
  const NAMES = {
    picture: "The photograph. The arrow keys move a cross, with Shift by less; Enter sets a point.",
    palette: "Every colour that fits. The arrow keys move a cross; Enter takes the colour.",
  };
  window.colorizer = { pressed: "", folders: [] };
  let start = null;
  const cursor = { x: 0.5, y: 0.5 };

  const areaOf = (image) =>
    Object.keys(AREAS).find((id) => image?.closest?.(`#${id}`) && image.tagName === "IMG");

  const placeOf = (event, image) => {
    const box = image.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };

  const send = (area, from, to) => {
    window.colorizer.pressed = [...from, ...to].join(" ");
    document.getElementById(AREAS[area]).click();
  };

  document.addEventListener("pointerdown", (event) => {
    const area = areaOf(event.target);
    if (!area || !event.isPrimary || event.button !== 0) return;
    start = { area, image: event.target, place: placeOf(event, event.target) };
    event.preventDefault(); // the browser would drag the picture itself
    document.getElementById(area).focus({ preventScroll: true });
  });
  document.addEventListener("pointerup", (event) => {
    if (start) send(start.area, start.place, placeOf(event, start.image));
    start = null;
  });
  document.addEventListener("pointercancel", () => (start = null));
  document.addEventListener("dragstart", (event) => areaOf(event.target) && event.preventDefault());

  const showCursor = (image) => {
    const box = image.getBoundingClientRect();
    let cross = document.getElementById("cursor");
    if (!cross) {
      cross = document.createElement("div");
      cross.id = "cursor";
      document.body.append(cross);
    }
    cross.style.left = `${box.left + cursor.x * box.width}px`;
    cross.style.top = `${box.top + cursor.y * box.height}px`;
  };
  const hideCursor = () => document.getElementById("cursor")?.remove();

  document.addEventListener("keydown", (event) => {
    const area = event.target.id;
    const image = AREAS[area] && event.target.querySelector("img");
    if (!image) return;
    const step = event.shiftKey ? 0.005 : 0.03;
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (move[event.key]) {
      cursor.x = Math.min(1, Math.max(0, cursor.x + step * move[event.key][0]));
      cursor.y = Math.min(1, Math.max(0, cursor.y + step * move[event.key][1]));
      showCursor(image);
    } else if (event.key === "Enter" || event.key === " ") {
      send(area, [cursor.x, cursor.y], [cursor.x, cursor.y]);
    } else if (event.key === "Delete" && area === "picture") {
      document.querySelector("#remove").click();
    } else if (event.key === "z" && (event.ctrlKey || event.metaKey)) {
      document.querySelector("#undo").click();
    } else {
      return;
    }
    event.preventDefault();
  });
  document.addEventListener("focusout", hideCursor);
  document.addEventListener("scroll", hideCursor, true);

  // A zoomed picture is wider than its place, which scrolls.
  let zoomed = 1;
  window.colorizer.zoom = (times) => {
    zoomed = times;
    const picture = document.getElementById("picture");
    const image = picture.querySelector("img");
    delete picture.dataset.zoomed;
    if (times > 1 && image) {
      picture.style.setProperty("--zoomed", `${times * image.getBoundingClientRect().width}px`);
      picture.dataset.zoomed = times;
    }
  };
  document.addEventListener(
    "load",
    (event) => areaOf(event.target) === "picture" && window.colorizer.zoom(zoomed),
    true,
  );

  // Before and after at the same place: the original lies over the picture while its button is held.
  const hideOriginal = () => document.getElementById("over")?.remove();
  const showOriginal = () => {
    const [image, before] = ["picture", "before"].map((id) => document.querySelector(`#${id} img`));
    if (!image || !before || document.getElementById("over")) return;
    const over = Object.assign(new Image(), { id: "over", src: before.src, alt: before.alt });
    const [frame, box] = [image.offsetParent, image.getBoundingClientRect()];
    const around = frame.getBoundingClientRect();
    over.style.left = `${box.left - around.left + frame.scrollLeft}px`;
    over.style.top = `${box.top - around.top + frame.scrollTop}px`;
    Object.assign(over.style, { width: `${box.width}px`, height: `${box.height}px` });
    frame.append(over);
  };
  const isOriginal = ({ target }) => target.closest?.("#original");
  const isPress = ({ key }) => key === "Enter" || key === " ";
  document.addEventListener("pointerdown", (event) => isOriginal(event) && showOriginal());
  document.addEventListener("contextmenu", (event) => isOriginal(event) && event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if (isOriginal(event) && isPress(event)) showOriginal();
  });
  for (const end of ["pointerup", "pointercancel", "keyup"]) {
    document.addEventListener(end, hideOriginal);
  }
  document.addEventListener("focusout", (event) => isOriginal(event) && hideOriginal());

  let dropped = null; // the relative paths of files of a folder that was dropped
  document.addEventListener(
    "change",
    (event) => {
      if (!event.target.closest?.("#folder")) return;
      const paths = [...event.target.files].map((file) => file.webkitRelativePath);
      window.colorizer.folders = dropped ?? paths;
      dropped = null;
    },
    true,
  );

  // Gradio takes a folder that is dropped for one file: it is walked here, and given as if chosen.
  const ask = (begin) => new Promise((resolve, reject) => begin(resolve, reject));
  const filesBelow = async (entry) => {
    const path = entry.fullPath.slice(1);
    if (entry.isFile) return [{ path, file: await ask((...done) => entry.file(...done)) }];
    const [reader, found] = [entry.createReader(), []];
    for (let more; (more = await ask((...done) => reader.readEntries(...done))).length; ) {
      found.push(...more);
    }
    return (await Promise.all(found.map(filesBelow))).flat();
  };
  document.addEventListener(
    "drop",
    async (event) => {
      const input = document.querySelector("#folder input[type=file]");
      const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry());
      const isFolder = entries.some((entry) => entry?.isDirectory);
      if (!input || !isFolder || !event.target.closest?.("#folder, #many")) return;
      event.preventDefault();
      event.stopPropagation();
      const found = (await Promise.all(entries.filter(Boolean).map(filesBelow))).flat();
      const files = new DataTransfer();
      for (const { file } of found) files.items.add(file);
      dropped = found.map(({ path }) => path);
      input.files = files.files;
      input.dispatchEvent(new Event("change", { bubbles: true }));
    },
    true,
  );

  const set = (element, name, value) =>
    element && element.getAttribute(name) !== value && element.setAttribute(name, value);
  const nameAll = () => {
    for (const [id, name] of Object.entries(NAMES)) {
      // Its picture is another one after each change; what has the focus stays.
      const area = document.getElementById(id);
      set(area, "tabindex", "0");
      set(area, "role", "application");
      set(area, "aria-label", name);
      set(area?.querySelector("img")?.closest("button"), "tabindex", "-1"); // it does nothing
    }
    for (const button of document.querySelectorAll("#likely button, #recent button")) {
      const colour = button.querySelector("[style*=background]")?.style.backgroundColor;
      if (colour) set(button, "aria-label", `The colour ${colour}`);
    }
    // Gradio's text speaks of uploading; page.css has another one.
    for (const text of document.querySelectorAll("[data-testid=upload-text]")) {
      for (const node of text.childNodes) {
        if (node.nodeType === Node.TEXT_NODE && node.data.trim()) node.data = "";
      }
    }
    for (const button of document.querySelectorAll("button.upload-container")) {
      const label = button.closest(".block")?.querySelector("[data-testid=block-label]");
      if (label) set(button, "aria-label", label.textContent.trim());
    }
    for (const id of ["message", "report", "film-report"]) {
      set(document.getElementById(id), "role", "status");
    }
  };
  new MutationObserver(nameAll).observe(document, { childList: true, subtree: true });
})();
