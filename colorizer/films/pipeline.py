"""The frames of one film from the decoder to the encoder: scenes, motion, colours, on all cores."""

import dataclasses
import itertools
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from colorizer.films import decode, stabilize
from colorizer.films.hints import NO_MARKS, Marks
from colorizer.hints import drawing
from colorizer.pixels import grayscale

import numpy as np


@dataclasses.dataclass
class Frame:
    """A frame on its way: `raw` is the film's, shown at `time` for `length`.

    `small` is gray at the network's size, `change` and `motion` are as stabilize.Frame has them;
    `marks` are the hints in it, and `chroma` is the network's answer. `matched` is the share of it
    that looks like the reference. `painted` is the av.VideoFrame to write, and `memory` what has to
    be known to go on behind it.
    """

    raw: decode.av.VideoFrame
    time: int
    length: int
    repeated: bool
    small: Future
    change: str = ""
    motion: Future | None = None
    marks: Future | Marks = NO_MARKS
    chroma: Future | None = None
    matched: float = 0
    painted: Future | None = None
    memory: dict | None = None


class Painter:
    """Gives the frames of one film their colours, and paints them.

    So many frames are in memory as the look-ahead and the cores need, whatever the film's length.
    """

    def __init__(self, film, colorizer, options, format, hints, behind):
        """Begin behind the frames that are done: `behind` has their `frames`, `time` and `memory`.

        `options` are films.Options, `format` is the pixel format to make, and `hints` are a list of
        film_hints.Hint.
        """
        self.film, self.colorizer, self.options, self.format = film, colorizer, options, format
        self.hints = hints
        self.turns = film.rotation // 90
        self.number, self.seconds = behind.frames, film.seconds(behind.time)
        self.before, self.last, self.marks = [], None, NO_MARKS
        self.steadier = stabilize.Steady()
        if memory := behind.memory:
            self.before, self.last = list(memory["before"]), memory["gray"]
            self.marks = Marks(memory["places"], memory["colours"])
            self.steadier = stabilize.Steady((memory["chroma"], memory["weight"]))
        self.cores = os.cpu_count() or 1
        self.workers = ThreadPoolExecutor(self.cores)

    def painted(self, frames):
        """Yield what `decode.frames` gives as painted `Frame`, in order."""
        leaving = deque()
        try:
            for frame in self._steadied(self._predicted(self._shrunk(frames))):
                leaving.append(frame)
                if len(leaving) > self.cores:
                    yield leaving.popleft()
            yield from leaving
        finally:
            self.workers.shutdown(cancel_futures=True)

    def _shrunk(self, frames):
        """Have each frame shrunk."""
        for raw, time, length, repeated in frames:
            yield Frame(raw, time, length, repeated, self.workers.submit(self.shrink, raw))

    def _predicted(self, frames):
        """Find the scenes, and have the motion found, hints moved and chroma predicted."""
        # Further ahead than it looks, so that nothing waits for a frame to shrink.
        coming = deque(itertools.islice(frames, stabilize.CONTEXT + self.cores))
        while coming:
            frame = coming.popleft()
            coming.extend(itertools.islice(frames, 1))
            small = frame.small.result()
            ahead = [each.small.result() for each in itertools.islice(coming, stabilize.CONTEXT)]
            frame.change = stabilize.change(self.before, [small, *ahead])
            if frame.change != "cut":
                frame.motion = self.workers.submit(stabilize.motion, self.last, small)
            frame.marks = self._marked(frame)
            frame.chroma = self.workers.submit(self.predict, frame)
            self.before = [*self.before, small][-stabilize.CONTEXT - 1 :]
            if frame.change != "flash":
                self.last, self.marks = small, frame.marks
            frame.memory = {"before": self.before, "gray": self.last, "marks": self.marks}
            yield frame

    def _marked(self, frame):
        """Return the marks of a frame, or have them found: those before it, moved, and its hints'.

        Whoever waits for them waits for tasks that were begun before.
        """
        seconds, before = self.film.seconds(frame.time), self.seconds
        begin = [hint for hint in self.hints if hint.begins(self.number, seconds, before)]
        self.number, self.seconds = self.number + 1, seconds
        earlier = NO_MARKS if frame.change == "cut" else self.marks
        if not begin and earlier is NO_MARKS:
            return NO_MARKS
        return self.workers.submit(self.mark, earlier, frame, begin)

    def _steadied(self, frames):
        """Give each frame its steady chroma, and have it painted."""
        ahead = deque(itertools.islice(frames, stabilize.BLOCK + stabilize.AHEAD))
        while ahead:
            block = [_waiting(frame) for frame in ahead]
            for chroma, (kept, weight) in self.steadier.steady(block):
                frame = ahead.popleft()
                ahead.extend(itertools.islice(frames, 1))
                _, frame.matched = frame.chroma.result()
                marks = _result(frame.memory.pop("marks"))
                frame.memory |= {"places": marks.places, "colours": marks.colours}
                frame.memory |= {"chroma": kept, "weight": weight}
                frame.painted = self.workers.submit(self.paint, frame, chroma)
                yield frame

    def shrink(self, raw) -> np.ndarray:
        """Return a frame at the network's size, upright: gray, uint8 (h, w)."""
        return grayscale(self.colorizer.shrink(self._upright(raw)))[..., 0]

    def mark(self, earlier, frame, hints) -> Marks:
        """Return the marks of a frame: the earlier ones, moved, and those of hints."""
        marks = _result(earlier)
        if frame.motion:
            marks = marks.moved(frame.motion.result())
        small = frame.small.result()[..., np.newaxis]
        for hint in hints:
            marks = marks.and_of(drawing.from_hints(drawing.read_hints(hint.path), small))
        return marks

    def predict(self, frame):
        """Ask the network for the chroma of a frame: upright, Lab a and b, float32 (h, w, 2).

        Also returns what share of it looks like the reference.
        """
        pixels, marks = self._upright(frame.raw), _result(frame.marks)
        hinted = marks.known(*frame.small.result().shape) if len(marks.places) else None
        learned = self.options.reference and self.options.reference.exemplar
        known_colours, matched = self.colorizer.known_colours(pixels, hinted, learned)
        return self.colorizer.predict(pixels, known_colours), matched

    def paint(self, frame, chroma):
        """Paint a frame, and make of it what the encoder takes."""
        pixels, chroma = decode.pixels_of(frame.raw), np.rot90(chroma, -self.turns)
        painted = self.colorizer.paint(pixels, chroma, self.options.strength)
        return decode.frame_of(painted, self.film, self.format, frame.time)

    def _upright(self, raw) -> np.ndarray:
        """Return the pixels of a frame as it is seen."""
        return np.rot90(decode.pixels_of(raw), self.turns)


def _waiting(frame) -> stabilize.Frame:
    """Return a frame as it waits for its steady colours, when all that is known."""
    chroma, _ = frame.chroma.result()
    return stabilize.Frame(chroma, frame.change, frame.motion and frame.motion.result())


def _result(marks) -> Marks:
    """Return marks, of which a worker may still be finding out."""
    return marks.result() if isinstance(marks, Future) else marks
