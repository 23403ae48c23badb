"""The figures of a set of pictures and their intervals, against closed forms."""

from pictures import measure, metrics

import numpy as np
import pytest
import scipy.stats


def values_of(generated, gray):
    """Return values as measured, in which every metric of one number a picture is the same."""
    scores = np.tile(np.array([1.0, 0.5]), (len(generated), metrics.BINS, 1))
    keys = [metric.key for metric in measure.METRICS if not metric.of_features]
    values = {
        system: {key: np.asarray(column, float) for key in keys}
        for system, column in (("generated", generated), ("gray_copy", gray))
    }
    for columns in values.values():
        columns.update(auc=scores, auc_balanced=scores)
    return values | {measure.TRUTH: {}}


def test_a_picture_at_the_threshold_counts_as_right():
    picture = np.full((16, 16, 3), 90, np.uint8)
    accuracy = next(each for each in measure.METRICS if each.key == "ssim_accuracy")
    for other, right in ((picture, True), (picture + np.uint8(60), False)):
        pair = measure.Pair(picture, other, metrics.to_lab(picture), ssim_threshold=1)
        assert accuracy.of_picture(pair) == right


def test_constant_figures_have_intervals_without_width():
    found = measure.intervals(values_of([5] * 8, [3] * 8))
    assert found["generated"]["psnr"] == [5, 5]
    assert found["difference"]["psnr"] == [2, 2]
    assert (
        found["generated"]["auc"]
        == found["gray_copy"]["auc_balanced"]
        == [
            pytest.approx(50),
            pytest.approx(50),
        ]
    )
    assert "fid" not in found["generated"]


def test_a_difference_is_of_the_same_pictures_and_keeps_its_sign():
    # The pictures differ far more than the model and the gray copy do on each.
    gray = np.random.default_rng(1).normal(20, 10, 50)
    found = measure.intervals(values_of(gray - 1, gray))
    assert found["difference"]["psnr"] == pytest.approx([-1, -1])
    low, high = found["generated"]["psnr"]
    assert high - low > 3
    found = measure.intervals(values_of(gray + np.linspace(0.5, 1.5, 50), gray))
    low, high = found["difference"]["psnr"]
    assert 0.5 < low < 1 < high < 1.5


def test_intervals_are_those_of_scipys_bootstrap():
    column = np.random.default_rng(2).gamma(2, 10, 80)
    low, high = measure.intervals(values_of(column, column))["generated"]["psnr"]
    expected = scipy.stats.bootstrap(
        [column], np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(3)
    ).confidence_interval
    width = expected.high - expected.low
    assert abs(low - expected.low) < 0.05 * width
    assert abs(high - expected.high) < 0.05 * width
    again = measure.intervals(values_of(column, column))["generated"]["psnr"]
    assert again == [low, high]


def test_unlabelled_pictures_do_not_move_an_interval():
    right = [1, 0, 1, 1, 0, 1, 1, 1] * 5
    labelled = measure.intervals(values_of(right, right))["generated"]["recognition"]
    mixed = np.concatenate([right, np.full(200, np.nan)])
    found = measure.intervals(values_of(mixed, mixed))["generated"]["recognition"]
    assert found == pytest.approx(labelled, abs=0.06)


def test_auc_of_a_resample_is_that_of_its_pictures():
    """The sum of the scores of pictures is what a mean of theirs gives."""
    random = np.random.default_rng(4)
    scores = np.stack([random.integers(1, 9, (5, metrics.BINS)), np.ones((5, metrics.BINS))], -1)
    for figure in (metrics.auc, metrics.auc_balanced):
        assert figure(scores.mean(axis=0)) == pytest.approx(figure(scores.sum(axis=0)))
        assert figure(scores) == pytest.approx([figure(each) for each in scores])
