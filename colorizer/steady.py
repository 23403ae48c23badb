"""Steady colours in a film: chroma carried along the motion, and forgotten where scenes change.

Everything here works on small pictures, at the size at which the network sees the film: gray, uint8
(h, w), and chroma, Lab a and b, float32 (h, w, 2).
"""

import itertools

from colorizer.known import SCALE

import cv2
import numpy as np

# A frame begins a scene where the picture changes by this many of 255 levels in the mean, and by
# this many times as much as around it, so that a fast pan is no cut.
# Source: PySceneDetect's AdaptiveDetector with `luma_only`, whose scores and defaults these are.
# Here: two small functions, because a film that is stopped and resumed has to know its scenes from
# a few frames; and because a flash passes that test as well, and after a flash the scene goes on.
LEAST_CHANGE = 15.0
LEAST_RATIO = 3.0
# Frames before and after that are looked at: so far a film has to be read ahead.
CONTEXT = 2

# How many frames of carried colours count against one fresh prediction at most. What a frame
# said fades by this over this plus one with each frame after it, and so do its errors.
LONGEST_MEMORY = 16.0

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


class Steady:
    """Gives each frame of a film its chroma, steady along the motion; frames come in order.

    What it remembers of the frames before are three arrays, or none at the start of a scene:
    `gray`, uint8 (h, w), and `chroma`, float32 (h, w, 2), of the last frame, and `weight`, float32
    (h, w), how many frames' worth of prediction its chroma is, up to LONGEST_MEMORY.

    A network that takes known colours is told the carried ones (`takes_known`); others are not,
    and the mean of what is carried and what is predicted is their answer.
    """

    def __init__(self, takes_known=False):
        self.takes_known = takes_known
        self.gray = self.chroma = self.weight = None
        self.flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def step(self, gray, predict, change="") -> np.ndarray:
        """Return the chroma of the next frame, float32 (h, w, 2).

        `gray` is the frame, uint8 (h, w). `predict(known)` asks the network for its chroma, where
        `known` is None or what `Colorizer.predict` takes. `change` is what the function of that
        name says: at a cut all is forgotten; a flash gets colours, and none are learned from it.
        """
        gray = np.ascontiguousarray(gray)
        if change == "cut" or self.gray is None:
            chroma, weight = predict(None), np.ones(gray.shape, np.float32)
        else:
            carried, weight = self._carry(gray)
            fresh = predict(known_colours(carried, weight) if self.takes_known else None)
            share = (weight / (weight + 1))[..., np.newaxis]
            chroma = fresh + share * (carried - fresh)
            weight = np.minimum(weight + 1, LONGEST_MEMORY)
        if change != "flash" or self.gray is None:
            self.gray, self.chroma, self.weight = gray, chroma, weight
        return chroma

    def memory(self) -> dict:
        """Return what it remembers, by name; there is something after the first step."""
        return {"gray": self.gray, "chroma": self.chroma, "weight": self.weight}

    def restore(self, memory) -> None:
        """Go on from what `memory` returned."""
        self.gray, self.chroma, self.weight = (memory[n] for n in ("gray", "chroma", "weight"))

    def _carry(self, gray):
        """Carry chroma and weight from the last frame to `gray`, along the motion.

        The weight stays where the flow forth and back lead to the same place and the luminance
        there is the same; elsewhere it is nearly 0, as it is where the place lies outside.
        """
        back = self.flow.calc(gray, self.gray, None)
        forth = self.flow.calc(self.gray, gray, None)
        height, width = gray.shape
        columns, rows = np.meshgrid(
            np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
        )
        place = columns + back[..., 0], rows + back[..., 1]
        forth = cv2.remap(forth, *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        gap = np.sum((back + forth) ** 2, axis=2)
        lengths = np.sum(back**2 + forth**2, axis=2)
        before = cv2.remap(
            self.gray, *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ).astype(np.float32)
        difference = gray - before
        # Old films flicker as a whole; that is no sign of another thing.
        difference -= np.median(difference)
        difference = cv2.blur(np.abs(difference), (3, 3))
        trust = np.exp(-((difference / LUMINANCE_TOLERANCE) ** 2))
        trust[gap > FLOW_SHARE * lengths + FLOW_SLACK] = 0
        # Softly, because single pixels that are trusted among others that are not make speckles.
        trust = cv2.blur(trust, (SOFTNESS, SOFTNESS))
        weight = cv2.remap(self.weight, *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        weight *= trust
        chroma = cv2.remap(self.chroma, *place, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return chroma, weight


def known_colours(chroma, weight) -> np.ndarray:
    """Write carried chroma (h, w, 2) as colours that are known, float32 (h, w, 3).

    The mask is `weight` (h, w) over LONGEST_MEMORY.
    """
    mask = np.clip(weight / LONGEST_MEMORY, 0, 1)
    return np.dstack([chroma / SCALE, mask]).astype(np.float32)
