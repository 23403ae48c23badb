"""A small visible word in a corner, which says that a picture was colorized."""

import cv2
import numpy as np

FONT = cv2.FONT_HERSHEY_SIMPLEX
# The height of its letters, as a share of the shorter side, and at least so many pixels.
HEIGHT, LEAST_HEIGHT = 0.022, 8


def draw_label(image, word) -> np.ndarray:
    """Return RGB (H, W, 3), uint8 or uint16, with a word in its lower right corner.

    The word is white on a dark ground, as wide as it needs, and left out where there is no room. An
    empty word changes nothing.
    """
    height, width = image.shape[:2]
    letters = max(LEAST_HEIGHT, round(HEIGHT * min(height, width)))
    thickness = max(1, letters // 10)
    scale = cv2.getFontScaleFromHeight(FONT, letters, thickness)
    (across, up), below = cv2.getTextSize(word, FONT, scale, thickness)
    margin = letters // 2
    box = up + below + 2 * margin, across + 2 * margin
    if not word or box[0] > height or box[1] > width:
        return image
    drawn = np.zeros((*box, 3), np.uint8)
    place = margin, margin + up
    cv2.putText(drawn, word, place, FONT, scale, (255, 255, 255), thickness, cv2.LINE_AA)
    labelled = image.copy()
    labelled[-box[0] :, -box[1] :] = drawn.astype(image.dtype) * (257 if image.itemsize == 2 else 1)
    return labelled
