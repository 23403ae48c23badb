"""One photograph on which a person decides colours: points, undo, and what is shown of it."""

import contextlib
import dataclasses
import functools
import math
from pathlib import Path

from colorizer.enlarge import enlarger_of
from colorizer.errors import UserError
from colorizer.files import photos
from colorizer.films.formats import is_film
from colorizer.hints import drawing, palette
from colorizer.jobs.job import Outcome
from colorizer.jobs.request import Request
from colorizer.jobs.run import Report, run
from colorizer.pixels import grayscale, high_bits, shrink

import cv2
import numpy as np

# The longer side of the picture that is shown, in pixels: of large photographs, and of small ones,
# which are enlarged. All but the result is made at this size.
LARGEST_SHOWN, SMALLEST_SHOWN = 1280, 800

# Seconds of the longest film that a page takes: somebody waits for it.
LONGEST_FILM = 600

# A click within so many pixels of a point, or on its disc, means the point.
REACH = 10


class Session:
    """A photograph on which a person decides colours.

    `points` are those that count now. `picked` is the place among them of the one that was clicked
    on, and `latest` of the one that was set or changed last; None where there is none.
    """

    def __init__(self, path, colorizer, max_megapixels=photos.MAX_MEGAPIXELS):
        """Read a photograph; raises UserError where it is none."""
        self.path, self.colorizer, self.max_megapixels = Path(path), colorizer, max_megapixels
        if drawing.is_hints(self.path):
            raise UserError(
                f"{self.path.name} holds points that were saved. They count where many photographs "
                "are colorized at once, together with the photograph."
            )
        if is_film(self.path):
            raise UserError(f"{self.path.name} is a film, and films have their own tab.")
        try:
            with photos.opened(path, max_megapixels) as image:
                pixels = photos.load(image).pixels
        except photos.PhotographError as error:
            raise UserError(f"{self.path.name} cannot be shown: {error}.") from error
        height, width = pixels.shape[:2]
        longer = max(height, width)
        scale = min(max(longer, SMALLEST_SHOWN), LARGEST_SHOWN) / longer
        size = max(1, round(height * scale)), max(1, round(width * scale))
        self.size = height, width
        self.shown = high_bits(shrink(pixels, *size))
        self.gray = grayscale(self.shown)
        self.points, self.history = (), []
        self.picked = self.latest = None
        self.reference = None
        self.share = 0.0
        self.scale = 0
        self._restored = None
        self._automatic = self.colorizer.predict(self.shown)
        self._predicted = ((), None), self._automatic

    # ------------------------------------------------------------------------- what is said

    def click(self, x, y, colour, radius) -> None:
        """Take a click at a pixel of the shown picture.

        On a point, it picks that up, or puts it down; elsewhere it moves the point that was picked
        up, or sets a new one of this colour (sRGB) and radius (a share of the longer side). Raises
        UserError where the network takes no known colours.
        """
        self._check_known()
        place = self._point_at(x, y)
        if place is not None:
            self.picked = None if place == self.picked else place
            self.latest = place
            return
        height, width = self.gray.shape[:2]
        centre = {"x": (x + 0.5) / width, "y": (y + 0.5) / height}
        if self.picked is not None:
            self._replace(self.picked, **centre)
            self.picked = None
        else:
            point = drawing.Point(**centre, colour=tuple(colour), radius=radius)
            self.latest = len(self.points)
            self._set((*self.points, point))

    def recolour(self, colour, latest=False) -> None:
        """Give the picked point another colour; with `latest` the one that was set last, as well.

        Where there is no such point, nothing happens.
        """
        place = self.latest if latest and self.picked is None else self.picked
        if place is not None:
            self._replace(place, colour=tuple(colour))

    def resize(self, radius) -> None:
        """Give the picked point another radius, a share of the longer side."""
        if self.picked is not None:
            self._replace(self.picked, radius=radius)

    def remove(self) -> None:
        """Remove the picked point, or else the one that was set last."""
        place = self.latest if self.picked is None else self.picked
        if place is not None:
            self._set((*self.points[:place], *self.points[place + 1 :]))
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

    def use_reference(self, reference) -> None:
        """Take colours from a request.Reference, or from none."""
        self.reference = reference

    def enlarge(self, scale) -> None:
        """Restore the photograph, and make it `scale` times as large, 1 or 2; 0: leave it."""
        self.scale = scale

    def _set(self, points) -> None:
        self.history.append(self.points)
        self.points = points

    def _replace(self, place, **changes) -> None:
        point = dataclasses.replace(self.points[place], **changes)
        if point != self.points[place]:
            self._set((*self.points[:place], point, *self.points[place + 1 :]))

    def _point_at(self, x, y) -> int | None:
        """Return the place of the uppermost point at a pixel, or None."""
        height, width = self.gray.shape[:2]
        for place in reversed(range(len(self.points))):
            point = self.points[place]
            distance = math.hypot(point.x * width - x, point.y * height - y)
            if distance <= max(REACH, point.radius * max(height, width)):
                return place
        return None

    def _check_known(self) -> None:
        network = self.colorizer.network
        if not network.takes_known:
            raise UserError(
                f"The network {network.path.name} paints by itself and takes no colours from you; "
                "start the page with another --model."
            )

    # ------------------------------------------------------------------------- what is shown

    def painted(self, strength=1.0) -> np.ndarray:
        """Return the shown picture in colour, uint8 RGB (h, w, 3)."""
        state = self.points, self.reference
        if self._predicted[0] != state:
            self._predicted = state, self._predict()
        return self.colorizer.paint(self._to_paint(), self._predicted[1], strength)

    def _to_paint(self) -> np.ndarray:
        """Return what is painted at the size that is shown, which stays the same."""
        if not self.scale:
            return self.shown
        if self._restored is None:
            self._restored = enlarger_of(1).luminance(self.gray)
        return self._restored

    def _predict(self) -> np.ndarray:
        hinted = None
        if self.points:
            hinted = drawing.from_hints(self.hints(), self.colorizer.shrink(self.shown))
        learned = self.reference and self.reference.exemplar
        known_colours, self.share = self.colorizer.known_colours(self.shown, hinted, learned)
        return self.colorizer.predict(self.shown, known_colours)

    def marked(self, painted) -> np.ndarray:
        """Draw the points on the shown picture; the picked one has a wider ring."""
        marked = painted.copy()
        height, width = marked.shape[:2]
        for place, point in enumerate(self.points):
            centre = int(point.x * width), int(point.y * height)
            radius = max(4, round(point.radius * max(height, width)))
            wide = 3 if place == self.picked else 0
            for extra, colour in ((4 + wide, (0, 0, 0)), (2 + wide, (255, 255, 255))):
                cv2.circle(marked, centre, radius + extra, colour, cv2.FILLED, cv2.LINE_AA)
            colour = tuple(map(int, point.colour))
            cv2.circle(marked, centre, radius, colour, cv2.FILLED, cv2.LINE_AA)
        return marked

    def level(self) -> int:
        """Return the gray level, 0 to 255, of the point that was set last, or else of a middle."""
        if self.latest is None:
            return 128
        row, column = self._pixel_of_latest(self.gray)
        return int(self.gray[row, column, 0])

    def likely(self) -> list[tuple]:
        """Return colours, sRGB, that the point that was set last may have, likely ones first.

        The first is what the network paints there by itself; the others are usual at its luminance.
        """
        usual = palette.likely(self.level())
        if self.latest is None:
            return usual
        row, column = self._pixel_of_latest(self._automatic)
        own = palette.shades(self.level(), self._automatic[row : row + 1, column : column + 1])
        return [tuple(map(int, own[0, 0])), *usual]

    def _pixel_of_latest(self, picture):
        """Return the row and column of the point that was set last in a picture of any size."""
        point, (height, width) = self.points[self.latest], picture.shape[:2]
        return int(point.y * height), int(point.x * width)

    def hints(self) -> np.ndarray:
        """Return the points as hints, uint8 (h, w, 4), as `colorize.py` takes them."""
        return drawing.draw(self.points, *self.gray.shape[:2])

    def summary(self) -> str:
        """Say what the photograph is, and how much of it looks like the reference."""
        summary = f"{self.path.name}, {self.size[1]} x {self.size[0]} pixels"
        if self.scale > 1:
            height, width = (self.scale * side for side in self.size)
            summary += f", {width} x {height} when downloaded"
        if self.reference:
            share = f"{max(self.share, 0.01):.0%}" if self.share else "nothing"
            summary += f"; {share} of it looks like {self.reference.name}"
        return summary

    # ------------------------------------------------------------------------- what is written

    def write_hints(self, folder) -> Path:
        """Write the points as NAME.hints.png into a folder; raises UserError if there are none."""
        if not self.points:
            raise UserError("There are no points yet; click on the photograph first.")
        path = Path(folder, self.path.stem + drawing.SUFFIX)
        photos.write_png(path, self.hints())
        return path

    def write(self, folder, strength=1.0) -> Path:
        """Colorize the photograph at its own size into a folder, as `colorize.py` does.

        Raises UserError where that fails.
        """
        hints = self.write_hints(folder) if self.points else None
        request = Request(
            inputs=(self.path,),
            output=Path(folder, "result"),
            hints=hints,
            strength=strength,
            max_megapixels=self.max_megapixels,
            reference=self.reference,
            enlarger=enlarger_of(self.scale),
        )
        (outcome,) = colorize(request, self.colorizer).outcomes
        if outcome.failure:
            raise UserError(f"{self.path.name} cannot be written: {outcome.failure}.")
        return outcome.job.target


def colorize(request, colorizer, tell=lambda done, of: None, films=False) -> Report:
    """Colorize as `colorize.py` does; `tell(done, of)` is called after each photograph or frame.

    `of` may be a guess, or None. Films are failures without `films`. Raises UserError where
    there is nothing to colorize.
    """

    def leave_films_out(planned):
        names = [job.name for job in planned.films]
        planned.failures += [(name, "it is a film, and films have their own tab") for name in names]
        planned.films.clear()

    adapt = {} if films else {"adapt": leave_films_out}
    return run(request, colorizer, functools.partial(_Bar, tell), **adapt)


class _Bar(contextlib.nullcontext):
    """A progress bar, as `run` takes it, that calls a function."""

    def __init__(self, tell, desc, unit, total):
        super().__init__(self)
        self.tell, self.total, self.done = tell, total, 0

    def update(self, number):
        self.done += number
        self.tell(self.done, max(self.done, self.total) if self.total else None)


def colorize_film(path, folder, colorizer, request, tell) -> Outcome:
    """Colorize a film into a folder, as `colorize` does.

    Raises UserError where that fails, or the film is longer than LONGEST_FILM or too large.
    """
    # Not imported above, because photographs need not wait for FFmpeg's libraries.
    from colorizer.films import decode

    path = Path(path)
    if not is_film(path):
        raise UserError(f"{path.name} is no film; photographs have the other tabs.")
    try:
        film = decode.probe(path)
        height, width = film.size
        if film.frames > LONGEST_FILM * film.rate:
            minutes = math.ceil(film.frames / film.rate / 60)
            raise decode.FilmError(
                f"it lasts {minutes} minutes, and the page takes {LONGEST_FILM // 60}; "
                "colorize.py takes longer ones"
            )
        if width * height > request.max_megapixels * 1e6:
            raise decode.FilmError(
                f"it has {width} x {height} pixels, more than {request.max_megapixels:g} megapixels"
            )
        request = dataclasses.replace(request, inputs=(path,), output=folder)
        (outcome,) = colorize(request, colorizer, tell, films=True).outcomes
        if outcome.failure:
            raise decode.FilmError(outcome.failure)
    except decode.FilmError as error:
        raise UserError(f"{path.name} cannot be colorized: {error}.") from error
    return outcome
