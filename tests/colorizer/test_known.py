"""Known colours from points, hints and a reference, and what colorize.py makes of them."""

import json
import re
from pathlib import Path

import colorize
from colorizer import Colorizer, chroma
from colorizer.files import photos
from colorizer.hints import drawing, known, reference
from colorizer.pixels import to_uint8, to_unit

import numpy as np
import pytest
import standins
from generated import STORED, quarters
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
BLUE, ORANGE = (90, 110, 190), (190, 120, 60)
GRAY = np.full((60, 90, 1), 128, np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return standins.save_echo(tmp_path_factory.mktemp("model") / "echo.onnx")


def chroma_of(colour):
    return chroma.chroma_of(np.array(colour) / 255)


# ------------------------------------------------------------------------------- arrays


def test_a_point_is_known_where_it_is_in_its_colour():
    points = [drawing.Point(0.25, 0.75, BLUE, 0.05), drawing.Point(0.9, 0.1, ORANGE, 0)]
    hints = drawing.draw(points, 600, 900)
    assert (hints.shape, hints.dtype) == ((600, 900, 4), np.uint8)
    assert hints[450, 225].tolist() == [*BLUE, 255]
    # A disc of a radius of 45 pixels, and a single pixel.
    assert (hints[..., 3] > 0).sum() == pytest.approx(np.pi * 45**2, rel=0.03)
    assert hints[60, 810].tolist() == [*ORANGE, 255]
    found = drawing.from_hints(hints, GRAY)
    assert (found.shape, found.dtype) == ((60, 90, 3), np.float32)
    np.testing.assert_allclose(found[45, 22], (*chroma_of(BLUE) / 110, 1), atol=0.005)
    np.testing.assert_allclose(found[6, 81], (*chroma_of(ORANGE) / 110, 1), atol=0.005)
    assert found[..., 2].sum() == pytest.approx(np.pi * 4.5**2 + 1, rel=0.1)
    assert not found[found[..., 2] == 0].any()


def test_the_later_point_lies_above():
    points = [drawing.Point(0.5, 0.5, BLUE, 0.1), drawing.Point(0.5, 0.5, ORANGE, 0.05)]
    assert drawing.draw(points, 60, 90)[30, 45].tolist() == [*ORANGE, 255]


def test_points_at_the_very_edge_lie_inside():
    hints = drawing.draw([drawing.Point(1, 1, BLUE, 0), drawing.Point(0, 0, BLUE, 0)], 7, 9)
    assert hints[-1, -1, 3] == hints[0, 0, 3] == 255


def test_thin_strokes_count_and_soft_brushes_too():
    hints = np.zeros((600, 900, 4), np.uint8)
    hints[300:302, 100:800] = *ORANGE, 255  # a fifth of a pixel
    hints[100:200, 100:200] = *BLUE, 40
    hints[102:198, 102:198, 3] = 90  # under half of the stroke
    found = drawing.from_hints(hints, GRAY)
    assert found[30, 10:80, 2].all()
    assert not found[10:20, 10:20].any()
    hints[300:302] = 0  # now it is the strongest
    found = drawing.from_hints(hints, GRAY)
    assert found[10:20, 10:20, 2].all()
    assert found[..., 2].sum() == 100


def test_a_wide_stroke_ends_where_it_covers_half_of_a_pixel():
    hints = np.zeros((600, 900, 4), np.uint8)
    hints[100:200, 104:214] = *BLUE, 255  # the last column covers 4 of 10
    found = drawing.from_hints(hints, GRAY)
    assert found[10:20, 10:21, 2].sum() == found[..., 2].sum() == 11 * 10


@pytest.mark.parametrize("level", [20, 96, 128, 240])
def test_a_colour_that_cannot_be_there_loses_chroma_and_keeps_its_hue(level):
    """In the dark it stays what a darkish gray can show: who points at a fold means the coat."""
    small = np.full((40, 40, 1), level, np.uint8)
    wanted = chroma_of((0, 0, 255))
    found = drawing.from_hints(
        drawing.draw([drawing.Point(0.5, 0.5, (0, 0, 255), 0.2)], 40, 40), small
    )
    a, b = 110 * found[20, 20, :2]
    assert 1 < np.hypot(a, b) < np.hypot(*wanted)
    assert b < 0 < a
    lab = np.dstack([np.full((1, 1), max(level, known.DARK), np.float32)] * 3) / 255
    painted = chroma.add_chroma(
        to_uint8(lab)[..., :1], to_uint8(lab)[..., :1], np.float32([[[a, b]]])
    )
    np.testing.assert_allclose(chroma.chroma_of(to_unit(painted))[0, 0], (a, b), atol=1.5)


def test_what_an_earlier_one_knows_counts():
    first, second = known.none(2, 3), known.none(2, 3)
    first[0, 0], second[0, :2] = (0.1, 0.2, 1), (0.3, 0.4, 1)
    merged = known.first_of(first, second)
    np.testing.assert_allclose(merged[0], [(0.1, 0.2, 1), (0.3, 0.4, 1), (0, 0, 0)])


def test_half_size_keeps_the_colour_of_one_pixel_in_four():
    full = known.none(4, 6)
    full[1, 2] = 0.5, -0.25, 1
    full[2, 4], full[3, 5] = (0.2, 0, 1), (0.4, 0.2, 0.5)
    half = known.at_half_size(full)
    assert half.shape == (2, 3, 3)
    np.testing.assert_allclose(half[0, 1], (0.5, -0.25, 1))
    np.testing.assert_allclose(half[1, 2], ((0.2 + 0.2) / 1.5, 0.1 / 1.5, 1), atol=1e-6)
    assert np.count_nonzero(half[..., 2]) == 2


# ----------------------------------------------------------------------------- a reference


def steps(count=64):
    """Return a picture of so many levels of gray in squares of 16 pixels."""
    levels = np.linspace(20, 230, count).reshape(8, -1)
    return np.repeat(np.repeat(levels, 16, 0), 16, 1).astype(np.uint8)[..., np.newaxis]


def reddish(gray):
    """Return a picture of the same luminance with Lab's a at 30."""
    return chroma.add_chroma(gray, gray, np.full((*gray.shape[:2], 2), (30, 0), np.float32))


def features_of(vectors):
    return np.array(vectors, np.float32)


def coloured_squares():
    """Return a picture of 32x48 pixels whose squares of 16 have six colours."""
    colours = np.random.default_rng(0).integers(60, 200, (2, 3, 3), np.uint8)
    return colours.repeat(16, 0).repeat(16, 1)


def test_mutual_neighbours_that_are_alike_enough_get_the_colour_of_their_place():
    picture = coloured_squares()
    features = features_of([[[9, 0, 0], [0, 9, 0], [0, 0, 9]], [[1, 1, 0], [0, 1, 1], [1, 0, 1]]])
    learned = reference.reference_of(features, picture, 16)
    true = chroma.chroma_of(to_unit(picture))
    np.testing.assert_allclose(learned.chroma, true[8::16, 8::16].reshape(-1, 2), atol=1e-3)
    # Like place 0; like place 1, but another is liker; like none; like 1 most.
    own = features_of([[[2, 0, 0], [0.4, 1, 0.1]], [[-1, -1, -1], [0, 5, 0]]])
    small = np.full((32, 32, 1), 150, np.uint8)
    found, share = reference.from_reference(learned, own, small, 16)
    assert found.shape == (32, 32, 3)
    assert share == 0.5
    # In the middle of each square: at its edges it would be seen on a plain wall.
    np.testing.assert_array_equal(found[6::16, 9::16, 2], [[1, 0], [0, 1]])
    assert not found[::16, :, 2].any()
    assert not found[:, 15::16, 2].any()
    for place, colour in (((7, 7), true[0, 0]), ((24, 24), true[0, 20])):
        limited = np.broadcast_to((*colour / 110, 1), (32, 32, 3)).astype(np.float32)
        np.testing.assert_allclose(found[place], known.possible(limited, small)[place], atol=2e-3)


def test_what_is_not_alike_enough_is_not_known():
    learned = reference.reference_of(features_of([[[1, 0]]]), coloured_squares()[:16, :16], 16)
    small = np.full((16, 16, 1), 150, np.uint8)
    angle = np.arccos(reference.LEAST_LIKENESS)
    for more, expected in ((0.05, 0), (-0.05, 1)):
        own = features_of([[[np.cos(angle + more), np.sin(angle + more)]]])
        assert reference.from_reference(learned, own, small, 16)[1] == expected


def test_few_matches_are_chance():
    """Of 40 places one looks like one of the reference, or two do."""
    vectors = np.eye(80, dtype=np.float32).reshape(8, 10, 80)
    picture = np.full((64, 160, 3), (200, 100, 60), np.uint8)
    learned = reference.reference_of(vectors[:4], picture, 16)
    small = np.full((64, 160, 1), 150, np.uint8)
    for alike, expected in ((1, 0), (2, 2 / 40)):
        own = vectors[4:].copy()
        own[0, :alike] = vectors[2, :alike]
        found, share = reference.from_reference(learned, own, small, 16)
        assert share == pytest.approx(expected)
        assert found[..., 2].any() == bool(expected)


def test_a_photograph_matches_itself_wherever_it_differs(model):
    colorizer = Colorizer(model, 128)
    gray = steps()
    reference = colorizer.reference(reddish(gray))
    found, share = colorizer.match(gray, reference)
    assert found.shape == (128, 128, 3)
    assert share > 0.8  # luma of a coloured picture is rounded
    inner = found[40:100, 40:100]
    np.testing.assert_allclose(inner[inner[..., 2] > 0, 0], 30 / 110, atol=0.03)
    assert colorizer.match(gray[:16, :16], reference)[0].shape == (128, 128, 3)


def test_a_reference_is_looked_at_from_near_and_from_far(model, monkeypatch):
    colorizer, sides = Colorizer(model, 112), []
    features = type(colorizer.network).features
    monkeypatch.setattr(
        type(colorizer.network),
        "features",
        lambda self, gray: sides.append(gray.shape[1]) or features(self, gray),
    )
    found = colorizer.reference(reddish(steps()))
    assert sides == [80, 112, 160]
    assert len(found.features) == len(found.chroma) == 5**2 + 7**2 + 10**2


# ------------------------------------------------------------------------------- files


@pytest.fixture
def run(tmp_path, model, capsys):
    """Return a function that runs colorize.py on tmp_path/in and returns its status and lines."""

    def run(*flags, model=model, output="out"):
        folders = ["--input", str(tmp_path / "in"), "--output", str(tmp_path / output)]
        size = ["--working-size", "128"]
        status = colorize.main([*folders, "--model", str(model), *size, *map(str, flags)])
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return run


def save(path, picture, **settings):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = picture[..., 0] if picture.shape[-1] == 1 else picture
    Image.fromarray(np.ascontiguousarray(picture)).save(path, **settings)
    return path


def hints_at(x, y, colour=ORANGE, size=(120, 160), radius=0.1):
    return drawing.draw([drawing.Point(x, y, colour, radius)], *size)


def redness(path):
    """Return where a result is red: red less blue, int (H, W)."""
    picture = photos.read_rgb(path).astype(int)
    return picture[..., 0] - picture[..., 2]


SCENE = np.full((120, 160, 1), 128, np.uint8)


def test_hints_beside_a_photograph_colour_it_there_and_are_no_photograph(tmp_path, run):
    save(tmp_path / "in" / "a.png", SCENE)
    save(tmp_path / "in" / "b.png", SCENE)
    save(tmp_path / "in" / "a.hints.png", hints_at(0.25, 0.25))
    status, printed = run()
    assert status == 0
    assert "2 colorized, 0 failed" in printed
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == ["a.png", "b.png"]
    red = redness(tmp_path / "out" / "a.png")
    assert red[30, 40] > 20
    assert np.abs(red[60:, 80:]).max() <= 1
    assert np.abs(redness(tmp_path / "out" / "b.png")).max() <= 1


def test_changed_hints_colour_again_and_hints_that_are_gone_too(tmp_path, run):
    save(tmp_path / "in" / "a.png", SCENE)
    run()
    hints = save(tmp_path / "in" / "a.hints.png", hints_at(0.25, 0.25))
    assert "1 colorized, 0 failed" in run()[1]
    assert "0 colorized, 1 skipped" in run()[1]
    save(hints, hints_at(0.75, 0.75))
    assert "with a.hints.png" in run("--dry-run")[1]
    assert "1 colorized, 0 failed" in run()[1]
    assert redness(tmp_path / "out" / "a.png")[90, 120] > 20
    hints.unlink()
    assert "1 colorized, 0 failed" in run()[1]
    assert np.abs(redness(tmp_path / "out" / "a.png")).max() <= 1


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_hints_lie_over_the_upright_photograph_at_any_size(tmp_path, run, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(tmp_path / "in" / "a.jpg", STORED[orientation](SCENE), exif=exif)
    save(tmp_path / "in" / "a.hints.png", hints_at(0.25, 0.75, size=(60, 80)))
    assert "0 would fail" in run("--dry-run")[1]
    assert run()[0] == 0
    red = redness(tmp_path / "out" / "a.jpg")
    assert red.shape == (120, 160)
    assert red[90, 40] > 20
    assert np.abs(red[:60, 80:]).max() <= 3


def test_hints_can_be_named(tmp_path, run):
    save(tmp_path / "in" / "a.png", SCENE)
    save(tmp_path / "in" / "a.hints.png", hints_at(0.25, 0.25))
    other = save(tmp_path / "other.png", hints_at(0.75, 0.25))
    assert run("--hints", other)[0] == 0
    red = redness(tmp_path / "out" / "a.png")
    assert red[30, 120] > 20
    assert np.abs(red[:, :80]).max() <= 1
    save(tmp_path / "in" / "b.png", SCENE)
    status, printed = run("--hints", other)
    assert status == 2
    assert "is for one photograph, and --input names 2" in printed


OPAQUE = hints_at(0.5, 0.5)
OPAQUE[..., 3] = 255
BAD_HINTS = {
    "opaque": (lambda path: save(path, OPAQUE), "opaque everywhere; paint the colours on a trans"),
    "no alpha": (lambda path: save(path, OPAQUE[..., :3]), "opaque everywhere"),
    "empty": (lambda path: save(path, 0 * OPAQUE), "is empty; paint the colours where they belong"),
    "turned": (
        lambda path: save(path, hints_at(0.5, 0.5, size=(160, 120))),
        "has 120 x 160 pixels, another shape than the upright photograph's 160 x 120",
    ),
    "broken": (lambda path: path.write_bytes(b"nothing"), "holds no picture in a known format"),
}


@pytest.mark.parametrize("case", BAD_HINTS)
def test_bad_hints_are_one_failure_that_says_what_to_do(tmp_path, run, case):
    for name in ("a.png", "b.png"):
        save(tmp_path / "in" / name, SCENE)
    make, sentence = BAD_HINTS[case]
    make(tmp_path / "in" / "a.hints.png")
    for flags in (["--dry-run"], []):
        status, printed = run(*flags)
        assert status == 1
        lines = printed.splitlines()
        (failure,) = [line for line in lines if line.startswith(("failed:", "would fail:"))]
        assert "a.png: a.hints.png: it " in failure
        assert sentence in failure
    assert [path.name for path in (tmp_path / "out").glob("*.png")] == ["b.png"]


def test_hints_of_no_photograph_are_named(tmp_path, run):
    save(tmp_path / "in" / "a.png", SCENE)
    save(tmp_path / "in" / "c.hints.png", hints_at(0.5, 0.5))
    status, printed = run()
    assert status == 1
    assert "failed: c.hints.png: by its name it holds hints; put it beside" in printed
    assert "1 colorized, 1 failed" in printed


def test_only_the_first_page_has_hints(tmp_path, run):
    pages = [Image.fromarray(SCENE[..., 0])] * 2
    (tmp_path / "in").mkdir()
    pages[0].save(tmp_path / "in" / "a.tif", save_all=True, append_images=pages[1:])
    save(tmp_path / "in" / "a.hints.png", hints_at(0.25, 0.25))
    assert run()[0] == 0
    assert redness(tmp_path / "out" / "a.tif").max() > 20
    assert redness(tmp_path / "out" / "a-page-2.tif").max() <= 1


def test_a_photograph_in_colour_that_has_hints_is_not_left_alone(tmp_path, run):
    for name in ("a.png", "b.png"):
        save(tmp_path / "in" / name, quarters(120, 160))
    save(tmp_path / "in" / "a.hints.png", hints_at(0.25, 0.25))
    assert "1 colorized, 1 in colour and copied as they are" in run("--keep-colour")[1]


def test_a_model_that_takes_no_hints_says_so(tmp_path, run):
    plain = standins.save_brown(tmp_path / "brown.onnx")
    save(tmp_path / "in" / "a.png", SCENE)
    hints = save(tmp_path / "in" / "a.hints.png", hints_at(0.25, 0.25))
    status, printed = run(model=plain)
    assert status == 0
    assert "a.png: a.hints.png is left out, because this --model takes no hints" in printed
    for flag in ("--hints", "--reference"):
        status, printed = run(flag, hints, model=plain)
        assert status == 2
        assert f"brown.onnx takes no known colours, which {flag} needs" in printed


def test_a_reference_gives_its_colours_to_what_looks_like_it(tmp_path, run):
    save(tmp_path / "in" / "like.png", steps())
    save(tmp_path / "in" / "other.png", np.full((128, 128, 1), 255, np.uint8))
    red = save(tmp_path / "red.png", reddish(steps()))
    status, printed = run("--reference", red)
    assert status == 0
    assert re.search(r"^like.png: [89]\d% of it looks like red.png$", printed, re.MULTILINE)
    assert redness(tmp_path / "out" / "like.png")[8::16, 8::16].mean() > 20
    assert "0 colorized, 2 skipped" in run("--reference", red)[1]
    # Another reference: done again. So it is without one.
    brown = save(tmp_path / "brown.png", reddish(np.full((128, 128, 1), 40, np.uint8)))
    printed = run("--reference", brown)[1]
    assert "2 colorized" in printed
    assert "other.png: nothing in it looks like brown.png; colorized without it" in printed
    assert "2 colorized" in run()[1]
    entries = (tmp_path / "out" / "colorized.jsonl").read_text().splitlines()
    settings = [json.loads(entry)["settings"] for entry in entries]
    assert ["reference_sha256" in each for each in settings] == [True] * 4 + [False] * 2


def test_hints_count_more_than_the_reference(tmp_path, run):
    save(tmp_path / "in" / "a.png", steps())
    red = save(tmp_path / "red.png", reddish(steps()))
    save(tmp_path / "in" / "a.hints.png", hints_at(0.25, 0.75, BLUE, (128, 128)))
    assert run("--reference", red)[0] == 0
    # This model writes b as green.
    green = photos.read_rgb(tmp_path / "out" / "a.png")[..., 1].astype(int) - steps()[..., 0]
    assert green[96, 32] < -20
    assert abs(green[96, 100]) < 15


def test_what_is_no_reference_is_one_sentence(tmp_path, run):
    save(tmp_path / "in" / "a.png", SCENE)
    (tmp_path / "text.png").write_text("no picture")
    for file, sentence in (
        (save(tmp_path / "gray.png", SCENE), "gray.png is black-and-white; give a photograph in"),
        (tmp_path / "text.png", "text.png is no reference: it holds no picture"),
        (tmp_path / "none.png", "there is no file"),
    ):
        status, printed = run("--reference", file)
        assert status == 2
        assert sentence in printed
    assert not (tmp_path / "out").exists()
