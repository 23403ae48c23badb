"""mend.py, fading.py and --restore with its parts: marks found and filled, faded tones."""

from pathlib import Path

import colorize
from colorizer import Enlarger
from colorizer.files import photos
from colorizer.pixels import grayscale, to_uint8, to_unit
from colorizer.prints import fading, mend
from colorizer.prints.tiles import Grid, in_tiles

import cv2
import numpy as np
import pytest
import standins
from PIL import Image

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def sample(name="coffee.jpg"):
    return grayscale(photos.read_rgb(SAMPLES / name))


def cracked(gray, width=4):
    """Draw a white crack with an uneven edge over a gray image, and say where: (H, W) bool."""
    random = np.random.default_rng(0)
    height, across = gray.shape[:2]
    y = np.linspace(0.2, 0.7, 30) * height + random.normal(0, 4, 30)
    points = np.stack([np.linspace(0.1, 0.9, 30) * across, y], axis=1).astype(np.int32)
    drawn = cv2.polylines(np.zeros((height, across), np.uint8), [points], False, 255, width)
    return np.where(drawn[..., None] > 0, np.uint8(250), gray), drawn > 0


# ----------------------------------------------------------------------------------- the marks


def test_a_crack_is_found_and_filled():
    gray = sample()
    broken, where = cracked(gray)
    found = mend.find(broken)
    assert found.shape == gray.shape[:2]
    assert found[where].mean() > 0.8
    around = cv2.dilate(where.astype(np.uint8), None, iterations=4).astype(bool)
    assert found[~around].mean() < 0.1 * found[where].mean()
    mended = mend.fill(broken, found).astype(int)
    before = np.abs(broken.astype(int) - gray)[where].mean()
    assert np.abs(mended - gray)[where].mean() < 0.4 * before
    np.testing.assert_array_equal(mended[~found], broken[~found])


def test_sixteen_bits_are_mended_like_eight():
    broken, where = cracked(sample()[:200, :300])
    deep = broken.astype(np.uint16) * 257
    np.testing.assert_array_equal(mend.find(deep), mend.find(broken))
    eight, sixteen = (mend.fill(each, where) for each in (broken, deep))
    assert sixteen.dtype == np.uint16
    # Each pixel follows from its neighbours, so that roundings add up.
    assert np.abs(sixteen / 257 - eight)[where].mean() < 0.5


def test_a_mark_is_all_that_hangs_together_with_what_is_sure(monkeypatch):
    levels = np.zeros((9, 20), np.uint8)
    levels[4, 2:8] = mend.LIKELY
    levels[4, 4] = mend.SURE
    levels[4, 12:18] = mend.SURE - 1  # likely, never sure
    monkeypatch.setattr(mend, "likely", lambda gray, device: levels)
    found = mend.find(None)
    assert found[4, 1:9].all()  # grown by one
    assert found.sum() == 8 * 3
    assert not found[:, 11:].any()


def test_wide_marks_of_large_pictures_are_seen_smaller(monkeypatch):
    sizes = []

    def seen(session, gray, grid):
        sizes.append(gray.shape[:2])
        return np.full_like(gray, len(sizes))

    monkeypatch.setattr(mend, "in_tiles", seen)
    monkeypatch.setattr(mend, "HALVED_ABOVE", 50)
    assert (mend.likely(np.zeros((40, 61, 1), np.uint8)) == 2).all()
    assert sizes == [(40, 61), (20, 30)]
    assert (mend.likely(np.zeros((40, 50, 1), np.uint8)) == 3).all()


def test_marks_are_looked_for_on_the_device_that_is_asked_for(monkeypatch):
    asked, network = [], mend.finder()

    def finder(device="auto"):
        asked.append(device)
        return network

    monkeypatch.setattr(mend, "finder", finder)
    Enlarger(1, parts=["scratches"], device="cpu").luminance(sample()[:40, :40])
    assert set(asked) == {"cpu"}


def test_tiles_of_the_finder_leave_no_seams(monkeypatch):
    broken, _ = cracked(sample()[:250, :300])
    whole = mend.likely(broken).astype(int)
    monkeypatch.setattr(mend, "GRID", Grid(tile=64, seen=112, multiple=16))
    assert np.abs(mend.likely(broken) - whole).max() <= 2
    monkeypatch.setattr(mend, "GRID", Grid(tile=64, seen=16, multiple=16))
    assert np.abs(mend.likely(broken) - whole).max() > 2


def test_tiles_fit_together(tmp_path):
    class Double:
        """Doubles a picture, as a session does."""

        def get_inputs(self):
            return [self]

        name = "grayscale"

        def run(self, _, given):
            part = given["grayscale"]
            assert part.shape[1] % 4 == part.shape[2] % 4 == 0
            return [part.repeat(2, 1).repeat(2, 2)]

    gray = np.random.default_rng(0).integers(0, 256, (37, 50, 1), np.uint8)
    found = in_tiles(Double(), gray, Grid(tile=12, seen=4, multiple=4), 2)
    np.testing.assert_array_equal(found, gray.repeat(2, 0).repeat(2, 1))


def test_a_person_overrules_what_is_found():
    found = np.array([[True, False, True, False]])
    painted = np.array([[[255, 255], [255, 255], [0, 255], [255, 0]]], np.uint8)
    np.testing.assert_array_equal(mend.as_painted(found, painted), [[True, True, False, False]])


# ----------------------------------------------------------------------------------- the tones


def test_faded_tones_come_back_and_others_stay():
    gray = sample("astronaut.jpg")
    np.testing.assert_array_equal(fading.corrected(gray), gray)
    faded = to_uint8(0.3 + 0.4 * to_unit(gray))
    back = fading.corrected(faded)
    ends = [np.percentile(each, (0.5, 99.5)) / 255 for each in (faded, back)]
    np.testing.assert_allclose(ends[1], (fading.BLACK, fading.WHITE), atol=0.06)
    assert np.abs(back.astype(int) - gray).mean() < 0.4 * np.abs(faded.astype(int) - gray).mean()
    # Brighter stays brighter.
    levels = fading.curve(faded).astype(int)
    assert (np.diff(levels) >= 0).all()
    half = fading.curve(faded, strength=0.5)
    np.testing.assert_allclose(half, (levels + np.arange(256)) / 2, atol=1)


def test_a_print_whose_white_alone_is_gone_has_faded():
    gray = sample("astronaut.jpg")
    back = fading.corrected(to_uint8(0.7 * to_unit(gray)))
    assert np.percentile(back, 99.5) / 255 == pytest.approx(fading.WHITE, abs=0.03)


def test_contrast_grows_no_more_than_noise_may():
    faded = to_uint8(0.45 + 0.1 * to_unit(sample("astronaut.jpg")))
    levels = fading.curve(faded).astype(float)
    assert np.diff(levels[118:136]).mean() < fading.MOST_GAIN * 1.3


def test_borders_and_marks_do_not_count():
    faded = to_uint8(0.3 + 0.4 * to_unit(sample("astronaut.jpg")))
    alone = fading.curve(faded)
    framed = cv2.copyMakeBorder(faded, 20, 20, 20, 20, cv2.BORDER_CONSTANT, value=255)[..., None]
    np.testing.assert_allclose(fading.curve(framed), alone, atol=3)
    marked = faded.copy()
    marked[100:140] = 255
    marks = (marked == 255)[..., 0]
    np.testing.assert_allclose(fading.curve(marked, marks), alone, atol=6)
    assert fading.curve(marked) is None or np.abs(fading.curve(marked) - alone).max() > 6


def test_sixteen_bits_have_the_tones_of_eight():
    faded = to_uint8(0.3 + 0.4 * to_unit(sample("astronaut.jpg")))
    deep = fading.corrected(faded.astype(np.uint16) * 257)
    assert deep.dtype == np.uint16
    assert np.abs(deep / 257 - fading.corrected(faded)).max() < 1


# ------------------------------------------------------------------------------ the command


@pytest.fixture
def run(tmp_path, capsys):
    """Return a function that runs the command on tmp_path/in: its status and what it says."""
    model = standins.save_brown(tmp_path / "brown.onnx")
    (tmp_path / "in").mkdir()

    def run(*flags):
        given = [*flags, "--output", str(tmp_path / "out"), "--model", str(model)]
        status = colorize.main(given)
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return run


def test_the_parts_and_the_share_are_chosen(tmp_path, run):
    broken, where = cracked(sample()[:200, :300])
    source = tmp_path / "in" / "a.png"
    Image.fromarray(broken[..., 0]).save(source)
    results = {}
    for name, flags in {
        "none": ["--input", str(source)],
        "all": ["--restore", str(source)],
        "marks": ["--restore", "scratches", str(source)],
        "half": ["--restore", "0.5", "scratches", str(tmp_path / "in")],
        "grain": ["--restore", "grain", "--input", str(source)],
    }.items():
        status, printed = run(*flags)
        assert status == 0, printed
        assert "1 colorized" in printed  # each is another result
        results[name] = grayscale(photos.read_rgb(tmp_path / "out" / "a.png")).astype(int)
    assert (results["none"] - results["marks"])[where].mean() > 30
    half = (results["none"] + results["marks"]) / 2
    assert np.abs(results["half"] - half).mean() < 1.5
    assert np.abs(results["grain"] - results["none"])[where].mean() < 15
    for wrong in (["--restore", "1.5"], ["--restore", "-1"]):
        with pytest.raises(SystemExit):
            run(*wrong, str(source))
    status, printed = run("--restore", "dust", str(source))
    assert status == 2
    assert "there is no dust" in printed


def test_what_was_filled_is_written_and_a_persons_mask_is_obeyed(tmp_path, run):
    broken, _ = cracked(sample()[:200, :300])
    source = tmp_path / "in" / "a.png"
    Image.fromarray(broken[..., 0]).save(source)
    assert run("--mask-out", str(source))[0] == 2  # of nothing
    assert run("--restore", "scratches", "--mask-out", str(source))[0] == 0
    written = np.asarray(Image.open(tmp_path / "out" / "a.mask.png"))
    np.testing.assert_array_equal(written > 0, mend.find(broken))
    assert set(np.unique(written)) == {0, 255}
    # Left of the middle nothing is to be mended, right of it the network decides.
    painted = np.zeros((200, 300, 4), np.uint8)
    painted[:, :150, 3] = 255
    painted[150:160, 40:60] = 255
    Image.fromarray(painted).save(tmp_path / "in" / "a.mask.png")
    status, printed = run("--restore", "scratches", "--mask-out", str(tmp_path / "in"))
    assert status == 0
    assert "1 colorized" in printed  # the mask is no photograph
    asked = np.asarray(Image.open(tmp_path / "out" / "a.mask.png")) > 0
    np.testing.assert_array_equal(asked[:, 150:], mend.find(broken)[:, 150:])
    assert asked[150:160, 40:60].all()
    assert asked[:, :150].sum() == 200
    Image.fromarray(painted[:50]).save(tmp_path / "in" / "a.mask.png")
    status, printed = run("--restore", str(tmp_path / "in"))
    assert status == 1
    assert "a.mask.png has 300 x 50 pixels, and the photograph 300 x 200" in printed


def test_a_frame_is_hidden_from_the_network(tmp_path, run):
    gray = sample()[:160, :200]
    framed = cv2.copyMakeBorder(gray, 20, 20, 20, 20, cv2.BORDER_CONSTANT, value=250)
    Image.fromarray(framed).save(tmp_path / "in" / "a.png")
    assert run("--trim", str(tmp_path / "in"))[0] == 0
    pixels = photos.read_rgb(tmp_path / "out" / "a.png").astype(int)
    assert pixels.shape == (200, 240, 3)
    assert np.ptp(pixels[:15], axis=2).max() == 0
    assert (pixels[30:-30, 30:-30, 0] - pixels[30:-30, 30:-30, 2]).mean() > 5


def test_enlarging_alone_cleans_nothing():
    gray = sample()[:80, :90]
    noise = np.random.default_rng(0).normal(0, 15, gray.shape)
    noisy = np.clip(gray + noise, 0, 255).astype(np.uint8)
    plain, cleaned = (Enlarger(2, parts=parts).luminance(noisy) for parts in ((), ["grain"]))
    smooth = [cv2.Laplacian(each.astype(np.float32), -1).std() for each in (plain, cleaned)]
    assert smooth[1] < 0.6 * smooth[0]
