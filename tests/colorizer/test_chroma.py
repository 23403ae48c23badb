"""chroma.py: colour goes on without moving luminance."""

from colorizer import chroma
from colorizer.pixels import grayscale, high_bits, is_gray, resize, to_unit

import cv2
import numpy as np
import pytest
from generated import quarters
from skimage.color import rgb2lab


def lightness(picture):
    """Return Lab L, 0..100, of RGB or gray uint8 or uint16."""
    unit = picture.astype(np.float32) / np.iinfo(picture.dtype).max
    unit = np.repeat(unit, 3, axis=2) if picture.shape[2] == 1 else unit
    return cv2.cvtColor(unit, cv2.COLOR_RGB2LAB)[..., 0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("gray", [False, True])
def test_colour_goes_on_without_moving_luminance(dtype, gray):
    rng = np.random.default_rng(5)
    picture = rng.integers(0, 256, (30, 40, 3), np.uint8)
    pixels = cv2.resize(picture, (404, 303), interpolation=cv2.INTER_CUBIC)
    pixels = grayscale(pixels) if gray else pixels
    pixels = pixels.astype(dtype) * (257 if dtype == np.uint16 else 1)
    colours = rng.random((30, 40, 3), np.float32)
    small = high_bits(resize(pixels, 30, 40))
    painted = chroma.add_chroma(pixels, small, chroma.chroma_of(colours))
    assert painted.shape == (303, 404, 3)
    assert painted.dtype == dtype
    difference = lightness(painted) - lightness(pixels)
    assert abs(difference.mean()) < 0.05
    assert 10 * np.log10(100**2 / np.mean(difference**2)) > 55
    assert not is_gray(high_bits(painted))


def test_a_gray_picture_without_colour_comes_back_as_it_was():
    pixels = np.random.default_rng(6).integers(0, 256, (90, 110, 1), np.uint8)
    colourless = chroma.chroma_of(np.full((15, 18, 3), 0.3, np.float32))
    painted = chroma.add_chroma(pixels, resize(pixels, 15, 18), colourless)
    np.testing.assert_array_equal(painted, pixels.repeat(3, axis=2))
    vivid = chroma.chroma_of(np.random.default_rng(7).random((15, 18, 3), np.float32))
    painted = chroma.add_chroma(pixels, resize(pixels, 15, 18), vivid, strength=0)
    np.testing.assert_array_equal(painted, pixels.repeat(3, axis=2))


def test_a_photograph_gets_its_own_colours_back_and_its_edges_stay_sharp():
    pixels = cv2.GaussianBlur(quarters(400, 600), (0, 0), 1)
    small = resize(pixels, 40, 60)
    painted = chroma.add_chroma(pixels, small, chroma.chroma_of(to_unit(small)))
    plain = cv2.cvtColor(to_unit(pixels), cv2.COLOR_RGB2LAB)
    truth = plain.copy()
    small_chroma = cv2.cvtColor(to_unit(small), cv2.COLOR_RGB2LAB)[..., 1:]
    plain[..., 1:] = cv2.resize(small_chroma, (600, 400))
    found = cv2.cvtColor(to_unit(painted), cv2.COLOR_RGB2LAB)
    assert np.abs(found - truth).mean() < 0.7 * np.abs(plain - truth).mean()


def test_strength_halves_chroma():
    pixels = np.full((64, 64, 1), 128, np.uint8)
    small = np.full((8, 8, 1), 128, np.uint8)
    colours = np.tile(np.array([0.6, 0.5, 0.4], np.float32), (8, 8, 1))
    expected = cv2.cvtColor(colours, cv2.COLOR_RGB2LAB)[0, 0, 1:]
    for strength in (1.0, 0.5):
        painted = chroma.add_chroma(pixels, small, chroma.chroma_of(colours), strength)
        found = cv2.cvtColor(to_unit(painted), cv2.COLOR_RGB2LAB)[0, 0, 1:]
        np.testing.assert_allclose(found, strength * expected, atol=0.6)


def test_chroma_is_that_of_lab():
    colours = np.random.default_rng(8).random((30, 40, 3), np.float32)
    found = chroma.chroma_of(colours)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, rgb2lab(colours)[..., 1:], atol=0.02)


def test_gray_and_chroma_become_the_rgb_that_has_them():
    """By scikit-image: an independent computation. All of these colours can be shown."""
    random = np.random.default_rng(3)
    gray = random.uniform(0.35, 0.7, (20, 30, 1)).astype(np.float32)
    wanted = random.uniform(-12, 12, (20, 30, 2)).astype(np.float32)
    found = rgb2lab(chroma.rgb_of(gray, wanted))
    np.testing.assert_allclose(found[..., 1:], wanted, atol=0.05)
    np.testing.assert_allclose(found[..., 0], rgb2lab(gray.repeat(3, 2))[..., 0], atol=0.05)
    np.testing.assert_allclose(chroma.clipped(gray, wanted), wanted, atol=1e-5)


def test_chroma_that_cannot_be_shown_is_what_is_left_of_it_in_rgb():
    random = np.random.default_rng(4)
    gray = random.random((40, 50, 1), np.float32)
    wanted = random.normal(0, 40, (40, 50, 2)).astype(np.float32)
    left = chroma.chroma_of(chroma.rgb_of(gray, wanted))
    assert np.abs(left - wanted).max() > 20
    np.testing.assert_allclose(chroma.clipped(gray, wanted), left, atol=0.005)
