"""experiments/trials/semantic_trials.py: what each trial adds to the semantic system's loss."""

from experiments.trials import semantic_trials as trials
from pictures import dataset
from training import colour, losses

import numpy as np
import pytest
from generated import prepare
from keras import ops

pytestmark = pytest.mark.slow

STEPS = 12


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("trials"), size=32, train=8, test=2)


@pytest.fixture(scope="module")
def split(data):
    return dataset.open_split(data, "train")


@pytest.fixture(scope="module")
def trial(data, split):
    """Return a trial that tries everything, past the rise of the rate; epochs are of 2 steps."""
    settings = trials.TrialSettings(
        **{"data": str(data), "batch_size": 4, "crop": 32, "epochs": 200, "perceptual_weight": 0},
        **{"bins_weight": 2, "distillation_weight": 3, "enhanced": 1.2},
        **{"adversarial_weight": 5, "adversarial_from": 0.5},
    )
    trial = trials.Trial(settings, split)
    trial.generator_optimizer.iterations.assign(50)
    return trial


@pytest.fixture(scope="module")
def batch(trial, split):
    return trial.draw(np.random.default_rng(0), *split.read(np.arange(4)))


def test_the_automatic_chroma_is_the_mean_of_a_distribution(trial, batch):
    layer = trial.generator.get_layer("bins")
    before = layer.get_weights()
    sure = np.full(len(colour.bins()), -50, np.float32)
    sure[100] = 50
    layer.set_weights([0 * before[0], sure])
    chroma = trial.predictor([batch[0], np.zeros((4, 16, 16, 3), np.float32)])[0]
    layer.set_weights(before)
    expected = np.broadcast_to(colour.bins()[100], chroma.shape)
    np.testing.assert_allclose(chroma, expected, atol=0.01)


def test_what_is_added_counts_by_its_weight(trial, batch):
    gray, rgb, mask, where, changes = batch
    half_gray = ops.average_pool(gray, 2, strides=2)
    truth = 1.2 * losses.true_chroma(rgb, half_gray)
    turned = trials.semantic.turn(truth, where, changes)
    known = ops.convert_to_numpy(trials.semantic.known_colours(turned, mask))
    *_, fourth, fifth, bins = trial.predictor([gray, known], training=True)
    entropy = losses.bins_cross_entropy(bins, ops.average_pool(truth, 2, strides=2), trial.rarity)
    apart = trials.distillation([fourth, fifth], trial.frozen(rgb)[3:])
    found = {name: float(loss) for name, loss in trial.train_step(*batch).items()}
    further = 2 * float(entropy) + 3 * float(apart)
    assert found["further_loss"] == pytest.approx(further, rel=1e-4)
    assert found["generator_loss"] == pytest.approx(further + found["known_loss"], rel=1e-4)


def told_apart(trial, batch):
    """Return by how much more the discriminator takes true colours for true than painted ones."""
    gray, rgb, *_ = batch
    half_gray, true_rgb = (ops.average_pool(each, 2, strides=2) for each in (gray, rgb))
    automatic = trial.predictor([gray, np.zeros((4, 16, 16, 3), np.float32)])[0]
    painted = colour.srgb_from_lab(colour.lightness_from_gray(half_gray), automatic)
    answers = (
        trial.discriminator(ops.concatenate([each, half_gray], axis=-1))
        for each in (true_rgb, painted)
    )
    return float(np.subtract(*(ops.convert_to_numpy(each).mean() for each in answers)))


def test_what_is_added_is_learned_and_the_adversary_pulls_from_its_step_on(trial, batch):
    assert trial.first_adversarial_step == 200
    before = told_apart(trial, batch)
    found = [trial.train_step(*batch) for _ in range(STEPS)]
    # The discriminator learns from the first step, and the mean has no loss of its own.
    assert told_apart(trial, batch) > before + 1e-3
    assert float(found[0]["automatic_loss"]) == 0
    first, last = (float(found[number]["further_loss"]) for number in (0, -1))
    assert last < 0.95 * first
    trial.generator_optimizer.iterations.assign(200)
    with_adversary = float(trial.train_step(*batch)["further_loss"])
    trial.generator_optimizer.iterations.assign(50)
    assert with_adversary > last + 1


def test_distillation_compares_features_of_one_scale():
    ours = 2 * np.ones((1, 2, 2, 3), np.float32)
    theirs = ours / trials.semantic.FEATURE_SCALE
    assert float(trials.distillation([ours], [theirs])) == pytest.approx(0, abs=1e-6)
    assert float(trials.distillation([1.5 * ours], [theirs])) == pytest.approx(0.5)


def test_distinct_pictures_are_few_and_the_same_each_time(data, split):
    settings = trials.TrialSettings(data=str(data), distinct=3)
    opened = split, dataset.open_split(data, "test")
    few, test = trials.narrowed(settings, opened)
    assert few.pictures == 3
    np.testing.assert_array_equal(few.rows, trials.narrowed(settings, opened)[0].rows)
    assert test.pictures == 2
