"""A film's frames from the decoder to the encoder: predict, stabilize, paint, on all cores."""

import dataclasses
import itertools
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction

from colorizer.films import decode, stabilize
from colorizer.films.hints import TrackedHints
from colorizer.films.stabilize import AHEAD, BLOCK, CONTEXT, Prediction, Transition
from colorizer.hints import drawing
from colorizer.label import draw_label
from colorizer.pixels import grayscale

import numpy as np

NO_HINTS = TrackedHints()


@dataclasses.dataclass
class Memory:
    """What has to be known of a film up to a frame to go on behind it.

    `frames` count what there is of it, `repeated` and `resized` those that are so, and `matched`
    adds up the shares that look like the reference. `time` and `length` are those of the last
    frame. `before` are the last CONTEXT + 1 frames or fewer, gray, uint8 (h, w) at the network's
    size, `gray` the last one that was no flash, and `hints` lie in that one. `chroma`, float32
    (h, w, 2), and `weight`, float32 (h, w), are what stabilize.Stabilizer carries on.
    """

    frames: int = 0
    repeated: int = 0
    resized: int = 0
    matched: float = 0
    time: int | None = None
    length: int = 0
    before: list = dataclasses.field(default_factory=list)
    gray: np.ndarray | None = None
    hints: TrackedHints | Future = NO_HINTS
    chroma: np.ndarray | None = None
    weight: np.ndarray | None = None

    def arrays(self) -> dict:
        """Return it as arrays by name, for np.savez."""
        hints = _result(self.hints)
        stored = {name: np.array(getattr(self, name)) for name in STORED}
        return stored | {"places": hints.places, "colours": hints.colours}

    @classmethod
    def of(cls, arrays) -> "Memory":
        """Return what gave `arrays`, a mapping such as an open npz file, which may hold more."""
        stored = {name: arrays[name] for name in STORED}
        stored |= {name: array.item() for name, array in stored.items() if not array.ndim}
        stored["before"] = list(stored["before"])
        return cls(**stored, hints=TrackedHints(arrays["places"], arrays["colours"]))


STORED = [field.name for field in dataclasses.fields(Memory) if field.name != "hints"]


@dataclasses.dataclass
class Frame:
    """A frame on its way: what was decoded, and what the workers make of it.

    `small` is gray at the network's size, uint8 (h, w). `flow` is that from the last frame that was
    no flash, or None at a cut; `chroma` what `Painter.predict` returns; `painted` the av.VideoFrame
    to write. `memory` is what has to be known to go on behind it.
    """

    decoded: decode.Decoded
    small: Future
    transition: Transition | None = None
    flow: Future | None = None
    chroma: Future | None = None
    painted: Future | None = None
    memory: Memory | None = None


class Painter:
    """Colorizes the frames of one film.

    So many frames are in memory as the look-ahead and the cores need, whatever the film's length.
    """

    def __init__(self, encoding, colorizer, request, hints, memory):
        """Begin behind the frames of a Memory.

        `encoding` is a mux.Encoding, `request` a jobs.request.Request, and `hints` a list of
        hints.Hint.
        """
        self.encoding, self.film, self.colorizer = encoding, encoding.film, colorizer
        self.request, self.hints = request, hints
        self.memory, self.matched = memory, memory.matched
        self.turns = self.film.rotation // 90
        carried = None if memory.chroma is None else (memory.chroma, memory.weight)
        self.stabilizer = stabilize.Stabilizer(carried)
        self.cores = os.cpu_count() or 1
        self.workers = ThreadPoolExecutor(self.cores)

    def colorize(self, frames):
        """Yield each of `frames`, decode.Decoded, as a Frame that is being painted, in order."""
        coming = map(self.read, frames)
        # Further ahead than is looked, so that the workers always have something to do.
        room = BLOCK + AHEAD + CONTEXT + self.cores
        window, predicted = deque(itertools.islice(coming, room)), 0
        try:
            while window:
                # Predict the chroma of each that is followed by as many as scenes are found by.
                ready = len(window) - CONTEXT if len(window) == room else len(window)
                for place in range(predicted, ready):
                    self.predict_next(*itertools.islice(window, place, place + 1 + CONTEXT))
                # Stabilize a block with what lies ahead of it, and paint it.
                if not window[0].painted:
                    self.stabilize_block(list(itertools.islice(window, BLOCK + AHEAD)))
                # Read one more, and write the first.
                window.extend(itertools.islice(coming, 1))
                predicted = ready - 1
                yield window.popleft()
        finally:
            self.workers.shutdown(cancel_futures=True)

    def read(self, decoded) -> Frame:
        """Take up a frame and have it shrunk."""
        return Frame(decoded, self.workers.submit(self.shrink, decoded.frame))

    def predict_next(self, frame, *later) -> None:
        """Find how a frame follows those before; have its flow, hints and chroma found."""
        decoded, memory = frame.decoded, self.memory
        small, *after = (each.small.result() for each in (frame, *later))
        frame.transition = stabilize.find_transition(memory.before, [small, *after])
        if frame.transition is not Transition.CUT:
            frame.flow = self.workers.submit(stabilize.find_flow, memory.gray, small)
        hints = self.hints_of(frame)
        frame.chroma = self.workers.submit(self.predict, frame, hints)
        frame.memory = self.memory = dataclasses.replace(
            memory,
            frames=memory.frames + 1,
            repeated=memory.repeated + decoded.repeated,
            resized=memory.resized + decoded.resized,
            time=decoded.time,
            length=decoded.length,
            before=[*memory.before, small][-CONTEXT - 1 :],
        )
        if frame.transition is not Transition.FLASH:
            self.memory.gray, self.memory.hints = small, hints

    def hints_of(self, frame) -> TrackedHints | Future:
        """Return the hints in a frame, or have them found: those before it, moved, and its own.

        Whoever waits for them waits for tasks that were begun before.
        """
        # Hints are named after the film's own frames.
        number = Fraction(self.memory.frames, self.film.fields)
        before = self.film.seconds(self.memory.time)
        seconds = self.film.seconds(frame.decoded.time)
        own = [hint for hint in self.hints if hint.begins(number, seconds, before)]
        earlier = NO_HINTS if frame.transition is Transition.CUT else self.memory.hints
        if not own and earlier is NO_HINTS:
            return NO_HINTS
        return self.workers.submit(self.track, earlier, frame, own)

    def stabilize_block(self, frames) -> None:
        """Stabilize the first BLOCK of frames, with up to AHEAD more, and have them painted."""
        predictions = []
        for frame in frames:
            flow = frame.flow and frame.flow.result()
            predictions.append(Prediction(frame.chroma.result()[0], frame.transition, flow))
        stabilized = self.stabilizer.stabilize(predictions)
        for frame, (chroma, (carried, weight)) in zip(frames, stabilized, strict=False):
            self.matched += frame.chroma.result()[1]
            memory = frame.memory
            memory.matched, memory.chroma, memory.weight = self.matched, carried, weight
            frame.painted = self.workers.submit(self.paint, frame, chroma)

    def shrink(self, raw) -> np.ndarray:
        """Return a frame at the network's size, upright: gray, uint8 (h, w)."""
        return grayscale(self.colorizer.shrink(self.upright(raw)))[..., 0]

    def track(self, earlier, frame, own) -> TrackedHints:
        """Return the hints in a frame: the earlier ones, moved, and its own Hints."""
        hints = _result(earlier)
        if frame.flow:
            hints = hints.follow(frame.flow.result())
        small = frame.small.result()[..., np.newaxis]
        for hint in own:
            hints = hints.add(drawing.from_hints(drawing.read_hints(hint.path), small))
        return hints

    def predict(self, frame, hints):
        """Ask the network for the chroma of a frame: upright, Lab a and b, float32 (h, w, 2).

        Also returns what share of it looks like the reference.
        """
        pixels, hints = self.upright(frame.decoded.frame), _result(hints)
        hinted = hints.known(*frame.small.result().shape) if len(hints.places) else None
        exemplar = self.request.reference and self.request.reference.exemplar
        known, matched = self.colorizer.known_colours(pixels, hinted, exemplar)
        return self.colorizer.predict(pixels, known), matched

    def paint(self, frame, chroma):
        """Paint a frame, and make of it what the encoder takes."""
        pixels = decode.pixels_of(frame.decoded.frame)
        chroma = np.rot90(chroma, -self.turns)
        painted = self.colorizer.paint(pixels, chroma, self.request.strength)
        if self.request.label:
            labelled = draw_label(np.rot90(painted, self.turns), self.request.label)
            painted = np.rot90(labelled, -self.turns)
        return self.encoding.frame(painted, frame.decoded.time)

    def upright(self, raw) -> np.ndarray:
        """Return the pixels of a frame as it is seen."""
        return np.rot90(decode.pixels_of(raw), self.turns)


def _result(hints) -> TrackedHints:
    """Return hints that a worker may still be tracking."""
    return hints.result() if isinstance(hints, Future) else hints
