"""experiments/measures/measure_skin.py: where skin is, its tone, and the signs of the shifts."""

from colorizer import chroma
from experiments.measures import measure_skin

import numpy as np
import pytest
from skimage.color import rgb2lab


def lab_face(*ab):
    return rgb2lab(face(*ab))


def face(a=12.0, b=16.0):
    gray = np.full((measure_skin.SIDE, measure_skin.SIDE, 1), 150, np.uint8)
    colour = np.broadcast_to(np.float32([a, b]), (*gray.shape[:2], 2))
    return chroma.add_chroma(gray, gray, colour)


def test_skin_is_where_the_cheeks_are_and_nothing_else_is_skin():
    skin = measure_skin.skin_of(lab_face())
    assert skin[120, 112]
    assert not skin[60, 112]  # the forehead, where hair may be
    assert measure_skin.skin_of(lab_face(-12, 16)) is None  # green
    assert measure_skin.skin_of(lab_face(1, 1)) is None


@pytest.mark.parametrize(
    ("lightness", "b", "name"),
    [
        (80, 12, "very light"),
        (70, 18, "light"),
        (62, 18, "intermediate"),
        (55, 18, "tan"),
        (45, 18, "brown"),
        (30, 15, "dark"),
    ],
)
def test_tones_are_those_of_chardon(lightness, b, name):
    assert measure_skin.tone_of(lightness, b) == name


def test_a_negative_hue_is_redder_and_a_negative_chroma_paler():
    true = np.array([10.0, 10.0])
    distance, hue, paler = measure_skin.shifts(true, np.array([10.0, 5.0]))
    assert distance == 5
    assert hue < 0
    assert paler < 0
    assert measure_skin.shifts(true, np.array([10.0, 20.0]))[1:] > [0, 0]
    # Over the turn of the circle.
    across = measure_skin.shifts(np.array([10.0, 1.0]), np.array([10.0, -1.0]))
    assert across[1] == pytest.approx(-11.42, abs=0.01)
