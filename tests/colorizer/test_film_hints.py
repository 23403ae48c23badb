"""Hints and a reference for films: names, places that move, and the whole command."""

import json
import math
from fractions import Fraction
from pathlib import Path

from colorizer.errors import UserError
from colorizer.films import hints as film_hints
from colorizer.films import stabilize
from colorizer.hints import drawing, geodesic, known
from colorizer.hints import reference as reference_module
from colorizer.jobs import films
from colorizer.jobs.find import find_pictures
from colorizer.pixels import resize

import cv2
import numpy as np
import pytest
import standins
import test_films
from PIL import Image
from test_films import RATE, frames_of, results, times_of, write_film

SIZE = HEIGHT, WIDTH = 96, 128
STEP = 2
NOWHERE = np.zeros(SIZE, bool)
RED = (220, 60, 60)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return standins.save_echo(tmp_path_factory.mktemp("model") / "echo.onnx")


def scenes(number, height=HEIGHT, width=WIDTH):
    """Return a gray frame; scenes of 20 frames move to the left by STEP pixels a frame."""
    scene, number = divmod(number, 20)
    random = np.random.default_rng(scene)
    cells = random.integers(60, 200, (height // 16, (width + 64) // 16, 1), np.uint8)
    whole = resize(cells, height, width + 64)[..., 0] // (1 + scene)
    return whole[:, STEP * number : STEP * number + width]


@pytest.fixture
def film(tmp_path, monkeypatch):
    """Write a film of three scenes of 20 frames each."""
    monkeypatch.setattr(test_films, "picture", scenes)
    return write_film(tmp_path / "in" / "film.mkv", count=60, size=SIZE)


def write_hint(path, x, y, size=SIZE, colour=RED, radius=8):
    """Write a picture of hints: a disc at a place, given in pixels of the film."""
    path.parent.mkdir(exist_ok=True)
    height, width = size
    point = drawing.Point(x / WIDTH, y / HEIGHT, colour, radius / WIDTH)
    Image.fromarray(drawing.draw([point], height, width)).save(path)


def redness(frame, x, y):
    """Return how much more red than blue there is around a place, in levels."""
    around = frame[y - 3 : y + 4, x - 3 : x + 4].astype(int)
    return (around[..., 0] - around[..., 2]).mean()


@pytest.mark.parametrize(
    ("name", "frame", "seconds"),
    [
        ("0.png", 0, None),
        ("000120.png", 120, None),
        ("83.5s.png", None, Fraction("83.5")),
        ("7s.PNG", None, 7),
        ("01-23.5.png", None, Fraction("83.5")),
        ("1-02-03.png", None, 3723),
        ("00:01:23.456.png", None, Fraction("83.456")),
    ],
)
def test_names_of_hints_tell_a_frame_or_a_time(name, frame, seconds):
    hint = film_hints.hint_of(Path("film.hints", name))
    assert (hint.frame, hint.seconds) == (frame, seconds)


@pytest.mark.parametrize("name", ["dress.png", "12 copy.png", "1.5.png", "s.png", "-3.png"])
def test_other_names_are_refused_with_what_to_do(name):
    with pytest.raises(
        UserError, match=r"film\.hints/.* is named after no frame; call it 120\.png"
    ):
        film_hints.hint_of(Path("film.hints", name))


def test_a_hint_begins_with_the_first_frame_that_is_not_earlier():
    def begun(hint, shown):
        times = [-math.inf, *shown]
        pairs = zip(times, shown, strict=False)
        return [n for n, (before, time) in enumerate(pairs) if hint.begins(n, time, before)]

    shown = [Fraction(number, 24) for number in range(48)]
    assert begun(film_hints.Hint(None, frame=7), shown) == [7]
    assert begun(film_hints.Hint(None, seconds=Fraction(0)), shown) == [0]
    assert begun(film_hints.Hint(None, seconds=Fraction("0.51")), shown) == [13]
    # A player rounds 7 / 24 = 0.29166... to 0.292, which is later.
    assert begun(film_hints.Hint(None, seconds=Fraction("0.292")), shown) == [7]
    late = film_hints.Hint(None, seconds=Fraction("1.96"))
    assert not begun(late, shown)
    assert late.lies_behind(48, shown[-1])
    assert not film_hints.Hint(None, seconds=Fraction("1.95")).lies_behind(48, shown[-1])
    assert film_hints.Hint(None, frame=48).lies_behind(48, shown[-1])
    assert not film_hints.Hint(None, frame=47).lies_behind(48, shown[-1])


def test_hints_move_with_what_they_lie_on_and_end_outside():
    colours = known.none(*SIZE)
    colours[40, [6, 90]] = (0.5, -0.25, 1)
    hints = film_hints.TrackedHints().add(colours, NOWHERE)
    for number in range(10):
        hints = hints.follow(stabilize.find_flow(scenes(number), scenes(number + 1)))
    assert len(hints.places) == 1
    np.testing.assert_allclose(hints.places[0], (90 - 10 * STEP, 40), atol=0.5)
    moved = hints.known(*SIZE)
    np.testing.assert_allclose(moved[40, 70], (0.5, -0.25, 1))
    assert np.count_nonzero(moved[..., 2]) == 1


def test_hints_end_where_something_else_is():
    colours = known.none(*SIZE)
    colours[40, [30, 90]] = (0.5, 0, 1)
    after = scenes(0).copy()
    after[20:60, 70:110] = scenes(30)[20:60, 70:110]
    hints = (
        film_hints.TrackedHints()
        .add(colours, NOWHERE)
        .follow(stabilize.find_flow(scenes(0), after))
    )
    np.testing.assert_allclose(hints.places, [(30, 40)], atol=0.5)


def test_later_hints_lie_above_earlier_ones():
    first, second = known.none(*SIZE), known.none(*SIZE)
    first[40, 50:52], second[40, 50] = (0.5, 0, 1), (-0.5, 0, 1)
    both = film_hints.TrackedHints().add(first, NOWHERE).add(second, NOWHERE)
    assert both.known(*SIZE)[40, 50:52, 0].tolist() == [-0.5, 0.5]


def test_a_later_hint_takes_the_place_of_earlier_ones_on_the_same_thing():
    gray = np.full((*SIZE, 1), 0.3, np.float32)
    gray[:, 60:] = 0.6
    automatic = np.zeros((*SIZE, 2), np.float32)
    first, second = known.none(*SIZE), known.none(*SIZE)
    first[40, [10, 90]], second[20, 30] = (0.5, 0, 1), (-0.5, 0, 1)
    same = geodesic.same_things(second, automatic, gray)
    assert same[:, :56].all()
    assert not same[:, 64:].any()
    hints = film_hints.TrackedHints().add(first, NOWHERE).add(second, same)
    assert hints.places.tolist() == [[90, 40], [30, 20]]
    assert hints.colours[:, 0].tolist() == [0.5, -0.5]


@pytest.mark.parametrize("name", ["23.png", f"{float(23 / RATE):.3f}s.png"])
def test_a_hint_holds_from_its_frame_to_the_end_of_its_scene(tmp_path, run, film, name):
    write_hint(tmp_path / "in" / "film.hints" / name, 90, 50)
    status, printed = run()
    assert status == 0, printed
    assert "1 colorized, 0 failed" in printed
    assert results(tmp_path) == ["film.mkv"]
    painted = frames_of(tmp_path / "out" / "film.mkv")
    for number in range(26, 40):
        assert redness(painted[number], 90 - STEP * (number - 23), 50) > 12, number
    for number in (*range(20), *range(40, 60)):
        assert abs(redness(painted[number], 60, 50)) < 3, number
    assert abs(redness(painted[35], 30, 20)) < 3
    # It comes in softly, as all changes of colour do.
    before, after = (redness(painted[n], 90 - STEP * (n - 23), 50) for n in (20, 30))
    assert before < after


def test_a_second_hint_lies_above_the_first(tmp_path, run, film):
    write_hint(tmp_path / "in" / "film.hints" / "0.png", 90, 50)
    write_hint(tmp_path / "in" / "film.hints" / "1.png", 88, 50, colour=(60, 140, 60))
    assert run()[0] == 0
    painted = frames_of(tmp_path / "out" / "film.mkv")[15]
    around = painted[47:54, 57:64].astype(int)
    assert (around[..., 1] - around[..., 0]).mean() > 8


def test_a_hint_goes_on_behind_a_flash(tmp_path, run, monkeypatch):
    """On a flash it lies nowhere; behind it, where it would be without."""

    noise = np.random.default_rng(0).integers(0, 256, SIZE, np.uint8)

    def flashing(number, height, width):
        return noise if number == 4 else scenes(number)

    monkeypatch.setattr(test_films, "picture", flashing)
    write_film(tmp_path / "in" / "film.mkv", count=20, size=SIZE)
    write_hint(tmp_path / "in" / "film.hints" / "0.png", 90, 50)
    assert run()[0] == 0
    painted = frames_of(tmp_path / "out" / "film.mkv")
    reds = [redness(painted[number], 90 - STEP * number, 50) for number in (3, 8, 12, 19)]
    assert min(reds) > 0.8 * max(reds) > 12


def test_hints_of_a_turned_and_of_an_anamorphic_film_have_the_shape_that_is_seen(
    tmp_path, run, monkeypatch
):
    monkeypatch.setattr(test_films, "picture", scenes)
    write_film(tmp_path / "in" / "turned.mp4", 12, size=SIZE, matrix=90)
    write_film(tmp_path / "in" / "wide.mp4", 12, size=SIZE, shape="16/11")
    # Turned counterclockwise by 90 degrees, the upper right corner is the upper left one.
    turned = Image.new("RGBA", (HEIGHT, WIDTH))
    turned.paste((*RED, 255), (0, 0, 30, 30))
    wide = Image.new("RGBA", (WIDTH * 16 // 11, HEIGHT))
    wide.paste((*RED, 255), (0, 0, 44, 30))
    for name, picture in (("turned", turned), ("wide", wide)):
        (tmp_path / "in" / f"{name}.hints").mkdir()
        picture.save(tmp_path / "in" / f"{name}.hints" / "0.png")
    status, printed = run()
    assert status == 0, printed
    assert redness(frames_of(tmp_path / "out" / "turned.mp4")[0], WIDTH - 15, 15) > 12
    assert abs(redness(frames_of(tmp_path / "out" / "turned.mp4")[0], 15, HEIGHT - 15)) < 3
    assert redness(frames_of(tmp_path / "out" / "wide.mp4")[0], 15, 15) > 12
    assert abs(redness(frames_of(tmp_path / "out" / "wide.mp4")[0], WIDTH - 15, HEIGHT - 15)) < 3


def test_hints_that_are_none_are_named_with_what_to_do(tmp_path, run, monkeypatch):
    monkeypatch.setattr(test_films, "picture", scenes)
    for name in ("empty", "folder", "name", "opaque", "shape"):
        write_film(tmp_path / "in" / f"{name}.mkv", 3, size=SIZE, sound=False)
        (tmp_path / "in" / f"{name}.hints").mkdir()
    write_hint(tmp_path / "in" / "name.hints" / "dress.png", 90, 50)
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "in" / "opaque.hints" / "0.png")
    (tmp_path / "in" / "folder.hints" / "0.png").mkdir()
    write_hint(tmp_path / "in" / "shape.hints" / "0.png", 90, 50, size=(96, 96))
    status, printed = run()
    assert status == 1
    assert "failed: empty.mkv: empty.hints holds no hints; put PNG files into it" in printed
    assert "failed: folder.mkv: folder.hints/0.png: it is not a regular file" in printed
    assert "failed: name.mkv: name.hints/dress.png is named after no frame" in printed
    assert "failed: opaque.mkv: opaque.hints/0.png: it is opaque everywhere; paint" in printed
    assert "failed: shape.mkv: shape.hints/0.png: it has 96 x 96 pixels, another" in printed
    assert "0 colorized, 5 failed" in printed
    assert not results(tmp_path)


def test_hints_behind_the_film_s_end_are_named(tmp_path, run, film):
    for name in ("10.png", "60.png", "5s.png"):
        write_hint(tmp_path / "in" / "film.hints" / name, 90, 50)
    status, printed = run()
    assert status == 0
    assert "film.mkv: the film ends before the hints of 5s.png, 60.png" in printed


def test_a_film_is_colorized_again_when_its_hints_change(tmp_path, run, film):
    assert "1 colorized" in run()[1]
    write_hint(tmp_path / "in" / "film.hints" / "0.png", 90, 50)
    printed = run("--dry-run")[1]
    assert "film.mkv: a film, 128x96, about 60 frames, to " in printed
    assert f"{tmp_path / 'out' / 'film.mkv'} (with film.hints)" in printed
    assert "1 colorized" in run()[1]
    assert "0 colorized, 1 skipped" in run()[1]
    write_hint(tmp_path / "in" / "film.hints" / "0.png", 60, 50)
    assert "1 colorized" in run()[1]
    (tmp_path / "in" / "film.hints" / "0.png").rename(tmp_path / "in" / "film.hints" / "1.png")
    assert "1 colorized" in run()[1]
    lines = (tmp_path / "out" / "colorized.jsonl").read_text().splitlines()
    assert len({json.loads(line)["settings"].get("hints_sha256") for line in lines}) == 4


def test_a_folder_of_hints_is_not_an_album_unless_there_is_no_film(tmp_path, film):
    for folder in ("film.hints", "other.hints"):
        write_hint(tmp_path / "in" / folder / "0.png", 90, 50)
    found, _ = find_pictures(tmp_path / "in")
    assert [path.relative_to(tmp_path / "in").as_posix() for path in found] == [
        "film.mkv",
        "other.hints/0.png",
    ]


def test_a_model_that_takes_no_hints_says_so(tmp_path, run, film):
    write_hint(tmp_path / "in" / "film.hints" / "0.png", 90, 50)
    brown = standins.save_brown(tmp_path / "brown.onnx")
    status, printed = run(model=brown)
    assert status == 0
    assert "film.mkv: film.hints is left out, because this --model takes no hints" in printed


@pytest.fixture
def segments(monkeypatch):
    """Make segments small; return the list of those that are finished, and a function to stop."""
    monkeypatch.setattr(films, "SEGMENT", stabilize.BLOCK)
    finished, stops, add = [], [], films.Parts.add

    def add_and_stop(self, *given):
        add(self, *given)
        finished.append(given)
        if len(finished) in stops:
            raise KeyboardInterrupt

    monkeypatch.setattr(films.Parts, "add", add_and_stop)
    return finished, stops.append


@pytest.mark.parametrize("stop", [1, 2])
def test_a_stopped_film_goes_on_with_its_hints(tmp_path, run, film, segments, stop):
    """The hint lies in the second segment, its scene goes on into the third."""
    finished, stop_after = segments
    write_hint(tmp_path / "in" / "film.hints" / "21.png", 90, 50)
    stop_after(stop)
    assert run("--quality", "0")[0] == 130
    assert run("--quality", "0")[0] == 0
    assert len(finished) == -(-60 // stabilize.BLOCK)
    stopped = frames_of(tmp_path / "out" / "film.mkv")
    assert run("--quality", "0", "--overwrite")[0] == 0
    np.testing.assert_array_equal(stopped, frames_of(tmp_path / "out" / "film.mkv"))
    assert redness(stopped[35], 90 - STEP * 14, 50) > 12


def test_a_stopped_film_begins_again_when_its_hints_have_changed(tmp_path, run, film, segments):
    finished, stop_after = segments
    write_hint(tmp_path / "in" / "film.hints" / "0.png", 90, 50)
    stop_after(2)
    assert run()[0] == 130
    write_hint(tmp_path / "in" / "film.hints" / "0.png", 60, 50)
    assert run()[0] == 0
    assert len(finished) == 2 - (-60 // stabilize.BLOCK)


def test_a_reference_gives_a_film_its_colours(tmp_path, run, film, monkeypatch):
    """The stand-in finds alike what is of the same gray; light things are red in the reference."""
    monkeypatch.setattr(reference_module, "DOT", 16)  # it does not spread what it knows
    gray = np.broadcast_to(scenes(0)[..., np.newaxis], (*SIZE, 3)).astype(int)
    light = gray > 120
    shift = np.where(light, (40, -20, -20), (-20, -10, 30))
    reference = np.clip(gray + shift, 0, 255).astype(np.uint8)
    Image.fromarray(reference).save(tmp_path / "reference.png")
    # A size of whole squares of 16 pixels, as the stand-in needs.
    size = ("--working-size", "128")
    status, printed = run("--reference", str(tmp_path / "reference.png"), *size)
    assert status == 0, printed
    assert "% of it looks like reference.png" in printed
    before, after = frames_of(film)[0], frames_of(tmp_path / "out" / "film.mkv")[0].astype(int)
    red = after[..., 0] - after[..., 2]
    assert red[before[..., 0] > 140].mean() > red[before[..., 0] < 100].mean() + 3
    assert times_of(tmp_path / "out" / "film.mkv") == times_of(film)
    plain = np.stack(frames_of(tmp_path / "out" / "film.mkv"))
    assert "1 colorized" in run(*size)[1]
    assert (plain != np.stack(frames_of(tmp_path / "out" / "film.mkv"))).any()


def test_hints_count_more_than_the_reference(tmp_path, run, film, monkeypatch):
    monkeypatch.setattr(reference_module, "DOT", 16)
    gray = frames_of(film)[0].astype(int)
    blue = np.clip(np.add(gray, (-30, 9, 30)), 0, 255).astype(np.uint8)  # of the same luma
    Image.fromarray(blue).save(tmp_path / "reference.png")
    flags = ("--reference", str(tmp_path / "reference.png"), "--working-size", "128")
    assert run(*flags)[0] == 0
    assert redness(frames_of(tmp_path / "out" / "film.mkv")[0], 90, 50) < -4
    write_hint(tmp_path / "in" / "film.hints" / "0.png", 90, 50)
    assert run(*flags)[0] == 0
    assert redness(frames_of(tmp_path / "out" / "film.mkv")[0], 90, 50) > 8


def test_hints_are_wanted_though_colour_is_kept(tmp_path, run):
    red = np.full((*SIZE, 3), (200, 40, 30), np.uint8)
    red[:, 64:] = 30, 60, 190
    path = tmp_path / "in" / "film.mkv"
    path.parent.mkdir()
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, SIZE[::-1])
    for _ in range(3):
        writer.write(red[..., ::-1])
    writer.release()
    assert "in colour and copied as they are" in run("--keep-colour")[1]
    write_hint(path.parent / "film.hints" / "0.png", 90, 50)
    assert "1 colorized" in run("--keep-colour")[1]


def test_hints_hold_when_their_shot_returns(tmp_path, run, monkeypatch):
    def returning(number, height=HEIGHT, width=WIDTH):
        return scenes(20 if 15 <= number < 30 else 0, height, width)

    monkeypatch.setattr(test_films, "picture", returning)
    write_film(tmp_path / "in" / "film.mkv", count=45, size=SIZE)
    write_hint(tmp_path / "in" / "film.hints" / "3.png", 90, 50)
    assert run("--working-size", "128")[0] == 0
    painted = frames_of(tmp_path / "out" / "film.mkv")
    assert abs(redness(painted[20], 90, 50)) < 4
    first, second = (redness(painted[number], 90, 50) for number in (14, 40))
    assert first > 8
    assert second > 0.8 * first
