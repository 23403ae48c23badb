"""experiments/measure_film.py: its measures against closed forms, and the whole of it once."""

import json
import math

from colorizer import photos
from experiments import measure_film

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
    assert measure_film.colourfulness(plain(80, 80, 80)) == 0
    red_green, yellow_blue = 100, 50 - 30
    expected = 0.3 * math.hypot(red_green, yellow_blue)
    assert measure_film.colourfulness(plain(100, 0, 30)) == pytest.approx(expected)


@pytest.mark.parametrize("number", [0, 1])
def test_along_its_true_motion_a_pan_does_not_change(number):
    small = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    clip, motions = measure_film.pan_and_zoom(photos.resize(small, 400, 600), number)
    assert len(motions) == len(clip) - 1
    grays = [photos.grayscale(frame)[..., 0] for frame in clip]
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


def test_the_whole_table_is_printed_and_written(tmp_path, monkeypatch, capsys):
    samples = tmp_path / "samples"
    samples.mkdir()
    picture = np.random.default_rng(1).integers(0, 256, (6, 8, 3), np.uint8)
    photos.write_png(samples / "one.png", photos.resize(picture, 90, 120))
    monkeypatch.setattr(measure_film, "ROOT", tmp_path)
    monkeypatch.setattr(measure_film, "PAN_FRAMES", 8)
    model = standins.save_brown(tmp_path / "brown.onnx")
    assert measure_film.main(["--model", str(model), "--output", str(tmp_path / "out")]) == 0
    rows = json.loads((tmp_path / "out" / "steadiness.json").read_text())
    assert [row["way"] for row in rows] == ["truth", "frame by frame", "steady"] * 2
    # The stand-in does not flicker, so that steadying it changes next to nothing.
    assert rows[2]["psnr"] == pytest.approx(rows[1]["psnr"], abs=0.2)
    assert rows[0]["chroma_change"] < 5
    assert f"| pan-0 | steady | {rows[2]['chroma_change']:.3f} |" in capsys.readouterr().out
    assert (tmp_path / "out" / "pan-0.png").exists()
