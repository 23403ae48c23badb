"""pictures/things.py: one thing of a picture, and what is said of it."""

from pictures import things

import numpy as np
import pytest


def two_things():
    """Return a picture, uint8 (64, 64, 3): a red left, shaded downwards, and a green right."""
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[:, :24] = 180, 60, 60
    rgb[:, 24:] = 60, 150, 70
    return rgb


def test_a_thing_is_one_of_the_pictures_colours_up_to_its_edge():
    rgb = two_things()
    left = np.zeros((64, 64), bool)
    left[:, :24] = True
    found = [things.draw_thing(np.random.default_rng(seed), rgb) for seed in range(40)]
    # The right is more than half of the picture, so it is none.
    found = [thing for thing in found if thing is not None]
    assert len(found) > 30
    assert all((thing == left).mean() > 0.99 for thing in found)


def test_light_and_shade_are_of_one_thing():
    rgb = two_things()
    shade = np.linspace(1, 0.75, 64)[:, np.newaxis, np.newaxis]
    shaded = (rgb * shade).astype(np.uint8)
    found = [things.draw_thing(np.random.default_rng(seed), shaded) for seed in range(20)]
    whole = [thing for thing in found if thing is not None and thing[:, :24].mean() > 0.9]
    assert len(whole) > 8
    assert all(thing[:, 26:].mean() < 0.01 for thing in whole)


def test_a_picture_of_small_parts_has_no_things():
    colours = np.uint8([(200, 30, 30), (30, 160, 30), (40, 40, 220), (200, 200, 30)])
    rows, columns = np.indices((64, 64)) // 7
    checks = colours[(rows + 2 * columns) % 4]
    assert things.draw_thing(np.random.default_rng(0), checks) is None
    mask = np.ones((64, 64), np.float32)
    assert things.draw(np.random.default_rng(0), checks, mask) is None
    assert mask.all()


def test_points_are_on_the_thing_and_a_few_beside_it():
    rgb = two_things()
    beside = 0
    for seed in range(60):
        mask = np.ones((64, 64), np.float32)
        found = things.draw(np.random.default_rng(seed), rgb, mask)
        if found is None:
            assert mask.all()
            continue
        thing, _ = found
        assert set(np.unique(mask)) <= {0, 1}
        assert mask[thing > 0].sum() >= 1
        assert mask.sum() <= 2 * things.MOST_POINTS * things.LARGEST_SQUARE**2
        beside += mask[thing == 0].sum() > 3
    assert 0.1 < beside / 60 < 0.6


def test_it_is_said_to_be_turned_or_gray_or_as_it_is():
    random = np.random.default_rng(0)
    changes = np.array([things.draw_change(random, (3.0, 4.0)) for _ in range(400)])
    angle, factor, *offset = changes.T
    as_it_is = (factor == 1) & (angle == 0)
    gray = factor == 0
    assert gray.mean() == pytest.approx(things.GRAY, abs=0.06)
    assert as_it_is.mean() == pytest.approx(1 - things.TURNED - things.GRAY, abs=0.06)
    assert not np.array(offset).T[as_it_is | gray].any()
    turned = ~(as_it_is | gray)
    cos, sin = np.cos(angle), np.sin(angle)
    said = np.stack([3 * cos - 4 * sin + offset[0], 3 * sin + 4 * cos + offset[1]], axis=1)
    lengths = np.linalg.norm(said[turned], axis=1)
    # Of the hue that is drawn, and strong enough to be a colour.
    assert things.LEAST_CHROMA[0] * 0.99 < lengths.min()
    assert lengths.max() < things.LEAST_CHROMA[1] * 1.01
    hues = np.arctan2(said[turned, 1], said[turned, 0]) - np.arctan2(4, 3) - angle[turned]
    np.testing.assert_allclose(np.cos(hues), 1, atol=1e-3)
