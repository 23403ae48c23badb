"""experiments/measures/measure_colours.py: made-old pictures, patchy things, hints that bleed."""

from colorizer import chroma
from colorizer.pixels import grayscale
from experiments.measures import measure_colours

import numpy as np
import pytest


class Constant:
    """A colorizer that paints every place alike."""

    def __init__(self, a, b):
        self.colour = np.float32([a, b])

    def predict(self, image, known=None):
        return np.broadcast_to(self.colour, (*image.shape[:2], 2))


def picture(a=20.0, b=0.0, side=measure_colours.SIDE):
    """Return a picture, uint8 RGB, whose left half has the chroma (a, b), the right (-a, -b)."""
    gray = np.full((side, side, 1), 128, np.uint8)
    wanted = np.broadcast_to(np.float32([a, b]), (side, side, 2)).copy()
    wanted[:, side // 2 :] *= -1
    return chroma.add_chroma(gray, gray, wanted)


def test_each_kind_of_age_is_what_it_says():
    rgb = np.zeros((224, 224, 3), np.uint8)
    rgb[:, :112] = 255, 0, 0
    rgb[:, 112:] = 0, 0, 255

    def old(*kinds):
        gray = measure_colours.make_old(rgb, kinds, np.random.default_rng(0))
        assert gray.shape == (224, 224, 1)
        assert gray.dtype == np.uint8
        return gray[..., 0].astype(float)

    np.testing.assert_array_equal(old()[..., np.newaxis], grayscale(rgb))
    assert old("ortho")[5, 5] == pytest.approx(0.05 * 255, abs=1)
    assert old("ortho")[5, 200] == pytest.approx(0.60 * 255, abs=1)
    clean, faded = old(), old("faded")
    np.testing.assert_allclose(faded, 60 + clean / 255 * 128, atol=1)
    # An edge of sigma 1.6 * 224 / 256 = 1.4 pixels.
    edge = old("soft")[100, 104:120]
    step = clean[100, 0] - clean[100, 200]
    assert np.abs(np.diff(edge)).max() == pytest.approx(step / 1.4 / np.sqrt(2 * np.pi), rel=0.1)
    grain = (old("grain") - clean)[:, :112]
    assert grain.std() == pytest.approx(0.13 * 255, rel=0.08)
    # What is faded keeps its grain.
    assert (old("faded", "grain") - faded)[:, :112].std() == pytest.approx(0.13 * 255, rel=0.08)
    assert np.corrcoef(grain[:, 1:].ravel(), grain[:, :-1].ravel())[0, 1] < 0.05


def test_the_chroma_error_is_the_mean_distance_in_lab():
    truths = [picture()]
    found = measure_colours.made_old(Constant(20, 15), truths)
    assert found["clean"] == pytest.approx((15 + np.hypot(40, 15)) / 2, abs=0.3)
    assert found["all four"] == pytest.approx(found["clean"], abs=1e-4)
    assert found["clean, chroma"] == pytest.approx(25)


def test_patchiness_counts_places_alike_in_truth_and_no_others():
    even, halved = picture(0, 0), picture()
    assert measure_colours.patchiness([halved], [halved]) < 0.3
    assert measure_colours.patchiness([halved], [even]) < 0.3
    # In truth all of one colour, painted in two: some pairs cross the middle.
    crossing = measure_colours.patchiness([even], [halved])
    assert 2 < crossing < 20
    assert measure_colours.patchiness([even], [picture(40)]) == pytest.approx(2 * crossing, rel=0.1)


def test_pairs_are_as_far_apart_as_stated():
    first, second = measure_colours.pairs_of_places(np.random.default_rng(0), 112)
    assert len(first) == len(second) == measure_colours.PAIRS
    far = np.linalg.norm(first - second, axis=1)
    assert far.min() > measure_colours.NEAREST - 0.8
    assert far.max() < measure_colours.FARTHEST + 0.8
    assert min(first.min(), second.min()) >= 0
    assert max(first.max(), second.max()) < 112
