"""The scripts below experiments/ that make what the README shows."""

import importlib.util
import json
from pathlib import Path

from colorizer import photos

import numpy as np
import pytest
from conftest import coloured_pictures

ROOT = Path(photos.__file__).parent


@pytest.fixture
def script(monkeypatch, tmp_path):
    """Return a function that imports a script, with its results and weights below tmp_path."""

    def load(name):
        path = ROOT / "experiments" / f"{name}.py"
        specification = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        for constant, value in (("ROOT", tmp_path), ("RESULTS", tmp_path / "experiments/results")):
            if hasattr(module, constant):
                monkeypatch.setattr(module, constant, value)
        return module

    return load


@pytest.fixture
def finished_run(tmp_path):
    """Write the files of a run and of its evaluation that are published."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "generator.keras").write_bytes(b"weights")
    (run / "history.csv").write_text("epoch,seconds\n1,10.5\n2,9.5\n")
    settings = {"epochs": 3, "seed": 0, "flips": True, "crop": None}
    settings |= {"dilations": True, "skips": True}
    config = {"settings": settings, "versions": {}, "git_commit": "abc", "device": "the CPU"}
    (run / "config.json").write_text(json.dumps(config))
    evaluation = tmp_path / "evaluation"
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


def test_publishing_and_the_table_of_it(script, finished_run, tmp_path, capsys):
    run, evaluation = finished_run
    flags = ["--run", str(run), "--name", "paper_gan", "--evaluation", f"test={evaluation}"]
    assert script("publish").main(flags) == 0
    assert (tmp_path / "weights" / "paper_gan.keras").read_bytes() == b"weights"
    card = json.loads((tmp_path / "weights" / "paper_gan.json").read_text())
    assert card["command"] == "python train.py --epochs 3 --seed 0 --flips"
    assert (card["epochs"], card["epochs_planned"], card["training_seconds"]) == (2, 3, 20)
    results = tmp_path / "experiments" / "results" / "paper_gan"
    assert sorted(path.name for path in results.iterdir()) == ["history.csv", "test.json"]
    assert json.loads((results / "test.json").read_text())["data"] == "pictures"

    capsys.readouterr()
    assert script("results_table").main(["paper_gan/test"]) == 0
    header, rule, gray, model, truth = capsys.readouterr().out.splitlines()
    assert header == "| pictures |  | PSNR dB | FID | colourfulness |"
    assert rule.count("|") == header.count("|")
    assert gray == "| 1,000 test | gray copy | 24.00 | — | 0.0 |"
    assert model == "|  | paper gan | 23.46 | — | 19.5 |"
    assert truth == "|  | truth | — | — | 38.2 |"


def test_figures_are_published_without_weights(script, finished_run, tmp_path):
    run, evaluation = finished_run
    flags = ["--run", str(run), "--name", "other", "--evaluation", f"test={evaluation}"]
    assert script("publish").main([*flags, "--figures-only"]) == 0
    assert not (tmp_path / "weights").exists()
    results = tmp_path / "experiments" / "results" / "other"
    assert json.loads((results / "card.json").read_text())["training_seconds"] == 20
    assert json.loads((results / "test.json").read_text())["images"] == 1000


def test_what_is_no_run_is_refused(script, tmp_path, capsys):
    assert script("publish").main(["--run", str(tmp_path), "--name", "x"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "weights").exists()


def test_the_sheet_shows_all_photographs_in_gray_above_their_colours(script, tmp_path):
    for folder, seed in (("before", 0), ("after", 1)):
        for number, picture in enumerate(coloured_pictures(3, seed)):
            photos.write_png(tmp_path / folder / f"{number}.png", picture)
    output = tmp_path / "sheet.jpg"
    sheet = script("sheet")
    flags = ["--before", tmp_path / "before", "--after", tmp_path / "after", "--output", output]
    assert sheet.main([str(flag) for flag in flags]) == 0
    picture = photos.read_rgb(output)
    assert picture.shape[0] == 2 * sheet.CELL + sheet.MARGIN
    assert photos.is_gray(picture[: sheet.CELL])
    assert not photos.is_gray(picture[-sheet.CELL :])
    white = picture[:, 3 * (sheet.CELL + sheet.MARGIN) :]
    assert np.mean(white) > 250


def test_the_peer_of_the_benchmark_has_the_published_number_of_parameters(script):
    generator = script("benchmark").build_peer_generator()
    assert generator.count_params() == 1_406_403
    assert generator.output_shape == (None, 120, 120, 3)
