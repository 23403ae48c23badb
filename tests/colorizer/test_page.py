"""The page without a browser: its handlers, its files, its server, its command line."""

import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import colorize as command
from colorizer import Colorizer
from colorizer.errors import UserError
from colorizer.files import photos
from colorizer.jobs.job import FilmJob, Outcome
from colorizer.jobs.request import Request

import numpy as np
import pytest
import standins
from PIL import Image
from test_films import frames_of, packets_of, write_film
from test_known import reddish, steps

pytest.importorskip("gradio", reason="the page needs Gradio (requirements-app.txt)")

from colorizer import page
from colorizer.page import film, many, serve, single, workspace

import gradio as gr

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300  # seconds until what does not end is an error


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return standins.save_echo(tmp_path_factory.mktemp("model") / "echo.onnx")


@pytest.fixture(scope="module")
def colorizer(model):
    return Colorizer(model, 128)


@pytest.fixture
def tab(tmp_path, colorizer):
    """Return a function that builds a tab outside of a page, by its class."""

    def tab(kind):
        with gr.Blocks():
            return kind(colorizer, tmp_path, 2, gr.State())

    return tab


@pytest.fixture
def files(tmp_path):
    return workspace.Workspace(tmp_path)


def redness(picture):
    return int((picture[..., 0].astype(int) - picture[..., 2]).max())


# ------------------------------------------------------------------------- files of a browser


def test_folders_of_old_answers_go_and_the_latest_stay(files):
    folders = [files.new_folder() for _ in range(workspace.KEPT_ANSWERS + 2)]
    kept = [folder.exists() for folder in folders]
    assert kept == [False, False] + [True] * workspace.KEPT_ANSWERS
    files.remove()
    assert not files.folder.exists()


def test_recent_colours_begin_with_the_newest_and_none_stands_twice(files):
    for number in range(workspace.RECENT_COLOURS + 1):
        files.remember((number, 0, 0))
    files.remember((5, 0, 0))
    assert files.recent[:2] == ["#050000", "#080000"]
    assert len(set(files.recent)) == len(files.recent) == workspace.RECENT_COLOURS


@pytest.mark.parametrize("text", ["#4a6fb5", "rgba(74, 111, 181, 1)", "rgb(73.6,111.2,181)"])
def test_a_colour_is_read_as_browsers_write_it(text):
    assert workspace.rgb_of(text) == (74, 111, 181)


@pytest.mark.parametrize(
    ("restore", "enlarge", "scale"),
    [(False, False, 0), (True, False, 1), (False, True, 2), (True, True, 2)],
)
def test_two_switches_give_the_scale(restore, enlarge, scale):
    assert workspace.scale_of(restore, enlarge) == scale


def test_two_uploads_of_one_name_are_kept_apart(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_text(name)
    paths = [workspace.link(tmp_path / name / "a.png", tmp_path / "in") for name in ("one", "two")]
    assert [path.name for path in paths] == ["a.png", "a-2.png"]
    assert [path.read_text() for path in paths] == ["one", "two"]


# ------------------------------------------------------------------------- one photograph


def test_files_of_other_tabs_are_named(tmp_path, tab, files):
    (tmp_path / "film.mp4").write_bytes(b"")
    Image.new("RGBA", (9, 9)).save(tmp_path / "a.hints.png")
    opened = tab(single.SingleTab)
    with pytest.raises(UserError, match=r"film\.mp4 is a film, and films have their own tab"):
        opened.open(tmp_path / "film.mp4", files)
    with pytest.raises(UserError, match=r"a\.hints\.png holds points that were saved"):
        opened.open(tmp_path / "a.hints.png", files)


# ------------------------------------------------------------------------- many photographs


@pytest.fixture
def colorize_all(tmp_path, tab, files):
    """Return a function that colorizes uploads and returns the report and the results by name."""

    def colorize_all(paths, reference=None, strength=1.0):
        opened = tab(many.ManyTab)
        inputs = list(map(str, paths)), None, reference and str(reference), False, False, strength
        _, report, archive = opened.colorize_all(files, *inputs)
        if not archive.value:
            return report, {}
        with zipfile.ZipFile(archive.value["path"]) as packed:
            packed.extractall(tmp_path / "unpacked")
            names = packed.namelist()
        return report, {name: photos.read_rgb(tmp_path / "unpacked" / name) for name in names}

    return colorize_all


def test_many_take_the_colours_of_a_reference_at_the_strength_asked_for(tmp_path, colorize_all):
    photos.write_png(tmp_path / "a.png", steps())
    photos.write_png(tmp_path / "red.png", reddish(steps()))
    report, results = colorize_all([tmp_path / "a.png"], tmp_path / "red.png")
    assert re.search(r"a\.png: \d+% of it looks like red\.png", report)
    full = redness(results["a.png"])
    half = redness(colorize_all([tmp_path / "a.png"], tmp_path / "red.png", 0.5)[1]["a.png"])
    none = redness(colorize_all([tmp_path / "a.png"], tmp_path / "red.png", 0.0)[1]["a.png"])
    assert full > 20
    assert 0.3 < half / full < 0.7
    assert none <= 1
    assert redness(colorize_all([tmp_path / "a.png"])[1]["a.png"]) <= 1


def test_films_among_many_are_named_and_the_photographs_done(tmp_path, colorize_all):
    photos.write_png(tmp_path / "a.png", steps())
    (tmp_path / "film.mp4").write_bytes(b"")
    report, results = colorize_all([tmp_path / "a.png", tmp_path / "film.mp4"])
    assert report.startswith("1 photographs are in colour.")
    assert "**film.mp4** is not: it is a film, and films have their own tab" in report
    assert list(results) == ["a.png"]
    report, results = colorize_all([tmp_path / "film.mp4"])
    assert report.startswith("0 photographs are in colour.")
    assert "film.mp4" in report
    assert not results


# ------------------------------------------------------------------------- a film


def test_what_is_done_in_another_tab_leaves_a_film_alone(tab, files, monkeypatch):
    def colorize_film(path, folder, *settings, **more):
        for _ in range(2 * workspace.KEPT_ANSWERS):
            files.new_folder()
        target = folder / "street.mkv"
        target.write_bytes(b"a film")
        return Outcome(FilmJob(None, "street.mkv", target))

    monkeypatch.setattr(film, "colorize_film", colorize_film)
    report, *_ = tab(film.FilmTab).colorize(files, "street.mkv", 1.0, None)
    assert report.startswith("street.mkv is in colour. Browsers do not play .mkv")
    assert [path.name for path in files.answers[-1].iterdir()] == ["street.mkv"]


def test_a_film_is_coloured_with_what_the_tab_says(tmp_path, tab, files, monkeypatch):
    photos.write_png(tmp_path / "red.png", reddish(steps()))
    given = []

    def colorize_film(path, folder, colorizer, request, on_frame):
        given.append(request)
        (folder / "street.mp4").write_bytes(b"a film")
        return Outcome(FilmJob(None, "", folder / "street.mp4"), remark="slow")

    monkeypatch.setattr(film, "colorize_film", colorize_film)
    opened = tab(film.FilmTab)
    red = str(tmp_path / "red.png")
    report, player, save = opened.colorize(files, "street.mp4", 0.5, red)
    assert report == "street.mp4 is in colour: slow."
    assert player.visible
    assert save.visible
    opened.colorize(files, "street.mp4", 1.0, None)
    assert [(each.strength, each.max_megapixels) for each in given] == [(0.5, 2), (1.0, 2)]
    assert given[0].reference.name == "red.png"
    assert given[1].reference is None


def test_a_film_under_way_ends_before_the_page_does(tab, files, monkeypatch):
    started, events = threading.Event(), []

    def endless(path, folder, colorizer, request, on_frame):
        started.set()
        while True:
            on_frame(1, 2)

    def colorize():
        with pytest.raises(gr.Error, match="The page has ended"):
            opened.colorize(files, "street.mp4", 1.0, None)
        events.append("film")

    monkeypatch.setattr(film, "colorize_film", endless)
    opened = tab(film.FilmTab)
    thread = threading.Thread(target=colorize, daemon=True)
    thread.start()
    assert started.wait(PATIENCE)
    with opened.ended():
        events.append("page")
    thread.join(PATIENCE)
    assert sorted(events) == ["film", "page"]
    assert not list(files.folder.glob("tmp*"))


def test_a_film_is_coloured_as_by_the_command(tmp_path):
    path, progress = write_film(tmp_path / "film.mkv", count=40), []
    brown = standins.save_brown(tmp_path / "brown.onnx")
    request, note = Request(strength=0.5), lambda *each: progress.append(each)
    outcome = film.colorize_film(path, tmp_path / "page", Colorizer(brown, 64), request, note)
    assert progress[1:] == [(number, 40) for number in range(1, 41)]
    flags = ["--model", str(brown), "--working-size", "64", "--strength", "0.5"]
    assert command.main(["--input", str(path), "--output", str(tmp_path / "out"), *flags]) == 0
    made, expected = outcome.job.target, tmp_path / "out" / "film.mkv"
    assert made.name == "film.mkv"
    assert packets_of(made, "audio") == packets_of(expected, "audio") != []
    for one, other in zip(frames_of(made), frames_of(expected), strict=True):
        assert np.abs(one.astype(int) - other).max() < 8  # x264 does not always answer the same


def test_a_film_may_not_be_too_long_or_too_large(tmp_path, colorizer, monkeypatch):
    path = write_film(tmp_path / "film.mkv", count=31)
    with pytest.raises(UserError, match=r"it has 64 x 48 pixels, more than 0\.003 megapixels"):
        film.colorize_film(path, tmp_path, colorizer, Request(max_megapixels=0.003), print)
    monkeypatch.setattr("colorizer.page.film.LONGEST_FILM", 1)
    with pytest.raises(UserError, match="it lasts 1 minutes, and the page takes 0"):
        film.colorize_film(path, tmp_path, colorizer, Request(), print)
    monkeypatch.setattr("colorizer.page.film.LONGEST_FILM", 2)
    film.colorize_film(path, tmp_path / "out", colorizer, Request(), lambda *progress: None)


# ------------------------------------------------------------------------- the server


def test_no_other_file_is_served(model):
    settings = serve.arguments().parse_args(["--model", str(model)])
    with serve.serving(settings) as address:
        for path in ("/etc/passwd", ROOT / "README.md", ROOT / "app.py", "app.py"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"{address}gradio_api/file={path}")
            assert refused.value.code in (403, 404)


def test_it_listens_here_only_and_leaves_nothing(tmp_path, model):
    command = [sys.executable, str(ROOT / "app.py"), "--model", str(model)]
    environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    line = process.stdout.readline()
    found = re.fullmatch(r"the page is at (http://127\.0\.0\.1:\d+/) \(Ctrl-C ends it\)\n", line)
    with urllib.request.urlopen(found[1]) as answer:
        assert b"Colorize" in answer.read()
    assert list(tmp_path.glob("colorizer-*"))
    process.terminate()
    assert process.wait(PATIENCE) == 130
    assert not list(tmp_path.glob("colorizer-*"))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_model_that_is_none_is_one_sentence(capsys):
    assert page.main(["--model", "none.onnx"]) == 2
    assert capsys.readouterr().err.startswith("error: there is no model none.onnx")


@pytest.mark.parametrize("flags", [("--working-size", "31"), ("--max-megapixels", "0")])
def test_sizes_are_those_that_colorize_takes(flags, capsys):
    with pytest.raises(SystemExit) as stopped:
        page.main(list(flags))
    assert stopped.value.code == 2
    assert flags[1] in capsys.readouterr().err
