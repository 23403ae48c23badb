"""experiments/guided_trials.py: what each trial adds to the guided system's loss."""

import importlib
from pathlib import Path

from pictures import dataset
from training import colour

import numpy as np
import pytest
from conftest import prepare

EXPERIMENTS = Path(__file__).resolve().parent.parent / "experiments"


@pytest.fixture(scope="module")
def trials():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXPERIMENTS)
        return importlib.import_module("guided_trials")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("trials"), size=64, train=8, test=2)


def make(trials, data, **changes):
    """Return a trial and a batch of it."""
    settings = trials.TrialSettings(data=str(data), batch_size=4, crop=64, **changes)
    split = dataset.open_split(data, "train")
    trial = trials.Trial(settings, split)
    trial.generator_optimizer.iterations.assign(10)
    batch = trial.draw(np.random.default_rng(0), *split.read(np.arange(4)))
    return trial, batch


def test_classified_the_automatic_chroma_is_the_mean_of_a_distribution(trials, data):
    trial, batch = make(trials, data, bins_weight=2, perceptual_weight=0)
    layer = trial.generator.get_layer("bins")
    sure = np.full(len(colour.bins()), -50, np.float32)
    sure[100] = 50
    kernel, _ = layer.get_weights()
    layer.set_weights([0 * kernel, sure])
    gray = batch[0]
    chroma = trial.predictor([gray, np.zeros((4, 32, 32, 3), np.float32)])[0]
    np.testing.assert_allclose(
        chroma, np.broadcast_to(colour.bins()[100], chroma.shape), atol=0.01
    )
    first = float(trial.train_step(*batch)["further_loss"])
    for _ in range(20):
        found = trial.train_step(*batch)
    assert float(found["further_loss"]) < 0.9 * first
    assert float(found["automatic_loss"]) == 0


def test_distilled_the_encoder_is_pulled_towards_what_it_sees_in_colour(trials, data):
    trial, batch = make(trials, data, distillation_weight=100, perceptual_weight=0)
    first = float(trial.train_step(*batch)["further_loss"])
    for _ in range(20):
        found = trial.train_step(*batch)
    assert 0 < float(found["further_loss"]) < 0.9 * first
    features = [2 * np.ones((1, 2, 2, 3), np.float32)]
    in_full = [features[0] / trials.guided.FEATURE_SCALE]
    assert float(trials.distillation(features, in_full)) == pytest.approx(0, abs=1e-6)
    assert float(trials.distillation([1.5 * features[0]], in_full)) == pytest.approx(0.5)


def test_the_adversary_pulls_from_its_share_of_the_steps_on(trials, data):
    trial, batch = make(trials, data, adversarial_weight=1, adversarial_from=0.5, epochs=20)
    assert trial.first_adversarial_step == 20
    kernel = trial.discriminator.trainable_variables[0]
    before = kernel.numpy()
    assert float(trial.train_step(*batch)["further_loss"]) == 0
    assert (kernel.numpy() != before).any()
    trial.generator_optimizer.iterations.assign(20)
    assert float(trial.train_step(*batch)["further_loss"]) > 0.1


def test_enhanced_the_truth_is_more_colourful(trials, data):
    """What is painted exactly is wrong by a fifth of its chroma."""
    found = {}
    for enhanced in (1, 1.2):
        trial, batch = make(trials, data, enhanced=enhanced, perceptual_weight=0)
        trial.generator_optimizer.learning_rate = 0
        found[enhanced] = float(trial.train_step(*batch)["automatic_loss"])
    assert found[1.2] > 1.1 * found[1]


def test_distinct_pictures_are_few_and_the_same_each_time(trials, data):
    opened = [dataset.open_split(data, part) for part in ("train", "test")]
    settings = trials.TrialSettings(data=str(data), distinct=3)
    few, test = trials.narrowed(settings, opened)
    assert few.pictures == 3
    np.testing.assert_array_equal(few.rows, trials.narrowed(settings, opened)[0].rows)
    assert test.pictures == 2
