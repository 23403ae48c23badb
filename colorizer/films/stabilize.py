"""Stabilize a film's colours: chroma carried along optical flow, both ways, and never over a cut.

Everything here works on small pictures, at the size at which the network sees the film: gray, uint8
(h, w), and chroma, Lab a and b, float32 (h, w, 2).
"""

import dataclasses
import enum
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

# How many frames of carried colours count against one fresh prediction at most. A frame's colours
# fade by this over this plus one with each frame after or before it, and so do its errors.
LONGEST_MEMORY = 8.0

# Frames that get their colours together, and frames behind them from which colours are carried
# back to them. Of what lies further ahead less than a sixth would have been left,
# and frames at full size wait for those ahead of them.
BLOCK = 16
AHEAD = 16

# A carried colour counts a third where the pixel differs by so many levels, of 255, from where it
# came from.
LUMINANCE_TOLERANCE = 12.0

# Side, in pixels, of the square over which trust in the flow is averaged.
SOFTNESS = 7

# Flow forth and back agree within this share of their squared lengths and this much more, in
# squared pixels. Source: Sundaram et al. 2010, as Ruder et al. 2016 and the warp error use it.
FLOW_SHARE = 0.01
FLOW_SLACK = 0.5


class Transition(enum.Enum):
    """How a frame follows those before it."""

    NONE = "the scene goes on"
    CUT = "a scene begins"
    FLASH = "one or a few frames differ from those on both sides"


def find_transition(before, after) -> Transition:
    """Tell how a frame follows those before it.

    `before` are gray pictures, uint8 (h, w), of up to CONTEXT + 1 frames before it, none at the
    film's start, which is a cut; `after` are the frame itself and up to CONTEXT after it.
    """
    if not before:
        return Transition.CUT
    before, after = before[-CONTEXT - 1 :], after[: CONTEXT + 1]
    scores = [_difference(*pair) for pair in itertools.pairwise([*before, *after])]
    score = scores.pop(len(before) - 1)
    if score < LEAST_CHANGE or score < LEAST_RATIO * np.mean(scores or [0]):
        return Transition.NONE
    # It does not begin a scene if what was there before it, or what comes behind it, is the same.
    for place, frame in enumerate(after):
        if min(_difference(frame, earlier) for earlier in before) < score / LEAST_RATIO:
            return Transition.FLASH if place else Transition.NONE
    return Transition.CUT


def _difference(first, second) -> float:
    """Return the mean difference of two gray pictures, in levels."""
    return cv2.norm(first, second, cv2.NORM_L1) / first.size


@dataclasses.dataclass(frozen=True)
class Warp:
    """How colours get from one frame to another.

    `place`, float32 (h, w, 2), is where each pixel of the other was in the first, x and y in
    pixels; `trust`, float32 (h, w), 0 to 1, how well the flow is confirmed there.
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
class Flow:
    """The optical flow between two frames: from the earlier to the later one, and back."""

    forward: Warp
    backward: Warp


def find_flow(before, after) -> Flow:
    """Find the optical flow between two frames, gray, uint8 (h, w)."""
    before, after = np.ascontiguousarray(before), np.ascontiguousarray(after)
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    forth, back = dis.calc(before, after, None), dis.calc(after, before, None)
    return Flow(_warp(before, after, back, forth), _warp(after, before, forth, back))


def find_warp(before, after) -> Warp:
    """Find how colours get from one frame to another, gray, uint8 (h, w): half of `find_flow`."""
    before, after = np.ascontiguousarray(before), np.ascontiguousarray(after)
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    forth, back = dis.calc(before, after, None), dis.calc(after, before, None)
    return _warp(before, after, back, forth)


def _warp(source, target, back, forth) -> Warp:
    """Return the warp from a frame to another by the flow between them, float32 (h, w, 2).

    It is trusted where the flow forth and back lead to the same place and the luminance there is
    the same; elsewhere hardly.
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
    return Warp(place, cv2.blur(trust, (SOFTNESS, SOFTNESS)))


def _squared_lengths(flow) -> np.ndarray:
    """Return the squared lengths of vectors (h, w, 2)."""
    # Five times as fast as a sum over the last axis.
    return flow[..., 0] ** 2 + flow[..., 1] ** 2


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The chroma that the network predicts for a frame, not yet stabilized.

    `chroma` is float32 (h, w, 2); `flow` is that from the last frame before it that is no flash, or
    None at a cut.
    """

    chroma: np.ndarray
    transition: Transition
    flow: Flow | None


class Stabilizer:
    """Stabilizes the chroma of a film; its frames come in order, BLOCK at a time.

    What it carries on is `carried`: the chroma of the last frame, float32 (h, w, 2), and its
    weight, float32 (h, w), how many frames' worth of prediction that is, up to LONGEST_MEMORY; or
    None at the film's start.
    """

    def __init__(self, carried=None):
        self.carried = carried

    def stabilize(self, predictions) -> list[tuple]:
        """Return the stabilized chroma (h, w, 2) of the first BLOCK frames, and `carried` of each.

        `predictions` are theirs and those of up to AHEAD more, from which colours are carried back
        to them. The chroma of a frame is the mean of its prediction and of what is carried to it
        from both sides. A flash gets colours from before it, and gives none to others.
        """
        stabilized = []
        later = _carried_back(predictions)
        for frame, from_later in zip(predictions[:BLOCK], later, strict=False):
            from_earlier = _carry(frame, frame.flow and frame.flow.forward, self.carried)
            if frame.transition is Transition.FLASH:
                chroma, _ = _mean(frame.chroma, from_earlier)
            else:
                chroma, _ = _mean(frame.chroma, from_earlier, from_later)
                self.carried = _carried_on(frame, from_earlier)
            stabilized.append((chroma, self.carried))
        return stabilized


def _carried_back(predictions) -> list[tuple]:
    """Return the chroma and weight that are carried to each frame from those behind it."""
    carried, warp, colours = [], None, None
    for frame in reversed(predictions):
        carried.append(_carry(frame, warp, colours))
        if frame.transition is not Transition.FLASH:
            colours = _carried_on(frame, carried[-1])
            warp = frame.flow and frame.flow.backward
    return carried[::-1]


def _carry(frame, warp, colours) -> tuple:
    """Carry colours, chroma and weight, to a frame; without a warp they have no weight."""
    if warp is None:
        return frame.chroma, np.zeros(frame.chroma.shape[:2], np.float32)
    return warp.carry(*colours)


def _carried_on(frame, carried) -> tuple:
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
