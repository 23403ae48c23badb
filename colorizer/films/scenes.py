"""A film's scenes, found before it is coloured: cuts, bars, fades, key frames, returning shots.

Pictures are gray, uint8 (h, w), upright: small ones at the network's size.
"""

import bisect
import dataclasses
import itertools
import json
import math
from array import array
from collections import deque

from colorizer.chroma import LINEAR_8, chroma_of, lab_root
from colorizer.files.atomic import replacing, write_json
from colorizer.films import opinion, restore
from colorizer.films.stabilize import CONTEXT, Transition, find_transition, find_warp
from colorizer.pixels import grayscale, resize, to_unit

import cv2
import numpy as np

# Frames between key frames, about a second, and the most of them of a scene, which stand further
# apart in long ones.
KEY_DISTANCE = 24
MOST_KEYS = 32
# There are up to so many times as many where new things come in: where the motion from a key frame
# is trusted less than this, in the mean of 0 to 1.
MORE_KEYS, STILL_THERE = 3, 0.4
# Key frames wait for their scene's end at this longer side, in pixels.
KEY_SIDE = 640

# A row or column of a bar is darker than this, but for this share of it (a broadcaster's sign). A
# bar has more than this share of the side, and is no more than two fifths.
BAR_LEVEL = 28
BAR_EXCEPTIONS = 0.06
LEAST_BAR, MOST_BAR = 0.015, 0.4

# Scenes whose bars differ by less than this share of the side have the same ones.
SAME_BOX = 0.012

# The highest level of a frame, but for this share of its pixels, says how it is exposed. A frame
# is black up to BLACK; a scene that begins or ends below this share of what it reaches fades, for
# so many frames at least and at most.
HIGHLIGHTS = 0.02
BLACK = 20
FADED = 0.5
LEAST_FADE, MOST_FADE = 4, 150
# What is darker than this share of its full exposure is brought no further than by its inverse.
DARKEST = 1 / 12

# Lab L of every level of 8 bits.
LIGHTNESS = (116 * lab_root(LINEAR_8) - 16).astype(np.float32)

# A shot returns if a key frame correlates so much with one of one of so many shots before it, or if
# the motion from its last frame to the first one now is trusted so much, in the mean of 0 to 1.
# Measured on 18 clips: 20 frames apart 0.15 and 0.5 to 0.9, 17 of 18; of two clips at most 0.04.
RETURNING, RETURNING_TRUST = 0.8, 0.12
SHOTS_KEPT = 24


@dataclasses.dataclass(frozen=True)
class Scene:
    """A scene: its frames from `begin` to before `end`, by number, and what they have in common.

    `seconds` is when it begins, `after` the time of the frame before it, in the units of the film,
    or None. `box` is the picture within its bars: top, bottom, left and right,
    in shares of the sides. `keys` are the numbers of its key frames. `shot` is the number of the
    first scene, from 0, that shows the same; that of the scene itself where it is new. `rise` and
    `fall` are the exposures of its first and last frames, where it fades in and out, from 0 to 1.
    `flashes` are the numbers of frames that differ from those on both sides, and `gains` by what
    to multiply each frame against flicker.
    """

    begin: int
    end: int
    seconds: float
    box: tuple = (0.0, 1.0, 0.0, 1.0)
    keys: tuple = ()
    shot: int = 0
    rise: tuple = ()
    fall: tuple = ()
    flashes: tuple = ()
    gains: tuple = ()
    after: int | None = None

    def transition(self, number) -> Transition:
        """Tell how one of its frames follows those before it."""
        if number == self.begin:
            return Transition.CUT
        return Transition.FLASH if number in self.flashes else Transition.NONE

    def exposure(self, number) -> float:
        """Return how a frame is exposed, as a share of the scene's full exposure."""
        if number - self.begin < len(self.rise):
            return self.rise[number - self.begin]
        if self.end - number <= len(self.fall):
            return self.fall[len(self.fall) - (self.end - number)]
        return 1.0

    def inner(self, pixels) -> np.ndarray:
        """Return a view on what is within the bars of a picture, (H, W) or (H, W, C)."""
        height, width = pixels.shape[:2]
        top, bottom, left, right = self.box
        return pixels[
            round(top * height) : round(bottom * height),
            round(left * width) : round(right * width),
        ]


def exposed(gray, exposure) -> np.ndarray:
    """Return gray pixels, uint8, as they would be at full exposure."""
    if exposure >= 1:
        return gray
    return cv2.convertScaleAbs(gray, alpha=1 / max(exposure, DARKEST)).reshape(gray.shape)


def dimmed(chroma, lit, exposure) -> np.ndarray:
    """Return the chroma (h, w, 2) of `exposed` gray pixels (h, w) as it is at their own exposure.

    It is as much less than at full exposure as lightness is.
    """
    if exposure >= 1:
        return chroma
    levels = np.arange(256) * max(exposure, DARKEST)
    full = np.minimum(levels / max(exposure, 1e-3), 255)
    seen, full = (LIGHTNESS[np.rint(each).astype(np.uint8)] for each in (levels, full))
    return chroma * (seen / np.maximum(full, 1))[lit][..., np.newaxis]


def find_box(brightest) -> tuple:
    """Return the box of a Scene from the highest levels that its pixels reach, uint8 (h, w)."""
    box = []
    for axis in (1, 0):
        dark = (brightest < BAR_LEVEL).mean(axis=axis) >= 1 - BAR_EXCEPTIONS
        count = len(dark)
        lit = np.flatnonzero(~dark)
        if not len(lit):
            return Scene.box
        first, last = lit[0], count - lit[-1] - 1
        for place, end, bar in ((first, 0.0, first), (lit[-1] + 1, 1.0, last)):
            seen = LEAST_BAR * count < bar <= MOST_BAR * count
            box.append(float(place) / count if seen else end)
    return tuple(box)


def find_fade(highlights) -> tuple:
    """Return the exposures of the frames in which a scene fades in, from their highest levels.

    They rise from below FADED towards 1; none where it does not fade in. How a scene fades out is
    found backwards.
    """
    levels = np.asarray(highlights[:MOST_FADE], np.float32)
    seen = np.maximum(levels, BLACK)
    full = int(np.argmax(seen > BLACK))  # black frames before it count
    while full + 1 < len(seen) and seen[full + 1 : full + 4].max() > seen[full] + 1:
        # It goes on, if not with the next frame, then soon.
        full += 1
        seen[full] = max(seen[full], seen[full - 1])
    if full < LEAST_FADE or levels[0] > FADED * seen[full] or levels[:full].max() > seen[full]:
        return ()
    return tuple(float(each) for each in (levels[:full] / seen[full]).round(4))


@dataclasses.dataclass
class Candidate:
    """A frame that may become a key frame: its number, how sharp it is, and its gray pixels.

    `small` is its small picture; `gray` is uint8 (H, W), of a longer side of KEY_SIDE or less; of
    the best so far, decoded.
    """

    number: int
    sharpness: float
    small: np.ndarray
    gray: object


class Draft:
    """A scene whose frames are still being read."""

    def __init__(self, begin, seconds):
        """Begin at a frame, by its number and time."""
        self.begin, self.seconds, self.end = begin, seconds, begin
        self.highlights, self.means, self.brightest = [], [], None
        self.flashes, self.given = [], []
        self.candidates, self.best, self.distance = [], None, KEY_DISTANCE
        self.first = self.last = None

    def add(self, small, decoded, gray_of) -> None:
        """Add its next frame, as `survey` takes them."""
        levels = cv2.calcHist([small], [0], None, [256], [0, 256]).ravel()
        brighter = small.size - np.cumsum(levels)
        self.highlights.append(int(np.argmax(brighter <= HIGHLIGHTS * small.size)))
        self.means.append(cv2.mean(small)[0])
        if self.brightest is None:
            self.brightest = small.copy()
        cv2.max(self.brightest, small, dst=self.brightest)
        sharpness = float(cv2.meanStdDev(cv2.Laplacian(small, cv2.CV_16S))[1][0, 0])
        self.last = Candidate(self.end, sharpness, small, decoded)
        if self.first is None:
            self.first = dataclasses.replace(self.last, gray=gray_of(decoded))
        if self.best is None or sharpness > self.best.sharpness:
            self.best = self.last
        self.end += 1
        gone = self.end - self.begin
        moves = gone % (self.distance // MORE_KEYS) == 0 and self.has_moved(small)
        if moves or gone % self.distance == 0:
            self.choose(gray_of)

    def has_moved(self, small) -> bool:
        """Tell whether new things have come in since its latest key frame."""
        latest = (self.candidates[-1] if self.candidates else self.first).small
        # At one exposure: a fade brings in nothing.
        lit = cv2.convertScaleAbs(small, alpha=cv2.mean(latest)[0] / max(cv2.mean(small)[0], 1))
        return find_warp(latest, lit).trust.mean() < STILL_THERE

    def choose(self, gray_of) -> None:
        """Keep the best frame since the last one that was kept."""
        if self.best is None:
            return
        chosen = dataclasses.replace(self.best, gray=gray_of(self.best.gray))
        self.candidates.append(chosen)
        self.best = None
        if len(self.candidates) > MOST_KEYS:
            # Of two beside each other the sharper one stays.
            pairs = itertools.zip_longest(self.candidates[::2], self.candidates[1::2])
            self.candidates = [
                max(filter(None, pair), key=lambda each: each.sharpness) for pair in pairs
            ]
            self.distance *= 2

    def add_ends(self, gray_of) -> None:
        """Keep its first and last frames, too: behind them another shot may show what they show."""
        far = KEY_DISTANCE // 4
        if self.candidates[0].number - self.begin > far:
            self.candidates.insert(0, self.first)
        if self.last.number - self.candidates[-1].number > far:
            last = dataclasses.replace(self.last, gray=gray_of(self.last.gray))
            self.candidates.append(last)

    def finished(self, gray_of) -> Scene:
        """Return the scene, all of whose frames are there; its shot is not known yet."""
        if not self.candidates or (self.end - self.begin) % self.distance > self.distance / 2:
            self.choose(gray_of)
        self.add_ends(gray_of)
        rise, fall = find_fade(self.highlights), find_fade(self.highlights[::-1])
        scene = Scene(
            begin=self.begin,
            end=self.end,
            seconds=self.seconds,
            box=find_box(self.brightest),
            rise=rise,
            fall=fall[::-1],
            flashes=tuple(self.flashes),
            gains=restore.gains(self.means) if not rise and not fall else (),
        )
        # The sharpest frames are no faded ones, unless there are no others.
        lit = [each for each in self.candidates if scene.exposure(each.number) > FADED]
        self.candidates = lit or self.candidates
        return dataclasses.replace(scene, keys=tuple(each.number for each in self.candidates))


def survey(frames, gray_of, look, cuts=None, given=lambda *frame: ()):
    """Find the scenes of a film; yield each Scene, the Opinion of its shot or None, and its Keys.

    `frames` are a number, a small picture, what it is of, and its seconds; of that, `gray_of`
    makes gray pixels, uint8 (H, W), and of them `look` chroma and features, with the small picture
    that it saw. `cuts` are the numbers of the frames that begin scenes, where a person says them;
    `given` returns, of a frame's number and seconds and those of the one before, pictures in colour
    of it, RGB (H, W, 3), of which a scene's colours are to be.
    """
    shots, boxes = {}, deque([Scene.box], maxlen=SHOTS_KEPT)
    for place, draft in enumerate(_drafts(frames, gray_of, cuts, given)):
        scene = draft.finished(gray_of)
        same = [box for box in boxes if np.abs(np.subtract(box, scene.box)).max() < SAME_BOX]
        scene = dataclasses.replace(scene, box=same[-1] if same else scene.box)
        boxes.append(scene.box)
        keys = []
        for each in draft.candidates:
            gray = exposed(scene.inner(each.gray), scene.exposure(each.number))
            keys.append(opinion.Key(each.number, *look(np.ascontiguousarray(gray))))
        first = [_given_key(scene, picture, look) for picture in draft.given]
        if not keys or keys[0].features is None:
            yield dataclasses.replace(scene, shot=place), None, keys
            continue
        shot = place
        if first:
            # What a person says of a scene holds for it and for its returns.
            learned = opinion.learn(first).joined(keys)
        else:
            known = (each for each in reversed(shots) if returns(keys, shots[each].smalls))
            shot = next(known, place)
            learned = opinion.learn(keys) if shot == place else shots[shot].joined(keys)
        learned = learned.agreed(keys)
        shots[shot] = learned.remembered(shots.pop(shot, learned))
        if len(shots) > SHOTS_KEPT:
            del shots[next(iter(shots))]
        yield dataclasses.replace(scene, shot=shot), learned, keys


def _given_key(scene, picture, look) -> opinion.Key:
    """Return the Key of a picture in colour, RGB (H, W, 3), of a frame of a scene."""
    picture = np.ascontiguousarray(scene.inner(picture))
    small, _, features = look(grayscale(picture)[..., 0])
    colours = chroma_of(to_unit(resize(picture, *small.shape)))
    return opinion.Key(scene.begin, small, colours, features)


def _drafts(frames, gray_of, cuts, given):
    """Yield a Draft of each scene, all of whose frames are there."""
    frames, draft, before, dark, last = iter(frames), None, [], False, -math.inf
    window = deque(itertools.islice(frames, 1 + CONTEXT))
    while window:
        number, small, decoded, seconds = window.popleft()
        window.extend(itertools.islice(frames, 1))
        after = [small, *(each for _, each, *_ in window)]
        transition = find_transition(before, after[: 1 + CONTEXT])
        if cuts is None:
            cut = transition is Transition.CUT
            # Between two pictures that fade into black and out of it lies a cut.
            cut |= dark and int(small.max()) > BLACK
        else:
            cut = number in cuts or draft is None
        if cut:
            if draft:
                yield draft
            draft = Draft(number, seconds)
        elif transition is Transition.FLASH:
            draft.flashes.append(number)
        draft.add(small, decoded, gray_of)
        draft.given += given(number, seconds, last)
        last = seconds
        dark = draft.highlights[-1] <= BLACK < max(draft.highlights)
        before = [*before, small][-CONTEXT - 1 :]
    if draft:
        yield draft


def returns(keys, smalls) -> bool:
    """Tell whether a scene of Keys shows the shot of which there are small pictures, in order.

    The camera stands where it stood: pictures correlate, though people have moved. Or it has gone
    on from where it was last.
    """
    first = keys[0].small
    last = cv2.resize(smalls[-1], first.shape[::-1])
    return find_warp(last, first).trust.mean() >= RETURNING_TRUST or any(
        key.small.shape == small.shape and _correlation(key.small, small) >= RETURNING
        for key in opinion.spread(keys)
        for small in smalls
    )


def _correlation(first, second) -> float:
    """Return how the luminance of the places of two pictures correlates, -1 to 1."""
    rows, columns = (-(-side // opinion.STRIDE) for side in first.shape)
    places = [opinion.means(np.float32(each), (rows, columns)) for each in (first, second)]
    deviations = [each - each.mean() for each in places]
    spread = np.sqrt(np.prod([(each**2).sum() for each in deviations]))
    return float((deviations[0] * deviations[1]).sum() / max(spread, 1e-6))


class Scenes:
    """The scenes of a film, kept in a folder with the opinions of their shots."""

    def __init__(self, folder):
        """Take up those that were found before; `found` is a list of Scenes, or None.

        `matched` is the share of their key frames that looks like the reference. Without a folder,
        None, nothing is kept and there are no opinions.
        """
        self.folder, self.found, self.latest = folder, None, (None, None)
        self.matched = 0.0
        if folder is None:
            return
        self.index = folder / "scenes.json"
        try:
            stored = json.loads(self.index.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        self.matched = stored["matched"]
        self.found = [
            Scene(**{name: tuple(v) if isinstance(v, list) else v for name, v in each.items()})
            for each in stored["scenes"]
        ]

    def find(self, frames, gray_of, look, cuts=None, given=lambda *frame: ()) -> None:
        """Find them, as `survey` does, of frames that know their time; `keep` has to follow."""
        found, times = [], array("q")

        def timed():
            for frame in frames:
                times.append(frame[2].time)
                yield frame

        for scene, learned, _ in survey(timed(), gray_of, look, cuts, given):
            if found:
                before = times[scene.begin - found[0].begin - 1]
                scene = dataclasses.replace(scene, after=before)
            if learned is not None:
                with replacing(self._opinion_at(len(found))) as temporary:
                    np.savez(temporary, **learned.arrays())
            found.append(scene)
        self.found = found

    def keep(self, matched) -> None:
        """Note that all are found, and the share of them that looks like the reference."""
        self.matched = matched
        stored = [dataclasses.asdict(scene) for scene in self.found]
        write_json(self.index, {"scenes": stored, "matched": matched})

    @property
    def first(self) -> int:
        """The number of the first frame."""
        return self.found[0].begin

    def at(self, number) -> tuple:
        """Return the Scene of a frame, its Opinion or None, and its Transition."""
        place = bisect.bisect(self.found, number, key=lambda scene: scene.begin) - 1
        if self.folder and place != self.latest[0]:
            try:
                with np.load(self._opinion_at(place)) as arrays:
                    self.latest = place, opinion.Opinion(**arrays)
            except FileNotFoundError:
                self.latest = place, None
        scene = self.found[place]
        return scene, self.latest[1], scene.transition(number)

    def _opinion_at(self, place):
        return self.folder / f"scene-{place:06}.npz"
