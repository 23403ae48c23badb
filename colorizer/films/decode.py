"""Films in and out with PyAV: frames and their times, encoders, and files with all other streams.

Times are whole numbers of the film's own time base, as its file has them.
"""

import contextlib
import dataclasses
import heapq
import math
import os
import stat
from collections import deque
from fractions import Fraction
from typing import NamedTuple

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

# A frame is black-and-white when at most one in a thousand of its colour samples is further than
# this from gray, of 255.
GRAY_TOLERANCE = 5
GRAY_EXCEPTIONS = 0.001

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


@dataclasses.dataclass(frozen=True)
class Film:
    """What a film is, as far as its coloured copy has to be the same.

    `size` is (height, width) in pixels as stored, `rotation` the degrees, a multiple of 90, by
    which players turn it counterclockwise, and `matrix` the numbers that tell them so, or None.
    `bits` are those of a sample, `full_range` tells that they begin at 0; `colorspace`, a key of
    WEIGHTS, `color_primaries` and `color_trc` are FFmpeg's numbers. `frames` guesses their count,
    or is 0. `start` is when it begins, in seconds, from which players count.
    """

    size: tuple
    bits: int
    full_range: bool
    colorspace: int
    color_primaries: int
    color_trc: int
    rotation: int
    matrix: tuple | None
    interlaced: bool
    time_base: Fraction
    rate: Fraction
    sample_aspect_ratio: Fraction | None
    frames: int
    start: Fraction
    in_colour: bool
    has_alpha: bool

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
def opened(path):
    """Open a film and give its container and its video stream; raises FilmError for all errors."""
    try:
        regular = stat.S_ISREG(os.stat(path).st_mode)
    except OSError as error:
        raise FilmError(error.strerror.lower()) from error
    if not regular:
        # Opening a pipe would wait for its writer for ever.
        raise FilmError("it is not a regular file")
    try:
        with av.open(os.fspath(path), metadata_errors="replace") as container:
            name = container.format.name
            if name == "image2" or name.endswith("_pipe"):
                raise FilmError("it holds a picture, not a film")
            streams = [s for s in container.streams.video if not is_cover(s)]
            if not streams:
                raise FilmError("it holds no moving pictures")
            if streams[0].codec_context is None:
                raise FilmError("its pictures are in a codec that this program cannot read")
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


def probe(path) -> Film:
    """Decode the first frame of a film and tell what it is; raises FilmError."""
    with opened(path) as (container, stream):
        decoder = _Decoder(container, stream)
        decoded = (d for packet in _packets(container, stream) for d in decoder.decode(packet))
        first = next((d.frame for d in decoded), None)
        if first is None:
            raise FilmError("it holds no frame that can be decoded")
        context = stream.codec_context
        rate = stream.guessed_rate or stream.average_rate or Fraction(25)
        matrix = first.side_data.get("DISPLAYMATRIX")
        length = float(stream.duration * stream.time_base) if stream.duration else 0
        if not length and container.duration:
            length = container.duration / av.time_base
        stored_in_full = first.format.name.startswith(("gray", "yuvj"))
        return Film(
            size=(first.height, first.width),
            bits=max(component.bits for component in first.format.components),
            full_range=int(first.color_range) == ColorRange.JPEG or stored_in_full,
            colorspace=_colorspace(first),
            color_primaries=int(context.color_primaries),
            color_trc=int(context.color_trc),
            rotation=round(first.rotation / 90) * 90 % 360,
            matrix=tuple(np.frombuffer(matrix, np.int32).tolist()) if matrix else None,
            interlaced=first.interlaced_frame,
            time_base=stream.time_base,
            rate=rate,
            sample_aspect_ratio=stream.sample_aspect_ratio,
            frames=stream.frames or round(length * rate),
            start=Fraction(container.start_time or 0, av.time_base),
            in_colour=pixels_of(first).shape[2] == 3,
            has_alpha=any(component.is_alpha for component in first.format.components),
        )


def _colorspace(frame) -> int:
    """Return the colour space that a frame names, a key of WEIGHTS, or what players take it for."""
    if int(frame.colorspace) in WEIGHTS:
        return int(frame.colorspace)
    return 1 if frame.height >= HIGH_DEFINITION else 6


class Decoded(NamedTuple):
    """A frame as it was decoded, shown at `time` for `length`.

    A `repeated` one takes the place of one that cannot be decoded.
    """

    frame: av.VideoFrame
    time: int
    length: int
    repeated: bool


@contextlib.contextmanager
def reading(path, after=None):
    """Open a film and give its frames, as `frames` yields them, behind that of time `after`.

    That frame is looked for where the container says it is, then from the film's start. Raises
    FilmError where it is not there.
    """
    for seek in (False,) if after is None else (True, False):
        with opened(path) as (container, stream):
            if seek:
                container.seek(after, stream=stream)
            decoded = frames(container, stream)
            if after is None or next((d.time for d in decoded if d.time >= after), None) == after:
                yield decoded
                return
    raise FilmError(
        "its unfinished segments, in a hidden folder beside its result, do not fit it; remove them"
    )


def frames(container, stream):
    """Yield the frames of a film, Decoded, in the order of showing; interlaced ones progressive."""
    decoder, deinterlacer = _Decoder(container, stream), _Deinterlacer()
    for packet in _packets(container, stream):
        for decoded in decoder.decode(packet):
            yield from deinterlacer.add(decoded)
    for decoded in decoder.finish():
        yield from deinterlacer.add(decoded)
    yield from deinterlacer.finish()


def _packets(container, stream):
    """Yield a stream's packets, the last of them empty; a file that breaks off ends there."""
    try:
        yield from container.demux(stream)
    except av.FFmpegError:
        last = av.Packet()
        last.stream = stream
        yield last


class _Decoder:
    """Decodes packets and finds when their frames are shown.

    Where a packet cannot be decoded, the frame before stands at its time. `waiting` is a heap of
    the times and lengths of packets whose frames are still to come.
    """

    def __init__(self, container, stream):
        self.usual = max(1, round(1 / ((stream.guessed_rate or 25) * stream.time_base)))
        # AVI numbers its frames in the order of decoding, and FFmpeg guesses the rest.
        self.numbered = container.format.name == "avi"
        self.waiting, self.lost, self.last, self.time = [], 0, None, None

    def decode(self, packet) -> list[Decoded]:
        """Return the frames that are known with a packet more."""
        due = packet.dts if self.numbered else packet.pts
        if due is not None and packet.size:
            heapq.heappush(self.waiting, (due, packet.duration or self.usual))
        try:
            pictures = packet.decode()
        except av.FFmpegError:
            pictures, self.lost = [], self.lost + 1
        decoded = []
        for frame in pictures:
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
            decoded.append(Decoded(frame, self.time, length, False))
        return decoded

    def finish(self) -> list[Decoded]:
        """Return what stands for the packets at the end that cannot be decoded."""
        return [decoded for _ in range(len(self.waiting)) for decoded in self._repeated()]

    def _repeated(self) -> list[Decoded]:
        """Take the packet that is due first; return the last frame in its place if it was lost."""
        due, length = heapq.heappop(self.waiting)
        if not self.lost or self.last is None or due <= self.time:
            return []
        self.lost, self.time = self.lost - 1, due
        return [Decoded(self.last, due, length, True)]


class _Deinterlacer:
    """Makes interlaced frames progressive, each of its two fields and those around it."""

    def __init__(self):
        self.graph, self.waiting = None, deque()

    def add(self, decoded) -> list[Decoded]:
        """Return the frames that are finished with one more."""
        if self.graph is None and not decoded.frame.interlaced_frame:
            return [decoded]
        self.graph = self.graph or _deinterlacing(decoded.frame)
        self.waiting.append(decoded)
        self.graph.push(decoded.frame)
        return self._filtered()

    def finish(self) -> list[Decoded]:
        """Return the frames that are still to come."""
        if not self.graph:
            return []
        self.graph.push(None)
        return self._filtered()

    def _filtered(self) -> list[Decoded]:
        finished = []
        with contextlib.suppress(av.error.BlockingIOError, av.error.EOFError):
            while self.waiting:
                frame = self.graph.pull()
                finished.append(self.waiting.popleft()._replace(frame=frame))
        return finished


def _deinterlacing(frame) -> av.filter.Graph:
    """Return FFmpeg's filter for the interlaced among frames of this size and format.

    Source: bwdif, the BBC's weave and deinterlace of what moves.
    """
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    filters = [graph.add("bwdif", "mode=send_frame:deint=interlaced"), graph.add("buffersink")]
    graph.link_nodes(source, *filters).configure()
    return graph


def pixels_of(frame) -> np.ndarray:
    """Return a frame's pixels, gray (H, W, 1) or RGB (H, W, 3): uint8, uint16 for over 8 bits.

    Gray where its colours are all but gray: its luma then, brought to the full range. What is
    transparent is laid on white.
    """
    bits = max(component.bits for component in frame.format.components)
    if frame.format.is_rgb or frame.format.has_palette or not _is_gray(frame, bits):
        return _rgb(frame, bits)
    luma = _plane(frame, 0, bits)
    if frame.format.name.startswith(("gray", "yuvj")) or int(frame.color_range) == ColorRange.JPEG:
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
