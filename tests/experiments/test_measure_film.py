"""measure_film.py: its measures against closed forms, and the whole of it once."""

import json
import math

from colorizer.files import photos
from colorizer.pixels import grayscale, resize
from experiments.measures import measure_film
from pictures import metrics

import numpy as np
import pytest
import standins


def plain(*colour):
    return np.full((24, 32, 3), colour, np.uint8)


def test_cdc_is_nothing_where_nothing_changes_and_ln_2_where_no_colour_stays():
    assert measure_film.cdc([plain(10, 20, 30)] * 6) == 0
    changing = [plain(n, n + 100, n + 200) for n in range(6)]
    assert measure_film.cdc(changing) == pytest.approx(math.log(2))
    # One of three channels changes each second frame: distance 1, but neither 2 nor 4.
    flicker = [plain(n % 2, 100, 200) for n in range(6)]
    assert measure_film.cdc(flicker) == pytest.approx(math.log(2) / 9)


def test_colourfulness_of_gray_and_of_one_colour():
    assert metrics.colourfulness(plain(80, 80, 80)) == 0
    red_green, yellow_blue = 100, 50 - 30
    expected = 0.3 * math.hypot(red_green, yellow_blue)
    assert metrics.colourfulness(plain(100, 0, 30)) == pytest.approx(expected)


@pytest.mark.parametrize("number", [0, 1])
def test_along_its_true_motion_a_pan_does_not_change(number):
    small = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    clip, motions = measure_film.pan_and_zoom(resize(small, 400, 600), number)
    assert len(motions) == len(clip) - 1
    grays = [grayscale(frame)[..., 0] for frame in clip]
    values = [frame.astype(np.float32) for frame in clip]
    along = measure_film.Motion(grays, [0], motions)
    against = measure_film.Motion(grays, [0], [-motion for motion in motions])
    right, wrong = (
        np.mean([np.abs(each).mean() for each in motion.differences(values)])
        for motion in (along, against)
    )
    assert right < 1
    assert wrong > 5 * right


def test_what_crosses_a_cut_is_not_measured():
    frames = [np.full((24, 32), level, np.uint8) for level in (0, 0, 200, 200)]
    motion = measure_film.Motion(frames, [0, 2], None)
    values = [np.dstack([frame, frame]).astype(np.float32) for frame in frames]
    assert [np.abs(each).max() for each in motion.differences(values)] == [0, 0]


@pytest.fixture
def sample(tmp_path, monkeypatch):
    """Stand in a folder with one small sample, over which a pan takes eight frames."""
    (tmp_path / "samples").mkdir()
    picture = np.random.default_rng(1).integers(0, 256, (6, 8, 3), np.uint8)
    photos.write_png(tmp_path / "samples" / "one.png", resize(picture, 90, 120))
    monkeypatch.setattr(measure_film, "ROOT", tmp_path)
    monkeypatch.setattr(measure_film, "PAN_FRAMES", 8)
    monkeypatch.chdir(tmp_path)


def test_the_whole_table_is_printed_and_written(tmp_path, sample, capsys):
    model = standins.save_brown(tmp_path / "brown.onnx")
    output = tmp_path / "out.json"
    assert measure_film.main(["--model", str(model), "--output", str(output)]) == 0
    rows = json.loads(output.read_text())["clips"]
    assert [row["way"] for row in rows] == ["truth", "frame by frame", "steady"]
    # The stand-in does not flicker, so that steadying it changes next to nothing.
    assert rows[2]["psnr"] == pytest.approx(rows[1]["psnr"], abs=0.2)
    assert rows[0]["chroma_change"] < 5
    printed = capsys.readouterr().out
    assert measure_film.table(rows) in printed
    figures = f"{rows[2]['cdc']:.5f} | {rows[2]['e_warp']:.5f} | {rows[2]['psnr']:.2f} | "
    assert f"|  | steady | {figures}" in printed
    assert "| mean of 1 | truth | " in printed
    assert (tmp_path / "outputs/films/pan over one.png").exists()


def textured(seed=0):
    gray = np.random.default_rng(seed).integers(0, 256, (12, 16, 1), np.uint8)
    return resize(gray, 48, 64)


def test_points_are_followed_and_those_that_are_lost_are_left_out():
    whole = textured()[..., 0]
    frames = [np.ascontiguousarray(whole[:, at : at + 48]) for at in range(0, 12, 2)]
    begin, end = measure_film.follow(frames)
    assert len(begin) > 5
    np.testing.assert_allclose(begin - end, np.tile([10, 0], (len(begin), 1)), atol=1)
    assert len(measure_film.follow([frames[0], textured(9)[:, :48, 0]])[0]) < len(begin) / 3


def test_drift_is_the_change_of_chroma_of_a_point():
    before, after = np.zeros((2, 10, 20, 2), np.float32)
    before[:, :10], after[:, 10:] = (3, 4), (6, 8)
    left, right = np.array([[0.25, 0.5]]), np.array([[0.75, 0.5]])
    assert measure_film.changes([before, after], [left, left]) == pytest.approx([5])
    assert measure_film.changes([before, after], [left, right]) == pytest.approx([5])
    assert measure_film.changes([before, after], [right, right]) == pytest.approx([10])


class Flickering:
    """A Colorizer whose network paints each picture it has not seen yet in one of two colours."""

    number = 0

    def shrink(self, image):
        return image

    def look(self, image):
        self.number += 1
        return np.full((48, 64, 2), 20 * (self.number % 2), np.float32), None


def test_the_steady_way_is_steadier_where_a_network_flickers():
    grays = [textured()[..., 0] // 2 + number for number in range(20)]
    ways = measure_film.Ways(Flickering())
    alone = np.stack(ways.frame_by_frame(grays))
    steady, found = ways.steady(grays)
    assert np.abs(np.diff(alone, axis=0)).mean() == 20
    assert np.abs(np.diff(np.stack(steady), axis=0)).mean() < 20 / 5
    assert np.mean(steady) == pytest.approx(10, abs=0.5)
    assert [(scene.begin, scene.end) for scene in found] == [(0, 20)]
