"""README.md and docs/: commands run, paths exist, tables are what was measured."""

import argparse
import importlib
import json
import math
import re
import shlex
import sys
import types
import zipfile
from pathlib import Path

from colorizer.files import photos
from colorizer.pixels import is_gray

import numpy as np
import pytest
from generated import coloured_pictures
from skimage.color import rgb2lab

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
EXPERIMENTS = ROOT / "experiments" / "README.md"
RESULTS = ROOT / "docs" / "results.md"
TABLES = ROOT / "docs" / "tables"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")), *sorted(TABLES.glob("*.md")))
README_BYTES = 9000

# What makes each documented command small. Every command of the README's blocks has to be here.
SMALLER = {
    "prepare_data.py --source imagenet": "--classes 2 --images-per-class 8 "
    "--test-images-per-class 2 --size 24",
    "train.py --epochs 50": "--epochs 1 --batch-size 8",
    "evaluate.py": "--inception-weights none.h5",
    "colorize.py --input samples --model outputs/train/generator.onnx --output outputs/mine": "",
    "colorize.py --input my_photographs": "",
}

# Of what stands between backticks, what names a file or a folder of this project.
FOLDERS = "|".join(path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] != ".")
PROJECT_PATH = (
    rf"(?!outputs/|data/)((?:{FOLDERS})/[\w./*-]*|[\w./-]+\.(?:py|md|toml)"
    r"|requirements[\w-]*\.txt|Makefile|LICENSE)"
)


def text_of(page):
    return page.read_text(encoding="utf-8")


def name_of(page):
    return str(page.relative_to(ROOT))


def blocks(page, language):
    """Return the contents of a page's fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", text_of(page), re.DOTALL)


def python_commands(lines):
    """Return those of the lines that are `python SCRIPT.py ...`, without the word python."""
    found = [re.fullmatch(r"\s*(?:\.venv/bin/)?python ([\w/]+\.py\b.*)", line) for line in lines]
    return [" ".join(match[1].split()) for match in found if match]


def block_commands(page):
    """Return every command of a page's shell blocks, in order."""
    return python_commands("\n".join(blocks(page, "sh")).replace("\\\n", " ").splitlines())


def commands(page):
    """Return every command of a page: in shell blocks, indented, and between backticks."""
    text = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    indented = "\n".join(re.findall(r"^ {4}.*$", text, re.MULTILINE)).replace("\\\n", " ")
    spans = [span.replace("\n", " ") for span in re.findall(r"`([^`]+)`", text)]
    return block_commands(page) + python_commands(indented.splitlines() + spans)


# ----------------------------------------------------------------------------- commands


def users_commands():
    """Return the commands that the README gives a user, in order: those of its shell blocks."""
    return [command for command in block_commands(README) if "results_table.py" not in command]


def module_of(script):
    """Import a script, named by its path."""
    return importlib.import_module(script.removesuffix(".py").replace("/", "."))


def run(command):
    """Run a documented command in this process, with the flags that make it small."""
    script, *flags = shlex.split(f"{command} {SMALLER[command]}")
    return module_of(script).main(flags)


def test_every_documented_command_is_tested():
    assert set(users_commands()) == set(SMALLER)


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
    for file in ("samples/one.jpg", "my_photographs/below/one.jpg", "photograph.jpg"):
        write_jpeg(tmp_path / file, coloured_pictures(1)[0].repeat(3, 0)[:, :20])
    return tmp_path


def write_jpeg(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    photos.write(path, photos.Photograph(picture))


def assert_same_luminance(before, after):
    """Assert that a picture has the size and the luminance of another, through two JPEGs."""
    assert after.shape == before.shape
    luminance = rgb2lab(after)[..., 0] - rgb2lab(before)[..., 0]
    assert np.abs(luminance).mean() < 1  # of 100


def test_the_whole_path_runs_as_documented(newcomer):
    # The experiment first: the other commands need nothing of it.
    for command in sorted(users_commands(), key=lambda command: command.startswith("colorize")):
        assert run(command) == 0, command

    before = photos.read_rgb(newcomer / "samples" / "one.jpg")
    for result in ("outputs/mine/one.jpg", "outputs/colorized/below/one.jpg"):
        assert_same_luminance(before, photos.read_rgb(newcomer / result))
    assert (newcomer / "outputs/evaluation/metrics.json").exists()
    assert not list(newcomer.rglob(".partial-*"))


class Parsed(Exception):
    """A command line was understood, by the parser that is given."""


@pytest.fixture
def only_parse(monkeypatch, tmp_path):
    """Let every script stop with Parsed when it has parsed its command line, in an empty folder."""
    parse = argparse.ArgumentParser.parse_args

    def parsed(parser, argv):
        parser.allow_abbrev = False
        parse(parser, argv)
        raise Parsed(parser)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parsed)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("page", [*PAGES, EXPERIMENTS], ids=name_of)
def test_every_command_is_understood(page, only_parse):
    """Each script takes the flags that it is documented with; none is run here."""
    assert commands(page) or "python " not in text_of(page)
    for command in commands(page):
        script, *flags = shlex.split(command)
        assert (ROOT / script).exists(), command
        module = module_of(script)
        if command == "models.py":  # it takes none
            continue
        with pytest.raises((Parsed, SystemExit)) as stopped:
            module.main(flags)
        if stopped.type is SystemExit:
            assert (stopped.value.code, flags) == (0, ["--help"]), command


def notebook_cells():
    """Return the sources of the notebook's cells that are code."""
    notebook = json.loads(text_of(ROOT / "docs" / "colab.ipynb"))
    assert (notebook["nbformat"], notebook["metadata"]["kernelspec"]["name"]) == (4, "python3")
    for cell in notebook["cells"]:
        own = {"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else {}
        assert cell == {
            "cell_type": cell["cell_type"],
            "metadata": {},
            "source": cell["source"],
            **own,
        }
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if "outputs" in cell]
    assert len(cells) >= 6
    return cells


def test_the_notebook_s_commands_are_understood(only_parse):
    lines = "\n".join(notebook_cells()).splitlines()
    found = python_commands([line.removeprefix("!") for line in lines if line[:1] == "!"])
    assert {command.split()[0] for command in found} == {
        "colorize.py",
        "prepare_data.py",
        "train.py",
        "evaluate.py",
    }
    for command in found:
        script, *flags = shlex.split(command)
        with pytest.raises(Parsed):
            module_of(script).main(flags)
    for file in re.findall(r"install .*-r (\S+)", "\n".join(lines)):
        assert (ROOT / file).exists()


def test_the_notebook_colours_what_is_uploaded(newcomer, monkeypatch):
    """Its cells run in order; what only Colab has stands in, and what trains is left out."""
    saved = []
    photograph = (newcomer / "photograph.jpg").read_bytes()
    with zipfile.ZipFile(newcomer / "more.zip", "w") as archive:
        archive.writestr("below/two.jpg", photograph)
    more = (newcomer / "more.zip").read_bytes()
    files = types.SimpleNamespace(
        upload=lambda: {"one.jpg": photograph, "more.zip": more}, download=saved.append
    )
    shown = types.SimpleNamespace(Image=lambda path: path, display=saved.append)
    for name, module in (("google.colab", types.SimpleNamespace(files=files)), ("google", None)):
        monkeypatch.setitem(sys.modules, name, module or types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    names = {}
    for cell in notebook_cells()[:4]:
        lines = [line for line in cell.splitlines() if line[:1] not in ("%", "!")]
        exec("\n".join(lines), names)
        for command in python_commands([each[1:] for each in cell.splitlines() if each[:1] == "!"]):
            script, *flags = shlex.split(command)
            assert module_of(script).main(flags) == 0
    assert {Path(path).name for path in saved[:-1]} == {"one-compare.jpg", "two-compare.jpg"}
    with zipfile.ZipFile(newcomer / saved[-1]) as archive:
        assert "below/two.jpg" in archive.namelist()


def test_every_flag_exists(only_parse):
    """What the README and the results name alone between backticks is a flag of a script."""
    known = set()
    sheet = "experiments/measures/sheet.py --before a --after b --output c"
    for command in {*SMALLER, sheet, "experiments/trials/style_transfer.py a b"}:
        script, *flags = shlex.split(command)
        with pytest.raises(Parsed) as stopped:
            module_of(script).main(flags)
        known |= {*stopped.value.args[0]._option_string_actions}
    for page in (README, RESULTS):
        named = re.findall(r"`(--[\w-]+)[^`]*`", text_of(page))
        assert named
        assert set(named) <= known, page


def test_the_flags_of_the_table_are_those_of_colorize():
    table = text_of(README).split("## Your own photographs")[1].split("\n## ")[0]
    flags = re.findall(r"^\| `(--[^`]+)` \|", table, re.MULTILINE)
    assert len(flags) == 12
    parser = importlib.import_module("colorizer.cli").arguments()
    for flag in flags:
        name = flag.split()[0].removeprefix("--").replace("-", "_")
        given = vars(parser.parse_args(["--input", "photographs", *flag.split()]))
        default = vars(parser.parse_args(["--input", "photographs"]))
        assert [key for key in given if given[key] != default[key]] == [name]


def test_every_flag_of_colorize_is_explained():
    table = text_of(ROOT / "docs" / "files.md")
    explained = set(re.findall(r"^\| `(--[\w-]+)", table, re.MULTILINE))
    parser = importlib.import_module("colorizer.cli").arguments()
    assert explained == {*parser._option_string_actions} - {"-h", "--help"}


def test_make_demo_does_what_the_readme_says():
    makefile = text_of(ROOT / "Makefile")
    assert "colorize.py --input samples --output outputs/demo" in makefile
    assert "installed-colorize: requirements-colorize.txt" in makefile
    assert "\napp: $(VENV)/installed-app\n\t@$(BIN)/python app.py --browser\n" in makefile


def test_the_example_in_python_runs(newcomer):
    (example,) = blocks(README, "python")
    assert len(re.findall(r"^.+$", example, re.MULTILINE)) == 5
    names = {}
    exec(example, names)
    written = photos.read_rgb(newcomer / "colorized.png")
    np.testing.assert_array_equal(written, names["painted"])
    assert_same_luminance(names["image"].repeat(3, axis=-1), written)
    assert not is_gray(written)
    # Its comments say what the arrays are.
    assert (names["image"].dtype, names["image"].ndim, names["image"].shape[2]) == (np.uint8, 3, 1)
    assert (written.dtype, written.shape[2]) == (np.uint8, 3)


# ------------------------------------------------------------------------------ paths


def test_every_path_exists():
    """Links lead somewhere; what stands between backticks and names a file of the project, too."""
    found = 0
    for page in PAGES:
        text = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
        links = re.findall(r"\]\((?!http)([^)#]+)\)", text)
        named = re.findall(rf"`{PROJECT_PATH}`", text)
        for path in links:
            assert (page.parent / path).exists(), path
        for path in named:
            assert list(ROOT.glob(path)), path
        found += len(links + named)
    assert found > 30


def test_every_file_at_the_top_is_in_the_readme():
    files = text_of(README).split("## Files")[1].split("\n## ")[0]
    for path in ROOT.iterdir():
        is_package = (path / "__init__.py").exists()
        if path.suffix == ".py" or is_package:
            assert f"`{path.name}{'/' * is_package}`" in files, path


def test_the_readme_is_short():
    assert len(README.read_bytes()) <= README_BYTES


def test_each_page_is_reached_from_the_readme():
    assert "](docs/results.md)" in text_of(README)
    results = text_of(RESULTS)
    for page in PAGES[1:]:
        path = page.relative_to(RESULTS.parent)
        linked = f"](docs/{path})" in text_of(README) or f"]({path})" in results
        assert linked, page


# ------------------------------------------------------------------------------ figures


@pytest.mark.parametrize("page", [README, RESULTS], ids=name_of)
def test_the_tables_are_what_was_measured(page, capsys):
    """Each results_table.py prints the table that stands below it, and no table stands alone."""
    text = text_of(page)
    tables = [command for command in commands(page) if "results_table.py" in command]
    for command in tables:
        assert (
            module_of("experiments/measures/results_table.py").main(shlex.split(command)[1:]) == 0
        )
        last_word = command.split()[-1]
        assert f"{last_word}\n```\n\n{capsys.readouterr().out}\n" in text, command
    assert len(tables) == text.count("| pictures |  |") > 0


def test_the_pages_of_all_columns_are_what_was_measured():
    pages = module_of("experiments/measures/results_table.py").pages()
    assert {*pages, "films.md"} == {path.name for path in TABLES.iterdir()}
    for name, text in pages.items():
        assert text_of(TABLES / name) == text, f"{name}: results_table.py --write"


def test_a_table_of_the_results_has_at_most_six_columns():
    rules = re.findall(r"^\|(?: ?-+:? ?\|)+$", text_of(RESULTS), re.MULTILINE)
    assert len(rules) > 15
    assert max(rule.count("|") - 1 for rule in rules) <= 6


def record(name):
    return json.loads(text_of(ROOT / "experiments" / "results" / f"{name}.json"))


def test_the_speed_of_training_is_what_was_measured():
    results, measured = text_of(RESULTS), record("benchmark")
    for name, label in {
        "this project's step": "this project, both networks",
        "the stride-1 network's step (the peer)": "the peer, both networks",
        "this project's generator alone": "this project, generator alone",
        "the same generator in PyTorch": "the same generator in PyTorch 2.13",
    }.items():
        row = measured["rows"][name]
        assert (
            f"| {label} | {row['pictures_per_second']:.1f} | {row['gigaflop_per_picture']:.2f} "
            f"| {row['share_of_convolution_ceiling']:.0%} |\n" in results
        ), name
    assert measured["rows"]["the same generator in PyTorch"]["torch"].startswith("2.13")
    assert f"{measured['ceiling_gigaflop_per_second']['convolution']:.0f} GFLOP/s" in results
    assert f"\n{measured['times_the_peer']:.1f} times as fast as the peer" in results
    rate = measured["rows"]["this project's step"]["pictures_per_second"]
    assert f"trains {rate:.0f} images/s on two cores: {50 * 10000 / rate / 3600:.0f} hours" in (
        text_of(README)
    )

    measured = record("benchmark_long")
    assert f"{measured['steps']:,} steps" in results
    assert " ".join(
        f"memory goes from {measured['memory_mib_early']} MiB after the first epochs to "
        f"{measured['memory_mib_late']} MiB in the last, a step from "
        f"{measured['step_ms_early']:.0f} to {measured['step_ms_late']:.0f} ms".split()
    ) in " ".join(results.split())


def test_the_costs_of_the_systems_are_what_was_measured():
    systems = record("benchmark_systems")["systems"]
    printed = module_of("experiments/benchmarks/benchmark_systems.py").table(systems)
    assert f"\n\n{printed}\n\n" in text_of(RESULTS)


def test_the_results_of_style_transfer_are_what_was_measured():
    measured, results = record("style_transfer"), text_of(RESULTS)
    printed = module_of("experiments/trials/style_transfer.py").table(measured["results"])
    assert f"--size {measured['size']} --evaluations {measured['evaluations']}\n" in results
    assert f"\n\n{printed}\n\n" in results
    loss = {name: row["loss"] for name, row in measured["results"].items()}
    best = loss["L-BFGS, constant"]
    assert (
        f"Its loss ends {1 - best / loss['Adam, constant']:.0%} below Adam's and "
        f"{1 - best / loss['SGD, constant']:.0%} below that of SGD"
    ) in " ".join(results.split())


def test_what_vgg16_knows_is_what_was_measured():
    results = " ".join(text_of(RESULTS).split())
    card = json.loads(text_of(ROOT / "weights" / "vgg16.json"))
    found = {
        (name, block): card[name][block]["probe_accuracy"]
        for name in ("trained", "random")
        for block in ("block3", "block5")
    }
    assert (
        f"right in {found['trained', 'block3']:.1%} of 200 pictures, with random weights in "
        f"{found['random', 'block3']:.1%}; on the fifth block in "
        f"{found['trained', 'block5']:.1%} and {found['random', 'block5']:.1%}"
    ) in results
    assert card["layers_that_differ_from_oxford"] == []


def test_the_speed_of_the_data_is_what_was_measured():
    results, measured = text_of(RESULTS), record("benchmark_data")
    preparing = measured["preparing"]
    assert f"{preparing['pictures']:,} JPEGs" in results
    for label, key in {
        "`prepare_data.py`": "prepare_seconds",
        "the same in a plain Pillow loop": "plain_loop_seconds",
        "decoding alone, on the same two cores": "decode_alone_seconds",
    }.items():
        assert f"| {label} | {preparing[key]:.1f} |\n" in results
    for name, stream in measured["streams"].items():
        pictures, _ = name.split()
        rate, memory = stream["pictures_per_second"], stream["memory_mib"]
        assert f"| {int(pictures):,} pictures | {rate:,} | {memory} |\n" in results


def test_the_speed_of_colorizing_is_what_was_measured():
    results, measured = text_of(RESULTS), record("benchmark_colorize")
    ratios = []
    for row in measured["sets"]:
        spent, opencv = row["colorize_processor_seconds"], row["opencv_processor_seconds"]
        ratios.append(spent / opencv)
        assert (
            f" | {row['colorize_seconds']:.1f} | {spent:.1f} | {opencv:.1f} | {ratios[-1]:.1f} "
            f"| {row['peak_memory_mib']} |\n" in results
        )
    first = {row["model"]: row["first_picture_seconds"] for row in measured["first_picture"]}
    assert f"{first['semantic']:.2f} seconds with `semantic` and {first['paper']:.2f}" in results
    small = measured["sets"][0]
    assert (small["model"], small["photographs"], small["megapixels"]) == ("semantic", 200, 1)
    assert (
        f"The first picture is there {first['semantic']:.1f} seconds after the start. On two cores "
        "200 photographs of 1 megapixel take "
        f"{small['colorize_seconds']:.0f} seconds, {ratios[0]:.1f} times the processor seconds of "
        f"decoding and encoding them with OpenCV, and {small['peak_memory_mib']} MiB of memory"
    ) in " ".join(text_of(README).split())


def test_the_figures_of_enlarging_are_what_was_measured():
    found, module = (
        record("measure_enlarge"),
        module_of("experiments/measures/measure_enlarge.py"),
    )
    results = text_of(RESULTS)
    for table in (
        module.sets_table(found["sets"], found["parameters"]),
        module.damage_table(found),
        module.cost_table(found["cost"]),
    ):
        assert f"\n\n{table}\n\n" in results
    scratches, results = found["scratches"], " ".join(results.split())
    assert (
        f"the mean absolute error falls by {scratches['absolute_falls']:.0%} (squared: "
        f"{scratches['squared_falls']:.0%}), from {scratches['before']:.1f} to "
        f"{scratches['after']:.1f} gray levels; elsewhere it is {scratches['elsewhere']:.1f}"
    ) in results
    assert f"comes out at {found['undamaged_x1']['same_psnr']:.1f} dB to itself" in results


def test_the_figures_of_films_are_what_was_measured():
    results = text_of(RESULTS)
    steadiness = module_of("experiments/measures/measure_film.py").table(
        record("measure_film")["clips"]
    )
    assert f"\n\n{steadiness}\n" in text_of(TABLES / "films.md")
    ways = {row["way"] for row in record("measure_film")["clips"]}
    for line in steadiness.splitlines()[-len(ways) :]:
        way, cdc, _, psnr, *moves = (cell.strip() for cell in line.split("|")[2:])
        assert f"\n| {way} | {' | '.join(moves[:3])} | {cdc} | {psnr} |\n" in results
    by_way = {}
    for row in record("measure_film")["clips"]:
        by_way.setdefault(row["way"], []).append(row)
    pairs = list(zip(by_way["steady"], by_way["frame by frame"], strict=True))
    shares = {
        name: [100 * steady[name] / other[name] for steady, other in pairs]
        for name in ("drift", "chroma_change", "colourfulness", "cdc")
    }
    psnr = [steady["psnr"] - other["psnr"] for steady, other in pairs if other["psnr"]]
    assert (
        f"In each of {len(pairs)} clips the colours of a point drift at most "
        f"{math.ceil(max(shares['drift']))}% as far as frame by frame, chroma changes along the "
        f"motion at most {math.ceil(max(shares['chroma_change']))}% as much, colourfulness is at "
        f"least {math.floor(min(shares['colourfulness']))}% of that, CDC at most "
        f"{math.ceil(max(shares['cdc']))}%"
        + (f", and PSNR against films in colour at least {min(psnr):+.2f} dB" if psnr else "")
    ) in " ".join(results.split())
    speed = module_of("experiments/benchmarks/benchmark_films.py").table(
        record("benchmark_films")["films"]
    )
    assert f"\n\n{speed}\n\n" in results


def test_the_threshold_of_85_percent_is_what_was_measured():
    measured = record("paper_gan/test")
    accuracy = [100 * measured[name]["ssim_accuracy"] for name in ("generated", "gray_copy")]
    thresholds = measured["ssim_threshold_for_85_percent"]
    for sentence in (
        f"At the threshold 0.8 of SSIM, {accuracy[0]:.1f}% of the test pictures of `paper` pass, "
        f"and {accuracy[1]:.1f}% of the gray copies",
        f"`paper` scores 85% at the threshold {thresholds['generated']:.3f}, the gray copy at "
        f"{thresholds['gray_copy']:.3f}",
    ):
        assert sentence in " ".join(text_of(RESULTS).split())


def test_the_table_of_the_paper_says_what_the_code_does():
    """The settings of the paper's table are those of models.py and train.py."""
    models, train = (importlib.import_module(name) for name in ("models", "train"))
    settings, page = train.PaperSettings(), text_of(ROOT / "docs" / "paper.md")
    softness = settings.label_softness
    for part in (
        f"{models.build_generator().count_params() / 1e6:.2f} million parameters",
        f"{1 - softness:.1f} to 1.0 and 0.0 to {softness:.1f}, one in "
        f"{1 / settings.label_flips:.0f} flipped",
        f"adversarial + {settings.pixel_weight:g} x mean absolute error",
        f"Adam, {settings.learning_rate:.0e}, batches of".replace("e-0", "e-"),
        f"batches of {settings.batch_size}",
    ):
        assert part in page, part
