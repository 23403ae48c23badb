// Files for the person: one photograph, its points, or all photographs as a ZIP.

import { Zip, ZipPassThrough } from "fflate";

const SUFFIXES = { "image/jpeg": ".jpg", "image/png": ".png" };
export const HINTS = ".hints.png";

export const stemOf = (name) => name.replace(/\.hints\.png$|\.[^.]*$/i, "");

/** Return the type of a result: the one that was chosen, or the original's if that can be. */
export const typeFor = (file, chosen) =>
  chosen || (file.type in SUFFIXES ? file.type : "image/jpeg");

/** Return the name of a result: the original's with `-colorized`. */
export function nameFor(file, type) {
  const own = file.name.match(/\.[^.]*$/)?.[0] ?? "";
  return `${stemOf(file.name)}-colorized${file.type === type ? own : SUFFIXES[type]}`;
}

/** Let the browser save a file. */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Pack files [{name, blob}], which come one after the other, into a ZIP: Blob. */
export async function packed(files) {
  const parts = [];
  const names = new Set();
  const zip = new Zip((error, chunk) => {
    if (error) throw error;
    parts.push(new Blob([chunk])); // which a browser may lay on its disk
  });
  for await (const { name, blob } of files) {
    let free = name;
    for (let number = 2; names.has(free); number++) {
      free = name.replace(/(\.[^.]*)?$/, `-${number}$1`);
    }
    names.add(free);
    const entry = new ZipPassThrough(free); // pictures do not become smaller
    zip.add(entry);
    entry.push(new Uint8Array(await blob.arrayBuffer()), true);
  }
  zip.end();
  return new Blob(parts, { type: "application/zip" });
}
