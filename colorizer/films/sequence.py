"""A folder of pictures, frame by frame, as one film; in place of decode where it is none yet."""

import contextlib
import itertools
from fractions import Fraction

from colorizer.errors import shown
from colorizer.files import photos
from colorizer.films.decode import Decoded, Film, FilmError, LightLevels, fitted, tint
from colorizer.films.interlace import Scan
from colorizer.pixels import grayscale, high_bits, is_gray

import av
import numpy as np

# FFmpeg's names of the pixels of photographs, by bytes of a sample and by channels.
PIXEL_FORMATS = {(1, 1): "gray", (1, 3): "rgb24", (2, 1): "gray16le", (2, 3): "rgb48le"}


def probe(folder, max_megapixels=photos.MAX_MEGAPIXELS, deinterlace=True) -> Film:
    """Read the first picture of a formats.FrameFolder and tell what film it begins.

    Raises FilmError where it cannot be read.
    """
    path = folder.files[0]
    try:
        first = _frame(path, max_megapixels)
    except photos.PhotographError as error:
        raise FilmError(f"{shown(path.name)}: {error}") from error
    in_colour, toned = tint([first])
    return Film(
        size=(first.height, first.width),
        codec="",
        pixel_format=first.format.name,
        bits=max(component.bits for component in first.format.components),
        full_range=False,
        colorspace=1 if first.height >= 720 else 6,
        color_primaries=2,
        color_trc=2,
        light_levels=LightLevels(),
        rotation=0,
        matrix=None,
        scan=Scan.PROGRESSIVE,
        deinterlace=False,
        time_base=1 / folder.rate,
        rate=folder.rate,
        sample_aspect_ratio=None,
        frames=len(folder.files),
        start=Fraction(0),
        in_colour=in_colour,
        toned=toned,
        has_alpha=False,
    )


@contextlib.contextmanager
def reading(folder, film, after=None):
    """Give the pictures of a formats.FrameFolder as frames, Decoded, behind that of time `after`.

    One that cannot be read is repeated from the one before.
    """
    yield _frames(folder, film, 0 if after is None else after + 1)


def _frames(folder, film, begin):
    last = None
    # One more, in case the first that is asked for cannot be read.
    for time in itertools.count(max(0, begin - 1)):
        if time >= len(folder.files):
            return
        try:
            decoded, repeated = fitted(film, Decoded(_frame(folder.files[time]), time, 1)), False
        except photos.PhotographError:
            decoded, repeated = last, True
        if decoded:
            last = decoded._replace(time=time, repeated=repeated)
        if last and time >= begin:
            yield last


def _frame(path, max_megapixels=photos.MAX_MEGAPIXELS) -> av.VideoFrame:
    """Read a picture as a frame, gray where it has no colours; raises PhotographError."""
    with photos.opened(path, max_megapixels) as image:
        pixels = photos.load(image).pixels
    if pixels.shape[2] == 3 and is_gray(high_bits(pixels)):
        pixels = grayscale(pixels) if pixels.dtype == np.uint8 else pixels[..., 1:2]
    name = PIXEL_FORMATS[pixels.dtype.itemsize, pixels.shape[2]]
    pixels = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=name)
