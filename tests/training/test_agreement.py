"""training/agreement.py: losses on pairs of places."""

from training import agreement

import numpy as np
import pytest
import tensorflow as tf
from keras import ops


def number(loss) -> float:
    return float(ops.convert_to_numpy(loss))


def halves():
    """Return true chroma (1, 48, 48, 2) whose left half is red and whose right half is blue."""
    truth = np.zeros((1, 48, 48, 2), np.float32)
    truth[:, :, :24] = 40, 20
    truth[:, :, 24:] = 0, -40
    return truth


def test_pairs_are_as_far_apart_as_stated():
    places = np.stack(np.meshgrid(*2 * [np.arange(48.0)], indexing="ij"), axis=-1)[np.newaxis]
    for distance in agreement.DISTANCES:
        found = [each.reshape(-1, 2) for each in agreement.pairs(places, distance)]
        assert len(found) == 4
        for each in found:
            np.testing.assert_allclose(np.linalg.norm(each, axis=1), distance, atol=0.9)
    assert not list(agreement.pairs(places, 80))


@pytest.mark.parametrize("loss", [agreement.disagreement, agreement.difference])
def test_the_truth_agrees_and_so_does_what_differs_from_it_everywhere_alike(loss):
    truth = halves()
    for shift in (0, 15):
        assert number(loss(truth + shift, truth)) < 0.1
    patchy = truth + 10 * np.random.default_rng(0).standard_normal(truth.shape).astype(np.float32)
    assert number(loss(patchy, truth)) > 5


def test_gray_is_the_way_out_of_one_and_not_of_the_other():
    truth = halves()
    assert number(agreement.disagreement(0 * truth, truth)) < 0.1
    assert number(agreement.difference(0 * truth, truth)) > 5


def test_places_unlike_in_truth_need_not_agree():
    truth = halves()
    other = truth.copy()
    other[:, :, 24:] = 30, 30
    assert number(agreement.disagreement(other, truth)) < 0.1
    assert number(agreement.difference(other, truth)) > 2


def test_gradients_are_finite_where_everything_is_alike():
    chroma = tf.Variable(np.zeros((1, 48, 48, 2), np.float32))
    with tf.GradientTape() as tape:
        loss = agreement.difference(chroma, halves()) + agreement.disagreement(chroma, halves())
    gradient = tape.gradient(loss, chroma).numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0
