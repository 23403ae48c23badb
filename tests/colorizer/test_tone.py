"""tone.py: toned prints and date stamps are black-and-white, photographs in colour are not."""

import io
from pathlib import Path

from colorizer import tone
from colorizer.files import photos
from colorizer.pixels import grayscale, is_gray, shrink, to_uint8

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
    assert not is_gray(small(sample(name)))


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


def stained(picture, seed=0):
    """Put three brown stains, soft or with a rim, and a border of old paper on a picture."""
    random = np.random.default_rng(seed)
    height, width = picture.shape[:2]
    light = picture.astype(np.float32) / 255
    for _ in range(3):
        radius = random.uniform(0.06, 0.14) * max(height, width)
        centre = int(random.integers(0, width)), int(random.integers(0, height))
        there = cv2.circle(np.zeros((height, width), np.float32), centre, int(radius), 1, -1)
        there = cv2.GaussianBlur(there, (0, 0), radius * random.uniform(0.05, 0.4))
        light *= 1 - there[..., np.newaxis] * (1 - np.array([0.75, 0.5, 0.25], np.float32))
    edge = height // 30
    paper = {"value": (225, 205, 160)}
    return cv2.copyMakeBorder(to_uint8(light), *[edge] * 4, cv2.BORDER_CONSTANT, **paper)


def test_stained_prints_are_black_and_white():
    """Stains, of which each is far from the print's one hue, are none of the picture's colours."""
    prints = []
    for name in (*IN_COLOUR, "coins", "photographer", "stairs"):
        prints += [toned(sample(name), 75, 12), grayscale(sample(name)).repeat(3, 2)]
    found = [tone.is_toned(small(as_jpeg(stained(each), 75))) for each in prints]
    assert sum(found) >= 0.9 * len(prints)
    assert sum(tone._has_one_tone(small(as_jpeg(stained(each), 75))) for each in prints) < 5


@pytest.mark.parametrize("name", IN_COLOUR)
def test_stained_photographs_in_colour_are_in_colour(name):
    assert not tone.is_toned(small(as_jpeg(stained(sample(name)), 75)))


def test_noise_far_from_a_date_stamp_is_no_part_of_it():
    """Coloured grains in a corner do not make the stamp's box as large as the picture."""
    gray = small(grayscale(sample("photographer")).repeat(3, 2))
    height, width = gray.shape[:2]
    for place in np.arange(10, width * 7 // 10, 2):
        gray[height - 12 : height - 6, width - 8 - place // 4] = (255, 140, 30)
    assert tone._has_one_tone(gray)
    gray[2, 2:4] = (250, 20, 20)
    assert tone._has_one_tone(gray)
