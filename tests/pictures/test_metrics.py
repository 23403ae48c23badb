"""Every metric against values worked out by hand or published."""

from pictures import metrics

import numpy as np
import pytest
import scipy.linalg

# Sharma, Wu & Dalal 2005, table 1: L, a, b of two colours and their CIEDE2000 difference.
SHARMA_PAIRS = np.array(
    [
        [50.0000, 2.6772, -79.7751, 50.0000, 0.0000, -82.7485, 2.0425],
        [50.0000, 3.1571, -77.2803, 50.0000, 0.0000, -82.7485, 2.8615],
        [50.0000, 2.8361, -74.0200, 50.0000, 0.0000, -82.7485, 3.4412],
        [50.0000, -1.3802, -84.2814, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, -1.1848, -84.8006, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, -0.9009, -85.5211, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, 0.0000, 0.0000, 50.0000, -1.0000, 2.0000, 2.3669],
        [50.0000, -1.0000, 2.0000, 50.0000, 0.0000, 0.0000, 2.3669],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0009, 7.1792],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0010, 7.1792],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0011, 7.2195],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0012, 7.2195],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0009, -2.4900, 4.8045],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0010, -2.4900, 4.8045],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0011, -2.4900, 4.7461],
        [50.0000, 2.5000, 0.0000, 50.0000, 0.0000, -2.5000, 4.3065],
        [50.0000, 2.5000, 0.0000, 73.0000, 25.0000, -18.0000, 27.1492],
        [50.0000, 2.5000, 0.0000, 61.0000, -5.0000, 29.0000, 22.8977],
        [50.0000, 2.5000, 0.0000, 56.0000, -27.0000, -3.0000, 31.9030],
        [50.0000, 2.5000, 0.0000, 58.0000, 24.0000, 15.0000, 19.4535],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.1736, 0.5854, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.2972, 0.0000, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 1.8634, 0.5757, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.2592, 0.3350, 1.0000],
        [60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644],
        [63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630],
        [61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731],
        [35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645],
        [22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373],
        [36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146],
        [90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441],
        [90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381],
        [6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377],
        [2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082],
    ]
)


def flat(*colour, side=12):
    """Return a picture of one colour: uint8 RGB, or float64 where the colour is Lab."""
    dtype = np.uint8 if all(isinstance(value, int) for value in colour) else np.float64
    return np.full((side, side, 3), colour, dtype)


def noise(seed, side=24):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def test_mse_of_a_constant_difference_is_its_square():
    assert metrics.mean_squared_error(flat(10, 10, 10), flat(13, 13, 13)) == 9
    # 0 - 255 must not wrap around in uint8; a third of the values differ.
    assert metrics.mean_squared_error(flat(0, 7, 7), flat(255, 7, 7)) == pytest.approx(255**2 / 3)


def test_psnr_of_known_errors_and_its_cap():
    assert metrics.psnr(255**2) == 0
    assert metrics.psnr(255**2 / 100) == pytest.approx(20)
    assert metrics.psnr(1) == pytest.approx(48.1308, abs=1e-4)
    assert metrics.psnr(255**2 / 1e9) == 60  # 90 dB, capped
    assert metrics.psnr(0) == 60


def test_ssim_of_flat_pictures_is_the_luminance_term():
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1)
    assert metrics.ssim(flat(100, 100, 100), flat(150, 150, 150)) == pytest.approx(expected)
    # One channel of three is different, and SSIM is the mean of the channels.
    one_channel = metrics.ssim(flat(100, 9, 9), flat(150, 9, 9))
    assert one_channel == pytest.approx((expected + 2) / 3)


def test_qssim_of_a_picture_and_itself_is_1():
    assert metrics.qssim(noise(0), noise(0)) == pytest.approx(1, abs=1e-12)


def test_qssim_of_gray_pictures_is_their_ssim():
    truth = np.repeat(noise(0)[..., :1], 3, axis=-1)
    picture = np.repeat(truth[..., :1] // 2 + noise(1)[..., :1] // 8 + 40, 3, axis=-1)
    expected = metrics.ssim(truth, picture)
    assert 0.5 < expected < 0.95
    assert metrics.qssim(truth, picture) == pytest.approx(expected, abs=1e-9)


def test_qssim_of_flat_colours_is_the_modulus_of_their_product():
    c1 = 0.01**2
    # Red times the conjugate of half as bright green has no real part: 2 |red| |green| remains.
    red, green = (255, 0, 0), (0, 102, 0)
    expected = np.hypot(c1, 2 * 0.4 / 3) / ((1 + 0.4**2) / 3 + c1)
    assert metrics.qssim(flat(*red), flat(*green)) == pytest.approx(expected)
    # Equally long quaternions: nothing but the constant tells them apart.
    assert metrics.qssim(flat(*red), flat(0, 255, 0)) > 0.99
    # So it is with one pattern in red and in green, whose covariance has no real part either.
    pattern = noise(0)[..., :1]
    assert metrics.qssim(pattern * np.uint8([1, 0, 0]), pattern * np.uint8([0, 1, 0])) > 0.95


def test_qssim_of_a_shuffled_hue_is_lower_though_luminance_keeps_its_ssim():
    truth = noise(0) // 4 + 96
    luminance = truth @ np.array([0.299, 0.587, 0.114])
    turned = 2 * luminance[..., np.newaxis] - truth  # the opposite hue at the same luminance
    turned = np.rint(turned).astype(np.uint8)
    gray, same = (
        np.repeat(np.rint(colours @ [0.299, 0.587, 0.114])[..., np.newaxis], 3, axis=-1)
        for colours in (truth, turned)
    )
    assert metrics.ssim(gray.astype(np.uint8), same.astype(np.uint8)) > 0.99
    assert metrics.qssim(truth, turned) < 0.6


def test_qssim_refuses_other_shapes_and_pictures_smaller_than_its_window():
    with pytest.raises(ValueError, match="one shape"):
        metrics.qssim(flat(1, 1, 1), flat(1, 1, 1, side=13))
    with pytest.raises(ValueError, match="11 pixels"):
        metrics.qssim(flat(1, 1, 1, side=10), flat(1, 1, 1, side=10))


def test_ssim_of_one_window_is_the_published_formula():
    # An 11x11 picture has room for exactly one window of the publication.
    ground_truth, picture = noise(1, side=11), noise(2, side=11)
    axis = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(axis, axis)[..., np.newaxis] / axis.sum() ** 2
    x, y = ground_truth.astype(float), picture.astype(float)
    mean_x, mean_y = (window * x).sum((0, 1)), (window * y).sum((0, 1))
    variance_x = (window * (x - mean_x) ** 2).sum((0, 1))
    variance_y = (window * (y - mean_y) ** 2).sum((0, 1))
    covariance = (window * (x - mean_x) * (y - mean_y)).sum((0, 1))
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    formula = ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    )
    assert metrics.ssim(ground_truth, picture) == pytest.approx(formula.mean(), abs=1e-9)


def test_ssim_of_the_same_picture_is_one_and_of_its_negative_is_below_zero():
    assert metrics.ssim(noise(3), noise(3)) == 1
    assert metrics.ssim(noise(3), 255 - noise(3)) < 0


@pytest.mark.parametrize("pair", SHARMA_PAIRS, ids=[f"pair{n}" for n in range(1, 35)])
def test_ciede2000_of_sharmas_pairs(pair):
    colour1, colour2 = pair[:3].reshape(1, 1, 3), pair[3:6].reshape(1, 1, 3)
    assert metrics.ciede2000(colour1, colour2) == pytest.approx(pair[6], abs=1e-4)
    assert metrics.ciede2000(colour2, colour1) == pytest.approx(pair[6], abs=1e-4)


def test_ciede2000_is_the_mean_over_pixels():
    colours = SHARMA_PAIRS[:, :6].reshape(34, 1, 2, 3)
    difference = metrics.ciede2000(colours[:, :, 0], colours[:, :, 1])
    assert difference == pytest.approx(SHARMA_PAIRS[:, 6].mean(), abs=1e-4)


def test_lab_of_the_primaries():
    # sRGB under D65, as published by Lindbloom to two decimals.
    assert metrics.to_lab(flat(255, 255, 255))[0, 0] == pytest.approx([100, 0, 0], abs=0.02)
    assert metrics.to_lab(flat(255, 0, 0))[0, 0] == pytest.approx([53.24, 80.09, 67.20], abs=0.02)
    assert metrics.to_lab(flat(0, 0, 255))[0, 0] == pytest.approx([32.30, 79.19, -107.86], abs=0.02)


def test_colourfulness_of_gray_is_zero():
    assert metrics.colourfulness(flat(90, 90, 90)) == 0
    assert metrics.colourfulness(np.repeat(noise(4)[..., :1], 3, axis=-1)) == 0


def test_colourfulness_of_half_red_half_blue():
    picture = flat(255, 0, 0)
    picture[:6] = (0, 0, 255)
    # rg is 255 and 0; yb is 127.5 and -255, whose mean keeps its sign.
    expected = np.hypot(127.5, 191.25) + 0.3 * np.hypot(127.5, -63.75)
    assert metrics.colourfulness(picture) == pytest.approx(expected)


def test_pixel_accuracy_needs_all_three_channels_within_five_percent():
    ground_truth = flat(100, 100, 100, side=2)
    picture = ground_truth.copy()
    picture[0, 0] = (112, 88, 100)  # 12 of 255 is 4.7%
    picture[0, 1] = (113, 100, 100)  # 13 of 255 is 5.1%
    picture[1, 0] = (100, 100, 87)
    assert metrics.pixel_accuracy(ground_truth, picture) == 0.5
    assert metrics.pixel_accuracy(flat(250, 250, 250), flat(2, 2, 2)) == 0  # no wrap-around


def test_ssim_accuracy_counts_the_threshold_itself():
    assert metrics.ssim_accuracy([0.5, 0.8, 0.9, 1.0], 0.8) == 0.75
    assert metrics.ssim_accuracy([0.5, 0.8], 0.81) == 0


def test_ssim_threshold_is_where_the_share_is_still_reached():
    similarities = np.arange(20) / 20
    threshold = metrics.ssim_threshold(similarities, 0.85)  # 17 of 20
    assert threshold == 0.15
    assert metrics.ssim_accuracy(similarities, threshold) == 0.85
    assert metrics.ssim_threshold([0.4], 0.85) == 0.4


@pytest.mark.parametrize(
    ("error", "expected"),
    [(0, 100), (1, 149.5 / 1.5), (7.3, 142.5 / 1.5), (60, 90.5 / 1.5), (150, 0.5 / 1.5), (151, 0)],
)
def test_auc_of_a_constant_error(error, expected):
    # The share jumps from 0 to 1 at the first whole threshold that the error is within.
    scores = metrics.chroma_scores(flat(50.0, 0.0, 0.0), flat(50.0, 0.6 * error, -0.8 * error))
    assert metrics.auc(scores) == pytest.approx(expected)
    assert metrics.auc_balanced(scores) == pytest.approx(expected)


def test_auc_ignores_luminance():
    scores = metrics.chroma_scores(flat(50.0, 20.0, 10.0), flat(90.0, 20.0, 10.0))
    assert metrics.auc(scores) == 100


def test_chroma_scores_count_every_pixel_once_and_add_up():
    truth, picture = metrics.to_lab(noise(5)), metrics.to_lab(noise(6))
    scores = metrics.chroma_scores(truth, picture)
    assert scores.shape == (metrics.BINS, 2)
    assert scores[:, 0].sum() == 24 * 24
    both = metrics.chroma_scores(np.stack([truth, truth]), np.stack([picture, picture]))
    assert both == pytest.approx(2 * scores)


def test_every_srgb_colour_has_a_bin():
    levels = np.array([0, 51, 102, 153, 204, 255], np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    lab = metrics.to_lab(cube)
    scores = metrics.chroma_scores(lab, lab)
    assert scores[:, 0].sum() == scores[:, 1].sum() == 216


def test_gray_answer_on_a_picture_that_is_mostly_gray():
    truth = flat(50.0, 0.0, 0.0, side=10)
    truth[0, :, 1] = 60  # 10 of 100 pixels are red
    scores = metrics.chroma_scores(truth, flat(50.0, 0.0, 0.0, side=10))
    red = 90.5 / 1.5  # the share of the curve that an error of 60 leaves
    assert metrics.auc(scores) == pytest.approx(0.9 * 100 + 0.1 * red)
    # Both colours count alike once each is weighted by its rarity.
    assert metrics.auc_balanced(scores) == pytest.approx((100 + red) / 2)


def test_rarity_is_smoothed_over_neighbouring_bins():
    truth = flat(50.0, 0.0, 0.0, side=10)
    truth[0, :, 1] = 10  # 10 of 100 pixels in the next bin
    scores = metrics.chroma_scores(truth, flat(50.0, 0.0, 0.0, side=10))
    kernel = np.exp(-((10 * np.arange(-2, 3)) ** 2) / (2 * 5**2))
    kernel /= kernel.sum()
    same, beside = kernel[2] * kernel[2], kernel[2] * kernel[1]
    weight_gray = 0.9 / (0.9 * same + 0.1 * beside)
    weight_red = 0.1 / (0.1 * same + 0.9 * beside)
    expected = (weight_gray * 100 + weight_red * 140.5 / 1.5) / (weight_gray + weight_red)
    assert metrics.auc_balanced(scores) == pytest.approx(expected)


def test_frechet_distance_in_one_dimension():
    # (m1 - m2)^2 + (s1 - s2)^2
    distance = metrics.frechet_distance(
        np.array([1.0]), np.array([[4.0]]), np.array([4.0]), np.array([[25.0]])
    )
    assert distance == pytest.approx(9 + 9)


def test_frechet_distance_of_independent_dimensions_adds_up():
    mean1, mean2 = np.array([0.0, 1.0, 2.0]), np.array([1.0, 1.0, 0.0])
    spread1, spread2 = np.array([1.0, 2.0, 3.0]), np.array([4.0, 2.0, 1.0])
    distance = metrics.frechet_distance(mean1, np.diag(spread1**2), mean2, np.diag(spread2**2))
    assert distance == pytest.approx((1 + 0 + 4) + (9 + 0 + 4))


def test_frechet_distance_of_correlated_gaussians_is_the_formula_with_sqrtm():
    generator = np.random.default_rng(0)
    root1, root2 = generator.normal(size=(2, 6, 6))
    covariance1, covariance2 = root1 @ root1.T, root2 @ root2.T
    mean = np.zeros(6)
    formula = np.trace(
        covariance1 + covariance2 - 2 * scipy.linalg.sqrtm(covariance1 @ covariance2).real
    )
    distance = metrics.frechet_distance(mean, covariance1, mean, covariance2)
    assert distance == pytest.approx(formula)


def test_frechet_distance_without_full_rank():
    # Each Gaussian lives on its own axis: no overlap, so the distance is the sum of both traces.
    mean = np.zeros(2)
    distance = metrics.frechet_distance(mean, np.diag([9.0, 0]), mean, np.diag([0, 4.0]))
    assert distance == pytest.approx(13)
    features = np.random.default_rng(1).normal(size=(5, 64))
    assert metrics.feature_distance(features, features) == pytest.approx(0, abs=1e-5)
    assert metrics.feature_distance(features, features + 0.5) == pytest.approx(64 * 0.25)


def test_the_order_of_the_pictures_does_not_change_the_distance():
    generator = np.random.default_rng(2)
    first, second = generator.normal(size=(2, 40, 64)) * np.arange(64) + [[[0]], [[1]]]
    distance = metrics.feature_distance(first, second)
    shuffled = metrics.feature_distance(generator.permutation(first), generator.permutation(second))
    assert shuffled == pytest.approx(distance, rel=0.01)
    assert metrics.feature_distance(first, generator.permutation(first)) < 1e-6 * distance


def test_the_feature_distance_uses_the_sample_covariance():
    # Two samples at -1 and 1: variance 2 when divided by N - 1.
    assert metrics.feature_distance([[-1.0], [1.0]], [[0.0], [0.0]]) == pytest.approx(2)
