"""One photograph on which a person sets points of colour: points, undo, preview, result."""

import contextlib
import dataclasses
import functools
import json
import math
from pathlib import Path

from colorizer.errors import UserError
from colorizer.files import photos
from colorizer.files.atomic import replacing
from colorizer.hints import drawing, palette
from colorizer.jobs.request import Request
from colorizer.jobs.run import Report, run
from colorizer.pixels import grayscale, high_bits, shrink
from colorizer.prints.enlarge import enlarger_of

import cv2
import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

# The longer side of the preview in pixels: large photographs shrink to it, small ones grow to it.
# All but the result is made at this size.
LARGEST_PREVIEW, SMALLEST_PREVIEW = 1280, 800

# The text in a file of hints that names the points, and so many of them at most.
POINTS, MOST_POINTS = "points", 10_000

# A click on a point's disc, or within so many pixels of its centre, picks the point.
CLICK_RADIUS = 10


class Session:
    """A photograph on which a person sets points of colour.

    `points` are the current drawing.Points. `picked` is the index of the point that was clicked on,
    and `latest` of the one that was set or changed last, or None. `preview` is the photograph as it
    is shown, uint8 (h, w, 1) or (h, w, 3). A caller may set `reference`, a request.Reference or
    None, and `scale`: 1 restores the photograph, 2 and 4 make it as many times as large as well, 0
    does neither.
    """

    def __init__(self, path, colorizer, max_megapixels=photos.MAX_MEGAPIXELS):
        """Read a photograph; raises UserError where it is none."""
        self.path, self.colorizer, self.max_megapixels = Path(path), colorizer, max_megapixels
        try:
            with photos.opened(path, max_megapixels) as image:
                photograph = photos.load(image)
        except photos.PhotographError as error:
            raise UserError(f"{self.path.name} cannot be shown: {error}.") from error
        pixels, self.remark = photograph.pixels, photograph.remark
        height, width = pixels.shape[:2]
        longer = max(height, width)
        scale = min(max(longer, SMALLEST_PREVIEW), LARGEST_PREVIEW) / longer
        size = max(1, round(height * scale)), max(1, round(width * scale))
        self.size = height, width
        self.preview = high_bits(shrink(pixels, *size))
        self.gray = grayscale(self.preview)
        self.points, self.history = (), []
        self.picked = self.latest = None
        self.reference = None
        self.share = 0.0
        self.scale = 0
        self._restored = None
        self._automatic = self.colorizer.predict(self.preview)
        self._predicted = ((), None), self._automatic

    # ------------------------------------------------------------------------- points

    def click(self, x, y, colour, radius) -> None:
        """Take a click at a pixel of the preview.

        A click on a point picks it up, or puts it down. Elsewhere, it moves the picked point, or
        sets a new one of this colour (sRGB) and radius (a share of the longer side). Raises
        UserError where the network takes no known colours.
        """
        self._check_takes_points()
        index = self._point_at(x, y)
        if index is not None:
            self.picked = None if index == self.picked else index
            self.latest = index
            return
        centre = self._shares(x, y)
        if self.picked is not None:
            self._replace(self.picked, **centre)
            self.picked = None
        else:
            point = drawing.Point(**centre, colour=tuple(colour), radius=radius)
            self.latest = len(self.points)
            self._set((*self.points, point))

    def drag(self, start, end, colour, radius) -> None:
        """Take a press at one pixel (x, y) of the preview and its release at another.

        From a point, it moves that point; from elsewhere, or over a short way, it is a click at the
        end.
        """
        index = self._point_at(*start)
        if index is None or math.dist(start, end) < CLICK_RADIUS:
            self.click(*end, colour, radius)
            return
        self._replace(index, **self._shares(*end))
        self.picked, self.latest = None, index

    def recolour(self, colour, latest=False) -> None:
        """Give the picked point another colour, or, with `latest`, the latest if none is picked.

        Without such a point, nothing happens.
        """
        index = self.latest if latest and self.picked is None else self.picked
        if index is not None:
            self._replace(index, colour=tuple(colour))

    def resize(self, radius) -> None:
        """Give the picked point another radius, a share of the longer side."""
        if self.picked is not None:
            self._replace(self.picked, radius=radius)

    def remove(self) -> None:
        """Remove the picked point, or the latest if none is picked."""
        index = self.latest if self.picked is None else self.picked
        if index is not None:
            self._set((*self.points[:index], *self.points[index + 1 :]))
            self.picked = self.latest = None

    def clear(self) -> None:
        """Remove all points."""
        if self.points:
            self._set(())
            self.picked = self.latest = None

    def undo(self) -> None:
        """Take back the last change of the points."""
        if self.history:
            self.points = self.history.pop()
            self.picked = self.latest = None

    def _set(self, points) -> None:
        self.history.append(self.points)
        self.points = points

    def _replace(self, index, **changes) -> None:
        point = dataclasses.replace(self.points[index], **changes)
        if point != self.points[index]:
            self._set((*self.points[:index], point, *self.points[index + 1 :]))

    def _shares(self, x, y) -> dict:
        """Return the x and y of a drawing.Point in the middle of a pixel, inside the preview."""
        height, width = self.gray.shape[:2]
        x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
        return {"x": (x + 0.5) / width, "y": (y + 0.5) / height}

    def _point_at(self, x, y) -> int | None:
        """Return the index of the uppermost point at a pixel, or None."""
        height, width = self.gray.shape[:2]
        for index in reversed(range(len(self.points))):
            point = self.points[index]
            distance = math.hypot(point.x * width - x, point.y * height - y)
            if distance <= max(CLICK_RADIUS, point.radius * max(height, width)):
                return index
        return None

    def _check_takes_points(self) -> None:
        network = self.colorizer.network
        if not network.takes_known:
            raise UserError(
                f"The network {network.path.name} paints by itself and takes no colours from you; "
                "start the page with another --model."
            )

    # ------------------------------------------------------------------------- preview

    def painted(self, strength=1.0) -> np.ndarray:
        """Return the preview in colour, uint8 RGB (h, w, 3); `strength` is 0 to 1."""
        state = self.points, self.reference
        if self._predicted[0] != state:
            self._predicted = state, self._predict()
        return self.colorizer.paint(self._to_paint(), self._predicted[1], strength)

    def _to_paint(self) -> np.ndarray:
        """Return the preview, restored if the result will be."""
        if not self.scale:
            return self.preview
        if self._restored is None:
            self._restored = enlarger_of(1).luminance(self.gray)
        return self._restored

    def _predict(self) -> np.ndarray:
        hinted = None
        if self.points:
            hinted = drawing.from_hints(self.hints(), self.colorizer.shrink(self.preview))
        learned = self.reference and self.reference.exemplar
        known, self.share = self.colorizer.known_colours(self.preview, hinted, learned)
        return self.colorizer.predict(self.preview, known)

    def marked(self, painted) -> np.ndarray:
        """Draw the points on the painted preview; the picked one has a wider ring."""
        marked = painted.copy()
        height, width = marked.shape[:2]
        for index, point in enumerate(self.points):
            centre = int(point.x * width), int(point.y * height)
            radius = max(4, round(point.radius * max(height, width)))
            wide = 3 if index == self.picked else 0
            for extra, colour in ((4 + wide, (0, 0, 0)), (2 + wide, (255, 255, 255))):
                cv2.circle(marked, centre, radius + extra, colour, cv2.FILLED, cv2.LINE_AA)
            colour = tuple(map(int, point.colour))
            cv2.circle(marked, centre, radius, colour, cv2.FILLED, cv2.LINE_AA)
        return marked

    def colour_at(self, x, y) -> tuple:
        """Return the colour, sRGB, that a pixel of the preview is painted with now."""
        return tuple(map(int, self.painted()[int(y), int(x)]))

    def level(self) -> int:
        """Return the gray level, 0 to 255, below the latest point; without one, 128."""
        if self.latest is None:
            return 128
        row, column = self._pixel_of_latest(self.gray)
        return int(self.gray[row, column, 0])

    def likely(self) -> list[tuple]:
        """Return likely colours, sRGB, of the latest point, the most likely first.

        The first is what the network paints there by itself; the others are usual at its luminance.
        """
        usual = palette.likely(self.level())
        if self.latest is None:
            return usual
        row, column = self._pixel_of_latest(self._automatic)
        own = palette.shades(self.level(), self._automatic[row : row + 1, column : column + 1])
        return [tuple(map(int, own[0, 0])), *usual]

    def _pixel_of_latest(self, picture):
        """Return the row and column of the latest point in a picture of any size."""
        point, (height, width) = self.points[self.latest], picture.shape[:2]
        return int(point.y * height), int(point.x * width)

    def hints(self) -> np.ndarray:
        """Draw the points as hints, uint8 (h, w, 4), as `colorize.py` takes them."""
        return drawing.draw(self.points, *self.gray.shape[:2])

    def summary(self) -> str:
        """Name the photograph, its size, and how much of it looks like the reference."""
        summary = f"{self.path.name}, {self.size[1]} x {self.size[0]} pixels"
        if self.scale > 1:
            height, width = (self.scale * side for side in self.size)
            summary += f", {width} x {height} when downloaded"
        if self.reference:
            share = f"{max(self.share, 0.01):.0%}" if self.share else "nothing"
            summary += f"; {share} of it looks like {self.reference.name}"
        if self.remark:
            summary += f"; {self.remark}"
        return summary

    # ------------------------------------------------------------------------- result

    def write_hints(self, folder) -> Path:
        """Write the points as NAME.hints.png into a folder; raises UserError if there are none.

        The file also names the points, for `read_hints`.
        """
        if not self.points:
            raise UserError("There are no points yet; click on the photograph first.")
        path, texts = Path(folder, self.path.stem + drawing.SUFFIX), PngInfo()
        texts.add_text(POINTS, json.dumps([dataclasses.astuple(point) for point in self.points]))
        with replacing(path) as temporary:
            Image.fromarray(self.hints()).save(temporary, format="PNG", pnginfo=texts)
        return path

    def read_hints(self, path) -> None:
        """Set the points that `write_hints` wrote; raises UserError where there are none."""
        try:
            with photos.opened(path) as image:
                rows = json.loads(image.info[POINTS])
            points = tuple(
                drawing.Point(float(x), float(y), tuple(map(int, colour)), float(radius))
                for x, y, colour, radius in rows[:MOST_POINTS]
            )
            if not all(map(_is_valid, points)):
                raise ValueError
        except (photos.PhotographError, LookupError, TypeError, ValueError) as error:
            raise UserError(
                f"{Path(path).name} names no points; it was painted elsewhere. It counts where "
                "many photographs are colorized at once, together with its photograph."
            ) from error
        self._set(points)
        self.picked = self.latest = None

    def write(self, folder, strength=1.0) -> Path:
        """Colorize the photograph at its own size into a folder, as `colorize.py` does.

        Raises UserError where that fails.
        """
        request = Request(
            inputs=(self.path,),
            output=Path(folder, "result"),
            hints=self.write_hints(folder) if self.points else None,
            strength=strength,
            max_megapixels=self.max_megapixels,
            reference=self.reference,
            enlarger=enlarger_of(self.scale),
        )
        (outcome,) = colorize(request, self.colorizer).outcomes
        if outcome.failure:
            raise UserError(f"{self.path.name} cannot be written: {outcome.failure}.")
        return outcome.job.target


def _is_valid(point) -> bool:
    shares = point.x, point.y, point.radius
    levels = [0 <= level <= 255 for level in point.colour]
    return all(0 <= share <= 1 for share in shares) and len(levels) == 3 and all(levels)


def colorize(request, colorizer, on_progress=lambda done, of: None) -> Report:
    """Do a request as `colorize.py` does; raises UserError where there is nothing to do.

    `on_progress(done, of)` is called after each photograph, and after each frame of a film; `of`
    may be a guess, or None. A KeyboardInterrupt that it raises stops the run.
    """
    return run(request, colorizer, functools.partial(_Bar, on_progress))


class _Bar(contextlib.nullcontext):
    """A progress bar, as `run` takes it, that calls a function."""

    def __init__(self, on_progress, desc, unit, total):
        super().__init__(self)
        self.on_progress, self.total, self.done = on_progress, total, 0

    def update(self, number):
        self.done += number
        self.on_progress(self.done, max(self.done, self.total) if self.total else None)
