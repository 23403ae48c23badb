"""train.py: the losses and the step pull the right way, and a run goes on as it was begun."""

import contextlib
import csv
import json
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import train
from colorizer.files import photos
from colorizer.pixels import grayscale, is_gray
from pictures import dataset, metrics
from systems import classify, enlarge, pix2pix, semantic
from training import devices, runs, steps
from training.system import System

import keras
import numpy as np
import onnxruntime
import pytest
from generated import NARROW, TRAIN, checkpoint_files, last_checkpoint, prepare
from keras import ops

ROOT = Path(train.__file__).parent


pytestmark = pytest.mark.usefixtures("narrow_networks", "no_onnx")


def flags(prepared, output, **more):
    given = {"data": prepared, "output": output, "batch-size": 4, "epochs": 1, **more}
    return [part for name, value in given.items() for part in (f"--{name}", str(value))]


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name in first:
        if not name.startswith("save_counter"):
            np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def load(path):
    return keras.saving.load_model(path, compile=False)


# --------------------------------------------------------------------------------- the losses


def test_losses_match_their_closed_forms():
    half = ops.array([[0.5], [0.5]])
    soft = ops.array([[0.9], [0.8]])
    expected = -np.mean([np.log(0.5)] * 2)
    assert float(train.adversarial_loss(half)) == pytest.approx(expected, rel=1e-5)
    # The cross-entropy of p = 0.5 is log 2 whatever the label.
    loss = train.discriminator_loss(half, half, soft, 1 - soft)
    assert float(loss) == pytest.approx(2 * np.log(2), rel=1e-5)
    # Answers that are right cost less than answers that are wrong.
    right, wrong = ops.array([[0.9]]), ops.array([[0.1]])
    ones, zeros = ops.ones((1, 1)), ops.zeros((1, 1))
    loss = train.discriminator_loss(right, wrong, ones, zeros)
    assert float(loss) == pytest.approx(-2 * np.log(0.9), rel=1e-4)
    assert float(train.adversarial_loss(right)) == pytest.approx(-np.log(0.9), rel=1e-4)
    pictures = ops.zeros((2, 8, 8, 3))
    assert float(train.pixel_loss(pictures + 0.25, pictures)) == pytest.approx(0.25)


def paper(**changes):
    """Return the paper's GAN with these settings changed."""
    return train.PaperGAN(train.PaperSettings(**changes), train_split=None)


def drawn_labels(count, updates=1, **changes):
    gan = paper(discriminator_updates=updates, **changes)
    blank = np.zeros((count, 8, 8, 1), np.uint8)
    return gan.draw(np.random.default_rng(0), blank, blank.repeat(3, -1))[2:]


def test_labels_are_soft_and_noisy():
    real, generated = drawn_labels(20000, updates=2)
    assert real.shape == generated.shape == (20000, 2)
    for labels, low in ((real, 0.8), (generated, 0.0)):
        straight = (labels >= low) & (labels <= low + 0.2)
        assert straight.mean() == pytest.approx(0.95, abs=0.01)
        assert labels[straight].mean() == pytest.approx(low + 0.1, abs=0.01)


def test_labels_without_softness_and_flips_are_hard():
    real, generated = drawn_labels(100, label_softness=0, label_flips=0)
    assert (real == 1).all()
    assert (generated == 0).all()


def test_a_batch_is_scaled_to_one():
    gray = np.full((2, 8, 8, 1), 51, np.uint8)
    grayscale, ground_truth, *_ = paper().draw(np.random.default_rng(0), gray, gray.repeat(3, -1))
    np.testing.assert_allclose(grayscale, 0.2)
    np.testing.assert_allclose(ground_truth, np.full((2, 8, 8, 3), 0.2))


# ---------------------------------------------------------------------------- the learning rate


def test_a_decaying_rate_rises_and_falls_to_nothing():
    settings = semantic.SemanticSettings(epochs=100, batch_size=1, learning_rate=2.0)
    rate = steps.cosine(settings, pictures=10)
    rates = [float(rate(step)) for step in (0, 10, 20, 510, 1000)]
    assert rates == pytest.approx([0.02, 1.01, 2, 1, 0], abs=0.01)


def test_the_semantic_generator_learns_at_the_rate_that_its_settings_say(larger):
    settings = semantic.SemanticSettings(epochs=50, batch_size=2)
    model = semantic.Semantic(settings, dataset.open_split(larger, "train"))
    rates = []
    for step in (0, 50, 100):  # of 100
        model.generator_optimizer.iterations.assign(step)
        rates.append(float(model.generator_optimizer.learning_rate))
    assert rates == pytest.approx([1e-5, 5e-4, 0], abs=2e-5)


def test_a_trained_encoder_learns_more_slowly():
    encoder, decoder = (keras.Variable(np.zeros(3), name=n) for n in ("encoder_a", "decoder_a"))
    optimizer = semantic.TwoRates(0.1, encoder_rate=0.03)
    optimizer.build([encoder, decoder])
    optimizer.apply([ops.ones(3), ops.ones(3)], [encoder, decoder])
    np.testing.assert_allclose(ops.convert_to_numpy(encoder), -0.003, rtol=1e-3)
    np.testing.assert_allclose(ops.convert_to_numpy(decoder), -0.1, rtol=1e-3)


# ----------------------------------------------------------------------------------- the step


def batch(gan, size=24):
    """Return a batch of noise, which no generator paints, as the step of `gan` takes it."""
    random = np.random.default_rng(0)
    rgb = random.integers(0, 256, (4, size, size, 3), dtype=np.uint8)
    return gan.draw(random, grayscale(rgb), rgb)


def answers(gan, grayscale, ground_truth, *_):
    """Return the discriminator's mean answers for photographs and for generated pictures."""
    generated = gan.generator(grayscale)
    pictures = ground_truth, generated
    return [float(ops.mean(gan.discriminator(picture))) for picture in pictures]


@pytest.mark.parametrize("updates", [1, 2])
def test_the_discriminator_learns_to_tell_photographs_from_generated_pictures(updates):
    gan = paper(discriminator_updates=updates, learning_rate=2e-3)
    gan.generator_optimizer.learning_rate.assign(0)
    given = batch(gan)
    real, generated = answers(gan, *given)
    for _ in range(10):
        gan.train_step(*given)
    real_after, generated_after = answers(gan, *given)
    assert real_after - generated_after > real - generated + 0.01


def test_the_generator_learns_to_be_taken_for_a_photograph():
    gan = paper(pixel_weight=0, learning_rate=2e-3)
    gan.discriminator_optimizer.learning_rate.assign(0)
    given = batch(gan)
    _, generated = answers(gan, *given)
    for _ in range(10):
        gan.train_step(*given)
    assert answers(gan, *given)[1] > generated + 1e-4


def test_the_generator_learns_to_paint_the_truth():
    gan = paper(adversarial_weight=0, learning_rate=2e-3)
    given = batch(gan)
    losses = [float(gan.train_step(*given)["pixel_loss"]) for _ in range(10)]
    assert losses[-1] < losses[0] - 0.001


def test_the_generators_loss_is_the_weighted_sum():
    gan = paper(pixel_weight=7, adversarial_weight=3)
    gan.discriminator_optimizer.learning_rate.assign(0)
    given = batch(gan)
    generated = gan.generator(given[0])
    adversarial = train.adversarial_loss(gan.discriminator(generated))
    losses = gan.train_step(*given)
    expected = 7 * losses["pixel_loss"] + 3 * adversarial
    assert float(losses["generator_loss"]) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("updates", [1, 2, 3])
def test_one_step_updates_each_network_the_stated_number_of_times(updates):
    gan = paper(discriminator_updates=updates)
    gan.train_step(*batch(gan))
    assert int(gan.generator_optimizer.iterations) == 1
    assert int(gan.discriminator_optimizer.iterations) == updates


@pytest.mark.parametrize(
    "changes", [{}, {"pixel_weight": 0}, {"adversarial_weight": 0}, {"precision": "mixed_float16"}]
)
def test_gradients_reach_every_variable_of_both_networks(changes):
    gan = paper(**changes)
    before = {
        network: [ops.convert_to_numpy(variable) for variable in network.variables]
        for network in (gan.generator, gan.discriminator)
    }
    losses = gan.train_step(*batch(gan))
    assert all(np.isfinite(float(loss)) for loss in losses.values())
    for network, values in before.items():
        for variable, value in zip(network.variables, values, strict=True):
            assert (ops.convert_to_numpy(variable) != value).any(), variable.path


def test_the_generator_runs_once_and_the_discriminator_twice_as_in_training(monkeypatch):
    gan = paper()
    names = {id(gan.generator): "generator", id(gan.discriminator): "discriminator"}
    calls = []
    original = keras.Model.__call__

    def counted(self, *inputs, training=None):
        calls.append((names.get(id(self)), training))
        return original(self, *inputs, training=training)

    monkeypatch.setattr(keras.Model, "__call__", counted)
    gan.train_step(*batch(gan))
    assert calls == [("generator", True), ("discriminator", True), ("discriminator", True)]


def test_the_early_discriminator_updates_leave_the_generators_gradient_whole():
    """With a discriminator that does not learn, one update or three give the generator the same."""
    after = []
    for updates in (1, 3):
        gan = paper(discriminator_updates=updates, label_softness=0, label_flips=0)
        gan.discriminator_optimizer.learning_rate.assign(0)
        gan.train_step(*batch(gan))
        after.append(gan.generator.get_weights())
    for first, second in zip(*after, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-6)


def test_the_kept_generator_is_a_moving_average_that_is_young_at_first():
    gan = paper()
    average = gan.generator.get_weights()
    for momentum in (1 / 10, 2 / 11):
        gan.train_step(*batch(gan))
        moved = gan.generator.get_weights()
        average = [momentum * a + (1 - momentum) * b for a, b in zip(average, moved, strict=True)]
        for found, expected in zip(gan.averaged.get_weights(), average, strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_old_average_moves_by_a_thousandth():
    gan = paper()
    before = gan.averaged.get_weights()
    gan.generator_optimizer.iterations.assign(1_000_000)
    gan.train_step(*batch(gan))
    moved = gan.generator.get_weights()
    for start, end, found in zip(before, moved, gan.averaged.get_weights(), strict=True):
        np.testing.assert_allclose(found, 0.999 * start + 0.001 * end, atol=1e-6)


@pytest.mark.parametrize("system", [classify.Classify, pix2pix.Pix2pix])
def test_batch_normalization_learns_its_statistics_in_a_step(larger, system):
    """They move only where the generator is run as in training."""
    model = system(system.Settings(), dataset.open_split(larger, "train"))
    moving = [v for v in model.generator.variables if v.path.endswith("moving_mean")]
    before = [ops.convert_to_numpy(variable) for variable in moving]
    model.train_step(*batch(model, size=32))
    assert moving
    for variable, value in zip(moving, before, strict=True):
        assert (ops.convert_to_numpy(variable) != value).any(), variable.path


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
        *("config.json", "history.csv", "losses.png", "generator.keras", "generator.onnx"),
        *("samples/epoch-0001.png", "samples/epoch-0002.png"),
        *("checkpoints/step-4.index", "checkpoints/step-4.data-00000-of-00001"),
        *("checkpoints/step-8.index", "checkpoints/step-8.data-00000-of-00001"),
    }
    assert (finished / "checkpoints" / "checkpoint").exists()
    config = json.loads((finished / "config.json").read_text())
    assert config["system"] == "train.PaperGAN"
    assert config["settings"]["pixel_weight"] == 100
    assert config["versions"]["keras"] == keras.__version__
    with (finished / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert {*train.PaperGAN.LOSSES, "test_ssim", "test_psnr", "seconds"} < set(rows[0])
    assert float(rows[1]["pixel_loss"]) > 0


def test_the_history_has_the_mean_losses_of_each_epoch(prepared, tmp_path, monkeypatch):
    """Of its own steps alone, also where the second epoch is stopped after a step and goes on."""
    drawn = [1, 2, 3, 6, 10, 20, 40, 50]  # in 8 steps, 4 an epoch
    losses = iter([dict(zip(train.PaperGAN.LOSSES, (n, n / 10, -n), strict=True)) for n in drawn])
    monkeypatch.setattr(devices, "distributed", lambda *_: lambda batch: next(losses))
    output = tmp_path / "run"
    with monkeypatch.context() as patch:
        answers = iter([False] * 6 + [True] * 2)  # stopped after the fifth step
        patch.setattr(runs, "interruption", lambda: contextlib.nullcontext(lambda: next(answers)))
        assert train.main(flags(prepared, output, epochs=2)) == 130
    assert train.main(["--resume", "--output", str(output)]) == 0
    assert not list(losses)
    with (output / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = [[float(row[name]) for name in train.PaperGAN.LOSSES] for row in rows]
    assert found == [[3, 0.3, -3], [30, 3, -30]]


def test_both_files_of_a_generator_say_which_size_it_sees(finished):
    assert zipfile.ZipFile(finished / "generator.keras").comment == b'{"working_size": 120}'
    session = onnxruntime.InferenceSession(finished / "generator.onnx")
    assert session.get_modelmeta().custom_metadata_map == {"working_size": "120"}


@pytest.mark.parametrize("command", ["train.py --help", "models.py"])
@pytest.mark.parametrize("package", ["keras", "tensorflow"])
def test_without_keras_a_script_names_the_command_that_installs_it(command, package):
    run = without([package], command)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == (
        f"error: this needs the package {package}; install it with: pip install -r "
        "requirements.txt\n"
    )


def test_data_is_prepared_without_keras():
    run = without(["keras", "tensorflow"], "prepare_data.py --help")
    assert (run.returncode, run.stderr) == (0, "")
    assert "--images-per-class" in run.stdout


def without(packages, command):
    """Run a script with its flags in a process in which packages are not installed."""
    program = (
        "import runpy, sys\n"
        "class Nowhere:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] in {packages}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Nowhere())\n"
        "sys.argv = sys.argv[1:]\n"
        "sys.path.insert(0, '')\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    given = [sys.executable, "-c", program, *command.split()]
    return subprocess.run(given, cwd=ROOT, capture_output=True, text=True)


def test_the_saved_generator_is_the_average_of_the_last_checkpoint(finished):
    checkpoint = last_checkpoint(finished)
    for index, weight in enumerate(load(finished / "generator.keras").get_weights()):
        kept = checkpoint[f"averaged/{index}/.ATTRIBUTES/VARIABLE_VALUE"]
        np.testing.assert_array_equal(weight, kept)


def test_the_onnx_file_paints_what_the_keras_file_does(finished):
    session = onnxruntime.InferenceSession(finished / "generator.onnx")
    (gray,), (rgb,) = session.get_inputs(), session.get_outputs()
    assert (gray.name, gray.shape) == ("grayscale", ["batch", "height", "width", 1])
    assert (rgb.name, rgb.shape) == ("rgb", ["batch", "height", "width", 3])
    generator = load(finished / "generator.keras")
    for shape in ((1, 24, 24, 1), (3, 40, 64, 1)):
        picture = np.random.default_rng(0).random(shape, np.float32)
        (painted,) = session.run(None, {"grayscale": picture})
        np.testing.assert_allclose(painted, generator.predict(picture, verbose=0), atol=1e-4)


def test_the_same_seed_gives_the_same_run_and_another_does_not(prepared, finished, tmp_path):
    assert train.main(flags(prepared, tmp_path / "same", epochs=2)) == 0
    assert_same(last_checkpoint(tmp_path / "same"), last_checkpoint(finished))
    assert train.main(flags(prepared, tmp_path / "other", epochs=2, seed=1)) == 0
    name = "generator/0/.ATTRIBUTES/VARIABLE_VALUE"
    assert (last_checkpoint(tmp_path / "other")[name] != last_checkpoint(finished)[name]).any()


def test_a_resumed_run_ends_as_one_that_was_never_stopped(prepared, finished, tmp_path, capsys):
    output = tmp_path / "run"
    assert train.main(flags(prepared, output, epochs=1)) == 0
    assert train.main(["--resume", "--output", str(output), "--epochs", "2"]) == 0
    assert "from epoch 2, step 1" in capsys.readouterr().out
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
    before = signal.getsignal(signal.SIGINT)
    original, calls = train.PaperGAN.draw, []

    def pressing_ctrl_c(self, *given):
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return original(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(train.PaperGAN, "draw", pressing_ctrl_c)
        assert train.main(flags(prepared, output, epochs=2)) == 130
    assert f"python train.py --resume --output {output}" in capsys.readouterr().out
    assert [path.stem for path in checkpoint_files(output)] == ["step-3"]
    assert signal.getsignal(signal.SIGINT) is before
    assert train.main(["--resume", "--output", str(output)]) == 0
    assert "from epoch 1, step 4" in capsys.readouterr().out
    assert_same(last_checkpoint(output), last_checkpoint(finished))


def test_a_killed_run_goes_on_and_ends_the_same(prepared, tmp_path):
    """`kill -9` in the middle of an epoch, then --resume, against a run left alone."""
    program = [sys.executable, "-c", TRAIN, "1", repr(NARROW)]
    command = [*program, *flags(prepared, tmp_path / "killed", epochs=3)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    checkpoints = tmp_path / "killed" / "checkpoints"
    while not (checkpoints / "checkpoint").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    whole = [*program, *flags(prepared, tmp_path / "whole", epochs=3)]
    again = [*program, "--resume", "--output", tmp_path / "killed"]
    for each in (again, whole):
        subprocess.run(each, cwd=ROOT, check=True, capture_output=True)
    assert_same(last_checkpoint(tmp_path / "killed"), last_checkpoint(tmp_path / "whole"))


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(
    prepared, finished, tmp_path, monkeypatch, capsys
):
    output = tmp_path / "run"
    assert train.main(flags(prepared, output)) == 0
    before = last_checkpoint(output)
    monkeypatch.setattr(train, "pixel_loss", lambda *pictures: ops.mean(pictures[0]) * np.nan)
    assert train.main(["--resume", "--output", str(output), "--epochs", "2"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "step 1 of epoch 2" in error
    assert "nan" in error
    assert_same(last_checkpoint(output), before)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains_and_keeps_a_float32_generator(prepared, tmp_path, precision):
    assert train.main(flags(prepared, tmp_path / "run", precision=precision)) == 0
    generator = load(tmp_path / "run" / "generator.keras")
    assert {layer.compute_dtype for layer in generator.layers} == {"float32"}
    gray = np.full((1, 24, 24, 1), 0.5, np.float32)
    assert np.isfinite(generator.predict(gray, verbose=0)).all()


def test_the_sample_sheet_shows_gray_generated_and_true(finished):
    sheet = photos.read_rgb(finished / "samples" / "epoch-0002.png")
    assert sheet.shape == (3 * 24, 4 * 24, 3)
    assert is_gray(sheet[:24])
    assert not is_gray(sheet[48:])


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
    assert "begun with seed 0, not 7" in error
    error = one_line_error(capsys, ["--resume", "--output", finished, "--system", "regress"])
    assert "train.PaperGAN, which is none of systems.regress.Regress" in error
    config = json.loads((finished / "config.json").read_text())
    config["settings"]["impetus"] = 1
    (tmp_path / "config.json").write_text(json.dumps(config))
    error = one_line_error(capsys, ["--resume", "--output", tmp_path])
    assert "has no setting impetus" in error


def test_one_process_of_a_cluster_writes_the_files(monkeypatch):
    chief = {"cluster": {"chief": ["a:1"], "worker": ["b:1"]}}
    for cluster, task, writes in (
        (chief, {"type": "chief", "index": 0}, True),
        (chief, {"type": "worker", "index": 0}, False),
        ({"cluster": {"worker": ["a:1", "b:1"]}}, {"type": "worker", "index": 0}, True),
        ({"cluster": {"worker": ["a:1", "b:1"]}}, {"type": "worker", "index": 1}, False),
    ):
        monkeypatch.setenv("TF_CONFIG", json.dumps(cluster | {"task": task}))
        assert devices.is_chief() == writes


def test_a_damaged_checkpoint_is_named_and_the_one_before_can_be_gone_on_from(
    prepared, finished, tmp_path, capsys
):
    output = tmp_path / "run"
    assert train.main(flags(prepared, output, epochs=2)) == 0
    newest = checkpoint_files(output)[-1]
    data = newest.with_suffix(".data-00000-of-00001")
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 0xFF
    data.write_bytes(content)
    capsys.readouterr()
    again = ["--resume", "--output", str(output)]
    assert str(newest.with_suffix("")) in one_line_error(capsys, again)
    for path in (newest, data):
        path.unlink()
    assert train.main(again) == 0
    assert_same(last_checkpoint(output), last_checkpoint(finished))


def test_a_run_of_a_system_that_train_does_not_know_is_refused(prepared, tmp_path, capsys):
    class Another(train.PaperGAN):
        """The paper's GAN as an experiment changes it."""

    settings = train.PaperSettings(
        data=str(prepared), output=str(tmp_path / "run"), batch_size=4, epochs=1
    )
    assert train.fit(Another, settings) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["system"].endswith("Another")
    capsys.readouterr()
    error = one_line_error(capsys, ["--resume", "--output", str(tmp_path / "run")])
    assert "Another" in error
    with pytest.raises(train.UserError, match="Another"):
        train.fit(train.PaperGAN, settings, resume=True)


def test_a_batch_larger_than_the_data_is_refused(prepared, tmp_path, capsys):
    error = one_line_error(capsys, flags(prepared, tmp_path / "run", **{"batch-size": 17}))
    assert "--batch-size 16" in error


@pytest.mark.parametrize("wrong", [("epochs", "0"), ("learning-rate", "-1"), ("batch-size", "x")])
def test_numbers_that_make_no_sense_are_refused(wrong, capsys):
    with pytest.raises(SystemExit) as stopped:
        train.main([f"--{wrong[0]}", wrong[1]])
    assert stopped.value.code == 2
    assert f"--{wrong[0]}" in capsys.readouterr().err


def test_the_device_is_named():
    assert devices.device().startswith(("the CPU", "the GPU"))


# -------------------------------------------------------------------------- the other systems


def test_samples_and_figures_are_of_the_kept_generator_over_all_test_pictures(tmp_path):
    """The sheet shows 8 of 15, the first, the last and every other."""
    gray_input = keras.Input((None, None, 1))
    kept = keras.Model(gray_input, keras.layers.Concatenate()([gray_input] * 3))
    data = prepare(tmp_path / "data", 16, train=0, test=15)
    split = dataset.open_split(data, "test")

    class Kept(System):
        settings, averaged = train.PaperSettings(batch_size=4), kept

    train.write_samples(tmp_path / "sheet.png", split, Kept())
    sheet = photos.read_rgb(tmp_path / "sheet.png")
    _, rgb = split.read(np.arange(15))
    np.testing.assert_array_equal(sheet[32:], np.concatenate(rgb[::2], axis=1))
    figures = train.evaluate_epoch(split, Kept())
    expected = [
        metrics.psnr(metrics.mean_squared_error(r, grayscale(r).repeat(3, -1))) for r in rgb
    ]
    assert figures["test_psnr"] == pytest.approx(np.mean(expected), abs=0.01)
    assert figures["test_colourfulness"] == 0


@pytest.fixture(scope="module")
def larger(tmp_path_factory):
    """Return a data folder of 4 training and 2 test pairs of 32x32 pixels."""
    return prepare(tmp_path_factory.mktemp("larger"), size=32, train=4, test=2)


SMALL = {"batch_size": 2, "least_colourfulness": 0, "epochs": 1}


@pytest.mark.parametrize("system", ["regress", "classify", "pix2pix", "semantic", "vgg16"])
def test_every_system_trains_resumes_and_leaves_a_generator(larger, tmp_path, system):
    output = tmp_path / "run"
    more = {"vgg16": {"encoder_weights": "none"}, "semantic": {"crop": 32, "last_crop": 32}}
    trained, changes = train.SYSTEMS[system], SMALL | more.get(system, {})
    settings = trained.Settings(data=str(larger), output=str(output), **changes)
    assert train.fit(trained, settings) == 0
    assert train.main(["--resume", "--output", str(output), "--epochs", "2"]) == 0
    with (output / "history.csv").open() as file:
        columns = set(next(csv.DictReader(file)))
    assert ("discriminator_loss" in columns) == (system == "pix2pix")
    size = 224 if system == "semantic" else 120
    assert zipfile.ZipFile(output / "generator.keras").comment == b'{"working_size": %d}' % size
    rgb = steps.paint(load(output / "generator.keras"), np.full((1, 40, 48, 1), 0.5, np.float32))
    assert rgb.shape == (1, 40, 48, 3)
    assert np.isfinite(rgb).all()


def test_help_shows_the_defaults_of_the_system(capsys):
    for system, epochs in (("paper", 50), ("pix2pix", 200), ("semantic", 16)):
        with pytest.raises(SystemExit):
            train.main(["--system", system, "--help"])
        assert f"passes over the training pictures (default: {epochs})" in capsys.readouterr().out


def test_nearly_gray_pictures_can_be_left_out(larger, capsys):
    split = dataset.open_split(larger, "train")
    _, rgb = split.read(np.arange(4))
    colours = [metrics.colourfulness(picture) for picture in rgb]
    kept = np.flatnonzero(np.array(colours) >= np.median(colours))
    settings = train.PaperSettings(
        data=str(larger), batch_size=2, least_colourfulness=np.median(colours)
    )
    train_split, _ = train.open_data(settings)
    np.testing.assert_array_equal(train_split.rows, kept)
    assert "2 of 4 training pictures are nearly gray" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["crop", "last_crop"])
def test_parts_larger_than_the_pictures_are_refused(larger, tmp_path, name):
    parts = {"crop": 32, "last_crop": 32, name: 64}
    settings = semantic.SemanticSettings(data=str(larger), output=str(tmp_path), **SMALL | parts)
    with pytest.raises(train.UserError, match="pictures of 32 pixels, and parts of 64 are to be"):
        train.fit(semantic.Semantic, settings)


def test_parts_of_a_size_that_the_network_does_not_take_are_refused(larger, tmp_path):
    settings = enlarge.EnlargeSettings(data=str(larger), output=str(tmp_path), **SMALL, crop=31)
    with pytest.raises(train.UserError, match="cannot learn from 31x31 pixels"):
        train.fit(enlarge.Enlarge, settings)


def test_the_weights_of_vgg16_that_cannot_be_had_are_named(larger, tmp_path, capsys):
    more = {"system": "vgg16", "encoder-weights": tmp_path / "none.keras"}
    error = one_line_error(capsys, flags(larger, tmp_path / "run", **more))
    assert f"{tmp_path / 'none.keras'} does not hold VGG-16" in error


def test_flips_and_crops_change_gray_and_colour_alike():
    random = np.random.default_rng(0)
    rgb = random.integers(0, 256, (64, 10, 12, 3), dtype=np.uint8)
    gray = rgb[..., :1]
    # No part is smaller than a picture whose rows are as long as what is cut out: it is flipped.
    square_gray, square = gray[:, :, :10], rgb[:, :, :10]
    flipped_gray, flipped = dataset.flip_and_crop(random, square_gray, square, 10)
    np.testing.assert_array_equal(flipped_gray, flipped[..., :1])
    mirrored = (flipped == square[:, :, ::-1]).all(axis=(1, 2, 3))
    straight = (flipped == square).all(axis=(1, 2, 3))
    assert (mirrored | straight).all()
    assert 16 < mirrored.sum() < 48
    cropped_gray, cropped = dataset.flip_and_crop(random, gray, rgb, 8)
    assert cropped.shape == (64, 8, 8, 3)
    np.testing.assert_array_equal(cropped_gray, cropped[..., :1])
    assert len({picture.tobytes() for picture in cropped}) == 64


def test_a_momentum_takes_sgd_in_place_of_both_adams():
    system = train.PaperGAN(train.PaperSettings(momentum=0.9, learning_rate=0.01), None)
    for optimizer in (system.generator_optimizer, system.discriminator_optimizer):
        assert isinstance(optimizer, keras.optimizers.SGD)
        assert (optimizer.momentum, float(optimizer.learning_rate)) == pytest.approx((0.9, 0.01))
    adam = train.PaperGAN(train.PaperSettings(), None).discriminator_optimizer
    assert isinstance(adam, keras.optimizers.Adam)
