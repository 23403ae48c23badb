"""mend.py in systems/: the networks that find marks and fill them, and their training."""

import json
from pathlib import Path

import train
from colorizer.files import photos
from colorizer.pixels import grayscale, to_unit
from pictures import marks
from systems import mend
from training import export

import numpy as np
import onnxruntime
import pytest
from conftest import gradients_of, last_checkpoint, prepare

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


@pytest.mark.parametrize("part", ["find", "fill"])
def test_the_networks_are_small_and_all_of_them_learns(part):
    network = mend.build_generator(part)
    assert network.count_params() <= 500_000
    gray = np.random.default_rng(0).random((1, 32, 48, 1), np.float32)
    assert network(gray).shape == gray.shape
    variables = network.trainable_variables
    truth, counted = np.ones_like(gray), np.ones_like(gray)
    loss = mend.found_loss if part == "find" else mend.filled_loss
    _, gradients = gradients_of(
        lambda: loss(network(gray, training=True), truth, counted), variables
    )
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)


def test_what_is_not_known_is_not_seen():
    network = mend.build_generator("fill")
    gray = np.random.default_rng(0).random((1, 32, 32, 1), np.float32)
    gray[:, 8:20, 8:20] = mend.UNKNOWN
    other = np.where(gray < 0, np.float32(-0.3), gray)
    np.testing.assert_array_equal(network(gray), network(other))
    assert np.abs(network(np.abs(gray)) - network(gray)).max() > 0


def test_losses_count_what_counts():
    truth = np.float32([1, 0, 0]).reshape(1, 1, 3, 1)
    answer = np.float32([0.8, 0.1, 0.9]).reshape(1, 1, 3, 1)
    counted = np.float32([2, 1, 0]).reshape(1, 1, 3, 1)  # nobody can tell the last
    entropy = -(2 * np.log(0.8) + np.log(0.9)) / 3
    overlap = 2 * 0.8 / (0.8 + 1 + 0.1 + 1)
    expected = entropy + 0.2 * (1 - overlap)
    assert float(mend.found_loss(answer, truth, counted)) == pytest.approx(expected, rel=1e-4)
    expected = (2 * 0.2 + 0.1) / 3
    assert float(mend.filled_loss(answer, truth, counted)) == pytest.approx(expected, rel=1e-4)


def test_pairs_are_broken_prints_and_where_they_are_broken(small):
    finder, filler = system(), system(part="fill")
    gray = CAT[None, :96, :96].repeat(4, 0)
    broken, where, counted = finder.draw(np.random.default_rng(0), gray, None)
    assert broken.shape == where.shape == counted.shape == (4, 32, 32, 1)
    assert set(np.unique(where)) <= {0.0, 1.0}
    assert set(np.unique(counted)) <= {0.0, 1.0, mend.MISSED}
    assert (counted[where == 1] != 1).all()
    holes, whole, counted = filler.draw(np.random.default_rng(0), gray, None)
    assert (holes[holes >= 0] == whole[holes >= 0]).all()
    assert (holes < 0).any()
    assert (counted[holes < 0] == 1).all()
    for learner in (finder, filler):
        first, again = (learner.test_pairs(gray, None)[0] for _ in range(2))
        np.testing.assert_array_equal(first, again)


def test_some_prints_are_whole():
    random = np.random.default_rng(0)
    truth = to_unit(CAT[:48, :48, 0])
    whole = [not mend.print_of(random, truth)[1].cover.any() for _ in range(150)]
    assert np.mean(whole) == pytest.approx(mend.WHOLE, abs=0.12)


def test_a_step_makes_the_loss_smaller(small, monkeypatch):
    monkeypatch.setattr(marks, "MARKS", {marks.blots: (1, 1)})
    for part in ("find", "fill"):
        learner = system(part=part)
        gray = CAT[None, 100:164, 100:164].repeat(4, 0)
        batch = learner.draw(np.random.default_rng(1), gray, None)
        losses = [float(learner.train_step(*batch)["generator_loss"]) for _ in range(40)]
        assert losses[-1] < 0.9 * losses[0]


def test_the_onnx_file_answers_as_the_network_does(small, tmp_path):
    network = mend.build_generator("find")
    export.write_onnx(network, tmp_path / "a.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx", providers=["CPUExecutionProvider"])
    gray = to_unit(CAT[:64, :96])[None]
    (found,) = session.run(None, {session.get_inputs()[0].name: gray})
    np.testing.assert_allclose(found, network(gray), atol=1e-3)


@pytest.mark.parametrize("part", ["find", "fill"])
def test_it_trains_and_resumes_exactly(tmp_path, small, part, no_onnx, monkeypatch):
    data = prepare(tmp_path / "data", size=32, train=4, test=2)

    def settings(output):
        return mend.MendSettings(
            data=str(data),
            output=str(tmp_path / output),
            batch_size=2,
            epochs=2,
            crop=16,
            part=part,
        )

    assert train.fit(mend.Mend, settings("whole")) == 0
    original = train.runs.save

    class Stop(Exception):
        pass

    def save_and_stop(manager, step):
        original(manager, step)
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(train.runs, "save", save_and_stop)
        with pytest.raises(Stop):
            train.fit(mend.Mend, settings("parts"))
    assert train.main(["--resume", "--output", str(tmp_path / "parts")]) == 0
    whole, parts = (last_checkpoint(tmp_path / name) for name in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    for name in whole:
        if not name.startswith("save_counter"):
            np.testing.assert_array_equal(whole[name], parts[name], err_msg=name)
    config = json.loads((tmp_path / "parts" / "config.json").read_text())
    assert config["settings"]["part"] == part
