"""A film's frames from the decoder to the encoder: predict, stabilize, paint, on all cores."""

import dataclasses
import itertools
import math
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction

from colorizer import chroma as chromas
from colorizer.files import photos
from colorizer.files.label import draw_label
from colorizer.films import decode, stabilize
from colorizer.films.hints import TrackedHints
from colorizer.films.opinion import Opinion
from colorizer.films.restore import brightened, without_dust
from colorizer.films.scenes import KEY_SIDE, Scene, dimmed, exposed
from colorizer.films.stabilize import AHEAD, BLOCK, Prediction, Transition
from colorizer.hints import drawing
from colorizer.hints.geodesic import FARTHEST_IN_FILMS, same_things
from colorizer.hints.known import SCALE
from colorizer.pixels import grayscale, high_bits, shrink, to_unit

import numpy as np

NO_HINTS = TrackedHints()

# Frames a segment: what a stop loses at most, and what is coloured between two key frames. A whole
# number of stabilize.BLOCK, so that films that were stopped become the same. A run has at least as
# many, but for the last.
SEGMENT = 240


@dataclasses.dataclass(frozen=True)
class Run:
    """Whole scenes that are coloured one after the other, knowing nothing of others.

    They are the frames from `begin` to before `end`, by number. `after` is the time of the frame
    before them in the film, or None where there is none.
    """

    begin: int
    end: int
    after: int | None = None


def runs_of(scenes, hints) -> list[Run]:
    """Divide scenes, a list, into runs; with hints, which move on with their shots, all are one."""
    runs, first = [], 0
    for place, scene in enumerate(scenes, start=1):
        enough = scene.end - scenes[first].begin >= SEGMENT and not hints
        if enough or place == len(scenes):
            runs.append(Run(scenes[first].begin, scene.end, scenes[first].after))
            first = place
    return runs


@dataclasses.dataclass
class Memory:
    """What has to be known of a film up to a frame to go on behind it.

    `frames` count what there is of it, of which `earlier` lie before the run, `repeated` and
    `resized` those of the run that are so. `time` and `length` are those of the last frame. `gray`
    is the last one that was no flash, uint8 (h, w) at the network's size, and `hints` lie in that
    one. `chroma`, float32 (h, w, 2), and `weight`, float32 (h, w), are what stabilize.Stabilizer
    carries on. `drawn` are, by shot, the last frame in which hints of it were drawn, gray, and the
    hints in it.
    """

    frames: int = 0
    earlier: int = 0
    repeated: int = 0
    resized: int = 0
    time: int | None = None
    length: int = 0
    gray: np.ndarray | Future | None = None
    hints: TrackedHints | Future = NO_HINTS
    chroma: np.ndarray | None = None
    weight: np.ndarray | None = None
    drawn: dict = dataclasses.field(default_factory=dict)

    def arrays(self) -> dict:
        """Return it as arrays by name, for np.savez."""
        hints = _result(self.hints)
        stored = {name: np.array(_result(getattr(self, name))) for name in STORED}
        stored |= {"places": hints.places, "colours": hints.colours}
        for shot, (gray, hints) in self.drawn.items():
            hints = _result(hints)
            each = {"gray": _result(gray), "places": hints.places, "colours": hints.colours}
            stored |= {f"{name}-{shot}": array for name, array in each.items()}
        return stored

    @classmethod
    def of(cls, arrays) -> "Memory":
        """Return what gave `arrays`, a mapping such as an open npz file, which may hold more."""
        stored = {name: arrays[name] for name in STORED}
        stored |= {name: array.item() for name, array in stored.items() if not array.ndim}
        drawn = {}
        for name in arrays:
            if name.startswith("places-"):
                shot = name.removeprefix("places-")
                hints = TrackedHints(arrays[name], arrays[f"colours-{shot}"])
                drawn[int(shot)] = arrays[f"gray-{shot}"], hints
        hints = TrackedHints(arrays["places"], arrays["colours"])
        return cls(**stored, hints=hints, drawn=drawn)


STORED = [each.name for each in dataclasses.fields(Memory) if each.name not in ("hints", "drawn")]


@dataclasses.dataclass
class Frame:
    """A frame on its way: what was decoded, and what the workers make of it.

    `number` counts from 0; `scene` and `opinion` are those that it belongs to. `small` is gray at
    the network's size, without bars and at full exposure, uint8 (h, w). `flow` is that from the
    last frame that was no flash, or None at a cut; `contrast` what a flash leaves of it, 0 to 1;
    `chroma` what `Painter.predict` returns; `painted` the av.VideoFrame to write. `memory` is what
    has to be known to go on behind it.
    """

    decoded: decode.Decoded
    number: int
    scene: Scene
    opinion: Opinion | None
    transition: Transition
    small: Future | None = None
    contrast: float = 1.0
    flow: Future | None = None
    chroma: Future | None = None
    painted: Future | None = None
    memory: Memory | None = None


def part(frames, film, request):
    """Yield the frames, decode.Decoded, of the part of a film that is asked for."""
    for decoded in frames:
        seconds = film.seconds(decoded.time)
        if request.end is not None and seconds >= request.end:
            return
        if request.begin is None or seconds >= request.begin:
            yield decoded


def given(film, hints):
    """Return what gives scenes.survey the pictures of whole frames among `hints`, hints.Hint."""
    whole = [hint for hint in hints if hint.whole]

    def pictures(number, seconds, before) -> list:
        frame = Fraction(number, film.fields)
        begun = [hint for hint in whole if hint.begins(frame, seconds, before)]
        return [photos.read_rgb(hint.path) for hint in begun]

    return pictures


def find_scenes(frames, film, request, colorizer, found, tell) -> float:
    """Find the scenes of a film from its frames, decode.Decoded.

    `found` takes what scenes.survey takes but for the cuts and pictures; `tell` counts frames.
    Key frames take colours of the request's reference where they look like it; the share of them
    that does is returned.
    """
    turns, cores, shares = film.rotation // 90, os.cpu_count() or 1, [0.0]

    def upright(decoded):
        return grayscale(high_bits(np.rot90(decode.pixels_of(decoded.frame), turns)))

    def gray_of(decoded):
        gray = upright(decoded)
        height, width = gray.shape[:2]
        scale = min(1, KEY_SIDE / max(height, width))
        return shrink(gray, max(1, round(height * scale)), max(1, round(width * scale)))[..., 0]

    def look(gray):
        image = gray[..., np.newaxis]
        chroma, features = colorizer.look(image)
        if request.reference:
            known, share = colorizer.known_colours(image, None, request.reference.exemplar)
            shares.append(share)
            if share:
                chroma = colorizer.predict(image, known, chroma)
        return colorizer.shrink(image)[..., 0], chroma, features

    def read(workers):
        first, waiting = request.begin or -math.inf, deque()
        # All are counted, so that a part has the film's own numbers.
        numbered = enumerate(part(frames, film, dataclasses.replace(request, begin=None)))
        for each in itertools.chain(numbered, itertools.repeat(None, 2 * cores)):
            if each and film.seconds(each[1].time) >= first:
                small = workers.submit(lambda each: colorizer.shrink(upright(each)), each[1])
                waiting.append((small, *each))
            if waiting and (each is None or len(waiting) > 2 * cores):
                small, number, decoded = waiting.popleft()
                tell()
                yield number, small.result()[..., 0], decoded, float(film.seconds(decoded.time))

    with ThreadPoolExecutor(cores) as workers:
        found(read(workers), gray_of, look)
    return float(sum(shares)) / max(1, len(shares) - 1)


class Painter:
    """Colorizes the frames of one film.

    So many frames are in memory as the look-ahead and the cores need, whatever the film's length.
    """

    def __init__(self, encoding, colorizer, request, hints, memory, scenes):
        """Begin behind the frames of a Memory.

        `encoding` is a mux.Encoding, `request` a jobs.request.Request, `hints` a list of
        hints.Hint, and `scenes` finds a frame's (`Scenes.at`).
        """
        self.encoding, self.film, self.colorizer = encoding, encoding.film, colorizer
        self.request, self.hints = request, [hint for hint in hints if not hint.whole]
        self.memory, self.scenes = memory, scenes
        self.turns = self.film.rotation // 90
        carried = None if memory.chroma is None else (memory.chroma, memory.weight)
        self.stabilizer = stabilize.Stabilizer(carried)
        self.earlier, self.cores = None, os.cpu_count() or 1
        self.workers = ThreadPoolExecutor(self.cores)

    def colorize(self, frames):
        """Yield each of `frames`, decode.Decoded, as a Frame that is being painted, in order."""
        first = self.scenes.first + self.memory.frames
        coming = map(self.read, itertools.count(first), frames)
        # Further ahead than is looked, so that the workers always have something to do.
        room = BLOCK + AHEAD + self.cores
        window = deque(itertools.islice(coming, room))
        for frame in window:
            self.predict_next(frame)
        try:
            while window:
                # Stabilize a block with what lies ahead of it, and paint it.
                if not window[0].painted:
                    self.stabilize_block(list(itertools.islice(window, BLOCK + AHEAD)))
                # Read one more, and write the first.
                for frame in itertools.islice(coming, 1):
                    self.predict_next(frame)
                    window.append(frame)
                yield window.popleft()
        finally:
            self.workers.shutdown(cancel_futures=True)

    def read(self, number, decoded) -> Frame:
        """Take up a frame and have it shrunk."""
        frame = Frame(decoded, number, *self.scenes.at(number))
        frame.small = self.workers.submit(self.shrink, frame)
        return frame

    def predict_next(self, frame) -> None:
        """Have the flow to a frame, its hints and its chroma found."""
        decoded, memory = frame.decoded, self.memory
        if frame.transition is not Transition.CUT:
            frame.flow = self.workers.submit(self.find_flow, memory.gray, frame)
        hints, drawn = self.hints_of(frame)
        frame.chroma = self.workers.submit(self.predict, frame, hints)
        frame.memory = self.memory = dataclasses.replace(
            memory,
            frames=memory.frames + 1,
            repeated=memory.repeated + decoded.repeated,
            resized=memory.resized + decoded.resized,
            time=decoded.time,
            length=decoded.length,
            drawn=drawn,
        )
        if frame.transition is not Transition.FLASH:
            self.memory.gray, self.memory.hints = frame.small, hints

    def hints_of(self, frame) -> tuple:
        """Return the hints in a frame, or have them found, and the Memory's `drawn` with it.

        They are those before it, or those of its shot where it begins one that returns, moved, and
        its own. Whoever waits for them waits for tasks that were begun before.
        """
        # Hints are named after the film's own frames.
        number = Fraction(frame.number, self.film.fields)
        before = self.film.seconds(self.memory.time)
        seconds = self.film.seconds(frame.decoded.time)
        own = [hint for hint in self.hints if hint.begins(number, seconds, before)]
        earlier, flow, drawn = self.memory.hints, frame.flow, self.memory.drawn
        if frame.transition is Transition.CUT:
            gray, earlier = drawn.get(frame.scene.shot, (None, NO_HINTS))
            flow = None if gray is None else self.workers.submit(self.find_flow, gray, frame)
        if not own and earlier is NO_HINTS:
            return NO_HINTS, drawn
        hints = self.workers.submit(self.track, earlier, flow, frame, own)
        return hints, drawn | ({frame.scene.shot: (frame.small, hints)} if own else {})

    def stabilize_block(self, frames) -> None:
        """Stabilize the first BLOCK of frames, with up to AHEAD more, and have them painted."""
        predictions = []
        for frame in frames:
            flow = frame.flow and frame.flow.result()
            predictions.append(Prediction(frame.chroma.result(), frame.transition, flow))
        stabilized = self.stabilizer.stabilize(predictions)
        behind = [*frames[1:], None]
        for frame, later, (chroma, (carried, weight)) in zip(
            frames, behind, stabilized, strict=False
        ):
            frame.memory.chroma, frame.memory.weight = carried, weight
            # Where a film may have been stopped, nothing of what was before is there.
            before = frame.memory.frames - frame.memory.earlier - 1
            earlier = self.earlier if before % SEGMENT else None
            frame.painted = self.workers.submit(self.paint, frame, chroma, earlier, later)
            self.earlier = frame

    def find_flow(self, earlier, frame) -> stabilize.Flow:
        """Return the flow to a frame from an earlier one, small, of the same scene."""
        earlier, small = _result(earlier), frame.small.result()
        if frame.transition is Transition.FLASH:
            spread = max(float(earlier.std()), 1.0)
            frame.contrast = min(1.0, float(small.std()) / spread)
        return stabilize.find_flow(earlier, small)

    def shrink(self, frame) -> np.ndarray:
        """Return a frame as the network sees it, at its size: gray, uint8 (h, w)."""
        return grayscale(self.colorizer.shrink(self.seen(frame)))[..., 0]

    def seen(self, frame) -> np.ndarray:
        """Return the pixels of a frame: upright, without bars, and of a fade at full exposure."""
        pixels = frame.scene.inner(self.upright(frame))
        exposure = frame.scene.exposure(frame.number)
        if exposure < 1:
            pixels = exposed(grayscale(high_bits(pixels)), exposure)
        return np.ascontiguousarray(pixels)

    def track(self, earlier, flow, frame, own) -> TrackedHints:
        """Return the hints in a frame: the earlier ones, moved by the flow, and its own Hints."""
        hints = _result(earlier)
        if flow:
            hints = hints.follow(flow.result())
        small = frame.small.result()[..., np.newaxis]
        automatic = self.colorizer.predict(self.seen(frame)) if own else None
        for hint in own:
            drawn = np.ascontiguousarray(frame.scene.inner(drawing.read_hints(hint.path)))
            colours = drawing.from_hints(drawn, small)
            hints = hints.add(colours, same_things(colours, automatic, to_unit(small)))
        return hints

    def predict(self, frame, hints):
        """Return the chroma of a frame as it is seen: Lab a and b, float32 (h, w, 2).

        It is that of its scene, and what hints change of it.
        """
        pixels, small, hints = self.seen(frame), frame.small.result(), _result(hints)
        automatic, features = self.colorizer.look(pixels)
        chroma = automatic
        if frame.opinion is not None:
            chroma = frame.opinion.of_frame(frame.number, small, automatic, features)
        if len(hints.places):
            known = hints.known(*small.shape)
            # The network changes its own chroma as much as the scene's is to be changed.
            known[..., :2] += known[..., 2:] * (automatic - chroma) / SCALE
            told = self.colorizer.predict(pixels, known, automatic, FARTHEST_IN_FILMS)
            chroma = chroma + told - automatic
        return chroma

    def paint(self, frame, chroma, earlier, later):
        """Paint a frame, and make of it what the encoder takes.

        With a request to restore scratches, its dust is mended from the Frames before and behind
        it, which may be None.
        """
        pixels, scene = self.pixels_of(frame), frame.scene
        around = earlier and later and frame.flow and later.flow
        flash = around and Transition.FLASH in (earlier.transition, frame.transition)
        if self.request.restores("scratches") and around and not flash and pixels.shape[2] == 1:
            pixels = self.mended(frame, pixels, earlier, later)
        chroma = dimmed(chroma, frame.small.result(), scene.exposure(frame.number))
        inner = np.ascontiguousarray(scene.inner(np.rot90(pixels, self.turns)))
        strength = self.request.strength * frame.contrast
        painted = self.colorizer.paint(inner, chroma, strength)
        if scene.box != Scene.box:
            gray = pixels if pixels.shape[2] == 1 else chromas.gray_of(pixels)
            whole = np.repeat(gray, 3, axis=2)
            scene.inner(np.rot90(whole, self.turns))[:] = painted
        else:
            whole = np.ascontiguousarray(np.rot90(painted, -self.turns))
        if self.request.label:
            labelled = draw_label(np.rot90(whole, self.turns), self.request.label)
            whole = np.ascontiguousarray(np.rot90(labelled, -self.turns))
        return self.encoding.frame(whole, frame.decoded.time)

    def mended(self, frame, pixels, earlier, later) -> np.ndarray:
        """Return the gray pixels (H, W, 1) of a frame without its dust, but within its bars."""
        inner = [
            frame.scene.inner(np.rot90(each[..., :1], self.turns))
            for each in (pixels, self.pixels_of(earlier), self.pixels_of(later))
        ]
        inner = [np.ascontiguousarray(each[..., 0]) for each in inner]
        warps = frame.flow.result().forward, later.flow.result().backward
        gray = pixels.copy()
        frame.scene.inner(np.rot90(gray, self.turns))[..., 0] = without_dust(*inner, warps)
        return gray

    def pixels_of(self, frame) -> np.ndarray:
        """Return the pixels of a frame; with a request to restore tones, without flicker."""
        pixels = decode.pixels_of(frame.decoded.frame)
        place = frame.number - frame.scene.begin
        if self.request.restores("tones") and place < len(frame.scene.gains):
            return brightened(pixels, frame.scene.gains[place])
        return pixels

    def upright(self, frame) -> np.ndarray:
        """Return the pixels of a frame as it is seen."""
        return np.rot90(self.pixels_of(frame), self.turns)


def _result(value):
    """Return what a worker may still be finding."""
    return value.result() if isinstance(value, Future) else value
