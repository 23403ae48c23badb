"""A film before and after, side by side, without sound: H.264 in MP4."""

import os
from fractions import Fraction

from colorizer.films import decode
from colorizer.films.formats import CODECS
from colorizer.films.pipeline import part
from colorizer.pixels import high_bits, shrink

import av
import numpy as np

# The width of both together at most, in pixels.
WIDTH = 1920


def write(reader, source, film, request, target, path) -> None:
    """Write what a film was, read from `source` by `reader`, beside what it became, at `target`."""
    after = decode.probe(target, deinterlace=False)
    codec, begin = CODECS["h264"], None
    with (
        reader.reading(source, film) as old,
        decode.reading(target, after) as new,
        av.open(os.fspath(path), "w", format="mp4") as output,
    ):
        stream = output.add_stream(codec.encoder, film.rate)
        stream.options = {**codec.options, "crf": str(codec.quality)}
        stream.pix_fmt = codec.pixel_formats[0]
        stream.time_base = stream.codec_context.time_base = film.time_base
        stream.sample_aspect_ratio = film.sample_aspect_ratio or Fraction(1)
        for before, now in zip(part(old, film, request), new, strict=False):
            pair = [_half(each.frame, film.rotation // 90) for each in (before, now)]
            pair = np.hstack([half[: pair[0].shape[0], : pair[0].shape[1]] for half in pair])
            if begin is None:
                begin = before.time
                stream.height, stream.width = pair.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pair), format="rgb24")
            frame.pts, frame.time_base = before.time - begin, film.time_base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def _half(frame, turns) -> np.ndarray:
    """Return a frame upright, RGB (h, w, 3), of even sides and at most half of WIDTH wide."""
    pixels = high_bits(np.rot90(decode.pixels_of(frame), turns))
    height, width = pixels.shape[:2]
    scale = min(1, WIDTH / 2 / width)
    height, width = (max(2, round(side * scale / 2) * 2) for side in (height, width))
    pixels = shrink(np.ascontiguousarray(pixels), height, width)
    return np.broadcast_to(pixels, (height, width, 3))
