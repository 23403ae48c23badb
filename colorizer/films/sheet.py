"""A sheet of a film's scenes: one coloured key frame of each, with its number and its time."""

import math

from colorizer.films.cuts import clock

import cv2
import numpy as np

# The longer side of a sheet at most, and of a picture in it, in pixels.
SIDE, PICTURE_SIDE = 8000, 240
CAPTION, GAP = 18, 4


class Sheet:
    """A sheet that grows by a scene at a time."""

    def __init__(self):
        """Begin with no scene."""
        self.pictures = []

    def add(self, scene, picture) -> None:
        """Add a scene and a picture of it, uint8 RGB (h, w, 3)."""
        scale = PICTURE_SIDE / max(picture.shape[:2])
        size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        picture = cv2.copyMakeBorder(picture, CAPTION, GAP, 0, GAP, cv2.BORDER_CONSTANT)
        words = f"{len(self.pictures) + 1}  {clock(scene.seconds)[:-4]}"
        again = f"  = {scene.shot + 1}" if scene.shot != len(self.pictures) else ""
        place, white = (2, CAPTION - 5), (255, 255, 255)
        cv2.putText(picture, words + again, place, 0, 0.42, white, 1, cv2.LINE_AA)
        self.pictures.append(picture)

    def drawn(self) -> np.ndarray:
        """Return the sheet, uint8 RGB (H, W, 3)."""
        height, width = np.max([picture.shape[:2] for picture in self.pictures], axis=0)
        count = len(self.pictures)
        columns = min(count, max(1, round(math.sqrt(count * height / width * 1.5))))
        rows = -(-count // columns)
        sheet = np.zeros((rows * height, columns * width, 3), np.uint8)
        for number, picture in enumerate(self.pictures):
            top, left = number // columns * height, number % columns * width
            sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        scale = min(1, SIDE / max(sheet.shape))
        return cv2.resize(sheet, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
