"""Colour spaces against scikit-image and published figures, bins against closed forms."""

from colorizer import chroma
from training import colour

import keras
import numpy as np
import pytest
import skimage.color
from generated import gradients_of
from keras import ops

EVERY_32ND = np.stack(np.meshgrid(*[np.linspace(0, 1, 33)] * 3, indexing="ij"), axis=-1)
RGB = EVERY_32ND.reshape(-1, 3).astype(np.float32)


def numpy_of(function, *arrays):
    return ops.convert_to_numpy(function(*arrays))


# ----------------------------------------------------------------------------- colour spaces


def test_lab_is_that_of_scikit_image():
    lab = numpy_of(colour.lab_from_srgb, RGB)
    assert lab.dtype == np.float32
    np.testing.assert_allclose(lab, skimage.color.rgb2lab(RGB), atol=0.01)


def test_rgb_is_that_of_scikit_image_and_comes_back():
    lab = skimage.color.rgb2lab(RGB).astype(np.float32)
    rgb = numpy_of(colour.srgb_from_lab, lab[:, :1], lab[:, 1:])
    assert rgb.dtype == np.float32
    np.testing.assert_allclose(rgb, skimage.color.lab2rgb(lab), atol=0.1 / 255)
    np.testing.assert_allclose(rgb, RGB, atol=0.1 / 255)


def test_lab_is_that_of_the_photographs_own_functions():
    roots = chroma.lab_root(chroma.linear_from_srgb(RGB) @ chroma.RGB_TO_XYZ.T)
    x, y, z = np.moveaxis(roots, -1, 0)
    expected = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
    np.testing.assert_allclose(numpy_of(colour.lab_from_srgb, RGB), expected, atol=1e-3)


def test_gray_has_no_chroma_and_its_lightness():
    gray = np.linspace(0, 1, 256, dtype=np.float32)[:, None]
    lightness = numpy_of(colour.lightness_from_gray, gray)
    lab = numpy_of(colour.lab_from_srgb, np.repeat(gray, 3, axis=1))
    np.testing.assert_allclose(lab[:, :1], lightness, atol=1e-3)
    np.testing.assert_allclose(lab[:, 1:], 0, atol=1e-3)
    rgb = numpy_of(colour.srgb_from_lab, lightness, np.zeros((256, 2), np.float32))
    np.testing.assert_allclose(rgb, np.repeat(gray, 3, axis=1), atol=1e-5)


def test_what_srgb_cannot_show_is_clipped():
    chroma = np.array([[120, 120], [-120, -120]], np.float32)
    rgb = numpy_of(colour.srgb_from_lab, np.full((2, 1), 50, np.float32), chroma)
    assert rgb.min() == 0
    assert rgb.max() <= 1


def test_gradients_are_finite_at_black_at_white_and_outside():
    rgb = keras.Variable([[0.0, 0, 0], [1, 1, 1], [0, 0, 1], [0.04045, 0.0031308, 0.5]])
    lightness = keras.Variable([[0.0], [100], [50]])
    chroma = keras.Variable([[0.0, 0], [0, 0], [120, -120]])

    def compute():
        return ops.sum(colour.lab_from_srgb(rgb)) + ops.sum(colour.srgb_from_lab(lightness, chroma))

    _, gradients = gradients_of(compute, [rgb, lightness, chroma])
    for gradient in gradients:
        assert np.isfinite(ops.convert_to_numpy(gradient)).all()


def test_yuv_is_that_of_the_standard():
    primaries = np.array([[1, 1, 1], [0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    # REFERENCES: U = -0.168736 R - 0.331264 G + 0.5 B, V = 0.5 R - 0.418688 G - 0.081312 B.
    expected = [
        [1, 0.5, 0.5],
        [0, 0.5, 0.5],
        [0.299, 0.331264, 1],
        [0.587, 0.168736, 0.081312],
        [0.114, 1, 0.418688],
    ]
    np.testing.assert_allclose(numpy_of(colour.yuv_from_srgb, primaries), expected, atol=1e-6)
    back = numpy_of(colour.srgb_from_yuv, colour.yuv_from_srgb(RGB))
    np.testing.assert_allclose(back, RGB, atol=1e-5)


# ------------------------------------------------------------------------------- chroma bins


def test_bins_are_the_grid_points_nearest_to_some_colour():
    bins = colour.bins()
    assert bins.shape == (261, 2)
    assert len(np.unique(bins, axis=0)) == 261
    assert (bins % colour.BIN_SIZE == 0).all()
    chroma = numpy_of(colour.lab_from_srgb, RGB)[:, 1:]
    found = bins[numpy_of(colour.nearest_bin, chroma)]
    assert np.abs(chroma - found).max() <= colour.BIN_SIZE / 2 + 1e-3
    # The saturated colours are there: red and blue of sRGB lie at (80, 67) and (79, -108).
    assert {(80, 70), (80, -110), (0, 0)} <= set(map(tuple, bins.astype(int)))


def test_colours_beyond_srgb_go_to_the_nearest_bin():
    chroma = np.array([[110, 110], [-110, -110], [300, 0]], np.float32)
    found = numpy_of(colour.nearest_bin, chroma)
    np.testing.assert_array_equal(colour.bins()[found[2]], [90, 0])
    for target, bin_number in zip(chroma[:2], found[:2], strict=True):
        distances = np.linalg.norm(colour.bins() - target, axis=-1)
        assert distances[bin_number] == distances.min()


def test_soft_encoding_is_the_gaussian_over_the_five_nearest():
    chroma = np.array([[3, -4], [12.5, 41], [97, -61.5]], np.float32)
    found, shares = colour.soft_encode(chroma)
    found, shares = ops.convert_to_numpy(found), ops.convert_to_numpy(shares)
    for target, numbers, share in zip(chroma, found, shares, strict=True):
        distances = np.linalg.norm(colour.bins() - target, axis=-1)
        np.testing.assert_array_equal(numbers, np.argsort(distances)[:5])
        expected = np.exp(-(distances[numbers] ** 2) / 50)
        np.testing.assert_allclose(share, expected / expected.sum(), rtol=1e-3)
    np.testing.assert_array_equal(found[:, 0], numpy_of(colour.nearest_bin, chroma))


def test_soft_encoding_of_inner_colours_keeps_their_mean():
    chroma = np.random.default_rng(0).uniform(-30, 30, (200, 2)).astype(np.float32)
    found, shares = map(ops.convert_to_numpy, colour.soft_encode(chroma))
    mean = (shares[..., None] * colour.bins()[found]).sum(axis=1)
    assert np.abs(mean - chroma).mean() < 1


def test_annealed_mean_goes_from_the_mode_to_the_mean():
    logits = np.random.default_rng(0).normal(0, 2, (4, 261)).astype(np.float32)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    bins = colour.bins()
    np.testing.assert_allclose(
        numpy_of(colour.annealed_mean, logits, 1.0), probabilities @ bins, atol=1e-3
    )
    np.testing.assert_allclose(
        numpy_of(colour.annealed_mean, logits, 1e-3), bins[logits.argmax(axis=-1)], atol=1e-3
    )
    # Zhang et al. 2016, equation 5: f_T(z) = exp(log(z) / T) / sum exp(log(z) / T).
    annealed = probabilities ** (1 / 0.38)
    annealed /= annealed.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(numpy_of(colour.annealed_mean, logits), annealed @ bins, atol=1e-2)


def test_colours_are_counted_by_bin():
    chroma = np.array([[0, 0], [4.9, -4.9], [80, 67], [5.1, 0]], np.float32)
    counts = colour.count_bins(chroma)
    number = {tuple(place): index for index, place in enumerate(colour.bins().astype(int))}
    assert counts.sum() == 4
    assert [counts[number[place]] for place in ((0, 0), (80, 70), (10, 0))] == [2, 1, 1]


def test_the_prior_is_smoothed_over_neighbours():
    number = {tuple(place): index for index, place in enumerate(colour.bins().astype(int))}
    counts = np.zeros(261)
    counts[number[0, 0]] = 7
    prior = colour.smoothed_prior(counts)
    assert prior.sum() == pytest.approx(1)
    assert prior[number[10, 0]] / prior[number[0, 0]] == pytest.approx(np.exp(-2))
    assert prior[number[10, 10]] / prior[number[0, 0]] == pytest.approx(np.exp(-4))


@pytest.mark.parametrize("exponent", [0, 0.5, 1])
def test_rarity_weights_average_to_1_under_the_prior(exponent):
    prior = colour.smoothed_prior(np.random.default_rng(0).exponential(size=261) ** 4)
    weights = colour.rarity_weights(prior, exponent)
    assert weights.dtype == np.float32
    assert prior @ weights == pytest.approx(1, rel=1e-5)
    # Equation 4: w = 1 / ((1 - lambda) p + lambda / Q), here to a power, up to a factor.
    mixed = prior / 2 + 0.5 / 261
    np.testing.assert_allclose(weights / weights[0], (mixed / mixed[0]) ** -exponent, rtol=1e-5)
