"""The README's commands run on a few small pictures, and its tables are what was measured."""

import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

from colorizer import photos

import numpy as np
import pytest
from conftest import coloured_pictures
from skimage.color import rgb2lab

ROOT = Path(photos.__file__).parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

# What makes each documented command small. Every command of the README has to be here.
SMALLER = {
    "prepare_data.py --source imagenet": "--classes 2 --images-per-class 8 "
    "--test-images-per-class 2 --size 24",
    "train.py --epochs 50": "--epochs 1 --batch-size 8",
    "evaluate.py": "--inception-weights none.h5",
    "colorize.py --input samples --model outputs/train/generator.keras --output outputs/mine": "",
    "colorize.py --input my_photographs": "",
    "colorize.py --input samples --output outputs/demo": "",
}


def documented_commands():
    """Return every `python SCRIPT.py ...` of the README's shell blocks, in order."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = "\n".join(blocks).splitlines()
    return [line.split("python ", 1)[1] for line in lines if re.search(r"python \w+\.py", line)]


def run(command):
    """Run a documented command in this process, with the flags that make it small."""
    script, *flags = shlex.split(f"{command} {SMALLER[command]}")
    return importlib.import_module(script.removesuffix(".py")).main(flags)


def test_every_documented_command_is_tested():
    assert set(documented_commands()) == set(SMALLER)


@pytest.fixture
def newcomer(tmp_path, monkeypatch):
    """Stand in a folder with an ImageNet of generated pictures, samples, and one's own pictures."""
    monkeypatch.chdir(tmp_path)
    for split, count in (("train", 9), ("val", 3)):
        for number, name in enumerate(("n01440764", "n02102040", "n03028079")):
            pictures = coloured_pictures(count, seed=count * number)
            for index, picture in enumerate(pictures):
                file = f"{name}_{index}.JPEG"
                write_jpeg(tmp_path / "imagenet" / split / name / file, picture)
    for folder in ("samples", "my_photographs/below"):
        write_jpeg(tmp_path / folder / "one.jpg", coloured_pictures(1)[0].repeat(3, 0)[:, :20])
    return tmp_path


def write_jpeg(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    photos.write(path, photos.Photograph(picture))


def test_the_whole_path_runs_as_documented(newcomer):
    commands = documented_commands()
    # The experiment first: the other commands need nothing of it.
    for command in sorted(commands, key=lambda command: command.startswith("colorize")):
        assert run(command) == 0, command

    before = photos.read_rgb(newcomer / "samples" / "one.jpg")
    for folder in ("outputs/mine", "outputs/demo"):
        after = photos.read_rgb(newcomer / folder / "one.jpg")
        assert after.shape == before.shape
        luminance = rgb2lab(after)[..., 0] - rgb2lab(before)[..., 0]
        assert np.abs(luminance).mean() < 1  # of 100, through two JPEGs
    assert (newcomer / "outputs/colorized/below/one.jpg").exists()
    assert (newcomer / "outputs/evaluation/metrics.json").exists()
    assert not list(newcomer.rglob(".partial-*"))


def test_make_demo_does_what_the_readme_says():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "colorize.py --input samples --output outputs/demo" in makefile


def test_every_path_the_readme_names_exists():
    links = re.findall(r"\]\(([\w./-]+)\)", README)
    files = README.split("## Files")[1].split("\n\n")[1]
    table = re.findall(r"`([\w./]+)`", "\n".join(row.split("|")[1] for row in files.splitlines()))
    assert links
    assert table
    for path in links + table:
        assert (ROOT / path).exists(), path


def test_the_tables_of_the_readme_are_what_was_measured():
    """Each `python experiments/results_table.py` of the README prints what stands in the README."""
    commands = re.findall(r"`python experiments/results_table\.py ([^`]+)`", README)
    assert commands
    for names in commands:
        printed = subprocess.run(
            [sys.executable, ROOT / "experiments" / "results_table.py", *names.split()],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        assert printed in README, names
