"""Films in and out with PyAV: frames and their times, encoders, and files with all other streams.

Times are whole numbers of the film's own time base, as its file has them.
"""

import contextlib
import dataclasses
import heapq
import itertools
import math
import os
import stat
import struct
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from colorizer import tone
from colorizer.files.formats import begins_like_a_photograph
from colorizer.films.formats import DEMUXERS
from colorizer.films.interlace import SAMPLE, SAMPLE_PIXELS, Deinterlacer, Scan, find_scan
from colorizer.films.timing import Clock, may_restart, packets
from colorizer.pixels import high_bits, is_gray, shrink

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

# A frame is black-and-white when at most one in a thousand of its colour samples is further than
# this from gray, of 255.
GRAY_TOLERANCE = 5
GRAY_EXCEPTIONS = 0.001

# At how many places of a film frames are looked at, at which sides in pixels, to tell whether it
# is in colour or toned.
PLACES = 8
TINT_SIDE = 224

# How luma is weighed, by FFmpeg's number of the colour space. Where a film does not say, players
# take BT.709 for one of this many rows or more, and else BT.601.
WEIGHTS = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}
HIGH_DEFINITION = 720


class FilmError(Exception):
    """A file cannot be read or written as a film; the message is one phrase that says why."""


class LightLevels(NamedTuple):
    """What HDR10 says of light: how bright the screen was, and how bright the film is.

    `screen` has x and y of red, green, blue and white, and the least and the most of light in
    candela per square metre, Fractions, or is empty; `film` has the most of a pixel and of a
    frame's mean, the same, or is empty. Source: FFmpeg, libavutil/mastering_display_metadata.h.
    """

    screen: tuple = ()
    film: tuple = ()

    @classmethod
    def of(cls, frame) -> "LightLevels":
        """Return those of a frame."""
        screen = frame.side_data.get("MASTERING_DISPLAY_METADATA")
        film = frame.side_data.get("CONTENT_LIGHT_LEVEL")
        numbers = struct.unpack_from("=22i", screen) if screen else ()
        pairs = zip(numbers[:20:2], numbers[1:20:2], strict=True) if all(numbers[20:]) else ()
        return cls(
            tuple(Fraction(above, below or 1) for above, below in pairs),
            struct.unpack_from("=2I", film) if film else (),
        )


@dataclasses.dataclass(frozen=True)
class Film:
    """What a film is, as far as its coloured copy has to be the same.

    `size` is (height, width) in pixels as stored, `rotation` the degrees, a multiple of 90, by
    which players turn it counterclockwise, and `matrix` the numbers that tell them so, or None.
    `codec` and `pixel_format` are FFmpeg's names; `bits` are those of a sample, `full_range` tells
    that they begin at 0; `colorspace`, a key of WEIGHTS, `color_primaries` and `color_trc` are
    FFmpeg's numbers; `light_levels` are those of HDR10. Where it is to be deinterlaced, each frame
    of `scan` becomes two, and `time_base` and `rate` are those of the fields. `frames` guesses
    their count, or is 0. `start` is when it begins, in seconds, from which players count. It is
    `in_colour`, `toned` as a whole, such as in sepia, or neither.
    """

    size: tuple
    codec: str
    pixel_format: str
    bits: int
    full_range: bool
    colorspace: int
    color_primaries: int
    color_trc: int
    light_levels: LightLevels
    rotation: int
    matrix: tuple | None
    scan: Scan
    deinterlace: bool
    time_base: Fraction
    rate: Fraction
    sample_aspect_ratio: Fraction | None
    frames: int
    start: Fraction
    in_colour: bool
    toned: bool
    has_alpha: bool

    @property
    def fields(self) -> int:
        """How many frames each of its own becomes."""
        return 2 if self.deinterlace and self.scan is not Scan.PROGRESSIVE else 1

    def seconds(self, time) -> Fraction | float:
        """Return a frame's time as players show it; that of no frame is before all others."""
        return -math.inf if time is None else time * self.time_base - self.start

    def seen_sizes(self) -> list[tuple]:
        """Return the sizes, (height, width), that an upright picture of it may have.

        They are those of its pixels and, where these are not square, of what is shown.
        """
        (height, width), shape = self.size, self.sample_aspect_ratio or 1
        sizes = [(height, width), (height, round(width * shape))]
        return [size[::-1] for size in sizes] if self.rotation % 180 else sizes


@contextlib.contextmanager
def opened(path, max_megapixels=None):
    """Open a film and give its container and its video stream; raises FilmError for all errors.

    It is read by itself: what names other files, such as a playlist, is no film. Frames of more
    than `max_megapixels` million pixels are not decoded.
    """
    try:
        regular = stat.S_ISREG(os.stat(path).st_mode)
    except OSError as error:
        raise FilmError(error.strerror.lower()) from error
    if not regular:
        # Opening a pipe would wait for its writer for ever.
        raise FilmError("it is not a regular file")
    options = {"format_whitelist": ",".join(DEMUXERS), "protocol_whitelist": "file"}
    if max_megapixels:
        options["max_pixels"] = str(math.floor(max_megapixels * 1e6))
    try:
        try:
            container = av.open(os.fspath(path), options=options, metadata_errors="replace")
        except av.error.ArgumentError as error:  # the kind of file is not in the list
            picture = begins_like_a_photograph(Path(path))
            kind = "it holds a picture, not a film" if picture else "it is no film that is read"
            raise FilmError(kind) from error
        with container:
            streams = [s for s in container.streams.video if not is_cover(s)]
            if not streams:
                raise FilmError("it holds no moving pictures")
            context = streams[0].codec_context
            if context is None:
                raise FilmError("its pictures are in a codec that this program cannot read")
            if max_megapixels and context.width * context.height > max_megapixels * 1e6:
                raise FilmError(
                    f"it has {context.width} x {context.height} pixels, more than "
                    f"{max_megapixels:g} megapixels"
                )
            streams[0].thread_type = "AUTO"
            yield container, streams[0]
    except av.FFmpegError as error:
        raise FilmError(reason(error)) from error


def is_cover(stream) -> bool:
    """Tell whether a video stream is a still picture beside the film."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def reason(error) -> str:
    """Say in one phrase why FFmpeg cannot read or write a film."""
    if isinstance(error, (av.error.InvalidDataError, av.error.EOFError)):
        return "it is damaged, or no film"
    return (getattr(error, "strerror", None) or str(error)).lower()


def probe(path, max_megapixels=None, deinterlace=True) -> Film:
    """Decode some frames of a film and tell what it is; raises FilmError, as for all it refuses.

    With `deinterlace`, an interlaced one is to become one of a frame for each field.
    """
    with opened(path, max_megapixels) as (container, stream):
        sample = _sample(container, stream)
        if not sample:
            raise FilmError("it holds no frame that can be decoded")
        first, last, scan = sample[0], sample[-1], find_scan(sample)
        length = float(stream.duration * stream.time_base) if stream.duration else 0
        if not length and container.duration:
            length = container.duration / av.time_base
        if scan is Scan.PROGRESSIVE and length > 2 * len(sample) and not may_restart(container):
            # It may begin with a title that stands still.
            container.seek(round(length / 2 / stream.time_base), stream=stream)
            scan = find_scan(_sample(container, stream))
        context = stream.codec_context
        rate = stream.guessed_rate or stream.average_rate or Fraction(25)
        fields = 2 if deinterlace and scan is not Scan.PROGRESSIVE else 1
        matrix = first.side_data.get("DISPLAYMATRIX")
        in_colour, toned = tint([first, last, *_all_over(container, stream, length)])
        return Film(
            size=(first.height, first.width),
            codec=context.codec.canonical_name,
            pixel_format=first.format.name,
            bits=max(component.bits for component in first.format.components),
            full_range=_in_full_range(first),
            colorspace=_colorspace(first),
            color_primaries=int(context.color_primaries),
            color_trc=int(context.color_trc),
            light_levels=LightLevels.of(first),
            rotation=round(first.rotation / 90) * 90 % 360,
            matrix=tuple(np.frombuffer(matrix, np.int32).tolist()) if matrix else None,
            scan=scan,
            deinterlace=deinterlace,
            time_base=stream.time_base / fields,
            rate=rate * fields,
            sample_aspect_ratio=stream.sample_aspect_ratio,
            frames=fields * (stream.frames or round(length * rate)),
            start=Fraction(container.start_time or 0, av.time_base),
            in_colour=in_colour,
            toned=toned,
            has_alpha=any(component.is_alpha for component in first.format.components),
        )


def tint(frames) -> tuple[bool, bool]:
    """Tell whether the film of some frames is in colour, and whether it is toned, as in sepia."""
    pictures = [pixels for pixels in map(pixels_of, frames) if pixels.shape[2] == 3]
    sides = ([min(side, TINT_SIDE) for side in each.shape[:2]] for each in pictures)
    small = [shrink(high_bits(each), *side) for each, side in zip(pictures, sides, strict=True)]
    tinted = [each for each in small if not is_gray(each)]
    in_colour = not all(map(tone.is_toned, tinted))
    return in_colour, bool(tinted) and not in_colour


def _all_over(container, stream, length):
    """Yield frames from all over a film of so many seconds, because it may begin with a title."""
    if length and not may_restart(container):
        for place in range(PLACES):
            seconds = length * (place + 0.5) / PLACES
            try:
                container.seek(round(seconds / stream.time_base), stream=stream)
            except av.FFmpegError:
                return  # containers without an index, and those that are cut off
            yield from _sample(container, stream, 1)


def _sample(container, stream, most=SAMPLE) -> list:
    """Return the next frames, `most` or fewer, av.VideoFrame of one size and format."""
    context, found = stream.codec_context, []
    most = max(1, min(most, SAMPLE_PIXELS // max(1, context.width * context.height)))
    decoder = Decoder(container, stream)
    for packet in packets(container, Clock(container)):
        if packet.stream_index == stream.index:
            found += [decoded.frame for decoded in decoder.decode(packet)]
        if len(found) >= most:
            break
    else:
        found += [decoded.frame for decoded in decoder.finish()]
    alike = [frame for frame in found if _kind(frame) == _kind(found[0])]
    return alike[:most]


def _kind(frame) -> tuple:
    return frame.width, frame.height, frame.format.name


def _colorspace(frame) -> int:
    """Return the colour space that a frame names, a key of WEIGHTS, or what players take it for."""
    if int(frame.colorspace) in WEIGHTS:
        return int(frame.colorspace)
    return 1 if frame.height >= HIGH_DEFINITION else 6


class Decoded(NamedTuple):
    """A frame as it was decoded, shown at `time` for `length`.

    A `repeated` one takes the place of one that cannot be decoded; a `resized` one had another size
    than the film.
    """

    frame: av.VideoFrame
    time: int
    length: int
    repeated: bool = False
    resized: bool = False


@contextlib.contextmanager
def reading(path, film, after=None):
    """Open a film and give its frames, as `frames` yields them, behind that of time `after`.

    That frame is looked for where the container says it is, if times do not restart in it, then
    from the film's start. Raises FilmError where it is not there.
    """
    for seek in (False,) if after is None else (True, False):
        with opened(path) as (container, stream):
            if seek and not may_restart(container):
                container.seek(after // film.fields, stream=stream)
            decoded = frames(container, stream, film)
            if after is None or next((d.time for d in decoded if d.time >= after), None) == after:
                yield decoded
                return
    raise FilmError(
        "its unfinished segments, in a hidden folder beside its result, do not fit it; remove them"
    )


def frames(container, stream, film):
    """Yield the frames of a film, Decoded, in the order of showing, all of one size and format."""
    decoder = Decoder(container, stream)
    deinterlacer = Deinterlacer(film.scan) if film.deinterlace else None
    for packet in itertools.chain(packets(container, Clock(container)), [None]):
        if packet and packet.stream_index != stream.index:
            continue
        for decoded in decoder.decode(packet) if packet else decoder.finish():
            decoded = fitted(film, decoded)
            if deinterlacer:
                yield from deinterlacer.add(decoded)
            else:
                yield decoded
    if deinterlacer:
        yield from deinterlacer.finish()


def fitted(film, decoded) -> Decoded:
    """Return a frame, Decoded, in the size and format of the film."""
    frame, (height, width) = decoded.frame, film.size
    if _kind(frame) == (width, height, film.pixel_format):
        return decoded
    resized = (frame.height, frame.width) != film.size
    scaled = VideoReformatter().reformat(frame, width, height, film.pixel_format)
    scaled.pts, scaled.time_base = frame.pts, frame.time_base
    return decoded._replace(frame=scaled, resized=resized)


class Decoder:
    """Decodes packets and finds when their frames are shown.

    Where a packet cannot be decoded, the frame before stands at its time. `waiting` is a heap of
    the times and lengths of packets whose frames are still to come.
    """

    def __init__(self, container, stream):
        self.context, self.time_base = stream.codec_context, stream.time_base
        self.usual = max(1, round(1 / ((stream.guessed_rate or 25) * stream.time_base)))
        # AVI numbers its frames in the order of decoding, and FFmpeg guesses the rest.
        self.numbered = container.format.name == "avi"
        self.waiting, self.lost, self.last, self.time = [], 0, None, None

    def decode(self, packet) -> list[Decoded]:
        """Return the frames that are known with a packet more, or with None that there is none."""
        due = packet and (packet.dts if self.numbered else packet.pts)
        if due is not None:
            heapq.heappush(self.waiting, (due, packet.duration or self.usual))
        try:
            pictures = self.context.decode(packet)
        except av.FFmpegError:
            pictures, self.lost = [], self.lost + 1
        decoded = []
        for frame in pictures:
            frame.time_base = self.time_base  # the last ones have none
            due, length = frame.pts, frame.duration or self.usual
            if self.numbered and self.waiting:
                due, length = self.waiting[0]
            elif due is None:
                due = self.usual + (self.time or 0)
            while self.waiting and self.waiting[0][0] < due:
                decoded += self._repeated()
            if self.waiting and self.waiting[0][0] == due:
                length = heapq.heappop(self.waiting)[1]
            # Two frames cannot have one time; in files that were cut badly they have.
            self.last, self.time = frame, due if self.time is None else max(due, self.time + 1)
            decoded.append(Decoded(frame, self.time, length))
        return decoded

    def finish(self) -> list[Decoded]:
        """Return the last frames, and what stands for packets that cannot be decoded."""
        decoded = self.decode(None)
        while self.waiting:
            decoded += self._repeated()
        return decoded

    def _repeated(self) -> list[Decoded]:
        """Take the packet that is due first; return the last frame in its place if it was lost."""
        due, length = heapq.heappop(self.waiting)
        if not self.lost or self.last is None or due <= self.time:
            return []
        self.lost, self.time = self.lost - 1, due
        return [Decoded(self.last, due, length, repeated=True)]


def _in_full_range(frame) -> bool:
    """Tell whether the samples of a frame begin at 0."""
    stored = frame.format.name.startswith(("gray", "yuvj"))
    return stored or int(frame.color_range) == ColorRange.JPEG


def pixels_of(frame) -> np.ndarray:
    """Return a frame's pixels, gray (H, W, 1) or RGB (H, W, 3): uint8, uint16 for over 8 bits.

    Gray where its colours are all but gray: its luma then, brought to the full range. What is
    transparent is laid on white.
    """
    bits = max(component.bits for component in frame.format.components)
    if frame.format.is_rgb or frame.format.has_palette or not _is_gray(frame, bits):
        return _rgb(frame, bits)
    luma = _plane(frame, 0, bits)
    if _in_full_range(frame):
        lowest, highest = 0, 2**bits - 1
    else:
        lowest, highest = 16 << (bits - 8), 235 << (bits - 8)
    most = 255 if bits == 8 else 65535
    levels = np.arange(2**bits) if bits == 8 else np.arange(65536)
    table = np.rint(np.clip((levels - lowest) / (highest - lowest), 0, 1) * most)
    return cv2.LUT(luma, table.astype(luma.dtype))[..., np.newaxis]


def _is_gray(frame, bits) -> bool:
    """Tell whether a frame of luma and colour samples is black-and-white."""
    if len(frame.planes) == 1:
        return frame.format.name.startswith("gray")
    if len(frame.planes) != 3:
        return False
    middle, tolerance = 128 << (bits - 8), GRAY_TOLERANCE << (bits - 8)
    for number in (1, 2):
        plane = _plane(frame, number, bits)
        near = cv2.inRange(plane, middle - tolerance, middle + tolerance)
        if plane.size - cv2.countNonZero(near) > GRAY_EXCEPTIONS * plane.size:
            return False
    return True


def _plane(frame, number, bits) -> np.ndarray:
    """Return a view on a plane of samples, uint8 or uint16 (h, w)."""
    plane = frame.planes[number]
    kind = np.dtype(np.uint8 if bits == 8 else np.uint16)
    rows = np.frombuffer(plane, kind).reshape(-1, plane.line_size // kind.itemsize)
    return rows[: plane.height, : plane.width]


def _rgb(frame, bits) -> np.ndarray:
    """Convert a frame to RGB with the colour space and range that it names."""
    # A frame's own converter is not for several threads.
    convert = VideoReformatter().reformat
    if not any(component.is_alpha for component in frame.format.components):
        return convert(frame, format="rgb24" if bits <= 8 else "rgb48le").to_ndarray()
    pixels = convert(frame, format="rgba").to_ndarray()
    share = pixels[..., 3:].astype(np.uint16)
    return ((pixels[..., :3] * share + 255 * (255 - share) + 127) // 255).astype(np.uint8)
