"""XMP: what is no longer true of the result is taken out, and the marks of this program put in."""

import dataclasses
import datetime
import re
import uuid
import xml.dom.minidom
from xml.parsers.expat import ExpatError

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XMP = "http://ns.adobe.com/xap/1.0/"
MM = "http://ns.adobe.com/xap/1.0/mm/"
EVENT = "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"
IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
NOTE = "http://ns.adobe.com/xmp/note/"
TIFF = "http://ns.adobe.com/tiff/1.0/"
EXIF = "http://ns.adobe.com/exif/1.0/"
PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
CAMERA_RAW = "http://ns.adobe.com/camera-raw-settings/1.0/"
CAMERA = "http://ns.google.com/photos/1.0/camera/"
PANORAMA = "http://ns.google.com/photos/1.0/panorama/"
DUBLIN_CORE = "http://purl.org/dc/elements/1.1/"

# What is nested deeper than this is an attack.
MOST_LEVELS = 100

# Of these nothing is kept: gain maps, and films and pictures behind the picture, whose bytes are
# gone.
GONE = (
    "http://ns.google.com/photos/1.0/container/",
    "http://ns.google.com/photos/1.0/container/item/",
    "http://ns.adobe.com/hdr-gain-map/1.0/",
    "http://ns.apple.com/HDRGainMap/1.0/",
    "http://ns.apple.com/pixeldatainfo/1.0/",
)

# Properties that are true of the file before alone, by namespace and a pattern of their names: how
# it was stored, that it is gray, where it came from.
UNTRUE = (
    (CAMERA, "MotionPhoto.*|MicroVideo.*"),
    (PHOTOSHOP, "ColorMode|ICCProfile"),
    (CAMERA_RAW, "ConvertToGrayscale|GrayMixer.*|Treatment"),
    (XMP, "Thumbnails"),
    (
        TIFF,
        "Compression|PhotometricInterpretation|BitsPerSample|SamplesPerPixel|PlanarConfiguration",
    ),
    (EXIF, "ColorSpace|SceneType"),
    (NOTE, "HasExtendedXMP"),
)

# Numbers of pixels, of the whole or of an inch.
ACROSS_AND_DOWN = (
    (TIFF, "ImageWidth", "ImageLength"),
    (EXIF, "PixelXDimension", "PixelYDimension"),
    (TIFF, "XResolution", "YResolution"),
)

SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
# What IPTC calls a photograph that was colorized, and one that was restored or enlarged alone.
COLORIZED = "compositeWithTrainedAlgorithmicMedia"
ENHANCED = "algorithmicallyEnhanced"

EMPTY = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"/></x:xmpmeta>'
BEGIN = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
END = b'\n<?xpacket end="w"?>'


@dataclasses.dataclass(frozen=True)
class Mark:
    """What a result says of how it was made.

    `tool` is this program with its version, `model` the network, `settings` a phrase, both as
    people write them; `source_sha256` is the hash of the file before. `source_type` is COLORIZED or
    ENHANCED. `when` is when it was made, or None, so that the same run gives the same bytes.
    """

    tool: str
    model: str = ""
    settings: str = ""
    source_sha256: str = ""
    source_type: str = COLORIZED
    when: datetime.datetime | None = None


def parse(packet):
    """Return an XMP packet (bytes) as a document, None where there is none.

    Raises ValueError where it is damaged, or an attack: it declares entities, or is nested deeply.
    """
    text = packet.strip(b"\0 \t\r\n")
    if not text:
        return None
    if b"<!" in re.sub(rb"(?s)<!--.*?-->|<!\[CDATA\[.*?\]\]>", b"", text):
        raise ValueError("its XMP declares entities")
    try:
        document = xml.dom.minidom.parseString(text)
    except (ExpatError, UnicodeError, LookupError) as error:
        raise ValueError(f"its XMP is damaged ({error})") from error
    level = [document]
    for _ in range(MOST_LEVELS):
        level = [child for node in level for child in node.childNodes]
    if level:
        raise ValueError("its XMP is nested too deeply")
    if not document.getElementsByTagNameNS(RDF, "RDF"):
        raise ValueError("its XMP is damaged (it has no RDF)")
    return document


def serialized(document) -> bytes:
    """Return a document as an XMP packet."""
    return BEGIN + document.documentElement.toxml().encode() + END


def cleaned(packet, extended=b"", orientation=1) -> bytes:
    """Return an XMP packet without what is no longer true of an upright picture in sRGB.

    What a JPEG keeps in an `extended` packet is put in. `orientation` is EXIF's, of the file
    before. A packet in which all is true comes back as it is. Raises ValueError as `parse` does.
    """
    document = parse(packet)
    if document is None:
        return b""
    changed = False
    if extended and (more := parse(extended)):
        rdf = document.getElementsByTagNameNS(RDF, "RDF")[0]
        for description in _descriptions(more):
            rdf.appendChild(document.importNode(_declared(description), True))
        changed = True
    for description in _descriptions(document):
        for node in _properties(description):
            space, name = node.namespaceURI, node.localName
            if space in GONE or any(
                space == each and re.fullmatch(pattern, name) for each, pattern in UNTRUE
            ):
                _remove(node)
            elif (space, name) == (TIFF, "Orientation") and _text(node) != "1":
                _set_text(node, "1")
            elif (space, name) == (CAMERA_RAW, "Saturation") and _text(node) == "-100":
                _remove(node)
            else:
                continue
            changed = True
        if orientation >= 5:
            changed |= _swap(description)
    return serialized(document) if changed else packet


def enlarged(packet, scale) -> bytes:
    """Return an XMP packet that says `scale` times as many pixels a side."""
    try:
        document = parse(packet)
    except ValueError:
        return packet
    if document is None or scale == 1:
        return packet
    names = {(space, name) for space, *pair in ACROSS_AND_DOWN for name in pair}
    for description in _descriptions(document):
        for node in _properties(description):
            pixels = (node.namespaceURI, node.localName) in names
            if pixels or (node.namespaceURI == PANORAMA and "Pixels" in node.localName):
                number = re.fullmatch(r"\s*(\d+)(/\d+)?\s*", _text(node))
                if number:
                    _set_text(node, f"{int(number[1]) * scale}{number[2] or ''}")
    return serialized(document)


def marked(packet, mark, mime="") -> bytes:
    """Return an XMP packet, or a new one, that says how the picture was made.

    `mime` is the type of the file that it goes into. A packet that is damaged is replaced.
    """
    try:
        document = parse(packet) or xml.dom.minidom.parseString(EMPTY)
    except ValueError:
        document = xml.dom.minidom.parseString(EMPTY)
    rdf = document.getElementsByTagNameNS(RDF, "RDF")[0]
    before, history, about = {}, None, ""
    for description in _descriptions(document):
        about = about or description.getAttributeNS(RDF, "about")
        for node in _properties(description):
            key = node.namespaceURI, node.localName
            if key == (MM, "History") and node.getElementsByTagNameNS(RDF, "Seq"):
                history = node.getElementsByTagNameNS(RDF, "Seq")[0]
            elif key in ((IPTC_EXT, "DigitalSourceType"), (IPTC_EXT, "DigitalSourcefileType")):
                before["source type"] = _text(node).removeprefix(SOURCE_TYPES)
                _remove(node)
            elif key == (XMP, "CreatorTool"):
                before["CreatorTool"] = _text(node)
                _remove(node)
            elif key in ((MM, "InstanceID"), (XMP, "MetadataDate")):
                _remove(node)
            elif key == (DUBLIN_CORE, "format") and mime:
                _set_text(node, mime)
    made = document.createElementNS(RDF, "rdf:Description")
    for prefix, space in (
        ("rdf", RDF),
        ("xmp", XMP),
        ("xmpMM", MM),
        ("stEvt", EVENT),
        ("Iptc4xmpExt", IPTC_EXT),
    ):
        made.setAttribute(f"xmlns:{prefix}", space)
    made.setAttributeNS(RDF, "rdf:about", about)
    said = {
        "model": mark.model,
        "settings": mark.settings,
        "sha256 of the source": mark.source_sha256,
        **{f"{name} of the source": text for name, text in before.items()},
    }
    parameters = "; ".join(f"{name}: {text}" for name, text in said.items() if text)
    instance = f"xmp.iid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{mark.tool} {parameters} {mark.when}')}"
    made.setAttributeNS(XMP, "xmp:CreatorTool", mark.tool)
    made.setAttributeNS(MM, "xmpMM:InstanceID", instance)
    made.setAttributeNS(IPTC_EXT, "Iptc4xmpExt:DigitalSourceType", SOURCE_TYPES + mark.source_type)
    event = document.createElementNS(RDF, "rdf:li")
    event.setAttribute("xmlns:stEvt", EVENT)
    event.setAttributeNS(RDF, "rdf:parseType", "Resource")
    action = "colorized" if mark.source_type == COLORIZED else "enhanced"
    for name, text in (
        ("action", action),
        ("softwareAgent", mark.tool),
        ("instanceID", instance),
        ("when", mark.when.isoformat(timespec="seconds") if mark.when else ""),
        ("parameters", parameters),
    ):
        if text:
            element = document.createElementNS(EVENT, f"stEvt:{name}")
            element.appendChild(document.createTextNode(text))
            event.appendChild(element)
    if history is None:
        element = document.createElementNS(MM, "xmpMM:History")
        history = document.createElementNS(RDF, "rdf:Seq")
        element.appendChild(history)
        made.appendChild(element)
    if history.prefix != "rdf":
        event.setAttribute("xmlns:rdf", RDF)
    history.appendChild(event)
    rdf.appendChild(made)
    return serialized(document)


def split(packet, longest):
    """Return an XMP packet in two, the first at most `longest` bytes: what a JPEG has room for.

    The second holds what is long; it is empty where nothing has to be. Raises ValueError where the
    first stays too long, or it is damaged.
    """
    if len(packet) <= longest:
        return packet, b""
    document, rest = parse(packet), xml.dom.minidom.parseString(EMPTY)
    there = rest.getElementsByTagNameNS(RDF, "RDF")[0]
    # The marks of this program stand in the last one.
    for description in _descriptions(document):
        if len(serialized(document)) + 200 <= longest:
            break
        there.appendChild(rest.importNode(_declared(description), True))
        description.parentNode.removeChild(description)
    first = serialized(document)
    if len(first) + 200 > longest:
        raise ValueError("its XMP is too long")
    return first, serialized(rest)


def noted(packet, guid) -> bytes:
    """Return an XMP packet that points to the extended one of this identity."""
    document = parse(packet)
    note = document.createElementNS(RDF, "rdf:Description")
    note.setAttribute("xmlns:rdf", RDF)
    note.setAttribute("xmlns:xmpNote", NOTE)
    note.setAttributeNS(RDF, "rdf:about", "")
    note.setAttributeNS(NOTE, "xmpNote:HasExtendedXMP", guid)
    document.getElementsByTagNameNS(RDF, "RDF")[0].appendChild(note)
    return serialized(document)


def _descriptions(document) -> list:
    """Return the rdf:Descriptions right below the RDF of a document."""
    return [
        node
        for rdf in document.getElementsByTagNameNS(RDF, "RDF")
        for node in rdf.childNodes
        if node.nodeType == node.ELEMENT_NODE
    ]


def _properties(description) -> list:
    """Return the properties of a description: attributes and elements."""
    attributes = [
        attribute
        for attribute in description.attributes.values()
        if attribute.namespaceURI not in (None, RDF, xml.dom.XMLNS_NAMESPACE)
    ]
    elements = [node for node in description.childNodes if node.nodeType == node.ELEMENT_NODE]
    return attributes + elements


def _declared(description):
    """Give a description the namespaces that its parents declare, and return it."""
    node = description.parentNode
    while node is not None and node.nodeType == node.ELEMENT_NODE:
        for name, value in node.attributes.items():
            if name.startswith("xmlns") and not description.hasAttribute(name):
                description.setAttribute(name, value)
        node = node.parentNode
    return description


def _remove(node) -> None:
    if node.nodeType == node.ATTRIBUTE_NODE:
        node.ownerElement.removeAttributeNode(node)
    else:
        node.parentNode.removeChild(node)


def _text(node) -> str:
    """Return the text of a property; a resource by its address."""
    if node.nodeType == node.ATTRIBUTE_NODE:
        return node.value
    text = "".join(child.data for child in node.childNodes if child.nodeType == child.TEXT_NODE)
    return text.strip() or node.getAttributeNS(RDF, "resource")


def _set_text(node, text) -> None:
    if node.nodeType == node.ATTRIBUTE_NODE:
        node.value = text
        return
    for child in list(node.childNodes):
        node.removeChild(child)
    node.appendChild(node.ownerDocument.createTextNode(text))


def _swap(description) -> bool:
    """Exchange the numbers of pixels across and down; tell whether there were any."""
    found = {(node.namespaceURI, node.localName): node for node in _properties(description)}
    swapped = False
    for space, *names in ACROSS_AND_DOWN:
        pair = [found.get((space, name)) for name in names]
        if all(pair):
            across, down = map(_text, pair)
            _set_text(pair[0], down)
            _set_text(pair[1], across)
            swapped = True
    return swapped
