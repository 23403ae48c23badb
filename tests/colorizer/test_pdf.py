"""pdf.py: the picture of each page comes out at its full size, upright."""

import io

from colorizer.files import photos

import numpy as np
import pytest
from generated import quarters
from PIL import Image
from test_photos import corners, near

pypdfium2 = pytest.importorskip("pypdfium2")


def pdf(*pages, rotate=0):
    """Return a PDF; each page is a list of (JPEG, matrix), 120 x 80 units large."""
    document = pypdfium2.PdfDocument.new()
    for pictures in pages:
        sheet = document.new_page(120, 80)
        for content, matrix in pictures:
            picture = pypdfium2.PdfImage.new(document)
            picture.load_jpeg(io.BytesIO(content), inline=True)
            picture.set_matrix(pypdfium2.PdfMatrix(*matrix))
            sheet.insert_obj(picture)
        sheet.gen_content()
        sheet.set_rotation(rotate)
    content = io.BytesIO()
    document.save(content)
    return content.getvalue()


def jpeg(picture):
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "JPEG", quality=98, subsampling=0)
    return content.getvalue()


FULL = (120, 0, 0, 80, 0, 0)


def load(path, page=0):
    with photos.opened(path, page=page) as image:
        return image.size, photos.load(image)


def test_each_page_s_picture_is_taken_out_at_full_size(tmp_path):
    path = tmp_path / "scan.pdf"
    gray = quarters(90, 120)[..., 1]
    path.write_bytes(pdf([(jpeg(quarters(160, 240)), FULL)], [(jpeg(gray), FULL)]))
    assert photos.pages(path) == ([0, 1], "")
    size, first = load(path)
    assert size == (240, 160)
    assert first.pixels.shape == (160, 240, 3)
    near(corners(first.pixels), corners(quarters()), 4)
    assert tuple(round(each) for each in first.metadata.resolution) == (144, 144)
    _, second = load(path, 1)
    assert second.pixels.shape == (90, 120, 1)
    # What is written is a JPEG.
    assert Image.open(io.BytesIO(photos.encode(first))).format == "JPEG"


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize(
    "matrix", [FULL, (-120, 0, 0, 80, 120, 0), (0, 80, -120, 0, 120, 0), (0, -80, 120, 0, 0, 80)]
)
def test_a_turned_picture_is_shown_as_the_page_shows_it(tmp_path, rotate, matrix):
    path = tmp_path / "scan.pdf"
    path.write_bytes(pdf([(jpeg(quarters(160, 240)), matrix)], rotate=rotate))
    size, loaded = load(path)
    assert loaded.pixels.shape[:2] == size[::-1]
    shown = np.asarray(pypdfium2.PdfDocument(path)[0].render(scale=3).to_pil().convert("RGB"))
    near(corners(loaded.pixels), corners(shown), 6)


def test_several_pictures_are_drawn_as_they_lie(tmp_path):
    path = tmp_path / "album.pdf"
    left, right = quarters(100, 100), quarters(50, 50)[::-1].copy()
    path.write_bytes(
        pdf([(jpeg(left), (50, 0, 0, 50, 5, 15)), (jpeg(right), (50, 0, 0, 50, 65, 15))])
    )
    size, loaded = load(path)
    assert size == (240, 160)  # two pixels a unit, as the finer has
    assert loaded.pixels.shape == (160, 240, 3)
    near(corners(loaded.pixels[30:130, 10:110]), corners(quarters()), 12)


def test_a_page_without_a_picture_and_a_damaged_one_are_refused(tmp_path):
    (tmp_path / "empty.pdf").write_bytes(pdf([]))
    (tmp_path / "damaged.pdf").write_bytes(b"%PDF-1.4 nothing")
    for name, reason in (("empty", "its page holds no picture"), ("damaged", "it is damaged")):
        with pytest.raises(photos.PhotographError, match=reason):
            load(tmp_path / f"{name}.pdf")
        assert photos.pages(tmp_path / f"{name}.pdf") == ([0], "")


def test_too_large_a_page_is_refused_before_it_is_drawn(tmp_path):
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf([(jpeg(quarters(160, 240)), FULL)]))
    with (
        pytest.raises(photos.PhotographError, match="240 x 160 pixels, more than"),
        photos.opened(path, max_megapixels=0.01),
    ):
        pass
