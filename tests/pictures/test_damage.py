"""damage.py: what is done to sharp pictures is what it says, and the same for the same seed."""

from colorizer.pixels import resize, to_uint8, to_unit
from pictures import damage

import numpy as np
import pytest


def picture(height=96, width=128):
    """Return a smooth picture, float32 in [0.2, 0.8]."""
    levels = np.random.default_rng(1).integers(50, 205, (6, 8, 1), np.uint8)
    return to_unit(resize(levels, height, width)[..., 0])


def only(monkeypatch, *names):
    """Let nothing but the damages of these names happen, and those always."""
    for name in ("FADED", "BLURRED", "GRAINY", "SCRATCHED", "NOISY", "COMPRESSED"):
        monkeypatch.setattr(damage, name, float(name in names))


def rng(seed=0):
    return np.random.default_rng(seed)


# ------------------------------------------------------------------------------------ bicubic


def test_bicubic_has_the_weights_of_matlabs_imresize():
    # imresize(eye(8), [4 8]) with antialiasing, and imresize of a step by 2, known values.
    shrunk = damage.bicubic_matrix(16, 8)[4]
    expected = [-0.01171875, -0.03515625, 0.11328125, 0.43359375]
    np.testing.assert_allclose(shrunk[5:13], [*expected, *expected[::-1]], atol=1e-6)
    np.testing.assert_allclose(shrunk[[0, 1, 2, 3, 4, 13, 14, 15]], 0, atol=1e-7)
    enlarged = damage.bicubic_matrix(8, 16)
    np.testing.assert_allclose(
        enlarged[8, 2:6], [-0.0234375, 0.2265625, 0.8671875, -0.0703125], atol=1e-6
    )
    np.testing.assert_allclose(
        enlarged[9, 3:7], [-0.0703125, 0.8671875, 0.2265625, -0.0234375], atol=1e-6
    )
    np.testing.assert_allclose(enlarged.sum(axis=1), 1, atol=1e-6)


def test_bicubic_goes_on_in_the_mirror_image_at_the_edges():
    # The first new pixel sees two old ones beyond the edge, which repeat the first two.
    first = damage.bicubic_matrix(8, 16)[0]
    np.testing.assert_allclose(
        first[:3], [0.8671875 + 0.2265625, -0.0234375 - 0.0703125, 0], atol=1e-6
    )


def test_resizing_a_ramp_leaves_a_ramp_of_the_right_direction():
    ramp = np.linspace(0.2, 0.8, 64, dtype=np.float32)[None].repeat(48, 0)
    small = damage.resize_bicubic(ramp, 24, 32)
    np.testing.assert_allclose(
        small[:, 4:-4], ramp.reshape(24, 2, 32, 2).mean((1, 3))[:, 4:-4], atol=1e-5
    )
    larger = damage.resize_bicubic(small, 48, 64)
    np.testing.assert_allclose(larger[:, 8:-8], ramp[:, 8:-8], atol=1e-5)


# ------------------------------------------------------------------------------- each damage


@pytest.mark.parametrize("scale", [1, 2])
def test_the_same_seed_damages_alike_and_a_file_could_hold_it(scale):
    truth = picture()
    for seed in range(20):
        small, wanted = damage.damage(rng(seed), truth, scale)
        again, _ = damage.damage(rng(seed), truth, scale)
        np.testing.assert_array_equal(small, again)
        assert small.shape == (96 // scale, 128 // scale)
        assert wanted.shape == truth.shape
        assert small.dtype == wanted.dtype == np.float32
        np.testing.assert_array_equal(small, to_unit(to_uint8(small)))
    other, _ = damage.damage(rng(1), truth, scale)
    assert (other != damage.damage(rng(2), truth, scale)[0]).mean() > 0.5


def test_something_always_happens():
    truth = damage.rounded(picture())
    for seed in range(50):
        small, wanted = damage.damage(rng(seed), truth, 1)
        assert (small != wanted).mean() > 0.01


def test_fading_is_no_damage_that_is_undone(monkeypatch):
    only(monkeypatch, "FADED", "BLURRED")
    truth = picture()
    changed = []
    for seed in range(10):
        small, wanted = damage.damage(rng(seed), truth, 1)
        changed.append(np.abs(wanted - truth).mean())
        assert np.abs(small - wanted).mean() < 0.02
    assert min(changed) > 0.01
    only(monkeypatch, "BLURRED")
    for seed in range(10):
        np.testing.assert_array_equal(damage.damage(rng(seed), truth, 1)[1], truth)


def test_blur_takes_detail_and_leaves_the_mean():
    noise = rng().random((96, 96), np.float32)
    for seed in range(12):
        blurred = damage.blur(rng(seed), noise, 1)
        assert blurred.std() < 0.97 * noise.std()
        assert blurred.mean() == pytest.approx(noise.mean(), abs=2e-3)


def test_grain_and_noise_are_as_strong_as_they_say(monkeypatch):
    gray = np.full((256, 256), 0.5, np.float32)
    monkeypatch.setattr(damage, "GRAIN_DEVIATION", (0.05, 0.05))
    assert damage.grain(rng(), gray, 1).std() == pytest.approx(0.05, rel=0.05)
    dark = damage.grain(rng(), np.zeros_like(gray), 1)
    assert dark.std() == pytest.approx(0.4 * 0.05, rel=0.05)
    monkeypatch.setattr(damage, "NOISE_DEVIATION", (0.03, 0.03))
    assert damage.sensor_noise(rng(), gray).std() == pytest.approx(0.03, rel=0.05)


def test_jpeg_of_lower_quality_is_further_off(monkeypatch):
    noise = picture() + 0.05 * rng().standard_normal((96, 128), np.float32)
    errors = []
    for quality in (30, 60, 95):
        monkeypatch.setattr(damage, "JPEG_QUALITY", (quality, quality))
        errors.append(np.abs(damage.compress(rng(), noise) - noise).mean())
    assert errors[0] > errors[1] > errors[2] > 0


def test_scratches_are_thin_and_few_and_bright_or_dark():
    shares, tones = [], []
    for seed in range(30):
        cover, tone = damage.scratches(rng(seed), (192, 192), 1)
        assert cover.min() >= 0
        assert cover.max() <= 1
        assert cover.max() > 0.3
        shares.append((cover > 0.1).mean())
        tones += list(tone[cover > 0.1])
    assert 0.005 < np.mean(shares) < 0.1
    tones = np.array(tones)
    assert ((tones >= 0.75) | (tones <= 0.25)).all()
    assert 0.2 < (tones > 0.5).mean() < 0.9


def test_a_scratch_of_twice_the_size_becomes_one_of_its_size():
    drawn = [damage.scratches(rng(seed), (384, 384), 2)[0] > 0.1 for seed in range(30)]
    small = [damage.scratches(rng(seed), (192, 192), 1)[0] > 0.1 for seed in range(30)]
    assert np.mean(drawn) == pytest.approx(np.mean(small), rel=0.4)
