"""Interlaced films: how they are found, and how their fields become frames."""

import contextlib
import enum
import itertools
from collections import Counter, deque

import av
import numpy as np

# Frames at the start of a film, and in its middle, that are looked at, and pixels in all of them.
SAMPLE = 40
SAMPLE_PIXELS = 100_000_000

# An unflagged film is interlaced where so many frames, and this share of those that tell, look so:
# where something moves, by levels of 255, rows differ so much more from the next row than from the
# one behind it. In a progressive picture rows that are next to each other are the most alike.
LEAST_FRAMES = 4
LEAST_SHARE = 0.6
LEAST_MOVE = 10
LEAST_COMBING = 1.1


class Scan(enum.Enum):
    """Whether the two fields of a frame are of different times, and which is the earlier one."""

    PROGRESSIVE = "progressive"
    TOP_FIRST = "tff"
    BOTTOM_FIRST = "bff"


def find_scan(frames) -> Scan:
    """Tell of frames that follow each other, av.VideoFrame, how they were scanned.

    Most of them say that they are interlaced, or look so. Source: FFmpeg's idet.
    """
    if not frames:
        return Scan.PROGRESSIVE
    graph, counts = _graph(frames[0], ("idet", "")), Counter()
    for frame in [*frames, None]:
        graph.push(frame)
        with contextlib.suppress(av.error.BlockingIOError, av.error.EOFError):
            while True:
                counts[graph.pull().metadata["lavfi.idet.multiple.current_frame"]] += 1
    top, bottom = counts[Scan.TOP_FIRST.value], counts[Scan.BOTTOM_FIRST.value]
    first = Scan.BOTTOM_FIRST if bottom > top else Scan.TOP_FIRST
    if 2 * sum(frame.interlaced_frame for frame in frames) > len(frames):
        return first
    most, told = max(top, bottom), top + bottom + counts[Scan.PROGRESSIVE.value]
    if most < max(LEAST_FRAMES, LEAST_SHARE * told):
        return Scan.PROGRESSIVE
    combed = [_is_combed(*pair) for pair in itertools.pairwise(frames)]
    enough = sum(combed) >= max(LEAST_FRAMES, LEAST_SHARE * len(combed))
    return first if enough else Scan.PROGRESSIVE


def _is_combed(before, frame) -> bool:
    """Tell whether what moves in a frame shows the combs of two fields."""
    before, rows = (each.to_ndarray(format="gray").astype(np.int16) for each in (before, frame))
    moves = (np.abs(rows - before) > LEAST_MOVE)[:-2]
    if not moves.any():
        return False
    nearest, same_field = (np.abs(rows[:-2] - rows[step:][: len(moves)])[moves] for step in (1, 2))
    return nearest.mean() > LEAST_COMBING * same_field.mean()


class Deinterlacer:
    """Makes interlaced frames, decode.Decoded, progressive.

    Where a film has a `scan` of two fields, each becomes a frame, and times are counted twice as
    finely. Else only frames that say so are deinterlaced, each into one.
    """

    def __init__(self, scan=Scan.PROGRESSIVE):
        self.scan, self.graph, self.waiting = scan, None, deque()

    def add(self, decoded) -> list:
        """Return the frames that are finished with one more."""
        if self.scan is not Scan.PROGRESSIVE:
            mode = f"mode=send_field:deint=all:parity={self.scan.value}"
            first = decoded._replace(time=2 * decoded.time)
            self.waiting += [first, first._replace(time=first.time + decoded.length)]
        elif self.graph or decoded.frame.interlaced_frame:
            mode = "mode=send_frame:deint=interlaced"
            self.waiting.append(decoded)
        else:
            return [decoded]
        # Source: bwdif, the BBC's weave and deinterlace of what moves.
        self.graph = self.graph or _graph(decoded.frame, ("bwdif", mode))
        self.graph.push(decoded.frame)
        return self._filtered()

    def finish(self) -> list:
        """Return the frames that are still to come."""
        if not self.graph:
            return []
        self.graph.push(None)
        return self._filtered()

    def _filtered(self) -> list:
        finished = []
        with contextlib.suppress(av.error.BlockingIOError, av.error.EOFError):
            while self.waiting:
                frame = self.graph.pull()
                finished.append(self.waiting.popleft()._replace(frame=frame))
        return finished


def _graph(frame, filter) -> av.filter.Graph:
    """Return a graph of one of FFmpeg's filters, a name and its arguments, for such frames."""
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    graph.link_nodes(source, graph.add(*filter), graph.add("buffersink")).configure()
    return graph
