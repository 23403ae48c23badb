"""Steady colours in a film: chroma carried along the motion, both ways, and never over a cut.

Everything here works on small pictures, at the size at which the network sees the film: gray, uint8
(h, w), and chroma, Lab a and b, float32 (h, w, 2).
"""

import dataclasses
import itertools

import cv2
import numpy as np

# A frame begins a scene where the picture changes by this many of 255 levels in the mean, and by
# this many times as much as around it, so that a fast pan is no cut.
# Source: PySceneDetect's AdaptiveDetector with `luma_only`, whose scores and defaults these are.
# Here: two small functions, because a film that is stopped and resumed has to know its scenes from
# a few frames; and because a flash passes that test as well, and after a flash the scene goes on.
LEAST_CHANGE = 15.0
LEAST_RATIO = 3.0
# Frames before and after that are looked at.
CONTEXT = 2

# How many frames of carried colours count against one fresh prediction at most. What a frame
# said fades by this over this plus one with each frame after or before it, and so do its errors.
LONGEST_MEMORY = 8.0

# Frames that get their colours together, and frames behind them from which colours are carried
# back to them. Of what lies further ahead less than a sixth would have been left,
# and frames at full size wait for those ahead of them.
BLOCK = 16
AHEAD = 16

# Levels, of 255, by which a pixel may differ from where it came from until its carried colour
# counts a third.
LUMINANCE_TOLERANCE = 12.0

# Side, in pixels, of the square in which it is judged whether a colour is carried.
SOFTNESS = 7

# Flow forth and back agree within this share of their squared lengths and this much more, in
# squared pixels. Source: Sundaram et al. 2010, as Ruder et al. 2016 and the warp error use it.
FLOW_SHARE = 0.01
FLOW_SLACK = 0.5


def change(before, after) -> str:
    """Tell how a frame stands to those before it: "cut", "flash", or "" where the scene goes on.

    `before` are gray pictures, uint8 (h, w), of up to CONTEXT + 1 frames before it, none at the
    film's start, which is a cut; `after` are the frame itself and up to CONTEXT after it.
    """
    if not before:
        return "cut"
    before, after = before[-CONTEXT - 1 :], after[: CONTEXT + 1]
    scores = [_difference(*pair) for pair in itertools.pairwise([*before, *after])]
    score = scores.pop(len(before) - 1)
    if score < LEAST_CHANGE or score < LEAST_RATIO * np.mean(scores or [0]):
        return ""
    # It does not begin a scene if what was there before it, or what comes behind it, is the same.
    for place, frame in enumerate(after):
        if min(_difference(frame, earlier) for earlier in before) < score / LEAST_RATIO:
            return "flash" if place else ""
    return "cut"


def _difference(first, second) -> float:
    """Return the mean difference of two gray pictures, in levels."""
    return cv2.norm(first, second, cv2.NORM_L1) / first.size


@dataclasses.dataclass(frozen=True)
class Path:
    """How colours get from one frame to another.

    `place`, float32 (h, w, 2), is where each pixel of the other was in the first, x and y in
    pixels; `trust`, float32 (h, w), 0 to 1, how far that is borne out.
    """

    place: np.ndarray
    trust: np.ndarray

    def carry(self, chroma, weight):
        """Carry chroma (h, w, 2) and its weight (h, w), which becomes 0 where nothing came from."""
        weight = self.trust * cv2.remap(
            weight, self.place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
        )
        chroma = cv2.remap(
            chroma, self.place, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        return chroma, weight


@dataclasses.dataclass(frozen=True)
class Motion:
    """The motion between two frames: the path from the earlier to the later one, and back."""

    onwards: Path
    backwards: Path


def motion(before, after) -> Motion:
    """Find the motion between two frames, gray, uint8 (h, w)."""
    before, after = np.ascontiguousarray(before), np.ascontiguousarray(after)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    forth, back = flow.calc(before, after, None), flow.calc(after, before, None)
    return Motion(_path(before, after, back, forth), _path(after, before, forth, back))


def _path(source, target, back, forth) -> Path:
    """Return the path from a frame to another along the flow between them.

    It is trusted where the flow forth and back lead to the same place and the luminance there is
    the same; elsewhere it is nearly not.
    """
    height, width = target.shape
    columns, rows = np.meshgrid(
        np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    )
    place = np.dstack([columns, rows]) + back
    forth = cv2.remap(forth, place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    gap = _squared_lengths(back + forth)
    lengths = _squared_lengths(back) + _squared_lengths(forth)
    before = cv2.remap(source, place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    difference = target - before.astype(np.float32)
    # Old films flicker as a whole; that is no sign of another thing.
    difference -= np.median(difference)
    difference = cv2.blur(np.abs(difference), (3, 3))
    trust = np.exp(-((difference / LUMINANCE_TOLERANCE) ** 2))
    trust[gap > FLOW_SHARE * lengths + FLOW_SLACK] = 0
    # Softly, because single pixels that are trusted among others that are not make speckles.
    return Path(place, cv2.blur(trust, (SOFTNESS, SOFTNESS)))


def _squared_lengths(flow) -> np.ndarray:
    """Return the squared lengths of vectors (h, w, 2)."""
    # Five times as fast as a sum over the last axis.
    return flow[..., 0] ** 2 + flow[..., 1] ** 2


@dataclasses.dataclass(frozen=True)
class Frame:
    """A frame that waits for its steady colours.

    `chroma` is the network's answer, `change` what the function of that name says, and `motion` the
    motion from the last frame before it that is no flash, or None at a cut.
    """

    chroma: np.ndarray
    change: str
    motion: Motion | None


class Steady:
    """Gives the frames of a film steady chroma; they come in order, BLOCK at a time.

    What it remembers of the frames before is `colours`: the chroma of the last one, float32
    (h, w, 2), and its weight, float32 (h, w), how many frames' worth of prediction that is, up to
    LONGEST_MEMORY; or None at the film's start.
    """

    def __init__(self, colours=None):
        self.colours = colours

    def steady(self, frames) -> list[tuple]:
        """Return, of the first BLOCK of `frames`, their chroma (h, w, 2), and what is remembered.

        `frames` are they and up to AHEAD more, from which colours are carried back to them. The
        chroma of a frame is the mean of the network's answer and of what is carried to it from both
        sides. A flash gets colours from before it, and none are learned from it.
        """
        steadied = []
        for frame, later in zip(frames[:BLOCK], _from_later(frames), strict=False):
            earlier = _carried(frame, frame.motion and frame.motion.onwards, self.colours)
            if frame.change == "flash":
                chroma, _ = _mean(frame.chroma, earlier)
            else:
                chroma, _ = _mean(frame.chroma, earlier, later)
                self.colours = _learned(frame, earlier)
            steadied.append((chroma, self.colours))
        return steadied


def _from_later(frames) -> list[tuple]:
    """Return what is carried to each frame from those behind it: chroma and weight."""
    carried, path, colours = [], None, None
    for frame in reversed(frames):
        carried.append(_carried(frame, path, colours))
        if frame.change != "flash":
            colours = _learned(frame, carried[-1])
            path = frame.motion and frame.motion.backwards
    return carried[::-1]


def _carried(frame, path, colours) -> tuple:
    """Carry colours, chroma and weight, to a frame; along no path they have no weight."""
    if path is None:
        return frame.chroma, np.zeros(frame.chroma.shape[:2], np.float32)
    return path.carry(*colours)


def _learned(frame, carried) -> tuple:
    """Return chroma and weight of a frame's own and carried colours, for the next frame."""
    chroma, weight = _mean(frame.chroma, carried)
    return chroma, np.minimum(weight, LONGEST_MEMORY)


def _mean(fresh, *carried) -> tuple:
    """Return the mean chroma (h, w, 2) of a prediction and of what is carried, and its weight.

    `carried` are chroma and weight (h, w); the prediction has the weight 1.
    """
    total = 1 + sum(weight for _, weight in carried)
    mean = fresh.copy()
    for chroma, weight in carried:
        mean += (chroma - fresh) * (weight / total)[..., np.newaxis]
    return mean, total
