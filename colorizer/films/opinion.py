"""One opinion a scene: what colour its places have, from key frames, for all of its frames.

A place is a square of STRIDE pixels of what the network sees. It is told by the network's features,
its luminance, and where it lies; places that are told alike get the same chroma, whichever frame
they are in. What is finer than a place comes from the key frames before and behind, along the
motion, as far as that is trusted, and else is each frame's own.
"""

import dataclasses
import functools

from colorizer.films.stabilize import find_warp
from colorizer.network import FEATURE_STRIDE

import cv2
import numpy as np

# Pixels a side of a place, at the network's size.
STRIDE = 8
# The principal components of the features of a scene that tell its places.
COMPONENTS = 16
# What distance in features (2 for opposite ones), luminance, in levels of 255, and place, in shares
# of the longer side, makes a place look e to the power of a half less alike.
FEATURE_SCALE, LUMINANCE_SCALE, PLACE_SCALE = 0.5, 30.0, 0.12
# A place looks like none where it is less alike than e to the minus of this.
LEAST_ALIKE = 6.0
# The means of several colours differ less than they do: at most so much is given back.
MOST_GAIN = 1.6
# The places of so many key frames are kept, and looked at so many of a frame at a time.
MOST_FRAMES, BATCH = 8, 64

# Key frames agree with so many before them and behind, along the motion, so often.
NEIGHBOURS, ROUNDS = 4, 4
# How many of a frame's own predictions a key frame counts that is carried to it in full trust.
KEY_WEIGHT = 20.0


@dataclasses.dataclass(frozen=True)
class Key:
    """A key frame: its number, gray, uint8 (h, w), chroma, float32 (h, w, 2), and features,
    float32 (rows, columns, C)."""

    number: int
    small: np.ndarray
    chroma: np.ndarray
    features: np.ndarray


@dataclasses.dataclass(frozen=True)
class Opinion:
    """What chroma, float32 (N, 2), the places of key frames have, float32 (N, D) that tell them.

    `centre` (C,) and `basis` (C, COMPONENTS or fewer) bring features to those that tell a place.
    Of the key frames of a scene there are their numbers (K,), what the network saw, uint8
    (K, h, w), and their chroma, float16 (K, h, w, 2), which agrees along the motion.
    """

    places: np.ndarray
    chroma: np.ndarray
    centre: np.ndarray
    basis: np.ndarray
    numbers: np.ndarray = ()
    smalls: np.ndarray = ()
    chromas: np.ndarray = ()

    @functools.cached_property
    def halves(self) -> np.ndarray:
        """Half the squared length of each of `places`."""
        return (self.places**2).sum(axis=1) / 2

    def told(self, features, small) -> tuple:
        """Return what tells the places of a frame, float32 (rows columns, D), and their grid."""
        grid = tuple(-(-side // STRIDE) for side in small.shape)
        components = (features - self.centre) @ self.basis
        # Where a square of features has its middle, so lies its value.
        rows, columns = (
            (np.arange(count, dtype=np.float32) + 0.5) * STRIDE / FEATURE_STRIDE - 0.5
            for count in grid
        )
        places = np.meshgrid(columns, rows)
        components = np.dstack(
            [
                cv2.remap(plane, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                for plane in np.moveaxis(np.float32(components), 2, 0)
            ]
        )
        length = np.linalg.norm(components, axis=2, keepdims=True)
        components /= np.maximum(length, 1e-6) * FEATURE_SCALE
        luminance = means(small.astype(np.float32), grid) / LUMINANCE_SCALE
        longest = max(grid) * PLACE_SCALE
        down, across = (np.arange(count, dtype=np.float32) / longest for count in grid)
        across, down = np.meshgrid(across, down)
        told = np.dstack([components, luminance, down, across])
        return told.reshape(-1, told.shape[2]), grid

    def of(self, told) -> tuple:
        """Return the chroma (n, 2) that places (n, D) should have, and how alike any is, (n,)."""
        found, alike = [], []
        for start in range(0, len(told), BATCH):
            some = told[start : start + BATCH]
            # Minus half the squared distance, but for what all of a row share.
            near = some @ self.places.T
            near -= self.halves
            nearest = near.max(axis=1, keepdims=True)
            near -= nearest
            shares = np.exp(near, out=near)
            found.append(shares @ self.chroma / shares.sum(axis=1, keepdims=True))
            distance = (some**2).sum(axis=1) / 2 - nearest[:, 0]
            alike.append(1 / (1 + np.exp(np.minimum(distance - LEAST_ALIKE, 50))))
        return np.concatenate(found), np.concatenate(alike)

    def shared(self, chroma, features, small) -> np.ndarray:
        """Return the chroma (h, w, 2) of a frame with that of its places as in all of the scene."""
        told, grid = self.told(features, small)
        found, alike = self.of(told)
        change = alike[:, np.newaxis] * (found - means(chroma, grid).reshape(-1, 2))
        height, width = small.shape
        # The last places may reach over the edge.
        whole = cv2.resize(change.reshape(*grid, 2), (grid[1] * STRIDE, grid[0] * STRIDE))
        return chroma + whole[:height, :width]

    def of_frame(self, number, small, chroma, features) -> np.ndarray:
        """Return the chroma (h, w, 2) that a frame gets of which the network predicts `chroma`."""
        chroma = self.shared(chroma, features, small)
        behind = int(np.searchsorted(self.numbers, number))
        nearest = [place for place in (behind - 1, behind) if 0 <= place < len(self.numbers)]
        total, mean = np.ones(small.shape, np.float32), chroma
        for place in nearest:
            share = 1.0
            if len(nearest) == 2:
                # From one key frame to the next it passes slowly.
                other = self.numbers[sum(nearest) - place]
                share = abs(other - number) / abs(other - self.numbers[place])
            if share:
                weight = np.full(small.shape, KEY_WEIGHT * share, np.float32)
                # Key frames may have been a pixel higher or wider.
                size = small.shape[::-1]
                key = cv2.resize(self.smalls[place], size)
                colours = cv2.resize(np.float32(self.chromas[place]), size)
                carried, weight = find_warp(key, small).carry(colours, weight)
                total += weight
                mean = mean + (carried - mean) * (weight / total)[..., np.newaxis]
        return mean

    def agreed(self, keys) -> "Opinion":
        """Return it with the key frames of a scene, whose chroma agrees along the motion.

        Where it has key frames already, of the shot's first showing, these agree with its last.
        """
        own, size = len(keys), keys[0].small.shape[::-1]
        smalls = [key.small for key in keys]
        smalls += [cv2.resize(small, size) for small in self.smalls[-NEIGHBOURS:]]
        shared = [self.shared(key.chroma, key.features, key.small) for key in keys]
        settled = [cv2.resize(np.float32(each), size) for each in self.chromas[-NEIGHBOURS:]]
        warps = {
            (place, other): find_warp(smalls[other], smalls[place])
            for place in range(own)
            for other in range(len(smalls))
            if other >= own or 0 < abs(other - place) <= NEIGHBOURS
        }
        one, chromas = np.ones(smalls[0].shape, np.float32), shared
        for _ in range(ROUNDS):
            agreeing, totals = [each.copy() for each in chromas], [one.copy() for _ in keys]
            for (place, other), warp in warps.items():
                weight = one if other < own else KEY_WEIGHT * one
                carried, weight = warp.carry([*chromas, *settled][other], weight)
                totals[place] += weight
                share = (weight / totals[place])[..., np.newaxis]
                agreeing[place] += (carried - agreeing[place]) * share
            chromas = agreeing
        return dataclasses.replace(
            self,
            numbers=np.array([key.number for key in keys]),
            smalls=np.stack(smalls[:own]),
            chromas=np.float16(spread_as(np.stack(chromas), np.stack(shared))),
        )

    def remembered(self, first) -> "Opinion":
        """Return what returns of its shot take up: what it was at `first`, where it was last."""
        latest = slice(-MOST_FRAMES, None)
        return dataclasses.replace(
            first,
            numbers=self.numbers[latest],
            smalls=self.smalls[latest],
            chromas=self.chromas[latest],
        )

    def joined(self, keys) -> "Opinion":
        """Return it with further key frames, which take its chroma where they look alike."""
        places, colours = [self.places], [self.chroma]
        for key in spread(keys):
            told, grid = self.told(key.features, key.small)
            found, alike = self.of(told)
            own = means(key.chroma, grid).reshape(-1, 2)
            places.append(told)
            colours.append(own + alike[:, np.newaxis] * (found - own))
        return dataclasses.replace(
            self, places=np.concatenate(places), chroma=np.concatenate(colours)
        )

    def arrays(self) -> dict:
        """Return it as arrays by name, for np.savez."""
        return dataclasses.asdict(self)


def learn(keys) -> Opinion:
    """Learn from the key frames of a scene, Keys, which agree on the chroma of what looks alike."""
    keys = spread(keys)
    features = np.concatenate([key.features.reshape(-1, key.features.shape[2]) for key in keys])
    centre = features.mean(axis=0)
    covariance = (features - centre).T @ (features - centre)
    _, vectors = np.linalg.eigh(covariance)
    basis = np.float32(vectors[:, ::-1][:, :COMPONENTS])
    empty = Opinion(np.zeros((0, 0)), np.zeros((0, 2)), np.float32(centre), basis)
    places, colours = [], []
    for key in keys:
        told, grid = empty.told(key.features, key.small)
        places.append(told)
        colours.append(means(key.chroma, grid).reshape(-1, 2))
    own = Opinion(np.concatenate(places), np.concatenate(colours), empty.centre, basis)
    found = np.concatenate([own.of(told)[0] for told in places])
    return dataclasses.replace(own, chroma=spread_as(found, own.chroma))


def spread_as(mean, before) -> np.ndarray:
    """Return means of chroma, float32 (..., 2), that differ as much as what they are means of."""
    middle = before.reshape(-1, 2).mean(axis=0)
    lengths = (np.linalg.norm(each - middle, axis=-1).mean() for each in (before, mean))
    gain = np.clip(next(lengths) / max(next(lengths), 1e-6), 1, MOST_GAIN)
    return np.float32(middle + gain * (mean - middle))


def spread(keys) -> list:
    """Return at most MOST_FRAMES of the key frames of a scene, from all over it."""
    count = min(len(keys), MOST_FRAMES)
    return [keys[round((number + 0.5) * len(keys) / count - 0.5)] for number in range(count)]


def means(picture, grid) -> np.ndarray:
    """Return the means of a picture, float32 (h, w) or (h, w, C), over its places, (rows, columns).

    The last places may reach over its edge, where it goes on as it ends.
    """
    below, right = (count * STRIDE - side for count, side in zip(grid, picture.shape, strict=False))
    whole = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE)
    return cv2.resize(whole, grid[::-1], interpolation=cv2.INTER_AREA)
