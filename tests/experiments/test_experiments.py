"""The scripts below experiments/ that make what the README shows."""

import contextlib
import importlib
import json
import re
import shlex
from pathlib import Path

import train
from colorizer.files import photos
from colorizer.pixels import is_gray
from experiments.benchmarks import timing
from experiments.measures import records
from experiments.trials import recipes
from pictures import dataset
from systems import regress
from training import export, runs
from training.cost import gigaflop
from training.settings import parse_arguments

import keras
import numpy as np
import pytest
from generated import coloured_pictures, prepare

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """Stand in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def script(monkeypatch, folder):
    """Return a function that imports a script, with all results and weights below tmp_path."""
    # The networks of these runs are none.
    monkeypatch.setattr(
        export, "write_beside", lambda path: path.with_suffix(".onnx").write_bytes(b"onnx")
    )

    def load(name):
        module = importlib.import_module(f"experiments.{name}")
        monkeypatch.setattr(module, "ROOT", folder, raising=False)
        for owner in (module, records):
            if hasattr(owner, "RESULTS"):
                monkeypatch.setattr(owner, "RESULTS", folder / "experiments" / "results")
        return module

    return load


# --------------------------------------------------------------------------------- publishing


def write_run(folder, system=train.PaperGAN, **settings):
    """Write the files of a run and of its evaluation that are published; return both folders."""
    run, evaluation = folder / "run", folder / "evaluation"
    runs.write_config(system, system.Settings(output=str(run), **settings))
    (run / "generator.keras").write_bytes(b"keras")
    (run / "history.csv").write_text("epoch,seconds\n1,10.5\n2,9.5\n")
    evaluation.mkdir()
    metrics = {
        "images": 1000,
        "data": "/home/someone/pictures",
        "gray_copy": {"psnr": 24.0, "fid": None, "colourfulness": 0.0},
        "generated": {"psnr": 23.456, "fid": None, "colourfulness": 19.5},
        "true_colourfulness": 38.2,
    }
    (evaluation / "metrics.json").write_text(json.dumps(metrics))
    return run, evaluation


def publish(script, run, evaluation, *more):
    flags = ["--run", str(run), "--name", "published", "--evaluation", f"test={evaluation}", *more]
    return script("measures.publish").main(flags)


def test_an_averaged_run_says_what_else_to_run(script, folder):
    run, evaluation = write_run(folder)
    config = json.loads((run / "config.json").read_text())
    config["settings"]["output"] = "outputs/longer"
    config["averaged"] = {"share": 0.25, "other": "semantic.keras"}
    (run / "config.json").write_text(json.dumps(config))
    assert publish(script, run, evaluation) == 0
    command = json.loads((folder / "weights" / "published.json").read_text())["command"]
    assert command.startswith("python train.py --system paper ")
    assert command.endswith(
        " && python experiments/trials/average.py outputs/longer weights/semantic.keras "
        "outputs/longer-averaged --share 0.25"
    )


def test_publishing_and_the_table_of_it(script, folder, capsys):
    assert publish(script, *write_run(folder, epochs=3)) == 0
    assert (folder / "weights" / "published.keras").read_bytes() == b"keras"
    assert (folder / "weights" / "published.onnx").read_bytes() == b"onnx"
    card = json.loads((folder / "weights" / "published.json").read_text())
    assert (card["epochs"], card["epochs_planned"], card["training_seconds"]) == (2, 3, 20)
    assert card["system"] == "train.PaperGAN"
    assert "average.py" not in card["command"]
    assert card["settings"]["pixel_weight"] == 100
    assert card["metrics"]["test"]["generated"]["psnr"] == 23.456
    results = folder / "experiments" / "results" / "published"
    assert sorted(path.name for path in results.iterdir()) == ["history.csv", "test.json"]
    assert json.loads((results / "test.json").read_text())["data"] == "pictures"

    capsys.readouterr()
    assert script("measures.results_table").main(["published/test"]) == 0
    header, rule, gray, model, truth = capsys.readouterr().out.splitlines()
    assert header == "| pictures |  | PSNR dB | colourfulness |"  # no FID was measured
    assert rule.count("|") == header.count("|")
    assert gray == "| 1,000 test | gray copy | 24.00 | 0.0 |"
    assert model == "|  | published | 23.46 | 19.5 |"
    assert truth == "|  | truth | — | 38.2 |"

    assert (
        script("measures.results_table").main(
            ["published/test", "--columns", "colourfulness", "psnr"]
        )
        == 0
    )
    header, rule, _, model, _ = capsys.readouterr().out.splitlines()
    assert header == "| pictures |  | colourfulness | PSNR dB |"
    assert rule == "| --- | --- | ---: | ---: |"
    assert model == "|  | published | 19.5 | 23.46 |"


@pytest.mark.parametrize("name", train.SYSTEMS)
def test_the_cards_command_gives_the_same_settings_again(script, folder, name):
    system = train.SYSTEMS[name]
    run, evaluation = write_run(folder, system, epochs=3, seed=5, data="my data", learning_rate=0.5)
    assert publish(script, run, evaluation, "--figures-only") == 0
    card = json.loads((folder / "experiments" / "results" / "published" / "card.json").read_text())
    python, file, *flags = shlex.split(card["command"])
    assert (python, file) == ("python", "train.py")
    (run / "config.json").unlink()  # or the command would be refused
    again = parse_arguments(flags, "", train.SYSTEMS)
    given = {"epochs": 3, "seed": 5, "data": "my data", "learning_rate": 0.5, "output": str(run)}
    assert again == (system, system.Settings(**given), False)


def test_the_card_says_how_many_pictures_of_what_it_was_trained_on(script, folder):
    data = prepare(folder / "prepared", size=32, train=6, test=2)
    run, evaluation = write_run(folder, data=str(data))
    assert publish(script, run, evaluation) == 0
    card = json.loads((folder / "weights" / "published.json").read_text())
    assert sum(card["pictures"].values()) == 6
    assert set(card["pictures"]) == set(dataset.read_manifest(data)["classes"])


def test_the_card_of_a_variant_names_the_experiment(script, folder):
    run, evaluation = write_run(folder, epochs=10, dilations=False)
    assert publish(script, run, evaluation) == 0
    card = json.loads((folder / "weights" / "published.json").read_text())
    assert (
        card["command"] == "python experiments/trials/variants.py ingredients  # without_dilation"
    )


def test_a_run_that_nothing_repeats_is_not_published(script, folder, capsys):
    assert publish(script, *write_run(folder, epochs=11, dilations=False)) == 2
    assert "no variant repeats this run of train.PaperGAN" in capsys.readouterr().err
    assert not (folder / "weights").exists()
    assert not (folder / "experiments").exists()


def test_figures_are_published_without_weights(script, folder):
    assert publish(script, *write_run(folder), "--figures-only") == 0
    assert not (folder / "weights").exists()
    results = folder / "experiments" / "results" / "published"
    assert json.loads((results / "card.json").read_text())["training_seconds"] == 20
    assert json.loads((results / "test.json").read_text())["images"] == 1000


def test_what_is_no_run_is_refused(script, folder, capsys):
    assert script("measures.publish").main(["--run", str(folder), "--name", "x"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (folder / "weights").exists()


# ----------------------------------------------------------------------------------- variants


def one_variant(script, monkeypatch, system, **settings):
    """Return variants.py with one variant, called tiny, in its group "ingredients"."""
    variants = {"tiny": (system, system.Settings(**settings))}
    monkeypatch.setattr(recipes, "GROUPS", {"ingredients": variants})
    return script("trials.variants")


@contextlib.contextmanager
def stopped_at_once():
    """Take the place of `runs.interruption` as if Ctrl-C had come in the first step."""
    yield iter((False, True, True)).__next__


@pytest.mark.slow
def test_a_stopped_variant_goes_on_as_the_printed_command_says(
    script, monkeypatch, folder, prepared, narrow_networks, capsys
):
    settings = {"data": str(prepared), "epochs": 1, "batch_size": 4, "skips": False}
    variants = one_variant(script, monkeypatch, train.PaperGAN, **settings)
    with monkeypatch.context() as patch:
        patch.setattr(runs, "interruption", stopped_at_once)
        status = variants.main(["ingredients", "--inception-weights", "no file.h5"])
    assert status == 130
    printed = capsys.readouterr().out.strip().splitlines()[-1]
    command = "python experiments/trials/variants.py ingredients --inception-weights 'no file.h5'"
    assert printed == f"stopped; go on with: {command}"
    run = Path("outputs/variants/tiny")
    config = json.loads((run / "config.json").read_text())
    assert (config["system"], config["settings"]["skips"]) == ("train.PaperGAN", False)
    assert not (run / "generator.keras").exists()

    assert variants.main(shlex.split(command)[2:]) == 0
    assert "from epoch 1, step 2" in capsys.readouterr().out
    generator = keras.saving.load_model(run / "generator.keras", compile=False)
    assert "up1_skip" not in [layer.name for layer in generator.layers]
    results = folder / "experiments" / "results" / "tiny"
    assert (results / "history.csv").read_text() == (run / "history.csv").read_text()
    assert json.loads((results / "test.json").read_text())["images"] == 4

    assert variants.main(["ingredients"]) == 0
    assert "tiny: measured earlier" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("system", "changes", "reason"),
    [
        (regress.Regress, {}, "trains train.PaperGAN, not systems.regress.Regress"),
        (train.PaperGAN, {"skips": True}, "begun with skips False, not True"),
        (train.PaperGAN, {"pixel_weight": 1}, "begun with pixel_weight 100, not 1"),
    ],
)
def test_a_run_of_something_else_is_refused(
    script, monkeypatch, prepared, narrow_networks, capsys, system, changes, reason
):
    begun = {"data": str(prepared), "batch_size": 4, "epochs": 1}
    output = "outputs/variants/tiny"
    runs.write_config(train.PaperGAN, train.PaperSettings(**begun, output=output, skips=False))
    if system is train.PaperGAN:
        changes = {"skips": False} | changes
    assert one_variant(script, monkeypatch, system, **begun, **changes).main(["ingredients"]) == 2
    assert reason in capsys.readouterr().err
    assert not Path(output, "checkpoints").exists()


def test_train_py_does_not_go_on_with_what_it_does_not_know(script, capsys):
    trial = script("trials.semantic_trials").Trial
    settings = trial.Settings(output="outputs/trials/semantic")
    runs.write_config(trial, settings)
    assert train.main(["--resume", "--output", settings.output]) == 2
    error = capsys.readouterr().err
    assert "trains experiments.trials.semantic_trials.Trial" in error
    assert "go on with it by the command that began it" in error


def test_every_published_variant_has_a_recipe_and_no_two_are_the_same(script):
    groups = script("trials.recipes").GROUPS
    for variants in groups.values():
        recorded = [(runs.name_of(s), runs.as_recorded(given)) for s, given in variants.values()]
        assert all(recorded.count(one) == 1 for one in recorded)
    names = {name for variants in groups.values() for name in variants}
    results = ROOT / "experiments" / "results"
    published = {path.name for path in results.iterdir() if path.is_dir()}
    # An earlier system's variants have names that begin like those of the default colorizer's runs.
    no_variants = {name for name in published if name.startswith("semantic")}
    no_variants |= {
        "paper_gan",
        "paper_gan_imagenet10",
        "enlarge_clean",
        "enlarge_photo",
        "restore",
        "find_marks",
    }
    assert {re.sub(r"_seed\d+$", "", name) for name in published - no_variants} <= names


def test_a_seed_has_its_own_run_and_result(script, monkeypatch):
    variants = one_variant(script, monkeypatch, train.PaperGAN)
    measured = []
    monkeypatch.setattr(
        variants, "measure", lambda name, system, settings, _: measured.append((name, settings))
    )
    assert variants.main(["ingredients"]) == variants.main(["ingredients", "--seed", "2"]) == 0
    (first, own), (second, other) = measured
    assert (first, second) == ("tiny", "tiny_seed2")
    assert (own.seed, other.seed) == (0, 2)
    assert (own.output, other.output) == ("outputs/variants/tiny", "outputs/variants/tiny_seed2")


def test_the_table_has_the_mean_over_seeds(script, monkeypatch, tmp_path):
    tables = script("measures.results_table")
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    for name, psnr in (("one", 20), ("one_seed1", 23), ("one_seed2", 21.5), ("alone", 25)):
        result = {"images": 4, "ssim_threshold": 0.8, "gray_copy": {"psnr": 19}}
        folder = tmp_path / name
        folder.mkdir()
        (folder / "test.json").write_text(json.dumps(result | {"generated": {"psnr": psnr}}))
    lines = tables.table(["one/test", "alone/test"], ["psnr"]).splitlines()
    assert lines[3] == "|  | one, 3 seeds | 21.50 (20.00 to 23.00) |"
    assert lines[4] == "|  | alone | 25.00 |"


# ------------------------------------------------------------------------------ the benchmarks


def test_the_peer_of_the_benchmark_has_the_published_number_of_parameters(script):
    generator = script("benchmarks.benchmark").build_peer_generator()
    assert generator.count_params() == 1_406_403
    assert generator.output_shape == (None, 120, 120, 3)


@pytest.mark.slow
def test_the_benchmark_counts_the_work_of_the_networks_that_learn(
    script, monkeypatch, narrow_networks
):
    benchmark = script("benchmarks.benchmark")
    monkeypatch.setattr(timing, "SECONDS", 0.01)
    gan = train.PaperGAN(train.PaperSettings(), train_split=None)
    generator, discriminator = gigaflop(gan.generator, 120), gigaflop(gan.discriminator, 120)
    peer = gigaflop(benchmark.build_peer_generator(), 120)
    for system, work in (
        (train.PaperGAN, 3 * generator + 7 * discriminator),
        (benchmark.GeneratorAlone, 3 * generator),
        (benchmark.Peer, 3 * peer + 7 * discriminator),
    ):
        row = benchmark.system_row(system, 1, "float32")
        assert row["gigaflop_per_picture"] == pytest.approx(work)
        assert row["pictures_per_second"] > 0


# ---------------------------------------------------------------------------------- the sheet


def test_the_sheet_shows_all_photographs_in_gray_above_their_colours(script, folder):
    for name, seed in (("before", 0), ("after", 1)):
        for number, picture in enumerate(coloured_pictures(3, seed)):
            photos.write_png(folder / name / f"{number}.png", picture)
    output = folder / "sheet.jpg"
    sheet = script("measures.sheet")
    flags = ["--before", folder / "before", "--after", folder / "after", "--output", output]
    assert sheet.main([str(flag) for flag in flags]) == 0
    picture = photos.read_rgb(output)
    assert picture.shape[0] == 2 * sheet.CELL + sheet.MARGIN
    assert is_gray(picture[: sheet.CELL])
    assert not is_gray(picture[-sheet.CELL :])
    white = picture[:, 3 * (sheet.CELL + sheet.MARGIN) :]
    assert np.mean(white) > 250
