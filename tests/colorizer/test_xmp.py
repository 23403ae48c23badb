"""xmp.py: what is no longer true goes, what is true stays, and every file says how it was made."""

import datetime
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

from colorizer.files import formats, jpeg, photos, xmp
from colorizer.files.metadata import Metadata

import numpy as np
import pytest
from generated import quarters
from PIL import Image
from test_photos import load, photograph

SPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "GCamera": "http://ns.google.com/photos/1.0/camera/",
    "Container": "http://ns.google.com/photos/1.0/container/",
    "Item": "http://ns.google.com/photos/1.0/container/item/",
    "hdrgm": "http://ns.adobe.com/hdr-gain-map/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "crs": "http://ns.adobe.com/camera-raw-settings/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "stEvt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
}
MARK = xmp.Mark(
    "colorizer 1.2",
    "semantic.onnx",
    "strength 0.8",
    "ab" * 32,
    when=datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
)


def packet(attributes="", elements=""):
    """Return an XMP packet of one description."""
    spaces = " ".join(f'xmlns:{name}="{space}"' for name, space in SPACES.items())
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {spaces}><rdf:Description rdf:about="" '
        f"{attributes}>{elements}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def read(content):
    """Return what a packet, or a file with one, says: {prefix:name: text}, by another reader."""
    found = re.search(rb"<x:xmpmeta.*?</x:xmpmeta>", bytes(content), re.DOTALL)[0]
    names = {space: name for name, space in SPACES.items()}

    def short(tag):
        space, name = tag[1:].split("}")
        return f"{names.get(space, space)}:{name}"

    said = {}
    for description in ET.fromstring(found).iter(f"{{{SPACES['rdf']}}}Description"):
        said |= {short(key): text for key, text in description.attrib.items() if "{" in key}
        said |= {short(child.tag): "".join(child.itertext()).strip() for child in description}
    return said


UNTRUE = {
    'GCamera:MotionPhoto="1"': "",
    'GCamera:MicroVideoOffset="13400"': "",
    'hdrgm:Version="1.0"': "",
    'photoshop:ColorMode="1"': "",
    'photoshop:ICCProfile="Dot Gain 20%"': "",
    'crs:ConvertToGrayscale="True"': "",
    'crs:GrayMixerRed="3"': "",
    'crs:Saturation="-100"': "",
    'tiff:PhotometricInterpretation="1"': "",
    'tiff:SamplesPerPixel="1"': "",
    'exif:ColorSpace="65535"': "",
    'exif:SceneType="1"': "",
    "": "<Container:Directory><rdf:Seq><rdf:li><Container:Item Item:Mime='video/mp4'/></rdf:li>"
    "</rdf:Seq></Container:Directory>",
    'xmp:Label="a"': "<xmp:Thumbnails><rdf:Alt/></xmp:Thumbnails>",
}


@pytest.mark.parametrize("attribute", UNTRUE)
def test_what_is_no_longer_true_goes_alone(attribute):
    kept = 'dc:title="Oma" GCamera:BurstID="7" crs:Exposure2012="0.3" photoshop:City="Bonn" '
    element = UNTRUE[attribute] + "<dc:creator>Łoś</dc:creator>"
    said = read(xmp.cleaned(packet(kept + attribute, element)))
    expected = {
        "rdf:about": "",
        "dc:title": "Oma",
        "GCamera:BurstID": "7",
        "crs:Exposure2012": "0.3",
        "photoshop:City": "Bonn",
        "dc:creator": "Łoś",
    }
    assert said == expected | ({"xmp:Label": "a"} if "Label" in attribute else {})


def test_what_is_true_comes_back_byte_for_byte():
    content = b"<?xpacket begin=''?>" + packet('dc:title="a" tiff:Orientation="1"') + b"  "
    assert xmp.cleaned(content) == content


def test_turned_pixels_are_said_in_their_new_order():
    attributes = 'tiff:ImageWidth="30" tiff:ImageLength="20" exif:PixelXDimension="30" '
    attributes += 'exif:PixelYDimension="20" tiff:Orientation="6"'
    said = read(xmp.cleaned(packet(attributes), orientation=6))
    assert (said["tiff:ImageWidth"], said["tiff:ImageLength"]) == ("20", "30")
    assert (said["exif:PixelXDimension"], said["exif:PixelYDimension"]) == ("20", "30")
    assert said["tiff:Orientation"] == "1"


def test_enlarged_pixels_are_said():
    content = packet('tiff:ImageWidth="30" tiff:XResolution="300/1" dc:title="300"')
    said = read(xmp.enlarged(content, 4))
    assert (said["tiff:ImageWidth"], said["tiff:XResolution"]) == ("120", "1200/1")
    assert said["dc:title"] == "300"


@pytest.mark.parametrize(
    "damage",
    [
        b"<x:xmpmeta",
        b"no xml",
        b"<a/>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + packet(),
    ],
)
def test_a_damaged_packet_is_left_out_and_said(tmp_path, damage):
    with pytest.raises(ValueError, match="XMP"):
        xmp.cleaned(damage)
    Image.fromarray(quarters()).save(tmp_path / "a.jpg", xmp=damage)
    loaded = load(tmp_path / "a.jpg")
    assert loaded.metadata.xmp == b""
    assert loaded.remarks == ["its XMP is damaged and was left out"]


WITH_XMP = [format for format in formats.FORMATS if "xmp" in format.holds]


@pytest.mark.parametrize("format", WITH_XMP, ids=lambda format: format.key)
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_every_file_with_xmp_says_how_it_was_made(tmp_path, format, depth):
    """A gray scan that says digitalCapture must not pass for a photograph in colour."""
    history = "<xmpMM:History><rdf:Seq><rdf:li rdf:parseType='Resource'><stEvt:action>scanned"
    history += "</stEvt:action></rdf:li></rdf:Seq></xmpMM:History>"
    source = f'Iptc4xmpExt:DigitalSourceType="{xmp.SOURCE_TYPES}digitalCapture" '
    source += 'xmp:CreatorTool="ScanTool 7" dc:format="image/tiff" dc:title="Oma"'
    kept = Metadata(xmp=packet(source, history))
    pixels = quarters().astype(depth)
    content = photos.encode(photograph(pixels, format=format.key, metadata=kept), mark=MARK)
    assert b"digitalsourcetype/digitalCapture" not in content
    said = read(content)
    assert said["Iptc4xmpExt:DigitalSourceType"] == (
        "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    )
    assert said["xmp:CreatorTool"] == "colorizer 1.2"
    assert said["dc:title"] == "Oma"
    assert said["dc:format"] == Image.MIME[format.key]
    for phrase in (
        "scanned",
        "colorized",
        "semantic.onnx",
        "strength 0.8",
        "ab" * 32,
        "2026-01-02",
    ):
        assert phrase in said["xmpMM:History"]
    for phrase in ("digitalCapture", "ScanTool 7"):
        assert phrase in said["xmpMM:History"]
    # A second run marks it once more, and loses nothing.
    path = tmp_path / f"a{format.suffixes[0]}"
    path.write_bytes(content)
    again = read(photos.encode(load(path), mark=MARK))
    assert again["xmpMM:History"].count("semantic.onnx") == 2
    assert again["Iptc4xmpExt:DigitalSourceType"] == said["Iptc4xmpExt:DigitalSourceType"]


def test_what_was_only_restored_is_called_enhanced():
    mark = xmp.Mark("colorizer 1.2", source_type=xmp.ENHANCED)
    said = read(xmp.marked(b"", mark))
    assert said["Iptc4xmpExt:DigitalSourceType"].endswith("/algorithmicallyEnhanced")
    assert "colorized" not in said["xmpMM:History"]
    assert xmp.marked(b"", mark) == xmp.marked(b"damaged", mark)


@pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not installed")
@pytest.mark.parametrize("format", WITH_XMP, ids=lambda format: format.key)
def test_exiftool_sees_the_marks(tmp_path, format):
    path = tmp_path / f"a{format.suffixes[0]}"
    kept = Metadata(xmp=packet('dc:title="Oma"'))
    content = photos.encode(photograph(quarters(), format=format.key, metadata=kept), mark=MARK)
    path.write_bytes(content)
    command = ["exiftool", "-j", "-a", "-XMP:all", "-warning", path]
    said = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0]
    assert said["DigitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert said["CreatorTool"] == said["HistorySoftwareAgent"] == "colorizer 1.2"
    assert said["HistoryAction"] == "colorized"
    assert "semantic.onnx" in said["HistoryParameters"]
    assert said["Title"] == "Oma"
    assert "Warning" not in said


def test_long_xmp_of_a_jpeg_is_extended_and_read_again(tmp_path):
    """The extended packet of a JPEG is put together, and its pointer is right or gone."""
    long = ("grandma " * 20_000).strip()
    kept = Metadata(xmp=packet('dc:title="Oma"', f"<dc:description>{long}</dc:description>"))
    written = photograph(quarters(), format="JPEG", metadata=kept)
    content = photos.encode(written, mark=MARK)
    assert written.remarks == []
    assert content.count(jpeg.EXTENDED) == 3
    assert read(content)["Iptc4xmpExt:DigitalSourceType"].endswith("AlgorithmicMedia")
    (tmp_path / "a.jpg").write_bytes(content)
    loaded = load(tmp_path / "a.jpg")
    said = read(loaded.metadata.xmp)
    assert said["dc:description"] == long
    assert said["dc:title"] == "Oma"
    assert b"HasExtendedXMP" not in loaded.metadata.xmp
    assert read(photos.encode(loaded, "PNG"))["dc:description"] == long
    if shutil.which("exiftool"):
        command = ["exiftool", "-j", "-XMP:Description", "-warning", tmp_path / "a.jpg"]
        said = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0]
        assert said["Description"] == long
        assert "Warning" not in said
