"""pictures/ageing.py: old photographs made of new ones, whose colours stay true."""

from colorizer.pixels import grayscale
from pictures import ageing

import cv2
import numpy as np
import pytest


def pictures(count=16, side=96, seed=0):
    """Return gray and RGB pictures, uint8, of large soft areas of colour."""
    random = np.random.default_rng(seed)
    few = random.integers(20, 236, (count, 5, 5, 3), dtype=np.uint8)
    rgb = np.stack([cv2.resize(each, (side, side), interpolation=cv2.INTER_CUBIC) for each in few])
    return grayscale(rgb), rgb


def alike(first, second) -> float:
    """Return the correlation of two gray pictures."""
    return float(np.corrcoef(np.ravel(first), np.ravel(second))[0, 1])


def test_a_share_of_a_batch_is_aged_and_the_rest_stays():
    gray, rgb = pictures(100, 32)
    aged, truth = ageing.age(np.random.default_rng(0), gray, rgb, 0.4)
    changed = (aged != gray).any(axis=(1, 2, 3))
    assert 0.25 < changed.mean() < 0.55
    np.testing.assert_array_equal(truth[~changed], rgb[~changed])
    assert aged.dtype == truth.dtype == np.uint8
    untouched, _ = ageing.age(np.random.default_rng(0), gray, rgb, 0)
    np.testing.assert_array_equal(untouched, gray)


def test_what_is_given_is_not_changed_and_the_same_seed_ages_alike():
    gray, rgb = pictures(8)
    before = gray.copy(), rgb.copy()
    first, again, other = (
        ageing.age(np.random.default_rng(seed), gray, rgb, 1)[0] for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(gray, before[0])
    np.testing.assert_array_equal(rgb, before[1])
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.5


def test_the_truth_keeps_its_colours_but_in_frames_where_it_has_none():
    gray, rgb = pictures(60)
    aged, truth = ageing.age(np.random.default_rng(1), gray, rgb, 1)
    changed = (truth != rgb).any(axis=-1)
    framed = changed.any(axis=(1, 2))
    assert 0.08 < framed.mean() < 0.4
    inside = truth[changed]
    assert (inside == inside[:, :1]).all()  # gray
    np.testing.assert_array_equal(inside[:, :1], aged[changed])
    for mask in changed[framed]:
        # Along a side, and never the middle.
        assert mask[0].all() or mask[-1].all() or mask[:, 0].all() or mask[:, -1].all()
        assert not mask[40:56, 40:56].any()


def test_an_old_film_is_blind_to_red():
    random = np.random.default_rng(0)
    rgb = np.zeros((4, 4, 3), np.uint8)
    rgb[:, :2] = 220, 30, 30
    rgb[:, 2:] = 30, 30, 220
    lighter = 0
    for _ in range(50):
        picture = ageing.expose(random, rgb)
        assert 0 < picture.min() <= picture.max() < 1
        lighter += picture[0, 3] > picture[0, 0]  # blue, of much less luma than red
    assert 15 < lighter < 50
    assert grayscale(rgb)[0, 3] < grayscale(rgb)[0, 0]
    np.testing.assert_allclose(ageing.FILMS.sum(axis=1), 1, atol=1e-6)


def test_fading_makes_black_gray_and_white_gray():
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[np.newaxis]
    ends = np.array([ageing.fade(np.random.default_rng(seed), ramp)[0] for seed in range(200)])
    assert (np.diff(ends, axis=1) >= -1e-6).all()
    assert ageing.BLACK[1] * 0.8 < ends[:, 0].max() <= ageing.BLACK[1]
    assert ageing.WHITE[0] <= ends[:, -1].min() < ageing.WHITE[0] + 0.05
    assert ends[:, 0].min() < 0.02


def test_softening_loses_detail_and_keeps_the_mean():
    checks = np.indices((64, 64)).sum(axis=0) % 2 * np.float32(0.8)
    for seed in range(20):
        soft = ageing.soften(np.random.default_rng(seed), checks)
        assert soft.std() < 0.8 * checks.std()
        assert soft.mean() == pytest.approx(checks.mean(), abs=0.03)


def test_grain_has_the_deviation_that_is_drawn_and_several_sizes():
    gray = np.full((96, 96), 0.5, np.float32)
    noises = [ageing.add_grain(np.random.default_rng(seed), gray) - gray for seed in range(60)]
    deviations = np.array([noise.std() for noise in noises])
    assert ageing.GRAIN[0] * 0.9 < deviations.min() < 0.03
    assert 0.1 < deviations.max() < ageing.GRAIN[1] * 1.1
    neighbours = np.array([alike(noise[:, 1:], noise[:, :-1]) for noise in noises])
    assert neighbours.min() < 0.1
    assert neighbours.max() > 0.6


def test_uneven_light_changes_places_smoothly():
    flat = np.full((64, 64), 0.5, np.float32)
    for seed in range(20):
        lit = ageing.light_unevenly(np.random.default_rng(seed), flat)
        assert np.abs(np.diff(lit, axis=0)).max() < 0.06
        assert lit.min() > 0
    spreads = [np.ptp(ageing.light_unevenly(np.random.default_rng(s), flat)) for s in range(20)]
    assert max(spreads) > 0.25


def test_cracks_are_thin():
    flat = np.full((96, 96), 0.5, np.float32)
    touched = []
    for seed in range(40):
        broken = ageing.break_up(np.random.default_rng(seed), flat)
        touched.append((np.abs(broken - flat) > 0.15).mean())
    assert max(touched) > 0.01
    assert np.median(touched) < 0.15
    assert (flat == 0.5).all()


def test_old_prints_still_show_their_pictures():
    gray, rgb = pictures(60)
    aged, truth = ageing.age(np.random.default_rng(2), gray, rgb, 1)
    inside = [~(t != r).any(axis=-1) for t, r in zip(truth, rgb, strict=True)]
    found = [alike(a[..., 0][i], g[..., 0][i]) for a, g, i in zip(aged, gray, inside, strict=True)]
    assert np.median(found) > 0.6
    assert (np.array(found) < 0.98).mean() > 0.7


def test_grain_comes_before_the_fading_and_as_often_after_it(monkeypatch):
    called = []
    for name in ("add_grain", "fade"):
        real = getattr(ageing, name)
        monkeypatch.setattr(
            ageing, name, lambda *given, name=name, real=real: called.append(name) or real(*given)
        )
    orders = []
    for seed in range(100):
        called.clear()
        picture, _ = ageing.age_one(np.random.default_rng(seed), np.zeros((32, 32, 3), np.uint8))
        assert 0 <= picture.min() <= picture.max() <= 1
        orders.append(tuple(called))
    assert set(orders) == {("add_grain", "fade"), ("fade", "add_grain"), ("fade",)}
    assert 20 < orders.count(("fade", "add_grain")) < 50
    assert 20 < orders.count(("add_grain", "fade")) < 50
