"""experiments/measures/hints.py: known colours lie where they are true, and help as they should."""

from colorizer.pixels import grayscale, to_unit
from experiments.measures import hints

import numpy as np
import pytest
from generated import coloured_pictures


def test_a_patch_has_its_own_mean_where_it_is():
    chroma = np.zeros((256, 256, 2))
    chroma[100:106, 40:46] = 55, -22
    chroma[103:106, 40:46] = 77, 0
    known = hints.known_colours(chroma, [(100, 40)])
    np.testing.assert_allclose(known[50:53, 20:23], np.full((3, 3, 3), (0.6, -0.1, 1)), atol=1e-6)
    assert known[..., 2].sum() == 9


def test_places_are_even_inside_and_around_the_middle():
    corners = hints.draw_corners(np.random.default_rng(0), 5000)
    assert (corners % 2 == 0).all()
    assert corners.min() == 0
    assert corners.max() == 250
    np.testing.assert_allclose(corners.mean(axis=0), 125, atol=4)


def test_each_picture_is_painted_with_its_own_points_and_measured_by_itself():
    """This network paints the truth of pictures of which anything is known, the others in gray."""
    pictures = coloured_pictures(10, size=256) // 2 + 64
    seen = []

    def network(gray, known):
        truth = to_unit(pictures[len(seen) : len(seen) + len(gray)])
        seen.extend(known)
        return np.where(known[..., 2].any(axis=(1, 2))[:, None, None, None], truth, gray)

    gray = grayscale(pictures).repeat(3, -1)
    errors = ((pictures.astype(float) - gray) ** 2).mean(axis=(1, 2, 3))
    in_gray = np.mean(10 * np.log10(255**2 / errors))
    assert hints.psnr_of(network, pictures, 0, 0) == pytest.approx(in_gray)
    seen.clear()
    assert hints.psnr_of(network, pictures, 1, 0) == 60
    assert len({known.tobytes() for known in seen}) == 10
