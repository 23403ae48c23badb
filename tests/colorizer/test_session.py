"""A person decides colours: clicks, undo, and what is written; without a browser."""

import json

from colorizer import Colorizer, chroma
from colorizer.errors import UserError
from colorizer.files import photos
from colorizer.hints import palette
from colorizer.jobs.request import Request, read_reference
from colorizer.pixels import grayscale, to_unit

import numpy as np
import pytest
import standins
from generated import STORED
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from test_known import reddish, steps

pytest.importorskip("gradio", reason="the page needs Gradio (requirements-app.txt)")

from colorizer.page.session import (
    LARGEST_PREVIEW,
    SMALLEST_PREVIEW,
    Session,
    colorize,
)

RED, BLUE = (190, 120, 60), (90, 110, 190)


@pytest.fixture(scope="module")
def colorizer(tmp_path_factory):
    """Return a colorizer that paints a where it is known, in red."""
    return Colorizer(standins.save_echo(tmp_path_factory.mktemp("model") / "echo.onnx"), 128)


@pytest.fixture
def session(tmp_path, colorizer):
    """Return a session with a gray photograph that is shown at 800x600."""
    return Session(save(tmp_path / "photograph.jpg"), colorizer)


def save(path, level=128, size=(300, 400), **settings):
    Image.fromarray(np.full(size, level, np.uint8)).save(path, quality=95, **settings)
    return path


def redness(picture):
    return picture[..., 0].astype(int) - picture[..., 2]


@pytest.mark.parametrize(
    ("size", "shown"),
    [((30, 40), (600, 800)), ((900, 1000), (900, 1000)), ((3000, 1500), (1280, 640))],
)
def test_small_photographs_are_shown_larger_and_large_ones_smaller(
    tmp_path, colorizer, size, shown
):
    session = Session(save(tmp_path / "a.jpg", size=size), colorizer)
    assert session.preview.shape == (*shown, 1)
    assert session.painted().shape == (*shown, 3)
    assert session.summary() == f"a.jpg, {size[1]} x {size[0]} pixels"
    assert max(shown) in (SMALLEST_PREVIEW, LARGEST_PREVIEW, 1000)


def test_a_click_sets_a_point_there_and_nowhere_else(session):
    before = session.painted()
    assert np.abs(redness(before)).max() <= 1
    session.click(200, 450, RED, 0.02)
    after = session.painted()
    assert redness(after)[450, 200] > 20
    assert np.abs(after.astype(int) - before)[:, 300:].max() < 2
    assert session.hints()[450, 200].tolist() == [*RED, 255]
    marked = session.marked(after)
    assert marked[450, 200].tolist() == [*RED]
    assert max(marked[450, 219]) < 60  # a ring, around a disc of 16 pixels
    np.testing.assert_array_equal(marked[:, 300:], after[:, 300:])


def test_a_point_is_picked_up_moved_changed_and_removed(session):
    session.click(200, 450, RED, 0.01)
    session.click(205, 455, BLUE, 0.01)  # on the point: it is picked up
    assert (len(session.points), session.picked) == (1, 0)
    session.recolour(BLUE)
    session.resize(0.03)
    session.click(600, 150, RED, 0.01)  # put down
    assert session.picked is None
    (point,) = session.points
    assert (point.colour, point.radius) == (BLUE, 0.03)
    assert (point.x, point.y) == pytest.approx((600.5 / 800, 150.5 / 600))
    session.click(100, 100, RED, 0.01)
    session.remove()  # what was set last
    assert session.points == (point,)
    session.remove()  # nothing is
    session.click(600, 150, RED, 0.01)
    session.remove()
    assert session.points == ()
    session.click(600, 150, RED, 0.01)
    assert session.points[0].colour == RED


def test_a_click_on_a_picked_point_puts_it_down_where_it_is(session):
    session.click(200, 450, RED, 0.01)
    session.click(200, 450, RED, 0.01)
    session.click(202, 450, RED, 0.01)
    assert session.picked is None
    session.click(400, 100, BLUE, 0.01)
    assert len(session.points) == 2


def test_the_picked_point_alone_has_a_wider_ring(session):
    for x in (200, 600):
        session.click(x, 300, RED, 0.01)
    radius = 8  # 0.01 of 800 pixels
    session.click(600, 300, RED, 0.01)
    marked = session.marked(session.preview.repeat(3, 2))
    for x, white, black in ((200, 2, 4), (600, 5, 7)):
        assert marked[300, x].tolist() == list(RED)
        ring = [int(marked[300, x + radius + more, 0]) for more in (white, black, black + 2)]
        assert ring[0] > 200
        assert ring[1] < 60
        assert ring[2] == 128


def test_of_points_over_each_other_the_upper_one_is_picked_up(session):
    session.click(200, 300, RED, 0.1)
    session.click(285, 300, BLUE, 0.1)  # beside the first one's disc
    session.click(275, 300, BLUE, 0.1)
    assert session.picked == 1


def test_a_colour_that_is_only_chosen_changes_no_point(session):
    session.click(200, 450, RED, 0.01)
    session.recolour(BLUE)
    session.resize(0.05)
    assert session.points[0].colour == RED
    session.recolour(BLUE, latest=True)  # one of those offered for this place
    assert (session.points[0].colour, session.points[0].radius) == (BLUE, 0.01)


def test_undo_takes_back_every_change_and_then_does_nothing(session):
    first = session.painted()
    states = [session.points]
    steps = [
        lambda: session.click(200, 450, RED, 0.01),
        lambda: session.click(400, 100, BLUE, 0.01),
        lambda: session.recolour(RED, latest=True),
        session.remove,
        session.clear,
    ]
    for step in steps:
        step()
        states.append(session.points)
    session.clear()  # there is nothing to remove
    for expected in reversed(states[:-1]):
        session.undo()
        assert session.points == expected
    session.undo()
    np.testing.assert_array_equal(session.painted(), first)


def test_undo_releases_the_picked_point(session):
    session.click(200, 450, RED, 0.01)
    session.click(200, 450, RED, 0.01)
    session.undo()
    assert (session.points, session.picked, session.latest) == ((), None, None)
    session.click(400, 100, BLUE, 0.01)
    assert len(session.points) == 1


def test_a_point_is_dragged_and_a_short_way_is_a_click(session):
    session.click(200, 450, RED, 0.01)
    session.drag((203, 452), (400, 100), BLUE, 0.01)
    (point,) = session.points
    assert point.colour == RED
    assert (point.x, point.y) == pytest.approx((400.5 / 800, 100.5 / 600))
    session.drag((400, 100), (405, 103), BLUE, 0.01)
    assert session.picked == 0
    session.picked = None
    session.drag((700, 500), (-50, 900), BLUE, 0.01)  # from elsewhere: a click at the end
    assert (session.points[1].x, session.points[1].y) == pytest.approx((0.5 / 800, 599.5 / 600))


def test_points_come_back_from_their_file_and_no_others(tmp_path, session):
    session.click(200, 450, RED, 0.01)
    session.click(400, 100, BLUE, 0.03)
    points = session.points
    path = session.write_hints(tmp_path)
    session.clear()
    session.read_hints(path)
    assert session.points == points
    session.undo()
    assert session.points == ()
    row = [0.5, 0.5, [1, 2, 3], 0.1]
    for wrong in (
        None,
        "",
        "[1]",
        "{}",
        [[2, *row[1:]]],
        [[*row[:3], -1]],
        [[*row[:2], [1, 2], 0]],
    ):
        texts = PngInfo()
        if wrong is not None:
            texts.add_text("points", wrong if isinstance(wrong, str) else json.dumps(wrong))
        Image.new("RGBA", (8, 6)).save(path, pnginfo=texts)
        with pytest.raises(UserError, match=r"photograph\.hints\.png names no points"):
            session.read_hints(path)
    assert session.points == ()


def test_strength_scales_what_is_shown(session):
    session.click(200, 450, RED, 0.02)
    full, half, none = (redness(session.painted(s))[450, 200] for s in (1.0, 0.5, 0.0))
    assert full > half > none == 0


def test_what_is_offered_fits_the_luminance_of_the_place(tmp_path, colorizer):
    picture = np.full((300, 400), 110, np.uint8)
    picture[:, 200:] = 230
    Image.fromarray(picture).save(tmp_path / "a.png")
    session = Session(tmp_path / "a.png", colorizer)
    assert session.level() == 128
    assert len(session.likely()) == 7
    session.click(100, 100, RED, 0.01)
    dark = session.level(), session.likely()
    session.click(700, 100, RED, 0.01)
    light = session.level(), session.likely()
    for level, colours in (dark, light):
        assert len(colours) == 8
        grays = grayscale(np.array([colours], np.uint8))
        assert np.abs(grays.astype(int) - level).max() < 25
        # The network's own answer comes first, and this one paints gray.
        assert np.ptp(colours[0]) <= 2
    assert (dark[0], light[0]) == (110, 230)


def test_a_palette_shows_all_hues_at_one_luminance():
    shown = palette.palette(140, 50, 200)
    lab = chroma.chroma_of(to_unit(shown))
    strength = np.hypot(lab[..., 0], lab[..., 1])
    assert strength[-1].max() < 2
    assert strength[0].min() > 25
    hues = np.degrees(np.arctan2(lab[0, :, 1], lab[0, :, 0])) % 360
    assert np.abs((hues - np.arange(200) * 1.8 + 180) % 360 - 180).max() < 25
    y = chroma._luminance(shown)
    np.testing.assert_allclose(y, chroma.LINEAR_8[140], atol=0.01)


def test_the_result_is_that_of_colorize_with_the_hints(tmp_path, colorizer):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    turned = STORED[6](np.full((300, 400, 1), 120, np.uint8))[..., 0]
    Image.fromarray(np.ascontiguousarray(turned)).save(tmp_path / "a.jpg", exif=exif)
    session = Session(tmp_path / "a.jpg", colorizer)
    session.click(200, 450, RED, 0.02)
    written = session.write(tmp_path / "made", 0.8)
    assert written.name == "a.jpg"
    assert Image.open(written).getexif()[0x010F] == "a camera"
    picture = photos.read_rgb(written)
    assert picture.shape == (300, 400, 3)
    assert redness(picture)[225, 100] > 15
    assert np.abs(redness(picture)[:, 200:]).max() < 3
    hints = session.write_hints(tmp_path / "hints")
    assert hints.name == "a.hints.png"
    output = tmp_path / "again"
    colorize(
        Request(inputs=(tmp_path / "a.jpg",), output=output, strength=0.8, hints=hints), colorizer
    )
    np.testing.assert_array_equal(photos.read_rgb(tmp_path / "again" / "a.jpg"), picture)


def test_the_result_is_enlarged_and_its_limit_is_that_of_the_session(tmp_path, colorizer):
    path = save(tmp_path / "a.png", size=(30, 40))
    session = Session(path, colorizer, 0.0012)
    session.scale = 2
    assert session.summary() == "a.png, 40 x 30 pixels, 80 x 60 when downloaded"
    assert photos.read_rgb(session.write(tmp_path / "made")).shape == (60, 80, 3)
    save(path, size=(30, 41))
    with pytest.raises(UserError, match=r"a\.png cannot be written: .* 0\.0012 megapixels"):
        session.write(tmp_path / "again")


def test_a_reference_colours_what_looks_like_it(tmp_path, colorizer):
    photos.write_png(tmp_path / "a.png", steps())
    photos.write_png(tmp_path / "red.png", reddish(steps()))
    session = Session(tmp_path / "a.png", colorizer)
    assert np.abs(redness(session.painted())).max() <= 1
    session.reference = read_reference(tmp_path / "red.png", colorizer)
    assert redness(session.painted()).max() > 20
    assert "% of it looks like red.png" in session.summary()
    assert redness(photos.read_rgb(session.write(tmp_path / "made"))).max() > 20
    session.reference = None
    assert np.abs(redness(session.painted())).max() <= 1


def test_what_cannot_be_done_is_one_sentence(tmp_path, colorizer, session):
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(UserError, match=r"text\.jpg cannot be shown: it holds no picture"):
        Session(tmp_path / "text.jpg", colorizer)
    with pytest.raises(UserError, match=r"more than 0\.01 megapixels"):
        Session(session.path, colorizer, 0.01)
    with pytest.raises(UserError, match="no points yet"):
        session.write_hints(tmp_path)
    session.path.unlink()
    with pytest.raises(UserError, match="there is no"):
        session.write(tmp_path / "made")
    brown = Colorizer(standins.save_brown(tmp_path / "brown.onnx"))
    with pytest.raises(UserError, match=r"brown\.onnx paints by itself and takes no colours"):
        Session(save(tmp_path / "b.jpg"), brown).click(9, 9, RED, 0.01)


def test_many_are_colorized_with_their_hints_and_failures_are_named(tmp_path, colorizer):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg"):
        save(folder / name)
    photos.write_png(folder / "a.hints.png", np.zeros((30, 40, 3), np.uint8))
    steps = []
    report = colorize(
        Request(inputs=(folder,), output=tmp_path / "out"),
        colorizer,
        lambda *progress: steps.append(progress),
    )
    ((name, reason),) = report.failures
    assert report.done == 1
    assert name == "a.jpg"
    assert "opaque everywhere" in reason
    assert steps == [(1, 2), (2, 2)]
