"""PDF, as scanners write it: the picture of each page at its full size."""

import contextlib
import threading

import numpy as np
from PIL import Image

BEGIN = b"%PDF-"
# A picture of less than this share of the page is a signet or a stamp.
LEAST_SHARE = 0.05

# PDFium is not safe in several threads.
LOCK = threading.Lock()


class NoPicture(Exception):
    """A page holds no picture, or is locked; the message says which, in one phrase."""


class PdfPicture:
    """The picture of a page of an open PDF, of which only the size is known yet.

    One picture that fills a page is taken out as it is stored; several are drawn as they lie there,
    as fine as the finest of them. `size` is width and height in pixels.
    """

    format = "PDF"

    def __init__(self, file, page=0):
        self.fp, self.page = file, page
        with self._drawn() as (sheet, pictures):
            self.whole = pictures[0] if len(pictures) == 1 and not pictures[0].level else None
            fineness = max(_fineness(picture) for picture in pictures)
            self.scale = fineness
            if self.whole is not None:
                width, height = self.whole.get_px_size()
                turned = _lies(self.whole) ^ (sheet.get_rotation() % 180 == 90)
                self.size = (height, width) if turned else (width, height)
                self.whole = True
            else:
                self.size = tuple(int(np.ceil(side * fineness)) for side in sheet.get_size())
            self.info = {"dpi": (fineness * 72, fineness * 72)}

    def load(self):
        """Decode it: a Pillow image, gray or RGB."""
        with self._drawn() as (sheet, pictures):
            if not self.whole:
                return sheet.render(scale=self.scale).to_pil().convert("RGB")
            picture = pictures[0]
            bitmap = picture.get_bitmap(render=False).to_pil()
            pixels = np.asarray(bitmap.convert("L" if bitmap.mode in ("1", "L") else "RGB"))
            across, up, along, down, *_ = picture.get_matrix().get()
            if _lies(picture):
                pixels = pixels.swapaxes(0, 1)
                pixels = pixels[:: -1 if up > 0 else 1, :: -1 if along > 0 else 1]
            else:
                pixels = pixels[:: 1 if down > 0 else -1, :: 1 if across > 0 else -1]
            pixels = np.rot90(pixels, -sheet.get_rotation() // 90)
            return Image.fromarray(np.ascontiguousarray(pixels))

    @contextlib.contextmanager
    def _drawn(self):
        """Give the page and its pictures, large ones, while nobody else uses PDFium."""
        with LOCK, _document(self.fp) as document:
            sheet = document[self.page]
            width, height = sheet.get_size()
            pictures = [
                each
                for each in sheet.get_objects(filter=[3])
                if _area(each) >= LEAST_SHARE * width * height
            ]
            if not pictures:
                raise NoPicture("its page holds no picture; save the page as a picture")
            yield sheet, pictures


@contextlib.contextmanager
def _document(file):
    """Open a PDF with PDFium; raises NoPicture where it is locked."""
    # Not imported above, because few albums hold a PDF.
    import pypdfium2

    file.seek(0)
    try:
        document = pypdfium2.PdfDocument(file.read())
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise NoPicture("it is a PDF with a password; save it without") from error
        raise
    try:
        yield document
    finally:
        document.close()


def pages(file, most):
    """Return the places of an open PDF's first `most` pages, and whether there are more."""
    with LOCK, _document(file) as document:
        return list(range(min(len(document), most))), len(document) > most


def _area(picture) -> float:
    left, bottom, right, top = picture.get_bounds()
    return abs((right - left) * (top - bottom))


def _fineness(picture) -> float:
    """Return how many pixels of a picture lie on a 72nd of an inch."""
    left, bottom, right, top = picture.get_bounds()
    across, down = picture.get_px_size()
    if _lies(picture):
        across, down = down, across
    return max(across / max(right - left, 1e-6), down / max(top - bottom, 1e-6))


def _lies(picture) -> bool:
    """Tell whether a picture is turned by a quarter on its page."""
    across, up, *_ = picture.get_matrix().get()
    return abs(up) > abs(across)
