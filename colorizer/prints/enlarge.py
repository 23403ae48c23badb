"""Photographs larger and cleaner: luminance from networks, colours along it; no Keras."""

import functools
import math
from pathlib import Path

from colorizer import chroma
from colorizer.colorizer import WEIGHTS, check_image
from colorizer.errors import UserError
from colorizer.network import open_onnx
from colorizer.pixels import resize
from colorizer.prints import fading, mend
from colorizer.prints.tiles import Grid, in_tiles

import cv2
import numpy as np

# What restoring does, in any choice: grain, noise and JPEG blocks go; cracks, scratches, spots and
# the like are found and filled; faded tones come back.
PARTS = "grain", "scratches", "tones"
# Without a choice, not the scratches: the network takes too many edges for marks as yet. A person's
# mask is filled in any case.
USUAL_PARTS = "grain", "tones"

# What cleans at each scale, and what enlarges without cleaning.
CLEANING = {1: "restore.onnx", 2: "enlarge_photo.onnx", 4: "enlarge_photo.onnx"}
ENLARGING = "enlarge_clean.onnx"

# What cleans may harm what is clean. So how much of what it changes is taken follows from how much
# the network that cleans at one size changes, root mean square over the picture in gray levels of
# 255: nothing to the first, all from the second.
AMISS = 2.0, 4.0
# Where nothing is enlarged, texture looks like grain. Then only what is much beside the fine detail
# (Laplacian) that the network leaves is taken, or so much that it is no texture.
# All chosen on 62 photographs; docs/results.md has what comes out on others.
AMISS_IN_DETAIL, NO_TEXTURE = (0.25, 0.4), (11.0, 13.0)

# The networks compute on a grid: of the small picture's pixels, or of every second one where they
# do not enlarge. So many of its places make a tile, small enough for the memory, and so many around
# it are seen as well.
TILE = 400
SEEN = 36
SHORTEST = 8  # pixels a side; smaller pictures are continued in their mirror image

# Rows of colour that are worked on at a time, and those around them that decide about colour.
BAND = 256
BAND_SEEN = 4


@functools.lru_cache
def enlarger_of(scale):
    """Return the Enlarger of a scale, 1, 2 or 4, loaded once; None of 0, which changes nothing."""
    return Enlarger(scale) if scale else None


class Enlarger:
    """Makes photographs larger and cleaner; safe to use from several threads.

    An image is uint8 or uint16, gray (H, W, 1) or RGB (H, W, 3), in sRGB. Other arrays raise
    ValueError.
    """

    def __init__(self, scale, files=None, parts=USUAL_PARTS, strength=1.0, device="auto"):
        """Load the networks that enlarge `scale` times, 2 or 4, or not at all, 1.

        `parts` are those of PARTS that are restored, each by `strength`, 0 to 1. `files` are
        networks that do the whole instead, .onnx files that `train.py --system enlarge` wrote, one
        after the other; then nothing else is done; `device` is as for Colorizer. Raises ValueError
        for other scales and parts, UserError where a file is missing, or they do not enlarge as
        many times.
        """
        if scale not in CLEANING:
            raise ValueError(f"a scale is one of {', '.join(map(str, CLEANING))}, not {scale}")
        if unknown := [part for part in parts if part not in PARTS]:
            raise ValueError(f"parts are {', '.join(PARTS)}, not {', '.join(unknown)}")
        self.scale, self.strength = scale, strength
        self.files, self.device = files, device
        self.parts = () if files else tuple(part for part in PARTS if part in parts)
        names = [CLEANING[scale]] if "grain" in self.parts else []
        # What enlarges without cleaning, and what says whether there is anything to clean.
        names += [ENLARGING] if scale > 1 else []
        names += [CLEANING[1]] if "grain" in self.parts and scale > 1 else []
        self.paths = [Path(file) for file in files or (WEIGHTS / name for name in names)]
        self._passes = [_opened(path, device) for path in self.paths]
        if files and math.prod(times for _, times in self._passes) != scale:
            raise UserError(
                f"{', '.join(path.name for path in self.paths)} do not enlarge {scale} times; give "
                "files that do"
            )
        self._alone = files is not None
        if "scratches" in self.parts:
            self.paths.append(mend.FINDER)
            mend.finder(device)  # opens it, or says what is wrong with it

    def __reduce__(self):
        """In another process: the same networks, loaded there."""
        given = self.scale, self.files, self.parts, self.strength, self.device
        return type(self), given

    @property
    def described(self) -> str:
        """What is done, as a phrase."""
        restored = f"restored by {self.strength:g} ({', '.join(self.parts)})" if self.parts else ""
        larger = f"{self.scale} times enlarged" if self.scale > 1 else ""
        return ", ".join(filter(None, (restored, larger)))

    def marks(self, gray, painted=None) -> np.ndarray | None:
        """Return which marks of a gray image (H, W, 1) are filled: bool (H, W), or None.

        None where there are none to look for. `painted` is a person's mask, as mend has it; without
        scratches among the parts it alone counts.
        """
        found = mend.find(gray, self.device) if "scratches" in self.parts else None
        if painted is None:
            return found
        return mend.as_painted(np.zeros(gray.shape[:2], bool) if found is None else found, painted)

    def luminance(self, gray, marks=None) -> np.ndarray:
        """Restore and enlarge a gray image (H, W, 1): (scale H, scale W, 1) of its dtype.

        `marks` are those to fill, by default those that are found.
        """
        check_image(gray)
        if gray.shape[2] != 1:
            raise ValueError(f"a gray image is (height, width, 1), not {gray.shape}")
        if self._alone:
            for session, times in self._passes:
                gray = _through(session, gray, times)
            return gray
        marks = self.marks(gray) if marks is None else marks
        if marks is not None:
            gray = _blended(gray, mend.fill(gray, marks), self.strength)
        levels = fading.curve(gray, marks, self.strength) if "tones" in self.parts else None
        cleaned = self._cleaned(gray)
        return cleaned if levels is None else levels[cleaned]

    def _cleaned(self, gray):
        """Take grain away if that is a part, and enlarge."""
        passes = [session for session, _ in self._passes]
        if "grain" not in self.parts:
            for session in passes * (self.scale // 2):
                gray = _through(session, gray, 2)
            return gray
        if self.scale == 1:
            cleaned = _through(passes[0], gray, 1)
            amiss, in_detail = _amiss(gray, cleaned)
            sure = max(fading.ramp(in_detail, *AMISS_IN_DETAIL), fading.ramp(amiss, *NO_TEXTURE))
            share = min(fading.ramp(amiss, *AMISS), sure)
            return _blended(gray, cleaned, self.strength * share)
        cleaning, enlarging, judging = passes
        share = self.strength * fading.ramp(_amiss(gray, _through(judging, gray, 1))[0], *AMISS)
        # What would not be seen is not computed.
        larger = _through(enlarging, gray, 2) if share < 1 else None
        if share > 0:
            larger = _blended(larger, _through(cleaning, gray, 2), share)
        return larger if self.scale == 2 else _through(enlarging, larger, 2)

    def enlarge(self, image, marks=None) -> np.ndarray:
        """Restore and enlarge an image and keep its colours: (scale H, scale W, C) of its dtype.

        Colours are brought to the new size along its luminance. `marks` as `luminance` has them.
        """
        check_image(image)
        if image.shape[2] == 1:
            return self.luminance(image, marks)
        larger = self.luminance(chroma.gray_of(image), marks)
        painted = np.empty((*larger.shape[:2], 3), image.dtype)
        for top in range(0, len(image), BAND):
            first, last = max(0, top - BAND_SEEN), min(len(image), top + BAND + BAND_SEEN)
            small = image[first:last]
            unit = small / np.float32(np.iinfo(image.dtype).max)
            band = larger[self.scale * first : self.scale * last]
            coloured = chroma.add_chroma(band, small, chroma.chroma_of(unit))
            begin = self.scale * (top - first)
            rows = painted[self.scale * top : self.scale * (top + BAND)]
            rows[:] = coloured[begin : begin + len(rows)]
        return painted

    def alpha(self, alpha) -> np.ndarray:
        """Enlarge the alpha (H, W) of an image by cubic interpolation: its dtype."""
        height, width = alpha.shape
        return resize(alpha[..., None], self.scale * height, self.scale * width)[..., 0]


def _opened(path, device):
    """Open a network that enlarges luminance; also return how many times, 1 or 2.

    Raises UserError where it is none.
    """
    session = open_onnx(path, device)
    trial = np.full((1, SHORTEST, SHORTEST + 4, 1), 0.5, np.float32)
    try:
        (larger,) = session.run(None, {session.get_inputs()[0].name: trial})
    except Exception as error:
        raise UserError(f"{path} fails on a small gray picture ({error})") from error
    times = larger.shape[1] // SHORTEST
    if times not in (1, 2) or larger.shape != (1, times * SHORTEST, times * (SHORTEST + 4), 1):
        raise UserError(
            f"{path} maps {trial.shape} to {larger.shape}, which neither restores nor doubles "
            "luminance; give a file that train.py --system enlarge wrote"
        )
    return session, times


def _through(session, gray, times):
    """Run a network that enlarges a gray image so many times, 1 or 2, over it."""
    step = 1 if times == 2 else 2  # pixels of a place of the network's grid
    return in_tiles(session, gray, Grid(step * TILE, step * SEEN, 2 * step, SHORTEST), times)


def _amiss(gray, cleaned):
    """Return how much cleaning changes a gray image (H, W, 1), and its share of what is fine.

    The first is a root mean square in gray levels of 255; the second is that over the same of the
    Laplacian of what is left.
    """
    changed = fine = 0.0
    for top in range(0, len(gray), BAND):
        left = cleaned[top : top + BAND].astype(np.float32)
        changed += np.square(left - gray[top : top + BAND]).sum()
        fine += np.square(cv2.Laplacian(left, -1)).sum()
    levels = 255 / np.iinfo(gray.dtype).max
    return levels * math.sqrt(changed / gray.size), math.sqrt(changed / max(fine, 1e-9))


def _blended(before, after, share):
    """Return an image with this share of what another one of its shape changes."""
    if share in (0, 1):
        return after if share else before
    return cv2.addWeighted(before, 1 - share, after, share, 0).reshape(before.shape)
