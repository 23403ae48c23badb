"""mend.py in systems/: the network that finds marks, and its training."""

from pathlib import Path

import train
from colorizer.errors import UserError
from colorizer.files import photos
from colorizer.pixels import grayscale, to_unit
from pictures import marks
from systems import mend
from training import export

import numpy as np
import onnxruntime
import pytest
from generated import gradients_of, last_checkpoint, prepare, stop_when_saved

ROOT = Path(__file__).resolve().parents[2]
CAT = grayscale(photos.read_rgb(ROOT / "samples" / "cat.jpg"))


@pytest.fixture
def small(monkeypatch):
    """Make the networks small."""
    monkeypatch.setattr(mend, "WIDTHS", (4, 4, 4, 4))


def system(**changes):
    class Split:
        pictures = 8

    return mend.Mend(mend.MendSettings(batch_size=4, crop=32, **changes), Split)


def test_the_network_is_small_and_all_of_it_learns():
    network = mend.build_generator()
    assert network.count_params() <= 500_000
    gray = np.random.default_rng(0).random((1, 32, 48, 1), np.float32)
    assert network(gray).shape == gray.shape
    truth, counted = np.ones_like(gray), np.ones_like(gray)
    _, gradients = gradients_of(
        lambda: mend.found_loss(network(gray, training=True), truth, counted),
        network.trainable_variables,
    )
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)


def test_the_loss_counts_what_counts():
    truth = np.float32([1, 0, 0]).reshape(1, 1, 3, 1)
    answer = np.float32([0.8, 0.1, 0.9]).reshape(1, 1, 3, 1)
    counted = np.float32([2, 1, 0]).reshape(1, 1, 3, 1)  # nobody can tell the last
    entropy = -(2 * np.log(0.8) + np.log(0.9)) / 3
    overlap = 2 * 0.8 / (0.8 + 1 + 0.1 + 1)
    expected = entropy + 0.2 * (1 - overlap)
    assert float(mend.found_loss(answer, truth, counted)) == pytest.approx(expected, rel=1e-4)


def test_pairs_are_broken_prints_and_where_they_are_broken(small):
    learner = system()
    gray = CAT[None, :96, :96].repeat(4, 0)
    broken, where, counted = learner.draw(np.random.default_rng(0), gray, None)
    assert broken.shape == where.shape == counted.shape == (4, 32, 32, 1)
    assert set(np.unique(where)) <= {0.0, 1.0}
    assert set(np.unique(counted[where == 0])) <= {0.0, 1.0}
    # What is hardly seen counts least.
    least, most = counted[where == 1].min(), counted[where == 1].max()
    assert mend.LEAST_COUNTED <= least < 1 < most <= mend.MOST_COUNTED
    first, again = (learner.test_pairs(gray, None)[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_some_prints_are_whole():
    random = np.random.default_rng(0)
    truth = to_unit(CAT[:48, :48, 0])
    whole = [not mend.print_of(random, truth)[1].cover.any() for _ in range(150)]
    assert np.mean(whole) == pytest.approx(mend.WHOLE, abs=0.12)


def test_a_training_goes_on_from_an_earlier_network(small, tmp_path):
    before = mend.build_generator(seed=5)
    before.save(tmp_path / "generator.keras")
    learner = system(start=str(tmp_path / "generator.keras"))
    for network in (learner.generator, learner.averaged):
        for found, expected in zip(network.weights, before.weights, strict=True):
            np.testing.assert_array_equal(found, expected)
    with pytest.raises(UserError, match="holds no network to start from"):
        system(start=str(tmp_path / "none.keras"))


def test_a_step_makes_the_loss_smaller(small, monkeypatch):
    monkeypatch.setattr(marks, "MARKS", {marks.blots: (1, 1)})
    learner = system(epochs=100, learning_rate=5e-3)
    gray = CAT[None, 100:164, 100:164].repeat(4, 0)
    batch = learner.draw(np.random.default_rng(1), gray, None)
    losses = [float(learner.train_step(*batch)["generator_loss"]) for _ in range(40)]
    assert losses[-1] < 0.9 * losses[0]


def test_the_onnx_file_answers_as_the_network_does(small, tmp_path):
    network = mend.build_generator()
    export.write_onnx(network, tmp_path / "a.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx", providers=["CPUExecutionProvider"])
    gray = to_unit(CAT[:64, :96])[None]
    (found,) = session.run(None, {session.get_inputs()[0].name: gray})
    np.testing.assert_allclose(found, network(gray), atol=1e-3)


def test_it_trains_and_resumes_exactly(tmp_path, small, no_onnx, monkeypatch):
    data = prepare(tmp_path / "data", size=32, train=4, test=2)

    def settings(output):
        return mend.MendSettings(
            data=str(data),
            output=str(tmp_path / output),
            batch_size=2,
            epochs=2,
            crop=16,
        )

    assert train.fit(mend.Mend, settings("whole")) == 0
    with monkeypatch.context() as patch, pytest.raises(stop_when_saved(patch, train)):
        train.fit(mend.Mend, settings("parts"))
    assert train.main(["--resume", "--output", str(tmp_path / "parts")]) == 0
    whole, parts = (last_checkpoint(tmp_path / name) for name in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    for name in whole:
        if not name.startswith("save_counter"):
            np.testing.assert_array_equal(whole[name], parts[name], err_msg=name)
