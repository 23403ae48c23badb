// What a JPEG or PNG says of its photograph, carried over; and the mark that it was colorized.

const MARK = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia";
// How a JPEG's segments begin.
const [XMP, EXIF, ICC] = ["http://ns.adobe.com/xap/1.0/\0", "Exif\0\0", "ICC_PROFILE\0"];
const TOOL = "photo-colorizer, web";
const PNG_XMP = "XML:com.adobe.xmp";
const LONGEST_SEGMENT = 65533;
const [ORIENTATION, EXIF_DIRECTORY, WIDTH, HEIGHT] = [0x112, 0x8769, 0xa002, 0xa003];
// What is true only of bytes that a new file has not: a film behind a photograph, a gain map.
const UNTRUE = /MotionPhoto|MicroVideo|GainMap|hdrgm|HasExtendedXMP/;

const bytesOf = async (blob) => new Uint8Array(await blob.arrayBuffer());
const encoded = (text) => new TextEncoder().encode(text);
const decoded = (bytes) => new TextDecoder().decode(bytes);
const viewOf = ({ buffer, byteOffset, length }) => new DataView(buffer, byteOffset, length);
const begins = (bytes, text) => String.fromCharCode(...bytes.subarray(0, text.length)) === text;

/** Yield the segments of a JPEG before its picture: {type, body, begin, end}. */
function* segments(bytes) {
  for (let place = 2; place + 4 < bytes.length && bytes[place + 1] !== 0xda; ) {
    const end = place + 2 + viewOf(bytes).getUint16(place + 2);
    yield { type: bytes[place + 1], body: bytes.subarray(place + 4, end), begin: place, end };
    place = end;
  }
}

/** Yield the chunks of a PNG: {type, body, begin, end}. */
function* chunks(bytes) {
  for (let place = 8; place + 12 <= bytes.length; ) {
    const end = place + 12 + viewOf(bytes).getUint32(place);
    const type = decoded(bytes.subarray(place + 4, place + 8));
    yield { type, body: bytes.subarray(place + 8, end - 4), begin: place, end };
    place = end;
  }
}

/** Return what a file says: its EXIF, its XMP, and IPTC and comments of a JPEG as they are. */
function read(bytes) {
  const found = { exif: null, xmp: "", copied: [] };
  if (begins(bytes, "\xff\xd8")) {
    for (const { type, body } of segments(bytes)) {
      if (type === 0xe1 && begins(body, EXIF)) found.exif = body.slice(EXIF.length);
      if (type === 0xe1 && begins(body, XMP)) found.xmp = decoded(body.subarray(XMP.length));
      if (type === 0xed || type === 0xfe) found.copied.push({ type, body });
    }
  } else if (begins(bytes, "\x89PNG")) {
    for (const { type, body } of chunks(bytes)) {
      if (type === "eXIf") found.exif = body.slice();
      if (begins(body, PNG_XMP)) found.xmp = decoded(body.subarray(PNG_XMP.length + 5));
    }
  }
  return found;
}

/** Return the colour profile of a file, or null, and the file without it: {profile, bare}. */
export async function withoutProfile(file) {
  const bytes = await bytesOf(file);
  const png = begins(bytes, "\x89PNG");
  const parts = png ? chunks(bytes) : begins(bytes, "\xff\xd8") ? segments(bytes) : [];
  const [kept, found] = [[], []];
  let start = 0;
  for (const { type, body, begin, end } of parts) {
    if (png ? type !== "iCCP" : type !== 0xe2 || !begins(body, ICC)) continue;
    kept.push(bytes.subarray(start, begin));
    found.push(png ? body.subarray(body.indexOf(0) + 2) : body.subarray(ICC.length + 2));
    start = end;
  }
  if (!found.length) return { profile: null, bare: file };
  const bare = new Blob([...kept, bytes.subarray(start)], { type: file.type });
  const whole = new Blob(found).stream();
  const plain = png ? whole.pipeThrough(new DecompressionStream("deflate")) : whole;
  return { profile: await bytesOf(new Response(plain)), bare };
}

/** Let EXIF say that the picture is upright and of this size; null where it is damaged. */
function uprightExif(exif, width, height) {
  const [view, little] = [viewOf(exif), exif[0] === 0x49];
  const change = (start) => {
    const end = start + 2 + 12 * view.getUint16(start, little);
    for (let entry = start + 2; entry < end; entry += 12) {
      const tag = view.getUint16(entry, little);
      const write = view.getUint16(entry + 2, little) === 3 ? "setUint16" : "setUint32";
      const value = { [ORIENTATION]: 1, [WIDTH]: width, [HEIGHT]: height }[tag];
      if (value) view[write](entry + 8, value, little);
      if (tag === EXIF_DIRECTORY) change(view.getUint32(entry + 8, little));
    }
    return end;
  };
  try {
    // The thumbnail, which shows the photograph before, is no longer referred to.
    view.setUint32(change(view.getUint32(4, little)), 0, little);
    return exif;
  } catch {
    return null; // a photograph is worth more than its EXIF
  }
}

/** Return an XMP packet that says what the file said, and that it was colorized. */
function markedXmp(before, settings, hash) {
  const kept = UNTRUE.test(before) ? "" : before;
  const [whole, events] =
    kept.match(/<xmpMM:History>\s*<rdf:Seq>(.*?)<\/rdf:Seq>\s*<\/xmpMM:History>/s) ?? ["", ""];
  const field = (name, value) => `<stEvt:${name}>${value}</stEvt:${name}>`;
  const event = field("action", "colorized") + field("when", new Date().toISOString()) +
    field("softwareAgent", TOOL) +
    field("parameters", `${settings}; sha256 of the source: ${hash}`);
  const mark =
    `<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"` +
    ` xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"` +
    ` xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"` +
    ` xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"` +
    ` Iptc4xmpExt:DigitalSourceType="${MARK}" xmp:CreatorTool="${TOOL}"><xmpMM:History><rdf:Seq>` +
    `${events}<rdf:li rdf:parseType="Resource">${event}</rdf:li></rdf:Seq></xmpMM:History>` +
    `</rdf:Description></rdf:RDF>`;
  const gone = "(?:Iptc4xmpExt:DigitalSourceType|xmp:CreatorTool)";
  const rest = kept
    .replace(whole, "")
    .replace(new RegExp(`\\s${gone}="[^"]*"|<${gone}>[^<]*</${gone}>`, "g"), "")
    .replace(/(tiff:Orientation(?:="|>))\d/g, "$11");
  if (rest.includes("</rdf:RDF>")) return rest.replace("</rdf:RDF>", () => mark);
  const begin = `<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>`;
  const rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
  return `${begin}<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="${rdf}">${mark}` +
    `</x:xmpmeta><?xpacket end="w"?>`;
}

/** Return a written file, a Blob, with what its original said, and the mark. */
export async function marked(blob, original, { width, height, settings = "" }) {
  const [bytes, source] = await Promise.all([blob, new Blob([original ?? ""])].map(bytesOf));
  const { exif, xmp: before, copied } = read(source);
  // Only a page that nobody can have changed on its way may compute hashes.
  const digest = await globalThis.crypto.subtle?.digest("SHA-256", source);
  const hex = (byte) => byte.toString(16).padStart(2, "0");
  const hash = digest ? Array.from(new Uint8Array(digest), hex).join("") : "unknown";
  const xmp = markedXmp(before, settings, hash);
  const upright = exif && uprightExif(exif, width, height);
  const png = blob.type === "image/png";
  const [{ end }] = (png ? chunks : segments)(bytes); // IHDR or JFIF stands first
  const parts = png ? [text(PNG_XMP, xmp)] : segment(0xe1, XMP, encoded(xmp));
  if (upright) parts.unshift(...(png ? [chunk("eXIf", upright)] : segment(0xe1, EXIF, upright)));
  if (!png) parts.push(...copied.flatMap(({ type, body }) => segment(type, "", body)));
  return new Blob([bytes.subarray(0, end), ...parts, bytes.subarray(end)], { type: blob.type });
}

/** Return a segment of a JPEG in parts; none where it would be too long. */
function segment(type, head, body) {
  const length = 2 + head.length + body.length;
  if (length > LONGEST_SEGMENT) return [];
  return [new Uint8Array([0xff, type, length >> 8, length & 255]), head, body];
}

const CRC = Int32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
  return byte;
});

function chunk(type, body) {
  const made = new Uint8Array(12 + body.length);
  made.set(encoded(type), 4);
  made.set(body, 8);
  const crc = made.subarray(4, -4).reduce((sum, byte) => CRC[(sum ^ byte) & 255] ^ (sum >>> 8), -1);
  viewOf(made).setUint32(0, body.length);
  viewOf(made).setInt32(8 + body.length, ~crc);
  return made;
}

const text = (keyword, said) => chunk("iTXt", encoded(`${keyword}\0\0\0\0\0${said}`));

/** Return a PNG with a text in it, and the text of a PNG, or null. */
export async function withText(png, keyword, said) {
  const bytes = await bytesOf(png);
  const [{ end }] = chunks(bytes);
  return new Blob([bytes.subarray(0, end), text(keyword, said), bytes.subarray(end)], png);
}

export async function textOf(png, keyword) {
  const head = `${keyword}\0\0\0\0\0`;
  const found = [...chunks(await bytesOf(png))].find(({ body }) => begins(body, head));
  return found ? decoded(found.body.subarray(head.length)) : null;
}
