import csv
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import models
import systems
import train
from colorizer import photos
from pictures import dataset
from training import runs

import keras
import numpy as np
import pytest
from conftest import prepare
from keras import ops
from settings import Settings

ROOT = Path(train.__file__).parent


pytestmark = pytest.mark.usefixtures("narrow_networks")


def flags(prepared, output, **more):
    given = {"data": prepared, "output": output, "batch-size": 4, "epochs": 1, **more}
    return [part for name, value in given.items() for part in (f"--{name}", str(value))]


def last_checkpoint(folder):
    with np.load(runs.checkpoints(folder)[-1]) as arrays:
        return {name: arrays[name] for name in arrays.files}


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


# --------------------------------------------------------------------------------- the losses


def test_losses_match_their_closed_forms():
    half = ops.array([[0.5], [0.5]])
    soft = ops.array([[0.9], [0.8]])
    expected = -np.mean([np.log(0.5)] * 2)
    assert float(train.adversarial_loss(half)) == pytest.approx(expected, rel=1e-5)
    # The cross-entropy of p = 0.5 is log 2 whatever the label.
    loss = train.discriminator_loss(half, half, soft, 1 - soft)
    assert float(loss) == pytest.approx(2 * np.log(2), rel=1e-5)
    pictures = ops.zeros((2, 8, 8, 3))
    assert float(systems.pixel_loss(pictures + 0.25, pictures)) == pytest.approx(0.25)


def test_labels_are_soft_and_noisy():
    settings = Settings()
    real, generated = systems.soft_noisy_labels(np.random.default_rng(0), (1, 20000, 1), settings)
    assert real.shape == generated.shape == (1, 20000, 1)
    for labels, low in ((real, 0.8), (generated, 0.0)):
        straight = (labels >= low) & (labels <= low + 0.2)
        assert straight.mean() == pytest.approx(0.95, abs=0.01)
        assert labels[straight].mean() == pytest.approx(low + 0.1, abs=0.01)


def test_labels_without_softness_and_flips_are_hard():
    settings = Settings(label_softness=0, label_flips=0)
    real, generated = systems.soft_noisy_labels(np.random.default_rng(0), (1, 100, 1), settings)
    assert (real == 1).all()
    assert (generated == 0).all()


# ---------------------------------------------------------------------------- the learning rate


def test_a_decaying_rate_rises_and_falls_to_nothing():
    rates = [train.decayed_rate(2.0, share) for share in (0, 0.01, 0.02, 0.5, 1)]
    assert rates == pytest.approx([0.02, 1.02, 2, 1, 0], abs=0.01)


def test_a_trained_encoder_learns_more_slowly():
    encoder, decoder = (keras.Variable(np.zeros(3), name=n) for n in ("encoder_a", "decoder_a"))
    optimizer = systems.TwoRates(0.1)
    optimizer.build([encoder, decoder])
    optimizer.apply([ops.ones(3), ops.ones(3)], [encoder, decoder])
    np.testing.assert_allclose(ops.convert_to_numpy(encoder), -0.003, rtol=1e-3)
    np.testing.assert_allclose(ops.convert_to_numpy(decoder), -0.1, rtol=1e-3)


# ----------------------------------------------------------------------------------- the step


def one_step(networks, settings, size=24):
    random = np.random.default_rng(0)
    gray = random.random((4, size, size, 1), np.float32)
    rgb = random.random((4, size, size, 3), np.float32)
    labels = systems.soft_noisy_labels(random, (4, settings.discriminator_updates), settings)
    step = train.make_train_step(networks, settings)
    return step((gray, rgb, *labels), (np.float32(0.5),))


@pytest.mark.parametrize("updates", [1, 2, 3])
def test_one_step_updates_each_network_the_stated_number_of_times(updates):
    settings = Settings(discriminator_updates=updates)
    networks = train.Networks(settings)
    one_step(networks, settings)
    assert int(networks.generator_optimizer.iterations) == 1
    assert int(networks.discriminator_optimizer.iterations) == updates


@pytest.mark.parametrize(
    "changes", [{}, {"pixel_weight": 0}, {"adversarial_weight": 0}, {"precision": "mixed_float16"}]
)
def test_gradients_reach_every_variable_of_both_networks(changes):
    settings = Settings(**changes)
    networks = train.Networks(settings)
    before = {
        network: [
            ops.convert_to_numpy(variable) for variable in getattr(networks, network).variables
        ]
        for network in ("generator", "discriminator")
    }
    losses = one_step(networks, settings)
    assert all(np.isfinite(float(loss)) for loss in losses.values())
    for network, values in before.items():
        for variable, value in zip(getattr(networks, network).variables, values, strict=True):
            assert (ops.convert_to_numpy(variable) != value).any(), variable.path


def test_the_generator_runs_once_and_the_discriminator_twice(monkeypatch):
    settings = Settings()
    networks = train.Networks(settings)
    names = {id(networks.painter): "generator", id(networks.discriminator): "discriminator"}
    calls = []
    original = keras.Model.__call__

    def counted(self, *inputs, **more):
        calls.append(names.get(id(self)))
        return original(self, *inputs, **more)

    monkeypatch.setattr(keras.Model, "__call__", counted)
    one_step(networks, settings)
    assert calls.count("generator") == 1
    assert calls.count("discriminator") == 2


def test_the_early_discriminator_updates_leave_the_generators_gradient_whole():
    """With a discriminator that does not learn, one update or three give the generator the same."""
    after = []
    for updates in (1, 3):
        settings = Settings(discriminator_updates=updates)
        networks = train.Networks(settings)
        networks.discriminator_optimizer.learning_rate.assign(0)
        one_step(networks, settings)
        after.append(networks.generator.get_weights())
    for first, second in zip(*after, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-6)


def test_the_kept_generator_is_the_moving_average():
    settings = Settings()
    networks = train.Networks(settings)
    start = [ops.convert_to_numpy(weight) for weight in networks.generator.weights]
    one_step(networks, settings)
    for begun, moved, average in zip(
        start, networks.generator.weights, networks.averaged.weights, strict=True
    ):
        np.testing.assert_allclose(
            ops.convert_to_numpy(average), (begun + ops.convert_to_numpy(moved)) / 2, atol=1e-6
        )


# ------------------------------------------------------------------------------------ the run


@pytest.fixture(scope="module")
def finished(prepared, narrow_networks, tmp_path_factory):
    """Return the folder of a run of two epochs that was never stopped."""
    output = tmp_path_factory.mktemp("runs") / "finished"
    assert train.main(flags(prepared, output, epochs=2)) == 0
    return output


def test_a_run_leaves_the_files_of_the_contract(finished):
    names = {path.relative_to(finished).as_posix() for path in finished.rglob("*.*")}
    assert names == {
        *("config.json", "history.csv", "losses.png", "generator.keras"),
        *("samples/epoch-0001.png", "samples/epoch-0002.png"),
        *("checkpoints/epoch-0001.npz", "checkpoints/epoch-0002.npz"),
    }
    config = json.loads((finished / "config.json").read_text())
    assert config["settings"]["pixel_weight"] == 100
    assert config["versions"]["keras"] == keras.__version__
    with (finished / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert {*train.LOSSES, "test_ssim", "test_psnr", "seconds"} < set(rows[0])
    assert float(rows[1]["pixel_loss"]) > 0


def test_the_saved_generator_is_the_average_of_the_last_checkpoint(finished):
    saved = models.load_generator(finished / "generator.keras")
    checkpoint = last_checkpoint(finished)
    for index, weight in enumerate(saved.weights):
        np.testing.assert_array_equal(
            ops.convert_to_numpy(weight), checkpoint[f"averaged/{index:03d}"]
        )


def test_the_same_seed_gives_the_same_run_and_another_does_not(prepared, finished, tmp_path):
    assert train.main(flags(prepared, tmp_path / "same", epochs=2)) == 0
    assert_same(last_checkpoint(tmp_path / "same"), last_checkpoint(finished))
    assert train.main(flags(prepared, tmp_path / "other", epochs=2, seed=1)) == 0
    name = "generator/000"
    assert (last_checkpoint(tmp_path / "other")[name] != last_checkpoint(finished)[name]).any()


def test_a_resumed_run_ends_as_one_that_was_never_stopped(prepared, finished, tmp_path, capsys):
    output = tmp_path / "run"
    assert train.main(flags(prepared, output, epochs=1)) == 0
    assert train.main(["--resume", "--output", str(output), "--epochs", "2"]) == 0
    assert_same(last_checkpoint(output), last_checkpoint(finished))
    for ours, theirs in zip(
        (output / "history.csv").read_text().splitlines(),
        (finished / "history.csv").read_text().splitlines(),
        strict=True,
    ):
        assert ours.rsplit(",", 1)[0] == theirs.rsplit(",", 1)[0]  # but the seconds


def test_ctrl_c_finishes_the_step_saves_and_says_how_to_go_on(
    prepared, finished, tmp_path, monkeypatch, capsys
):
    output = tmp_path / "run"
    original = train.make_train_step

    def pressing_ctrl_c(*given):
        step, calls = original(*given), []

        def wrapped(*inputs):
            calls.append(1)
            if len(calls) == 3:
                signal.raise_signal(signal.SIGINT)
            return step(*inputs)

        return wrapped

    with monkeypatch.context() as patch:
        patch.setattr(train, "make_train_step", pressing_ctrl_c)
        assert train.main(flags(prepared, output, epochs=2)) == 130
    assert f"python train.py --resume --output {output}" in capsys.readouterr().out
    assert [path.name for path in runs.checkpoints(output)] == ["epoch-0000-step-000003.npz"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert train.main(["--resume", "--output", str(output)]) == 0
    assert_same(last_checkpoint(output), last_checkpoint(finished))


def test_a_killed_run_goes_on_and_ends_the_same(prepared, tmp_path):
    """`kill -9` in the middle of an epoch, then --resume, against a run left alone."""
    command = [sys.executable, ROOT / "train.py", *flags(prepared, tmp_path / "killed", epochs=3)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    checkpoints = tmp_path / "killed" / "checkpoints"
    while not (checkpoints / "epoch-0001.npz").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    whole = [*command[:2], *flags(prepared, tmp_path / "whole", epochs=3)]
    again = [*command[:2], "--resume", "--output", tmp_path / "killed"]
    for each in (again, whole):
        subprocess.run(each, check=True, capture_output=True)
    assert_same(last_checkpoint(tmp_path / "killed"), last_checkpoint(tmp_path / "whole"))


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(
    prepared, finished, tmp_path, monkeypatch, capsys
):
    output = tmp_path / "run"
    assert train.main(flags(prepared, output)) == 0
    before = last_checkpoint(output)
    broken = dataclasses.replace(systems.PAPER, loss=lambda *inputs: ops.array(np.nan))
    monkeypatch.setitem(train.SYSTEMS, "paper", broken)
    assert train.main(["--resume", "--output", str(output), "--epochs", "2"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "step 1 of epoch 2" in error
    assert "nan" in error
    assert_same(last_checkpoint(output), before)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains_and_keeps_a_float32_generator(prepared, tmp_path, precision):
    assert train.main(flags(prepared, tmp_path / "run", precision=precision)) == 0
    generator = models.load_generator(tmp_path / "run" / "generator.keras")
    assert {layer.compute_dtype for layer in generator.layers} == {"float32"}
    gray = np.full((1, 24, 24, 1), 0.5, np.float32)
    assert np.isfinite(generator.predict(gray, verbose=0)).all()


def test_the_sample_sheet_shows_gray_generated_and_true(finished):
    sheet = photos.read_rgb(finished / "samples" / "epoch-0002.png")
    assert sheet.shape == (3 * 24, 4 * 24, 3)
    assert photos.is_gray(sheet[:24])
    assert not photos.is_gray(sheet[48:])


# ------------------------------------------------------------------------------- what is wrong


def one_line_error(capsys, arguments):
    assert train.main([str(argument) for argument in arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_folder_that_holds_a_run_is_refused(prepared, finished, capsys):
    before = sorted((path, path.stat().st_mtime_ns) for path in finished.rglob("*"))
    error = one_line_error(capsys, flags(prepared, finished))
    assert "already holds a run" in error
    assert f"--resume --output {finished}" in error
    assert before == sorted((path, path.stat().st_mtime_ns) for path in finished.rglob("*"))


def test_without_prepared_data_the_command_that_prepares_it_is_named(tmp_path, capsys):
    error = one_line_error(capsys, flags(tmp_path, tmp_path / "run"))
    assert "python prepare_data.py --source" in error
    assert not (tmp_path / "run").exists()


def test_resuming_nothing_or_with_other_settings_is_refused(prepared, finished, tmp_path, capsys):
    assert "no run to resume" in one_line_error(capsys, ["--resume", "--output", tmp_path])
    error = one_line_error(capsys, ["--resume", "--output", finished, "--seed", "7"])
    assert "begun with --seed 0, not 7" in error


def test_a_damaged_checkpoint_is_named(prepared, tmp_path, capsys):
    output = tmp_path / "run"
    assert train.main(flags(prepared, output)) == 0
    checkpoint = runs.checkpoints(output)[-1]
    os.truncate(checkpoint, checkpoint.stat().st_size // 2)
    capsys.readouterr()
    error = one_line_error(capsys, ["--resume", "--output", output, "--epochs", "2"])
    assert str(checkpoint) in error


def test_a_batch_larger_than_the_data_is_refused(prepared, tmp_path, capsys):
    error = one_line_error(capsys, flags(prepared, tmp_path / "run", **{"batch-size": 17}))
    assert "--batch-size 16" in error


@pytest.mark.parametrize("wrong", [("epochs", "0"), ("learning-rate", "-1"), ("label-flips", "2")])
def test_numbers_that_make_no_sense_are_refused(wrong, capsys):
    with pytest.raises(SystemExit) as stopped:
        train.main([f"--{wrong[0]}", wrong[1]])
    assert stopped.value.code == 2
    assert f"--{wrong[0]}" in capsys.readouterr().err


def test_the_device_is_named():
    assert engine.device().startswith(("the CPU", "the GPU"))


# -------------------------------------------------------------------------- the other systems


@pytest.fixture(scope="module")
def larger(tmp_path_factory):
    """Return a data folder of 4 training and 2 test pairs of 32x32 pixels."""
    return prepare(tmp_path_factory.mktemp("larger"), size=32, train=4, test=2)


@pytest.mark.parametrize("system", ["regress", "classify", "pix2pix", "semantic", "vgg16"])
def test_every_system_trains_resumes_and_leaves_a_generator(larger, tmp_path, system):
    output = tmp_path / "run"
    more = {"encoder-weights": "none"} if system == "vgg16" else {}
    staged = {"crop": 32, "adversarial-weight": 1, "adversarial-from": 1}
    more |= staged if system == "semantic" else {}
    more |= {"system": system, "batch-size": 2, "least-colourfulness": 0}
    assert train.main(flags(larger, output, **more)) == 0
    assert train.main(["--resume", "--output", str(output), "--epochs", "2"]) == 0
    generator = models.load_generator(output / "generator.keras")
    rgb = generator.predict(np.full((1, 40, 48, 1), 0.5, np.float32), verbose=0)
    assert rgb.shape == (1, 40, 48, 3)
    assert np.isfinite(rgb).all()


def test_nearly_gray_pictures_can_be_left_out(larger, tmp_path, capsys):
    output = tmp_path / "run"
    more = {"system": "regress", "batch-size": 1, "least-colourfulness": 1}
    assert train.main(flags(larger, output, **more)) == 0
    assert "0 of 4 training pictures are nearly gray" in capsys.readouterr().out


def test_the_weights_of_vgg16_that_cannot_be_had_are_named(larger, tmp_path, capsys):
    more = {"system": "vgg16", "encoder-weights": tmp_path / "none.h5"}
    error = one_line_error(capsys, flags(larger, tmp_path / "run", **more))
    assert "--encoder-weights" in error


def test_flips_and_crops_change_gray_and_colour_alike():
    random = np.random.default_rng(0)
    rgb = random.integers(0, 256, (64, 10, 12, 3), dtype=np.uint8)
    gray = rgb[..., :1]
    flipped_gray, flipped = dataset.flip_and_crop(random, gray, rgb, True, None)
    np.testing.assert_array_equal(flipped_gray, flipped[..., :1])
    mirrored = (flipped == rgb[:, :, ::-1]).all(axis=(1, 2, 3))
    straight = (flipped == rgb).all(axis=(1, 2, 3))
    assert (mirrored | straight).all()
    assert 16 < mirrored.sum() < 48
    cropped_gray, cropped = dataset.flip_and_crop(random, gray, rgb, False, 8)
    assert cropped.shape == (64, 8, 8, 3)
    np.testing.assert_array_equal(cropped_gray, cropped[..., :1])
    assert len({picture.tobytes() for picture in cropped}) == 64
