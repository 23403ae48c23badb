"""The page without a browser: its handlers, its files, its server, its command line."""

import dataclasses
import re
import shutil
import subprocess
import sys
import threading
import types
import urllib.error
import urllib.request
import zipfile
from fractions import Fraction
from pathlib import Path

import colorize as command
from colorizer import Colorizer
from colorizer.errors import UserError
from colorizer.files import photos
from colorizer.films import decode
from colorizer.hints import drawing
from colorizer.jobs.job import FilmJob, Outcome
from colorizer.jobs.request import Request

import numpy as np
import pytest
import standins
from PIL import Image
from test_films import frames_of, packets_of, write_film
from test_known import reddish, steps
from test_pdf import FULL, jpeg, pdf

pytest.importorskip("gradio", reason="the page needs Gradio (requirements-app.txt)")

from colorizer import page
from colorizer.page import film, many, serve, single, workspace

import gradio as gr

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300  # seconds until what does not end is an error
ONE = types.SimpleNamespace(session_hash="one")  # a request of a browser
BLUE = (74, 111, 181)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return standins.save_echo(tmp_path_factory.mktemp("model") / "echo.onnx")


@pytest.fixture(scope="module")
def colorizer(model):
    return Colorizer(model, 128)


@pytest.fixture
def workspaces(tmp_path):
    return workspace.Workspaces(tmp_path)


@pytest.fixture
def files(workspaces):
    """Return the workspace of the browser that ONE is the request of, with its tab open."""
    return workspaces.enter(ONE.session_hash, None)


@pytest.fixture
def tab(colorizer, workspaces, files):
    """Return a function that builds a tab outside of a page, by its class."""

    def tab(kind):
        with gr.Blocks():
            return kind(colorizer, workspaces, 2)

    return tab


@pytest.fixture
def warnings(monkeypatch):
    """Return the messages that the page shows."""
    shown = []
    monkeypatch.setattr(gr, "Warning", lambda message, **settings: shown.append(message))
    return shown


def redness(picture):
    return int((picture[..., 0].astype(int) - picture[..., 2]).max())


# ------------------------------------------------------------------------- files of a browser


def test_folders_of_old_answers_go_and_the_latest_stay(files):
    folders = [files.new_folder() for _ in range(workspace.KEPT_ANSWERS + 2)]
    kept = [folder.exists() for folder in folders]
    assert kept == [False, False] + [True] * workspace.KEPT_ANSWERS


def test_a_reload_brings_a_workspace_back_and_its_token_nobody_elses(workspaces):
    token, other = "1-" * 20, "2-" * 20
    first = workspaces.enter("first", token)
    assert workspaces.enter("other", other) is not first
    workspaces.beat("first", False)
    workspaces.beat("second", True)
    assert workspaces.enter("second", token) is workspaces.of("second") is first
    assert len(list(first.folder.parent.iterdir())) == 2  # that of the second went
    # What is no secret brings nothing.
    assert workspaces.enter("third", "") is not workspaces.enter("fourth", "")
    assert workspaces.enter("fifth", "short") is not workspaces.enter("sixth", "short")


def test_workspaces_whose_tabs_are_closed_go_in_time(workspaces, monkeypatch):
    kept, old, busy = (workspaces.enter(name, None) for name in ("kept", "old", "busy"))
    for name in ("old", "busy"):
        workspaces.beat(name, False)
    with busy.working():
        workspaces.of("soon")
        assert old.folder.exists()  # somebody may come back
        monkeypatch.setattr(workspace, "KEPT_SECONDS", -1)
        workspaces.of("later")
        assert [each.folder.exists() for each in (kept, old, busy)] == [True, False, True]
    assert workspaces.of("old") is not old
    monkeypatch.setattr(workspace, "MOST_WORKSPACES", 1)
    with pytest.raises(UserError, match="Too many people"):
        workspaces.of("one too many")


def test_a_job_ends_by_stop_and_when_its_tab_is_closed(workspaces, files, monkeypatch):
    monkeypatch.setattr(workspace, "GRACE_SECONDS", 0)
    with files.working() as check:
        check()
        with pytest.raises(UserError, match="under way here already"), files.working():
            pass
        files.stop.set()
        with pytest.raises(KeyboardInterrupt):
            check()
        check()  # what is under way may end
    with files.working() as check:  # an earlier stop is none of this one's
        check()
        workspaces.beat("one", False)
        workspaces.beat("one", True)
        check()
        workspaces.beat("one", False)
        files.left -= 1
        with pytest.raises(KeyboardInterrupt):
            check()


def test_recent_colours_begin_with_the_newest_and_none_stands_twice(files):
    for number in range(workspace.RECENT_COLOURS + 1):
        files.remember((number, 0, 0))
    files.remember((5, 0, 0))
    assert files.recent[:2] == ["#050000", "#080000"]
    assert len(set(files.recent)) == len(files.recent) == workspace.RECENT_COLOURS


@pytest.mark.parametrize("text", ["#4a6fb5", "rgba(74, 111, 181, 1)", "rgb(73.6,111.2,181)"])
def test_a_colour_is_read_as_browsers_write_it(text):
    assert workspace.rgb_of(text) == (74, 111, 181)


def test_two_uploads_of_one_name_are_kept_apart(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_text(name)
    paths = [workspace.link(tmp_path / name / "a.png", tmp_path / "in") for name in ("one", "two")]
    assert [path.name for path in paths] == ["a.png", "a-2.png"]
    assert [path.read_text() for path in paths] == ["one", "two"]


def test_a_message_has_no_markup_of_a_files_name(warnings):
    workspace.warn("<img src=x>.jpg is none")
    assert warnings == ["&lt;img src=x&gt;.jpg is none"]
    assert workspace.markdown("[a](b)_c_*") == r"\[a\]\(b\)\_c\_\*"


# ------------------------------------------------------------------------- one photograph


def gray(path, level=128, size=(60, 80), **settings):
    Image.fromarray(np.full(size, level, np.uint8)).save(path, **settings)
    return str(path)


def test_files_of_other_kinds_are_named_and_the_photographs_opened(tmp_path, tab, files, warnings):
    (tmp_path / "film.mp4").write_bytes(b"")
    (tmp_path / "letter.jpg").write_text("Dear grandmother")
    Image.new("RGBA", (9, 9), (255, 0, 0, 9)).save(tmp_path / "a.hints.png")
    names = ["film.mp4", "letter.jpg", "a.hints.png"]
    paths = [str(tmp_path / name) for name in names] + [gray(tmp_path / "a.png")]
    opened = tab(single.SingleTab)
    value, *_, message = opened.open_files(ONE, paths, 1)
    assert value is None  # of the list of files: what is open stands in the strip
    assert message.startswith("a.png, 80 x 60 pixels")
    assert warnings == [
        "film.mp4 is a film, and films have their own tab.",
        "letter.jpg cannot be shown: it holds no picture in a known format.",
        "a.hints.png names no points; it was painted elsewhere. It counts where many photographs "
        "are colorized at once, together with its photograph.",
    ]


def test_only_so_many_photographs_are_open(tmp_path, tab, files, warnings, monkeypatch):
    monkeypatch.setattr(single, "MOST_PHOTOGRAPHS", 2)
    paths = [gray(tmp_path / f"{name}.png") for name in "abc"]
    tab(single.SingleTab).open_files(ONE, paths, 1)
    assert [photo.path.name for photo in files.sessions.values()] == ["a.png", "b.png"]
    assert warnings == ["2 photographs are open; close some before you open c.png."]


def test_a_photograph_that_is_closed_leaves_no_file(tmp_path, tab, files):
    opened = tab(single.SingleTab)
    paths = [gray(tmp_path / "a.png"), gray(tmp_path / "b.png")]
    opened.open_files(ONE, paths, 1)
    *_, message = opened.close(ONE, 1)
    assert message.startswith("b.png")
    opened.close(ONE, 1)
    assert files.current is None
    assert not any(Path(path).exists() for path in paths)
    assert not list((files.folder / "photographs").iterdir())


def test_a_point_is_set_dragged_and_kept_and_comes_back_from_its_file(tmp_path, tab, files):
    opened = tab(single.SingleTab)
    opened.open_files(ONE, [gray(tmp_path / "a.png")], 1)
    opened.press(ONE, "0.25 0.5 0.25 0.5", single.SET, "#4a6fb5", 2, 1)
    opened.press(ONE, "0.25 0.5 0.75 1.5", single.SET, "#ff0000", 2, 1)  # out of the picture
    session = files.sessions[files.current].session
    (point,) = session.points
    assert (point.colour, point.radius) == (BLUE, 0.02)
    assert (point.x, point.y) == pytest.approx((0.75, 1), abs=0.002)
    opened.press(ONE, "0.1 0.1 0.1 0.1", single.KEEP, "#ff0000", 2, 1)
    assert np.ptp(session.points[1].colour) <= 2  # what the network paints there: gray
    assert files.recent == ["#ff0000", "#4a6fb5"]
    hints = opened.write_hints(ONE, 1)
    points = session.points
    opened.clear(ONE, 1)
    opened.open_files(ONE, [hints], 1)
    assert session.points == points
    opened.undo(ONE, 1)
    assert session.points == ()


def test_a_wrong_reference_is_a_sentence_and_all_else_stays(tmp_path, tab, files, warnings):
    opened = tab(single.SingleTab)
    photos.write_png(tmp_path / "a.png", steps())
    opened.open_files(ONE, [str(tmp_path / "a.png")], 1)
    value, picture, *_ = opened.refer(ONE, gray(tmp_path / "gray.png"), 1)
    assert value is None
    assert Path(picture).is_file()
    (tmp_path / "letter.jpg").write_text("Dear grandmother")
    opened.refer(ONE, str(tmp_path / "letter.jpg"), 1)
    assert warnings == [
        "gray.png is black-and-white. Choose a photograph in colour.",
        "letter.jpg: it holds no picture in a known format. Choose a photograph in colour.",
    ]
    photos.write_png(tmp_path / "red.png", reddish(steps()))
    value, picture, *_, message = opened.refer(ONE, str(tmp_path / "red.png"), 1)
    assert value
    assert "of it looks like red.png" in message
    assert redness(photos.read_rgb(picture)) > 20


def test_a_file_that_is_cut_off_says_so(tmp_path, tab):
    noise = np.random.default_rng(0).integers(0, 255, (300, 400), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg")
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(content[: len(content) // 2])
    *_, message = tab(single.SingleTab).open_files(ONE, [str(tmp_path / "a.jpg")], 1)
    assert message.endswith("it is cut off; what is missing is gray")


def test_photographs_are_written_with_their_own_points_under_their_own_names(tmp_path, tab, files):
    opened = tab(single.SingleTab)
    opened.open_files(ONE, [gray(tmp_path / "a.jpg"), gray(tmp_path / "b.png")], 1)
    opened.press(ONE, "0.25 0.5 0.25 0.5", single.SET, "#4a6fb5", 5, 1)
    written = Path(opened.write(ONE, 1))
    assert written.name == "a-colorized.jpg"
    assert np.ptp(photos.read_rgb(written)[30, 20].astype(int)) > 20
    with zipfile.ZipFile(opened.write_all(ONE, 1)) as archive:
        assert archive.namelist() == ["a-colorized.jpg", "b-colorized.png"]
    assert np.ptp(photos.read_rgb(opened.write(ONE, 0))[30, 20].astype(int)) < 4


def test_all_that_are_open_stop_between_two_photographs(tmp_path, tab, files, monkeypatch):
    opened = tab(single.SingleTab)
    opened.open_files(ONE, [gray(tmp_path / f"{name}.png") for name in "abc"], 1)
    written = []

    def write(session, folder, strength):
        written.append(session.path.name)
        opened.stop(ONE)
        return Path(shutil.copy(session.path, folder))

    monkeypatch.setattr(single.Session, "write", write)
    assert opened.write_all(ONE, 1) is None
    assert written == ["a.png"]
    assert not files.job.locked()


# ------------------------------------------------------------------------- many photographs


@pytest.fixture
def colorize_all(tmp_path, tab):
    """Return a function that colorizes uploads and returns the report and the results by name."""

    def colorize_all(paths, reference=None, strength=1.0, folders=None, **chosen):
        paths, reference = list(map(str, paths)), reference and str(reference)
        choices = {
            "in_colour": next(iter(many.IN_COLOUR)),
            "clean_up": next(iter(many.CLEANING)),
            "format": many.AS_IT_WAS,
        }
        files, directory = (None, paths) if folders else (paths, None)
        report, archive, shown = tab(many.ManyTab).colorize_all(
            ONE, folders, files, directory, reference, *(choices | chosen).values(), strength
        )
        if not archive.value:
            return report, {}
        with zipfile.ZipFile(archive.value["path"]) as packed:
            packed.extractall(tmp_path / "unpacked")
            names = packed.namelist()
        assert len(shown.value) == len(names)
        return report, {name: photos.read_rgb(tmp_path / "unpacked" / name) for name in names}

    return colorize_all


def test_many_take_the_colours_of_a_reference_at_the_strength_asked_for(tmp_path, colorize_all):
    photos.write_png(tmp_path / "a.png", steps())
    photos.write_png(tmp_path / "red.png", reddish(steps()))
    report, results = colorize_all([tmp_path / "a.png"], tmp_path / "red.png")
    assert re.search(r"a\.png: \d+% of it looks like red\.png", report.replace("\\", ""))
    full = redness(results["a.png"])
    half = redness(colorize_all([tmp_path / "a.png"], tmp_path / "red.png", 0.5)[1]["a.png"])
    none = redness(colorize_all([tmp_path / "a.png"], tmp_path / "red.png", 0.0)[1]["a.png"])
    assert full > 20
    assert 0.3 < half / full < 0.7
    assert none <= 1
    assert redness(colorize_all([tmp_path / "a.png"])[1]["a.png"]) <= 1


def test_many_report_what_was_in_colour_and_keep_it_if_asked(tmp_path, colorize_all):
    colour = np.zeros((60, 80, 3), np.uint8)
    colour[:30], colour[30:] = (200, 40, 30), (30, 60, 180)
    photos.write_png(tmp_path / "colour.png", colour)
    sepia = gray_ramp()[..., None] * np.float32([1, 0.8, 0.6])
    photos.write_png(tmp_path / "sepia.png", sepia.astype(np.uint8))
    paths = [tmp_path / "colour.png", tmp_path / "sepia.png"]
    anew, keep, keep_all = many.IN_COLOUR
    report, results = colorize_all(paths, in_colour=anew)
    assert "1 were in colour before, and were colorized anew" in report
    assert "1 were sepia" in report
    assert redness(results["colour.png"]) <= 1
    report, results = colorize_all(paths, in_colour=keep)
    assert report.startswith("2 photographs are in colour.")
    assert "1 were in colour, and kept their colours" in report
    np.testing.assert_array_equal(results["colour.png"], colour)
    assert redness(results["sepia.png"]) <= 1
    assert redness(colorize_all(paths, in_colour=keep_all)[1]["sepia.png"]) > 20


def gray_ramp():
    return np.tile(np.linspace(30, 220, 80, dtype=np.uint8), (60, 1))


def test_many_keep_folders_hints_and_take_formats_and_sizes(tmp_path, colorize_all):
    paths = []
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        paths.append(gray(tmp_path / str(number) / "x.png", 100 + 50 * number))
    hints = drawing.draw([drawing.Point(0.25, 0.5, BLUE, 0.1)], 60, 80)
    Image.fromarray(hints).save(tmp_path / "2" / "x.hints.png")
    paths.append(str(tmp_path / "2" / "x.hints.png"))
    folders = ["album/x.png", "album/old/x.png", "album/old/x.hints.png"]
    _, results = colorize_all(paths, folders=folders)
    assert list(results) == ["album/old/x.png", "album/x.png"]
    assert abs(int(results["album/x.png"][0, 0, 0]) - 150) < 3
    assert np.ptp(results["album/old/x.png"][30, 20].astype(int)) > 20
    assert np.ptp(results["album/x.png"][30, 20].astype(int)) < 4
    # A browser may say anything.
    for wrong in ("../../x.png", "/tmp/x.png", "a/../../x.png", r"..\..\x.png", "other.png", 7):
        assert list(colorize_all(paths[:1], folders=[wrong])[1]) == ["x.png"]
    clean = list(many.CLEANING)[2]
    _, results = colorize_all(paths[:1], clean_up=clean, format="webp")
    assert results["x.webp"].shape == (120, 160, 3)


def test_other_files_among_many_are_named_and_the_photographs_done(
    tmp_path, colorize_all, warnings
):
    photos.write_png(tmp_path / "a.png", steps())
    (tmp_path / "film.mp4").write_bytes(b"")
    (tmp_path / "scan.psd").write_bytes(b"8BPS")
    report, results = colorize_all([tmp_path / name for name in ("a.png", "film.mp4", "scan.psd")])
    report = report.replace("\\", "")
    assert report.startswith("1 photograph is in colour.")
    assert "**film.mp4** is not: it is a film, and films have their own tab" in report
    assert "**scan.psd** is not: it is a Photoshop document" in report
    assert list(results) == ["a.png"]
    report, results = colorize_all([tmp_path / "film.mp4"])
    assert report.startswith("0 photographs are in colour.")
    assert not results


def test_pages_of_a_pdf_come_as_pictures_and_one_without_any_is_named(tmp_path, colorize_all):
    page = [(jpeg(steps()[..., 0]), FULL)]
    (tmp_path / "scan.pdf").write_bytes(pdf(page, page))
    (tmp_path / "text.pdf").write_bytes(pdf([]))
    report, results = colorize_all([tmp_path / "scan.pdf", tmp_path / "text.pdf"])
    assert report.startswith("2 photographs are in colour.")
    assert "**text.pdf** is not: its page holds no picture" in report
    assert sorted(results) == ["scan-page-2.jpg", "scan.jpg"]


def test_many_stop_and_bring_what_is_done(tmp_path, tab, files, monkeypatch):
    paths = [gray(tmp_path / f"{number}.png") for number in range(30)]
    opened = tab(many.ManyTab)
    calls = []

    def progress(*step, **words):
        calls.append(step)
        if len(calls) == 3:
            opened.stop(ONE)

    choices = next(iter(many.IN_COLOUR)), next(iter(many.CLEANING)), many.AS_IT_WAS
    report, archive, _ = opened.colorize_all(ONE, None, paths, None, None, *choices, 1, progress)
    assert report.startswith("Stopped. ")
    with zipfile.ZipFile(archive.value["path"]) as packed:
        assert 0 < len(packed.namelist()) < 30


# ------------------------------------------------------------------------- a film


def fake_film(files, given):
    """Return a colorize_film that writes a file, while other tabs are busy."""

    def colorize_film(request, colorizer, on_frame):
        given.append(request)
        for _ in range(2 * workspace.KEPT_ANSWERS):
            files.new_folder()
        target = request.output / request.inputs[0].name
        target.write_bytes(b"a film")
        return Outcome(FilmJob(None, target.name, target), remark="slow")

    return colorize_film


def test_a_film_is_coloured_with_what_the_tab_says_and_other_tabs_leave_it_alone(
    tmp_path, tab, files, monkeypatch
):
    photos.write_png(tmp_path / "red.png", reddish(steps()))
    given = []
    monkeypatch.setattr(film, "colorize_film", fake_film(files, given))
    opened = tab(film.FilmTab)
    report, player, save = opened.colorize(ONE, "street.mp4", 0.5, str(tmp_path / "red.png"))
    assert report.replace("\\", "") == "street.mp4 is in colour: slow."
    assert player.visible
    assert save.visible
    assert [path.name for path in files.answers[-1].iterdir()] == ["street-colorized.mp4"]
    report, player, save = opened.colorize(ONE, "street.mkv", 1.0, None)
    assert "Browsers do not play .mkv" in report.replace("\\", "")
    assert not player.visible
    assert [(each.strength, each.max_megapixels) for each in given] == [(0.5, 2), (1.0, 2)]
    assert given[0].reference.name == "red.png"
    assert given[1].reference is None


def test_a_film_under_way_ends_before_the_page_does(tab, files, workspaces, monkeypatch):
    started, events = threading.Event(), []

    def endless(request, colorizer, on_frame):
        started.set()
        try:
            while True:
                on_frame(1, 2)
        except KeyboardInterrupt:
            events.append("film")

    monkeypatch.setattr(film, "colorize_film", endless)
    answers = []
    opened = tab(film.FilmTab)
    thread = threading.Thread(
        target=lambda: answers.append(opened.colorize(ONE, "street.mp4", 1.0, None)), daemon=True
    )
    thread.start()
    assert started.wait(PATIENCE)
    workspaces.enter("reloaded", None)
    workspaces.by_session["again"] = files  # a tab that was loaded twice
    workspaces.end()
    events.append("page")
    thread.join(PATIENCE)
    assert events == ["film", "page"]
    assert answers[0][0] == "Stopped."
    assert not list(files.folder.glob("tmp*"))


def colorize_film(path, folder, colorizer, progress=lambda *each: None, **settings):
    request = Request(inputs=(path,), output=folder, **settings)
    return film.colorize_film(request, colorizer, progress)


def test_a_film_is_coloured_as_by_the_command(tmp_path):
    path, progress = write_film(tmp_path / "film.mkv", count=40), []
    brown = standins.save_brown(tmp_path / "brown.onnx")
    outcome = colorize_film(
        path,
        tmp_path / "page",
        Colorizer(brown, 64),
        lambda *each: progress.append(each),
        strength=0.5,
    )
    # Each frame counts twice: read for its scene, and coloured.
    assert {of for _, of in progress[1:]} == {80}
    assert sorted({done for done, _ in progress}) == [done for done, _ in dict.fromkeys(progress)]
    assert progress[-1] == (80, 80)
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
        colorize_film(path, tmp_path, colorizer, max_megapixels=0.003)
    monkeypatch.setattr(film, "LONGEST_FILM", 1)
    with pytest.raises(UserError, match="it lasts 1 minutes, and the page takes 0"):
        colorize_film(path, tmp_path, colorizer)
    monkeypatch.setattr(film, "LONGEST_FILM", 2)
    colorize_film(path, tmp_path / "out", colorizer)


def test_a_film_that_is_longer_than_it_says_ends_where_it_should(tmp_path, colorizer, monkeypatch):
    """Its header says 2 frames; and one that says 10,000 frames a second has a second in each."""
    path = write_film(tmp_path / "film.mkv", count=100)
    probe, frames = decode.probe, []
    for told in ({"frames": 2}, {"frames": 2, "rate": Fraction(10_000)}):
        monkeypatch.setattr(
            decode,
            "probe",
            lambda *given, told=told: dataclasses.replace(probe(*given), **told),
        )
        monkeypatch.setattr(film, "LONGEST_FILM", 1)
        with pytest.raises(UserError, match="it is longer than it says, and the page takes"):
            colorize_film(path, tmp_path / "out", colorizer, lambda *each: frames.append(each))
    assert max(done for done, _ in frames) <= 2 * film.MOST_RATE


def test_a_film_that_is_stopped_is_none(tmp_path, colorizer):
    def stop(done, of):
        if done:
            raise KeyboardInterrupt

    path = write_film(tmp_path / "film.mkv", count=20)
    assert colorize_film(path, tmp_path / "out", colorizer, stop) is None


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
