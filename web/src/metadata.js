// What a file says about its photograph, carried over; and the mark that it was colorized.

const SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/";
const XMP = "http://ns.adobe.com/xap/1.0/\0";
const EXIF = "Exif\0\0";
const PNG_XMP = "XML:com.adobe.xmp";
const LONGEST_SEGMENT = 65533;

const [ORIENTATION, EXIF_DIRECTORY, WIDTH, HEIGHT] = [0x112, 0x8769, 0xa002, 0xa003];
// What is true only of bytes that a new file has not: a film behind a photograph, a gain map.
const UNTRUE = /MotionPhoto|MicroVideo|GainMap|hdrgm|HasExtendedXMP/;

const encoder = new TextEncoder();
const bytesOf = async (blob) => new Uint8Array(await blob.arrayBuffer());
const latin = (bytes) => String.fromCharCode(...bytes);
const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Yield the segments of a JPEG before its picture: {marker, body}, and where they end. */
function* segments(bytes) {
  let place = 2;
  while (bytes[place] === 0xff && bytes[place + 1] !== 0xda && place + 4 < bytes.length) {
    const length = viewOf(bytes).getUint16(place + 2);
    yield { marker: bytes[place + 1], body: bytes.subarray(place + 4, place + 2 + length), place };
    place += 2 + length;
  }
}

/** Yield the chunks of a PNG: {type, body, end}. */
function* chunks(bytes) {
  for (let place = 8; place + 12 <= bytes.length; ) {
    const length = viewOf(bytes).getUint32(place);
    const type = latin(bytes.subarray(place + 4, place + 8));
    const end = place + 12 + length;
    yield { type, body: bytes.subarray(place + 8, end - 4), end };
    place = end;
  }
}

/** Return what a JPEG or PNG says: EXIF and XMP, and segments or chunks to copy as they are. */
function read(bytes) {
  const found = { exif: null, xmp: "", copied: [] };
  if (bytes[0] === 0xff && bytes[1] === 0xd8) {
    for (const { marker, body } of segments(bytes)) {
      const head = latin(body.subarray(0, XMP.length));
      if (marker === 0xe1 && head.startsWith(EXIF)) found.exif = body.slice(EXIF.length);
      else if (marker === 0xe1 && head === XMP) {
        found.xmp = new TextDecoder().decode(body.subarray(XMP.length));
      } else if (marker === 0xed || marker === 0xfe) found.copied.push({ marker, body });
    }
  } else if (latin(bytes.subarray(1, 4)) === "PNG") {
    for (const { type, body } of chunks(bytes)) {
      if (type === "eXIf") found.exif = body.slice();
      else if (type === "iTXt" && latin(body.subarray(0, PNG_XMP.length)) === PNG_XMP) {
        found.xmp = new TextDecoder().decode(body.subarray(PNG_XMP.length + 5));
      } else if (/^(tEXt|zTXt|iTXt|pHYs)$/.test(type)) found.copied.push({ type, body });
    }
  }
  return found;
}

/** Let EXIF, from the TIFF header on, say that the picture is upright and of this size. */
function uprightExif(exif, width, height) {
  const view = viewOf(exif);
  const little = exif[0] === 0x49;
  const entries = (start) =>
    Array.from({ length: view.getUint16(start, little) }, (_, number) => start + 2 + 12 * number);
  const set = (entry, value) => {
    const short = view.getUint16(entry + 2, little) === 3;
    view[short ? "setUint16" : "setUint32"](entry + 8, value, little);
  };
  const first = view.getUint32(4, little);
  const end = first + 2 + 12 * entries(first).length;
  for (const entry of entries(first)) {
    const tag = view.getUint16(entry, little);
    if (tag === ORIENTATION) set(entry, 1);
    if (tag === EXIF_DIRECTORY) {
      for (const inner of entries(view.getUint32(entry + 8, little))) {
        const name = view.getUint16(inner, little);
        if (name === WIDTH) set(inner, width);
        if (name === HEIGHT) set(inner, height);
      }
    }
  }
  view.setUint32(end, 0, little); // the thumbnail shows the photograph before
  return exif;
}

const escaped = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt()};`);

/** Return an XMP packet that says a picture was colorized, and what the file said before. */
function markedXmp(before, { tool, settings, hash, now }) {
  const kept = UNTRUE.test(before) ? "" : before;
  const history = kept.match(/<xmpMM:History>\s*<rdf:Seq>(.*?)<\/rdf:Seq>\s*<\/xmpMM:History>/s);
  const mark =
    `<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"` +
    ` xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"` +
    ` xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"` +
    ` xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"` +
    ` Iptc4xmpExt:DigitalSourceType="${SOURCE}compositeWithTrainedAlgorithmicMedia"` +
    ` xmp:CreatorTool="${escaped(tool)}"><xmpMM:History><rdf:Seq>${history?.[1] ?? ""}` +
    `<rdf:li rdf:parseType="Resource"><stEvt:action>edited</stEvt:action>` +
    `<stEvt:when>${now}</stEvt:when><stEvt:softwareAgent>${escaped(tool)}</stEvt:softwareAgent>` +
    `<stEvt:parameters>colorized; ${escaped(settings)}; source sha256 ${hash}</stEvt:parameters>` +
    `</rdf:li></rdf:Seq></xmpMM:History></rdf:Description>`;
  const gone = "(?:Iptc4xmpExt:DigitalSourceType|xmp:CreatorTool)";
  const rest = kept
    .replace(history?.[0] ?? "", "")
    .replace(new RegExp(`\\s${gone}="[^"]*"|<${gone}>[^<]*</${gone}>`, "g"), "")
    .replace(/(tiff:Orientation(?:="|>))\d/g, "$11");
  if (rest.includes("</rdf:RDF>")) return rest.replace("</rdf:RDF>", () => `${mark}</rdf:RDF>`);
  return (
    `<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">` +
    `<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">${mark}</rdf:RDF>` +
    `</x:xmpmeta><?xpacket end="w"?>`
  );
}

/** Return a written file, a Blob, with what its original said, and the mark. */
export async function marked(blob, original, { width, height, tool = "colorizer.js", settings }) {
  const [bytes, source] = await Promise.all([bytesOf(blob), bytesOf(new Blob(original ? [original] : []))]);
  const found = read(source);
  const digest = await globalThis.crypto?.subtle?.digest("SHA-256", source);
  const hash = digest ? [...new Uint8Array(digest)].map(hexOf).join("") : "unknown";
  const now = new Date().toISOString();
  const xmp = markedXmp(found.xmp, { tool, settings: settings ?? "", hash, now });
  let exif = null;
  try {
    exif = found.exif && uprightExif(found.exif, width, height);
  } catch {
    // A photograph is worth more than its EXIF, which breaks in many ways.
  }
  const parts = blob.type === "image/png" ? inPng(bytes, exif, xmp, found) : inJpeg(bytes, exif, xmp, found);
  return new Blob(parts, { type: blob.type });
}

const hexOf = (byte) => byte.toString(16).padStart(2, "0");

function inJpeg(bytes, exif, xmp, { copied }) {
  const segment = (marker, ...parts) => {
    const body = parts.map((part) => (typeof part === "string" ? encoder.encode(part) : part));
    const length = body.reduce((sum, part) => sum + part.length, 2);
    if (length > LONGEST_SEGMENT) return [];
    return [new Uint8Array([0xff, marker, length >> 8, length & 255]), ...body];
  };
  const [app0] = segments(bytes); // JFIF stands first
  const head = app0?.marker === 0xe0 ? app0.place + 4 + app0.body.length : 2;
  return [
    bytes.subarray(0, head),
    ...(exif ? segment(0xe1, EXIF, exif) : []),
    ...segment(0xe1, XMP, xmp),
    ...copied.filter(({ marker }) => marker).flatMap(({ marker, body }) => segment(marker, body)),
    bytes.subarray(head),
  ];
}

const CRC = Int32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
  return byte;
});

function chunk(type, body) {
  const made = new Uint8Array(12 + body.length);
  made.set(encoder.encode(type), 4);
  made.set(body, 8);
  let crc = -1;
  for (const byte of made.subarray(4, -4)) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
  viewOf(made).setUint32(0, body.length);
  viewOf(made).setInt32(8 + body.length, ~crc);
  return made;
}

function inPng(bytes, exif, xmp, { copied }) {
  const [{ end }] = chunks(bytes); // IHDR stands first
  return [
    bytes.subarray(0, end),
    ...(exif ? [chunk("eXIf", exif)] : []),
    chunk("iTXt", encoder.encode(`${PNG_XMP}\0\0\0\0\0${xmp}`)),
    ...copied.filter(({ type }) => type).map(({ type, body }) => chunk(type, body)),
    bytes.subarray(end),
  ];
}

/** Return a PNG with a text in it, and the text of a PNG, or null. */
export async function withText(png, keyword, text) {
  const bytes = await bytesOf(png);
  const [{ end }] = chunks(bytes);
  const body = encoder.encode(`${keyword}\0\0\0\0\0${text}`);
  return new Blob([bytes.subarray(0, end), chunk("iTXt", body), bytes.subarray(end)], { type: png.type });
}

export async function textOf(png, keyword) {
  const head = `${keyword}\0\0\0\0\0`;
  for (const { type, body } of chunks(await bytesOf(png))) {
    if (type === "iTXt" && latin(body.subarray(0, head.length)) === head) {
      return new TextDecoder().decode(body.subarray(head.length));
    }
  }
  return null;
}
