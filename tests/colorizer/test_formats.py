"""formats.py: each format of the table is found, read and written, and the docs say so."""

import dataclasses
import io
from pathlib import Path

from colorizer.files import formats, photos
from colorizer.files.metadata import Metadata

import numpy as np
import pytest
from generated import quarters
from PIL import Image
from test_metadata import KEPT
from test_photos import corners, load, near, photograph

DOCS = Path(__file__).resolve().parents[2] / "docs" / "files.md"

WRITTEN = [format for format in formats.FORMATS if not format.written_as]


def photoshop_url():
    """Return a resource of Photoshop: an address."""
    return b"8BIM\x04\x0b\0\0\0\0\0\x08http://x"


@pytest.mark.parametrize("format", WRITTEN, ids=lambda format: format.key)
def test_a_format_of_the_table_is_found_read_and_written(tmp_path, format):
    for suffix in format.suffixes:
        path = tmp_path / f"a{suffix}"
        path.write_bytes(photos.encode(photograph(quarters(), format=format.key)))
        loaded = load(path)
        assert loaded.format == format.key
        near(corners(loaded.pixels), corners(quarters()), 12)
        with open(path, "rb") as file:
            assert formats.of_content(file) is format


@pytest.mark.parametrize("format", WRITTEN, ids=lambda format: format.key)
def test_what_a_format_holds_comes_back_and_the_rest_is_a_remark(tmp_path, format):
    """Of 16 bits, alpha and each kind of metadata, nothing is lost without a word."""
    deep = quarters().astype(np.uint16) * 257
    alpha = np.full((40, 60), 65535, np.uint16)
    alpha[:20, :30] = 0
    kept = dataclasses.replace(KEPT, photoshop=photoshop_url())
    whole = photograph(deep, alpha, format=format.key, metadata=kept)
    path = tmp_path / f"a{format.suffixes[0]}"
    path.write_bytes(photos.encode(whole))
    loaded = load(path)
    for name, said in formats.HOLDS.items():
        if name in ("profile", "pages"):
            continue
        if name == "depth":
            back = loaded.pixels.dtype == np.uint16
        elif name == "alpha":
            back = loaded.alpha is not None
        else:
            back = bool(getattr(loaded.metadata, name))
        assert back == (name in format.holds), name
        assert (said in whole.remark) == (name not in format.holds), (name, whole.remark)


def test_the_docs_have_the_table():
    """`python -m colorizer.files.formats` prints the table that belongs in docs/files.md."""
    assert formats.table() in DOCS.read_text(encoding="utf-8")


def test_suffixes_and_choices_belong_to_one_format_each():
    assert len(set(formats.SUFFIXES)) == len(formats.SUFFIXES)
    for suffix, key in formats.CHOICES.items():
        assert f".{suffix}" in formats.BY_KEY[key].suffixes


@pytest.mark.parametrize("format", WRITTEN, ids=lambda format: format.key)
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_what_is_encoded_is_bytes(format, depth):
    pixels = quarters().astype(depth)
    assert type(photos.encode(photograph(pixels), format.key)) is bytes


def test_remarks_of_reading_and_of_writing_are_both_kept(tmp_path):
    path = tmp_path / "cut.jpg"
    content = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (400, 600, 3), np.uint8)
    Image.fromarray(noise).save(content, "JPEG")
    path.write_bytes(content.getvalue()[: len(content.getvalue()) // 2])
    loaded = load(path)
    loaded.metadata = dataclasses.replace(Metadata(), comment=b"x" * 70_000)
    for _ in range(2):
        photos.encode(loaded)
        assert loaded.remarks == [
            "it is cut off; what is missing is gray",
            "its comment is too long for a JPEG and left out",
        ]
    assert loaded.remark.count("cut off") == 1
