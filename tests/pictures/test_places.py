"""pictures/places.py: which places' colours are told in training."""

from pictures import places

import numpy as np
import pytest

SIDE = 64


@pytest.fixture(scope="module")
def masks():
    return places.draw(np.random.default_rng(0), 1000, SIDE, 0.3)


def test_a_mask_is_zeros_and_ones_and_a_share_knows_nothing(masks):
    assert masks.shape == (1000, SIDE, SIDE, 1)
    assert masks.dtype == np.float32
    assert set(np.unique(masks)) == {0, 1}
    nothing = (masks == 0).all(axis=(1, 2, 3)).mean()
    assert nothing == pytest.approx(0.3, abs=0.04)


def test_points_are_few_small_and_some_lie_at_the_border(masks):
    known = masks.sum(axis=(1, 2, 3))
    few = known[(known > 0) & (known < 0.1 * SIDE**2)]
    # 8 squares of 3x3 on the average, of which some overlap, and now and then many.
    assert 40 < np.median(few) < 100
    assert few.min() <= 4
    for edge in (masks[:, 0], masks[:, -1], masks[:, :, 0], masks[:, :, -1]):
        assert edge.any()


def test_some_pictures_have_large_regions(masks):
    shares = masks.mean(axis=(1, 2, 3))
    large = shares > 0.3
    assert large.mean() == pytest.approx(0.7 * places.REGION_SHARE * 0.7, abs=0.04)
    assert shares.max() > 0.85


def test_the_same_random_numbers_give_the_same_places():
    first, same = (places.draw(np.random.default_rng(7), 8, SIDE, 0) for _ in range(2))
    np.testing.assert_array_equal(first, same)
    other = places.draw(np.random.default_rng(8), 8, SIDE, 0)
    assert (first != other).any()
