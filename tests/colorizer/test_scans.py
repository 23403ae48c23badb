"""scans.py and --split: prints on a scanner's plate, and frames."""

from pathlib import Path

import colorize
from colorizer.files import photos
from colorizer.pixels import grayscale, resize
from colorizer.prints import scans

import cv2
import numpy as np
import pytest
import standins
from PIL import Image

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
PLATE = 700, 900


def sample(name="coffee.jpg", size=(200, 300)):
    return resize(grayscale(photos.read_rgb(SAMPLES / name)), *size)[..., 0]


def plate(ground, places, picture=None):
    """Lay a print at each centre (x, y), turned by degrees; return the plate and the corners."""
    scan = np.random.default_rng(0).normal(ground, 1, PLATE)
    corners = []
    picture = np.clip(sample().astype(float), 40, 215) if picture is None else picture
    for (x, y), degrees in places:
        turn = cv2.getRotationMatrix2D((149.5, 99.5), -degrees, 1)
        turn[:, 2] += np.array([x, y]) - (149.5, 99.5) - 0.5
        mask = cv2.warpAffine(np.ones_like(picture), turn, PLATE[::-1])
        laid = cv2.warpAffine(picture, turn, PLATE[::-1], borderMode=cv2.BORDER_REPLICATE)
        scan += mask * (laid - scan)
        square = np.array([[-150, -100], [150, -100], [150, 100], [-150, 100]])
        angle = np.radians(degrees)
        rotate = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        corners.append(square @ rotate.T + (x, y))
    return np.clip(np.rint(scan), 0, 255).astype(np.uint8)[..., None], corners


@pytest.mark.parametrize("ground", [245, 128, 20])
def test_prints_are_found_on_any_ground_in_reading_order(ground):
    scan, corners = plate(ground, [((220, 180), 6), ((640, 190), -3), ((230, 500), 0)])
    found = scans.split(scan)
    assert len(found) == 3
    for part, expected in zip(found, corners, strict=True):
        np.testing.assert_allclose(part.corners, expected, atol=2)
        cut = part.cut(scan)
        assert cut.shape[:2] == pytest.approx((200, 300), abs=3)
        level = resize(cut, 200, 300)[..., 0].astype(float)[10:-10, 10:-10]
        assert np.corrcoef(level.ravel(), sample()[10:-10, 10:-10].ravel())[0, 1] > 0.93


def test_a_side_is_what_goes_all_along_and_not_what_is_strong():
    picture = np.full((200, 300), 110.0)
    picture[4:7, 20:140] = 10  # near the edge, and stronger than it
    scan, corners = plate(150, [((400, 300), 4)], picture)
    (found,) = scans.split(scan)
    np.testing.assert_allclose(found.corners, corners[0], atol=2)


def test_what_is_not_sure_is_left_whole():
    picture = sample("palace.jpg", PLATE)[..., None]
    assert scans.split(picture) == []  # no plate at all
    assert scans.split(np.full((*PLATE, 1), 240, np.uint8)) == []  # nothing on it
    scan, _ = plate(245, [((400, 300), 30)])  # turned too far to be an accident
    assert scans.split(scan) == []
    round_ = np.full(PLATE, 245, np.uint8)
    cv2.circle(round_, (400, 300), 200, 60, -1)
    assert scans.split(round_[..., None]) == []


def test_frames_are_found_where_they_are_even():
    gray = np.clip(sample("palace.jpg"), 60, 200)[..., None]
    assert scans.frame(gray) == (slice(0, 200), slice(0, 300))
    framed = cv2.copyMakeBorder(gray, 10, 12, 0, 20, cv2.BORDER_CONSTANT, value=5)[..., None]
    rows, columns = scans.frame(framed)
    assert (rows.start, rows.stop) == (11, 222 - 13)
    assert (columns.start, columns.stop) == (0, 320 - 21)
    assert scans.frame(np.full((50, 60, 1), 250, np.uint8)) == (slice(0, 50), slice(0, 60))


def test_the_command_splits_a_plate(tmp_path, capsys):
    scan, _ = plate(245, [((220, 180), 4), ((640, 190), -3)])
    (tmp_path / "in").mkdir()
    Image.fromarray(scan[..., 0]).save(tmp_path / "in" / "plate.png")
    Image.fromarray(sample("palace.jpg")).save(tmp_path / "in" / "whole.png")
    model = standins.save_brown(tmp_path / "brown.onnx")
    flags = ["--split", str(tmp_path / "in"), "--output", str(tmp_path / "out")]
    assert colorize.main([*flags, "--model", str(model)]) == 0
    printed = capsys.readouterr().out
    assert "3 colorized" in printed
    assert "whole.png: no prints were found for sure; left whole" in printed
    names = {path.name for path in (tmp_path / "out").glob("*.png")}
    assert names == {"plate-print-1.png", "plate-print-2.png", "whole.png"}
    first = photos.read_rgb(tmp_path / "out" / "plate-print-1.png")
    assert first.shape[:2] == pytest.approx((200, 300), abs=3)
    assert colorize.main([*flags, "--model", str(model)]) == 0
    assert "3 skipped" in capsys.readouterr().out
