"""One opinion a scene: what colour its places have, from key frames, for all of its frames.

A place is a square of STRIDE pixels of what the network sees. It is told by the network's features,
its luminance, and where it lies; places that are told alike get the same chroma, whichever frame
they are in. What is finer than a place stays each frame's own.
"""

import dataclasses

from colorizer.network import FEATURE_STRIDE

import cv2
import numpy as np

# Pixels a side of a place, at the network's size.
STRIDE = 8
# The principal components of the features of a scene that tell its places.
COMPONENTS = 16
# What distance in features (2 for opposite ones), luminance, in levels of 255, and place, in shares
# of the longer side, makes a place look e to the power of a half less alike.
FEATURE_SCALE, LUMINANCE_SCALE, PLACE_SCALE = 0.35, 20.0, 0.4
# A place looks like none where it is less alike than e to the minus of this.
LEAST_ALIKE = 6.0
# The mean of several colours is paler than they are: at most so much is given back.
MOST_GAIN = 1.25


@dataclasses.dataclass(frozen=True)
class Key:
    """A key frame: gray, uint8 (h, w), chroma, float32 (h, w, 2), features, (rows, columns, C)."""

    small: np.ndarray
    chroma: np.ndarray
    features: np.ndarray


@dataclasses.dataclass(frozen=True)
class Opinion:
    """What chroma, float32 (N, 2), the places of key frames have, float32 (N, D) that tell them.

    `centre` (C,) and `basis` (C, COMPONENTS or fewer) bring features to those that tell a place.
    """

    places: np.ndarray
    chroma: np.ndarray
    centre: np.ndarray
    basis: np.ndarray

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
        # Half the squared distance, but for what all places of one row share.
        near = told @ self.places.T
        near -= (self.places**2).sum(axis=1) / 2
        nearest = near.max(axis=1, keepdims=True)
        shares = np.exp(near - nearest, out=near)
        chroma = shares @ self.chroma / shares.sum(axis=1, keepdims=True)
        distance = (told**2).sum(axis=1) / 2 - nearest[:, 0]
        return chroma, 1 / (1 + np.exp(distance - LEAST_ALIKE))

    def shared(self, chroma, features, small) -> np.ndarray:
        """Return the chroma (h, w, 2) of a frame with that of its places as in all of the scene."""
        told, grid = self.told(features, small)
        found, alike = self.of(told)
        change = alike[:, np.newaxis] * (found - means(chroma, grid).reshape(-1, 2))
        height, width = small.shape
        # The last places may reach over the edge.
        whole = cv2.resize(change.reshape(*grid, 2), (grid[1] * STRIDE, grid[0] * STRIDE))
        return chroma + whole[:height, :width]

    def joined(self, keys) -> "Opinion":
        """Return it with further key frames, which take its chroma where they look alike."""
        places, colours = [self.places], [self.chroma]
        for key in keys:
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
    before, after = (np.linalg.norm(chroma, axis=1).mean() for chroma in (own.chroma, found))
    gain = np.clip(before / max(after, 1e-6), 1, MOST_GAIN)
    return dataclasses.replace(own, chroma=np.float32(gain * found))


def means(picture, grid) -> np.ndarray:
    """Return the means of a picture, float32 (h, w) or (h, w, C), over its places, (rows, columns).

    The last places may reach over its edge, where it goes on as it ends.
    """
    below, right = (count * STRIDE - side for count, side in zip(grid, picture.shape, strict=False))
    whole = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE)
    return cv2.resize(whole, grid[::-1], interpolation=cv2.INTER_AREA)
