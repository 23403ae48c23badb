"""How close a colorized picture is to the true one: every measure that evaluate.py reports.

Pictures are uint8 RGB arrays (H, W, 3) in 0..255, Lab arrays are float64 (H, W, 3) as `to_lab`
gives them. Two pictures that are compared have one shape; another one raises ValueError.
"""

import numpy as np
import scipy.linalg
import scipy.ndimage
import skimage.color
import skimage.metrics

PSNR_CAP = 60.0  # dB; a perfect picture is infinite, and one such picture would decide the mean
SSIM_WINDOW = 11  # pixels; Wang et al. 2004
PIXEL_TOLERANCE = 0.05 * 255  # Qiu, Cao et al.: "all three channels within 5%"

# Zhang et al. 2016: a/b bins on a grid of 10, their probabilities smoothed with sigma 5, error
# thresholds 0..150 in steps of 1. Bin centres are multiples of 10; sRGB ends at -108 and 98.
BIN_SIZE = 10
BIN_CENTRES = np.arange(-110, 111, BIN_SIZE)
BINS = len(BIN_CENTRES) ** 2
SMOOTHING = 5
LARGEST_ERROR = 150


def to_lab(picture):
    """Convert uint8 sRGB to CIE Lab (D65): float64, L in 0..100, a and b within -108..98."""
    return skimage.color.rgb2lab(picture)


def mean_squared_error(ground_truth, picture) -> float:
    """Return the mean squared difference over pixels and channels, in 0..255 squared."""
    return float(skimage.metrics.mean_squared_error(ground_truth, picture))


def psnr(squared_error) -> float:
    """Return the peak signal-to-noise ratio, in dB, of one picture's MSE; at most `PSNR_CAP`."""
    if squared_error == 0:
        return PSNR_CAP
    return float(min(PSNR_CAP, 10 * np.log10(255**2 / squared_error)))


def ssim(ground_truth, picture) -> float:
    """Return the structural similarity in -1..1 (1: the same), the mean of the RGB channels.

    The settings are those of the publication: 11x11 Gaussian window of sigma 1.5, K1 0.01,
    K2 0.03, population covariance. scikit-image leaves out a border of 5 pixels, half the window,
    before it takes the mean. Raises ValueError for pictures smaller than the window.

    Source: Wang, Bovik, Sheikh & Simoncelli 2004.
    """
    similarity = skimage.metrics.structural_similarity(
        ground_truth,
        picture,
        channel_axis=-1,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return float(similarity)


def quaternion_product(first, second):
    """Multiply pure quaternions (..., 3) by the conjugates of others: (..., 4), real part first."""
    real = (first * second).sum(axis=-1, keepdims=True)
    return np.concatenate([real, np.cross(second, first)], axis=-1)


def qssim(ground_truth, picture) -> float:
    """Return the quaternion structural similarity in 0..1 (1: the same), SSIM on colours as one.

    Each pixel is a pure quaternion R i + G j + B k. Window, constants and border are those of
    `ssim`; gray pictures score their SSIM, or its size where it is negative. One hue in place of
    another, all over a window, goes unnoticed: flat red and flat green score over 0.99.
    Raises ValueError for pictures of two shapes or smaller than the window.

    Source: Kolaman & Yadid-Pecht 2012; the division by the root of 3 is from their own code, which
    also shrinks pictures of 384 pixels and more. Here: never, so that it compares with `ssim`.
    """
    if ground_truth.shape != picture.shape or min(picture.shape[:2]) < SSIM_WINDOW:
        raise ValueError(
            f"expected two pictures of one shape, at least {SSIM_WINDOW} pixels high and wide, "
            f"found {ground_truth.shape} and {picture.shape}"
        )
    border = SSIM_WINDOW // 2

    def local_mean(values):
        blurred = scipy.ndimage.gaussian_filter(values, (1.5, 1.5, 0), radius=border)
        return blurred[border:-border, border:-border]

    first, second = (values / (255 * np.sqrt(3)) for values in (ground_truth, picture))
    mean1, mean2 = local_mean(first), local_mean(second)
    product = quaternion_product(mean1, mean2)
    covariance = local_mean(quaternion_product(first, second)) - product
    squares = (mean1**2 + mean2**2).sum(axis=-1)
    variances = local_mean(first**2 + second**2).sum(axis=-1) - squares
    similarity = 1
    for compared, energy, constant in (
        (product, squares, 0.01**2),
        (covariance, variances, 0.03**2),
    ):
        numerator = 2 * compared + [constant, 0, 0, 0]
        similarity = similarity * np.linalg.norm(numerator, axis=-1) / (energy + constant)
    return float(similarity.mean())


def ciede2000(ground_truth_lab, picture_lab) -> float:
    """Return the mean CIEDE2000 colour difference of two Lab pictures; 1 is just noticeable.

    Source: Sharma, Wu & Dalal 2005.
    """
    return float(skimage.color.deltaE_ciede2000(ground_truth_lab, picture_lab).mean())


def colourfulness(picture) -> float:
    """Return how colourful one picture looks: 0 for gray, about 35 for a usual photograph.

    Population deviation, and no absolute values of the opponent colours (many copies add them).

    Source: Hasler & Süsstrunk 2003.
    """
    red, green, blue = np.moveaxis(picture.astype(np.float64), -1, 0)
    red_green = red - green
    yellow_blue = (red + green) / 2 - blue
    deviation = np.hypot(red_green.std(), yellow_blue.std())
    return float(deviation + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))


def pixel_accuracy(ground_truth, picture) -> float:
    """Return the share, 0..1, of pixels whose three channels are all within 5% of 255.

    Source: Qiu, Cao et al., the accuracy of their GAN.
    """
    difference = np.abs(ground_truth.astype(np.int16) - picture)
    return float((difference <= PIXEL_TOLERANCE).all(axis=-1).mean())


def ssim_accuracy(similarities, threshold) -> float:
    """Return the share, 0..1, of pictures whose SSIM is `threshold` or more.

    Source: the paper, "the average SSIM score and a predefined threshold value".
    """
    return float((np.asarray(similarities) >= threshold).mean())


def ssim_threshold(similarities, share) -> float:
    """Return the highest threshold at which `ssim_accuracy` is still `share` (over 0, up to 1)."""
    highest_first = np.sort(similarities)[::-1]
    return float(highest_first[int(np.ceil(share * len(highest_first))) - 1])


def chroma_scores(ground_truth_lab, picture_lab):
    """Score the pixels of each true a/b bin by their a/b error, as the AuC does.

    Returns float64 (BINS, 2): the number of pixels, and the sum of their scores. A score is the
    part of the curve over t = 0..150 that the pixel is within t: 1 where its error (Euclidean, in
    a/b) is 0, and 0 above 150. Scores of several pictures are added to score them together.
    """
    true_ab = ground_truth_lab[..., 1:]
    distance = np.linalg.norm(true_ab - picture_lab[..., 1:], axis=-1)
    # The curve jumps from 0 to 1 at the first whole t that the error is within. By the trapezoidal
    # rule the jump itself has half a step, but at the curve's beginning.
    within = np.ceil(distance)
    score = np.where(within > 0, np.maximum(LARGEST_ERROR + 0.5 - within, 0), LARGEST_ERROR)
    cell = np.rint((true_ab - BIN_CENTRES[0]) / BIN_SIZE).astype(np.int64) @ [len(BIN_CENTRES), 1]
    scores = (None, score.ravel() / LARGEST_ERROR)
    counted = [np.bincount(cell.ravel(), weights, minlength=BINS) for weights in scores]
    return np.stack(counted, axis=-1).astype(np.float64)


def auc(scores):
    """Return the raw accuracy, in percent, of the scores that `chroma_scores` gives.

    The share of pixels whose a/b error is at most t, as a curve over t = 0..150; the area under
    it by the trapezoidal rule, divided by 150. Leaving every picture gray scores about 89,
    because most pixels of most photographs are nearly gray. `scores` (..., BINS, 2) gives (...).

    Source: Zhang, Isola & Efros 2016, section 3.1, "Raw accuracy (AuC)".
    """
    pixels, total = np.moveaxis(scores.sum(axis=-2), -1, 0)
    return 100 * total / pixels


def auc_balanced(scores):
    """Return the class-balanced raw accuracy, in percent, which gray cannot win.

    `auc` with each pixel weighted by 1 / p, where p is the probability of its true a/b bin: their
    equation 4, w = 1 / ((1 - lambda) p + lambda / Q), with lambda = 0, which is what they set for
    this measure (1/2 is for their training loss, and would give gray 75 instead of about 60).
    p is smoothed over the bins by a Gaussian of sigma 5.
    Zhang et al.: p from 1.3 million training pictures. Here: p from the true colours of the very
    pictures that are scored, because the figure then needs nothing beside them. It depends on
    the set for that reason: compare systems on one set only.

    Source: Zhang, Isola & Efros 2016, section 3.1 and equation 4.
    """
    pixels = scores[..., 0]
    share = pixels / pixels.sum(axis=-1, keepdims=True)
    grid = share.reshape(*share.shape[:-1], len(BIN_CENTRES), -1)
    smooth = scipy.ndimage.gaussian_filter(
        grid, SMOOTHING / BIN_SIZE, mode="constant", axes=(-2, -1)
    ).reshape(share.shape)
    weights = np.divide(1, smooth, out=np.zeros_like(smooth), where=pixels > 0)
    return auc(scores * weights[..., np.newaxis])


def frechet_distance(mean1, covariance1, mean2, covariance2) -> float:
    """Return the squared Fréchet distance between two Gaussians of D dimensions.

    |m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^1/2), for means (D,) and covariances (D, D), float64.
    The trace of the root of C1 C2 is that of the root of R C2 R with R = C1^1/2, which is
    symmetric: its eigenvalues stay real and the rounding below zero can be cut off, also where
    fewer than D + 1 samples leave the covariances without full rank.

    Source: Dowson & Landau 1982; Heusel et al. 2017.
    """
    values, vectors = scipy.linalg.eigh(covariance1)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    product = scipy.linalg.eigvalsh(root @ covariance2 @ root)
    trace_of_root = np.sqrt(np.maximum(product, 0)).sum()
    difference = mean1 - mean2
    traces = np.trace(covariance1) + np.trace(covariance2)
    # Rounding can leave equal Gaussians a hair below zero.
    return max(0.0, float(difference @ difference + traces - 2 * trace_of_root))


def feature_distance(features1, features2) -> float:
    """Return the Fréchet distance of two sets of features, each (N, D) with N at least 2.

    The FID where they are Inception's. Source: Heusel et al. 2017. Sample covariance, as in their
    code.
    """
    gaussians = []
    for features in (features1, features2):
        features = np.asarray(features, np.float64)
        gaussians += [features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False))]
    return frechet_distance(*gaussians)
