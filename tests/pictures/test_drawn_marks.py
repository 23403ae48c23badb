"""marks.py and lookalikes.py: what breaks a print, and what only resembles that."""

from pictures import lookalikes, marks

import numpy as np
import pytest

SHAPE = 120, 150
THINGS = dict.fromkeys((*lookalikes.IN_SCENE, *lookalikes.ON_PRINT))


def drawn(kind, seed):
    layer = marks.Layer(SHAPE)
    kind(np.random.default_rng(seed), layer)
    return layer


@pytest.mark.parametrize("kind", marks.MARKS)
def test_a_mark_hides_a_part_of_the_print(kind):
    layers = [drawn(kind, seed) for seed in range(12)]
    for layer in layers:
        assert layer.cover.shape == layer.tone.shape == SHAPE
        assert layer.cover.min() >= 0
        assert layer.cover.max() <= 1 + 1e-6
    covered = np.array([(layer.cover > marks.COVERED).mean() for layer in layers])
    assert (covered > 0).sum() >= 9  # a few lie beyond the edge
    assert covered.max() < 0.5
    assert len(set(covered)) > 6


@pytest.mark.parametrize("thing", THINGS)
def test_a_thing_belongs_to_the_picture(thing):
    picture = np.full(SHAPE, 0.5, np.float32)
    changed = []
    for seed in range(8):
        shown = thing(np.random.default_rng(seed), picture)
        assert shown.shape == SHAPE
        changed.append((np.abs(shown - picture) > 1e-3).mean())
    assert sum(share > 0 for share in changed) >= 5
    assert (picture == 0.5).all()


def test_the_same_seed_draws_the_same():
    first, again, other = (
        marks.draw_marks(np.random.default_rng(seed), SHAPE) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first.cover, again.cover)
    np.testing.assert_array_equal(first.tone, again.tone)
    assert (first.cover != other.cover).any()


def test_what_lies_above_hides_what_lies_below():
    layer = marks.Layer((1, 4))
    layer.add(np.float32([[1, 0.5, 0, 0]]), 0.2)
    layer.add(np.float32([[0.5, 0.5, 0.25, 0]]), 1.0)
    picture = np.full((1, 4), 0.6, np.float32)
    # By hand: one mark after the other on the picture.
    expected = picture + np.float32([[1, 0.5, 0, 0]]) * (0.2 - picture)
    expected += np.float32([[0.5, 0.5, 0.25, 0]]) * (1.0 - expected)
    np.testing.assert_allclose(layer.on(picture), expected, atol=1e-6)


def test_labels_say_yes_no_and_either():
    layer = marks.Layer((1, 4))
    layer.cover = np.float32([[0, 0.2, 0.9, 0.9]])
    # The last is as bright as what it covers: nobody sees it.
    found = marks.labels(layer, np.float32([[0, 0.1, 0.3, 0.001]]))
    np.testing.assert_array_equal(found, np.float32([[0, 0.5, 1, 0.5]]))


def test_a_path_begins_and_ends_where_it_should():
    random = np.random.default_rng(0)
    straight = marks.rough_path(random, (0, 0), (64, 32), 0, 4)
    assert len(straight) == 17
    np.testing.assert_allclose(straight[8], (32, 16))
    rough = marks.rough_path(random, (0, 0), (64, 32), 0.1, 4)
    np.testing.assert_allclose(rough[[0, -1]], [(0, 0), (64, 32)])
    assert np.abs(rough - straight).max() > 1
