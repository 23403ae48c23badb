"""tone.py: toned prints and date stamps are black-and-white, photographs in colour are not."""

import io
from pathlib import Path

from colorizer import tone
from colorizer.files import photos
from colorizer.pixels import grayscale, shrink, to_uint8

import cv2
import numpy as np
import pytest
from PIL import Image

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
IN_COLOUR = ("astronaut", "cat", "coffee", "grace_hopper", "palace", "raccoon", "rocket")


def small(picture):
    """Return a picture as small as a network sees it."""
    scale = 200 / max(picture.shape[:2])
    return shrink(picture, *(round(side * scale) for side in picture.shape[:2]))


def sample(name):
    return photos.read_rgb(next(SAMPLES.glob(f"{name}.*")))


def as_jpeg(picture, quality=60):
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "JPEG", quality=quality)
    return np.asarray(Image.open(content))


def toned(picture, hue, chroma):
    """Tone a picture: one hue (degrees in Lab), its chroma highest at middle lightness."""
    lightness = 8 + grayscale(picture)[..., 0] / np.float32(3)
    chromas = chroma * np.sin(np.pi * lightness / 100) ** 0.7
    angle = np.radians(hue)
    lab = np.dstack([lightness, chromas * np.cos(angle), chromas * np.sin(angle)])
    rgb = cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB)
    noise = np.random.default_rng(0).normal(0, 3 / 255, (*lightness.shape, 1))
    return as_jpeg(to_uint8(rgb + noise))


def stamped(picture, place=(0.93, 0.7), colour=(255, 140, 30)):
    """Write a date in orange digits into a picture, at this share of its height and width."""
    stamp = picture.copy()
    height, width = picture.shape[:2]
    at = round(place[1] * width), round(place[0] * height)
    size, thick = width / 900, max(1, round(width / 250))
    cv2.putText(stamp, "98 7 14", at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thick, cv2.LINE_AA)
    return as_jpeg(stamp)


@pytest.mark.parametrize("name", IN_COLOUR)
def test_photographs_in_colour_are_in_colour(name):
    assert not tone.is_toned(small(sample(name)))
    assert not tone.is_toned(small(stamped(sample(name))))
    assert not tone.is_gray(small(sample(name)))


@pytest.mark.parametrize("name", [*IN_COLOUR, "coins", "photographer", "stairs"])
@pytest.mark.parametrize(("hue", "chroma"), [(60, 12), (75, 25), (85, 8), (250, 25)])
def test_toned_prints_are_black_and_white(name, hue, chroma):
    assert tone.is_toned(small(toned(sample(name), hue, chroma)))


@pytest.mark.parametrize("name", [*IN_COLOUR, "coins", "photographer", "stairs"])
def test_a_gray_scan_with_a_date_stamp_is_black_and_white(name):
    gray = grayscale(sample(name)).repeat(3, 2)
    assert tone.is_toned(small(stamped(gray)))
    assert tone.is_toned(small(stamped(toned(sample(name), 70, 15))))


def test_one_coloured_thing_on_gray_is_a_picture_in_colour():
    gray = grayscale(sample("photographer")).repeat(3, 2)
    height, width = gray.shape[:2]
    rose = cv2.circle(gray.copy(), (width // 2, height // 2), width // 14, (200, 20, 40), -1)
    assert not tone.is_toned(small(rose))


def test_two_hues_are_a_picture_in_colour():
    halves = toned(sample("photographer"), 70, 25).copy()
    blue = toned(sample("photographer"), 250, 25)
    halves[:, halves.shape[1] // 2 :] = blue[:, halves.shape[1] // 2 :]
    assert not tone.is_toned(small(halves))
