"""Hints for a film: pictures of colours, each from its frame to its scene's end.

They lie in a folder beside the film and are named by a frame, 120.png or ref_000120.png, of which
the film's first is 0, or by a time, 83.5s.png or 00-01-23.5.png. Where a hint is painted, the
colour is known; that place moves with what it lies on. In a folder of frames they may also be
whole frames in colour, from which their scene takes its colours.
"""

import contextlib
import dataclasses
import functools
import hashlib
import os
import re
from fractions import Fraction
from pathlib import Path

from colorizer.errors import UserError, shown
from colorizer.files import photos
from colorizer.files.source import sha256
from colorizer.hints import drawing, known

import cv2
import numpy as np

# A folder NAME.hints holds the hints of the film NAME, and NAME.frames those and whole frames.
FOLDER_SUFFIX, FRAMES_SUFFIX = ".hints", ".frames"

# Programs that colour films call their frames ref_000120.png.
FRAME_NAME = re.compile(r"(?:ref_)?(\d+)")
SECONDS_NAME = re.compile(r"(\d+(?:\.\d+)?)s")
CLOCK_NAME = re.compile(r"(?:(\d+)[-:])?(\d+)[-:](\d+(?:\.\d+)?)")

# Players write times in thousandths of a second, and round them.
ROUNDING = Fraction(1, 1000)

# A hint ends where the flow is trusted less than this, of 0 to 1.
LEAST_TRUST = 0.5


@dataclasses.dataclass(frozen=True)
class Hint:
    """A picture of hints and the first frame that it is for, by its number or its time.

    It may be a `whole` frame in colour.
    """

    path: Path
    frame: int | None = None
    seconds: Fraction | None = None
    whole: bool = False

    def begins(self, frame, seconds, before) -> bool:
        """Tell whether it begins with a frame: its number, its time, and that of the one before.

        A hint named by a time begins with the first frame that is not shown earlier; the frame
        before may belong to another scene.
        """
        if self.frame is not None:
            return frame == self.frame
        return before < self.seconds - ROUNDING <= seconds

    def lies_behind(self, frames, seconds) -> bool:
        """Tell whether a film ends before it, with so many frames, the last shown at `seconds`."""
        if self.frame is not None:
            return self.frame >= frames
        return self.seconds - ROUNDING > seconds


class HintFolder:
    """The folders of hints of a film; `path` is the first."""

    def __init__(self, *folders):
        self.folders = [Path(folder) for folder in folders]
        self.path = self.folders[0]

    @functools.cached_property
    def files(self) -> list[Path]:
        """The pictures in them, sorted by name; none where they cannot be listed."""
        found = []
        for folder in self.folders:
            with contextlib.suppress(OSError):
                found += sorted(each for each in folder.iterdir() if each.suffix.lower() == ".png")
        return found

    @functools.cached_property
    def sha256(self) -> str:
        """A hash of the names and contents of the pictures."""
        digest = hashlib.sha256()
        for path in self.files:
            digest.update(os.fsencode(path.name) + sha256(path).encode())
        return digest.hexdigest()

    def read(self, *sizes) -> list[Hint]:
        """Look at all pictures, which have one of the shapes `sizes`, (height, width).

        Raises UserError where a name tells no frame, or a picture is not one of hints.
        """
        hints = [hint_of(path) for path in self.files]
        if not hints:
            raise UserError(f"{shown(self.path.name)} holds no hints; put PNG files into it")
        return [_checked(hint, sizes) for hint in hints]


def folder_beside(film) -> HintFolder | None:
    """Return the folders of hints beside a film, or None where there are none."""
    beside = (film.with_name(film.stem + suffix) for suffix in (FOLDER_SUFFIX, FRAMES_SUFFIX))
    folders = [folder for folder in beside if folder.is_dir()]
    return HintFolder(*folders) if folders else None


def _checked(hint, sizes) -> Hint:
    """Return a hint, whole or not, that has the shape of one of several sizes (height, width).

    Raises UserError where its picture is not one of hints.
    """
    try:
        if hint.path.parent.suffix == FRAMES_SUFFIX:
            with photos.opened(hint.path) as image:
                photograph = photos.load(image)
            if photograph.alpha is None or photograph.alpha.min():
                hint = dataclasses.replace(hint, whole=True)
                _check(photograph.pixels.shape[:2], sizes)
        if not hint.whole:
            _check(drawing.read_hints(hint.path).shape[:2], sizes)
    except photos.PhotographError as error:
        name = shown(Path(hint.path.parent.name, hint.path.name))
        raise UserError(f"{name}: {error}") from error
    return hint


def hint_of(path) -> Hint:
    """Read a hint's frame or time from the name of its file; raises UserError where it has none."""
    if match := FRAME_NAME.fullmatch(path.stem):
        return Hint(path, frame=int(match[1]))
    if match := SECONDS_NAME.fullmatch(path.stem):
        return Hint(path, seconds=Fraction(match[1]))
    if match := CLOCK_NAME.fullmatch(path.stem):
        hours, minutes, seconds = (Fraction(part or 0) for part in match.groups())
        return Hint(path, seconds=hours * 3600 + minutes * 60 + seconds)
    raise UserError(
        f"{shown(Path(path.parent.name, path.name))} is named after no frame; "
        "call it 120.png, by the frame's number, or 83.5s.png or 00-01-23.5.png, by its time"
    )


def _check(shape, sizes) -> None:
    """Raise PhotographError unless hints have the shape of one of several sizes."""
    for size in sizes[1:]:
        try:
            return drawing.check_shape(shape, size)
        except photos.PhotographError:
            pass
    return drawing.check_shape(shape, sizes[0])


@dataclasses.dataclass(frozen=True)
class TrackedHints:
    """Pixels of hints that are tracked through a scene.

    `places`, float32 (N, 2), are x and y in pixels at the network's size, `colours`, float32
    (N, 2), Lab a and b as `colorizer.hints.known` has them. Later ones lie above.
    """

    places: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 2), np.float32))
    colours: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 2), np.float32))

    def add(self, colours, same) -> "TrackedHints":
        """Return them with known colours (h, w, 3) in place of those on the `same` things, (h, w).

        Earlier ones there, which may be of another colour, would leave patches.
        """
        rows, columns = np.nonzero(colours[..., 2])
        places = np.stack([columns, rows], axis=-1).astype(np.float32)
        across, down = np.rint(self.places).astype(int).T
        stay = ~same[down, across]
        return TrackedHints(
            np.concatenate([self.places[stay], places]),
            np.concatenate([self.colours[stay], colours[rows, columns, :2]]),
        )

    def follow(self, flow) -> "TrackedHints":
        """Return them moved along a stabilize.Flow; those that it loses end."""
        if not len(self.places):
            return self
        # The warp back says where each pixel of the earlier frame is in the later one.
        warp, here = flow.backward, self.places[:, np.newaxis]
        places = cv2.remap(warp.place, here, None, cv2.INTER_LINEAR)[:, 0]
        trust = cv2.remap(warp.trust, here, None, cv2.INTER_LINEAR)[:, 0]
        height, width = warp.trust.shape
        inside = ((places >= 0) & (places <= (width - 1, height - 1))).all(axis=1)
        stay = inside & (trust >= LEAST_TRUST)
        return TrackedHints(places[stay], self.colours[stay])

    def known(self, height, width) -> np.ndarray:
        """Return them as known colours, float32 (height, width, 3)."""
        colours = known.none(height, width)
        columns, rows = np.rint(self.places).astype(int).T
        colours[rows, columns, :2] = self.colours
        colours[rows, columns, 2] = 1
        return colours
