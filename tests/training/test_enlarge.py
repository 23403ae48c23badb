"""enlarge.py, in colorizer/ and systems/: the network, its training, and photographs in tiles."""

import json
import re
import subprocess
import sys
from pathlib import Path

import colorize
import train
from colorizer import Enlarger, chroma
from colorizer.errors import UserError
from colorizer.files import metadata, photos
from colorizer.pixels import grayscale, high_bits, resize, to_uint8, to_unit
from colorizer.prints import enlarge as enlarging
from pictures import damage
from systems import enlarge
from training import export

import cv2
import numpy as np
import pytest
import standins
from generated import gradients_of, last_checkpoint, prepare, stop_when_saved
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


def sample(name="cat.jpg"):
    """Return one of samples/ in gray, uint8 (H, W, 1), with even sides."""
    gray = grayscale(photos.read_rgb(ROOT / "samples" / name))
    return gray[: len(gray) // 2 * 2, : gray.shape[1] // 2 * 2]


def psnr(found, truth):
    return 10 * np.log10(255**2 / np.mean((found.astype(float) - truth) ** 2))


def awake(network):
    """Let a new network find something at once, instead of next to nothing."""
    layer = network.get_layer("found")
    layer.kernel.assign(np.random.default_rng(0).normal(0, 0.05, layer.kernel.shape))
    return network


# -------------------------------------------------------------------------------- the network


def test_an_untrained_network_is_bicubic_or_nothing():
    gray = to_unit(sample()[:48, :60])[None]
    small = {scale: enlarge.build_generator(scale) for scale in (1, 2)}
    for network in small.values():
        network.get_layer("found").kernel.assign(0 * network.get_layer("found").kernel)
    np.testing.assert_allclose(small[1](gray), gray, atol=1e-6)
    expected = damage.resize_bicubic(gray[0, ..., 0], 96, 120)
    np.testing.assert_allclose(np.asarray(small[2](gray))[0, ..., 0], expected, atol=1e-5)


@pytest.mark.parametrize("scale", [1, 2])
def test_the_network_is_small_and_all_of_it_learns(scale):
    network = awake(enlarge.build_generator(scale))
    assert network.count_params() <= 300_000
    gray = np.random.default_rng(0).random((1, 24, 24, 1), np.float32)
    truth = np.random.default_rng(1).random((1, 24 * scale, 24 * scale, 1), np.float32)
    variables = network.trainable_variables
    _, gradients = gradients_of(
        lambda: enlarge.charbonnier(network(gray, training=True), truth), variables
    )
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)
    # The kernels that stand for bicubic interpolation and sub-pixels are fixed.
    fixed = {each.path for each in network.non_trainable_variables}
    assert len(fixed) == (2 if scale == 2 else 1)


def test_the_loss_is_the_absolute_difference():
    a, b = np.zeros((1, 4, 4, 1), np.float32), np.full((1, 4, 4, 1), 0.25, np.float32)
    assert float(enlarge.charbonnier(a, b)) == pytest.approx(0.25, abs=1e-4)
    assert float(enlarge.charbonnier(a, a)) == pytest.approx(enlarge.ROUNDING, rel=1e-3)


def test_only_what_learns_damage_sees_far(small):
    def reach(network):
        """Tell how many rows away a pixel still decides about the one in the middle."""
        gray = np.full((1, 160, 160, 1), 0.5, np.float32)
        touched = gray.copy()
        touched[0, 80, 80] = 1
        changed = np.abs(awake(network)(touched) - awake(network)(gray)).max(axis=(0, 2, 3)) > 0
        return np.flatnonzero(changed)[-1] - 80

    far = {kind: reach(system(damage=kind, scale=1).generator) for kind in ("photo", "clean")}
    assert far["photo"] >= far["clean"] + 8


def test_mild_damage_counts_as_heavy_does():
    truth = np.full((3, 4, 4, 1), 0.5, np.float32)
    amiss = np.array([0, 0.02, 0.2], np.float32)
    apart = np.array([0, 0.01, 0.1], np.float32).reshape(3, 1, 1, 1)
    left = float(enlarge.share_left(truth + apart, truth, amiss))
    # A little is left of nothing, because a square root has no slope at 0.
    expected = (
        enlarge.ROUNDING / enlarge.MILD + 0.01 / (0.02 + enlarge.MILD) + 0.1 / (0.2 + enlarge.MILD)
    ) / 3
    assert left == pytest.approx(expected, abs=0.005)
    assert float(enlarge.share_left(truth + 2 * apart, truth, amiss)) > 1.5 * left


def test_mild_damage_counts_as_much_in_the_last_steps(small):
    learner = system(damage="photo", scale=1, epochs=10)  # of 2 steps
    batch = learner.draw(np.random.default_rng(0), sample()[None, :64, :64].repeat(4, 0), None)
    small_loss = float(enlarge.charbonnier(*batch[:2]))
    for step, mild in ((0, False), (13, False), (14, True), (19, True)):
        learner.generator_optimizer.iterations.assign(step)
        loss = float(learner.train_step(*batch)["generator_loss"])
        assert (loss > 3 * small_loss) == mild
    assert system(damage="clean", epochs=10).first_mild == 20


def test_a_batch_tells_how_much_is_amiss_before(small):
    gray = sample()[None, :64, :64].repeat(4, 0)
    for scale in (1, 2):
        learner = system(damage="photo", scale=scale)
        smaller, truth, amiss = learner.draw(np.random.default_rng(0), gray, None)
        for given, wanted, far in zip(smaller, truth, amiss, strict=True):
            before = damage.resize_bicubic(given[..., 0], 32, 32)
            assert far == pytest.approx(np.sqrt(np.mean((before - wanted[..., 0]) ** 2)), rel=1e-4)
        _, gradients = gradients_of(
            lambda given=smaller, wanted=truth, far=amiss, network=learner.generator: (
                enlarge.share_left(network(given), wanted, far)
            ),
            learner.generator.trainable_variables,
        )
        assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("scale", [1, 2])
def test_the_onnx_file_answers_as_the_network_does(scale, tmp_path):
    network = awake(enlarge.build_generator(scale))
    export.write_keras(network, tmp_path / "a.keras")
    export.write_beside(tmp_path / "a.keras")
    enlarger = Enlarger(scale, [tmp_path / "a.onnx"])
    gray = sample()[:60, :84]
    expected = to_uint8(network(to_unit(gray)[None])[0])
    found = enlarger.luminance(gray).astype(int)
    assert np.abs(found - expected).max() <= 1
    assert (found != expected).mean() < 0.03  # weights are stored as float16
    assert np.abs(expected.astype(float) - bicubic(gray, scale)).mean() > 1  # it does something


def bicubic(gray, scale):
    height, width = (scale * side for side in gray.shape[:2])
    unit = damage.resize_bicubic(to_unit(gray[..., 0]), height, width)
    return to_uint8(unit)[..., None]


# ------------------------------------------------------------------------------- the training


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("data"), size=32, train=6, test=3)


@pytest.fixture
def small(monkeypatch):
    """Make the network small, and let a step see little of a picture."""
    monkeypatch.setattr(enlarge, "WIDTH", 4)
    monkeypatch.setattr(enlarge, "BLOCKS", 1)
    monkeypatch.setattr(enlarge, "WIDE_AFTER", 1)
    monkeypatch.setattr(enlarge, "WIDE_BLOCKS", 1)


def system(**changes):
    class Split:
        pictures = 8

    settings = enlarge.EnlargeSettings(batch_size=4, crop=32, **changes)
    return enlarge.Enlarge(settings, Split)


def fit(data, output, epochs=1, **changes):
    settings = enlarge.EnlargeSettings(
        data=str(data), output=str(output), batch_size=2, epochs=epochs, crop=24, **changes
    )
    assert train.fit(enlarge.Enlarge, settings) == 0


@pytest.mark.parametrize(
    ("scale", "kind"),
    [
        (2, "photo"),
        pytest.param(2, "clean", marks=pytest.mark.slow),
        pytest.param(1, "photo", marks=pytest.mark.slow),
    ],
)
def test_it_trains_and_resumes_exactly(data, tmp_path, small, scale, kind, no_onnx):
    more = {"scale": scale, "damage": kind}
    fit(data, tmp_path / "whole", epochs=2, **more)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(stop_when_saved(patch, train)):
        fit(data, tmp_path / "parts", epochs=2, **more)
    assert train.main(["--resume", "--output", str(tmp_path / "parts")]) == 0
    whole, parts = (last_checkpoint(tmp_path / name) for name in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    for name in whole:
        if not name.startswith("save_counter"):
            np.testing.assert_array_equal(whole[name], parts[name], err_msg=name)
    config = json.loads((tmp_path / "parts" / "config.json").read_text())
    assert config["settings"]["scale"] == scale
    sheet = photos.read_rgb(tmp_path / "parts" / "samples" / "epoch-0002.png")
    assert sheet.shape == (3 * 32, 3 * 32, 3)


def test_flags_choose_scale_and_damage():
    chosen, settings, resume = train.parse_arguments(
        ["--system", "enlarge", "--scale", "1", "--damage", "clean"], "", train.SYSTEMS
    )
    assert chosen is enlarge.Enlarge
    assert (settings.scale, settings.damage, resume) == (1, "clean", False)
    for wrong in (["--scale", "3"], ["--damage", "none"]):
        with pytest.raises(SystemExit):
            train.parse_arguments(["--system", "enlarge", *wrong], "", train.SYSTEMS)
    with pytest.raises(SystemExit):  # other systems have no such flag
        train.parse_arguments(["--scale", "2"], "", train.SYSTEMS)


def test_pairs_are_small_and_true_and_some_undamaged(small):
    rng = np.random.default_rng
    gray = rng(0).integers(0, 256, (200, 48, 48, 1), np.uint8)
    clean = system(damage="clean")
    smaller, truth, _ = clean.draw(rng(0), gray, None)
    assert smaller.shape == (200, 16, 16, 1)
    assert truth.shape == (200, 32, 32, 1)
    expected = damage.clean(truth[0, ..., 0], 2)
    np.testing.assert_array_equal(smaller[0, ..., 0], expected)
    again, *_ = clean.draw(rng(0), gray, None)
    np.testing.assert_array_equal(smaller, again)
    photo = system(damage="photo", scale=1)
    damaged, truth, _ = photo.draw(rng(0), gray, None)
    untouched = (damaged == truth).all(axis=(1, 2, 3)).mean()
    assert untouched == pytest.approx(enlarge.UNDAMAGED, abs=0.07)
    damaged, truth = photo.test_pairs(gray, None)
    assert (damaged != truth).any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(photo.test_pairs(gray, None)[0], damaged)


def test_a_step_makes_the_loss_smaller(small):
    learner = system(damage="clean")
    gray = sample()[None, 100:164, 100:164].repeat(4, 0)
    batch_of = learner.draw(np.random.default_rng(0), gray, None)
    losses = [float(learner.train_step(*batch_of)["generator_loss"]) for _ in range(60)]
    assert losses[-1] < 0.97 * losses[0]


# --------------------------------------------------------------------- the class, what ships


@pytest.fixture(scope="module")
def enlargers():
    """Return what enlarges and cleans, as far as there is something to clean."""
    return {scale: Enlarger(scale, parts=["grain"]) for scale in (1, 2, 4)}


@pytest.fixture(scope="module")
def cleaners():
    """Return the networks that clean, alone."""
    names = {1: "restore.onnx", 2: "enlarge_photo.onnx"}
    return {scale: Enlarger(scale, [enlarging.WEIGHTS / name]) for scale, name in names.items()}


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 50), (131, 97)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_any_size_and_depth_comes_out_in_proportion(enlargers, scale, size, dtype):
    gray = np.full((*size, 1), 90, dtype) * (1 if dtype == np.uint8 else 257)
    larger = enlargers[scale].luminance(gray)
    assert larger.shape == (scale * size[0], scale * size[1], 1)
    assert larger.dtype == dtype
    assert np.abs(larger / np.iinfo(dtype).max - 90 / 255).max() < 0.1
    coloured = enlargers[scale].enlarge(gray.repeat(3, 2))
    assert coloured.shape == (scale * size[0], scale * size[1], 3)


@pytest.mark.parametrize("scale", [1, 2])
def test_tiles_leave_no_seams(cleaners, scale, monkeypatch):
    gray = sample()[:149, :173]
    whole = cleaners[scale].luminance(gray)
    monkeypatch.setattr(enlarging, "TILE", 18)
    tiled = cleaners[scale].luminance(gray).astype(int)
    assert np.abs(tiled - whole).max() <= 1
    assert (tiled != whole).mean() < 1e-3
    # Seen too little of, they would.
    monkeypatch.setattr(enlarging, "SEEN", 2)
    assert np.abs(cleaners[scale].luminance(gray).astype(int) - whole).max() > 1


def test_sixteen_bits_are_more_than_eight(cleaners):
    gray = sample()[:60, :60]
    deep = gray.astype(np.uint16) * 257
    for scale in (1, 2):
        eight, sixteen = (cleaners[scale].luminance(each) for each in (gray, deep))
        assert np.abs(sixteen / 257 - eight).max() <= 0.51
        assert (sixteen % 257 != 0).mean() > 0.9


def test_enlarged_twice_is_sharper_than_bicubic_and_four_times_is_twice_two(enlargers):
    clean = Enlarger(2, [enlarging.WEIGHTS / "enlarge_clean.onnx"])
    gains = []
    for name in ("cat.jpg", "palace.jpg", "astronaut.jpg", "stairs.jpg"):
        truth = sample(name)
        small = to_uint8(damage.clean(to_unit(truth[..., 0]), 2))[..., None]
        gains.append(psnr(clean.luminance(small), truth) - psnr(bicubic(small, 2), truth))
    assert min(gains) > 0.3
    assert np.mean(gains) > 1.5
    small = sample()[:40, :50]
    four = enlargers[4].luminance(small)
    assert four.shape == (160, 200, 1)
    np.testing.assert_array_equal(four, clean.luminance(enlargers[2].luminance(small)))


def damaged(scale, name, seed):
    truth = to_unit(sample(name)[..., 0])
    small, truth = damage.damage(np.random.default_rng(seed), truth, scale)
    return to_uint8(small)[..., None], to_uint8(truth)[..., None]


@pytest.mark.parametrize("scale", [1, 2])
def test_old_prints_come_out_nearer_to_the_truth(enlargers, scale):
    gains = []
    for seed, name in enumerate(["cat.jpg", "palace.jpg", "astronaut.jpg", "coffee.jpg"] * 2):
        small, truth = damaged(scale, name, seed)
        before = bicubic(small, 2) if scale == 2 else small
        gains.append(psnr(enlargers[scale].luminance(small), truth) - psnr(before, truth))
    assert np.mean(gains) > 1


def test_what_is_clean_is_only_enlarged(enlargers):
    gray = sample("palace.jpg")
    plain = Enlarger(2, parts=()).luminance(gray)
    np.testing.assert_array_equal(enlargers[2].luminance(gray), plain)


def test_what_is_clean_is_left_alone_and_what_is_old_is_not(enlargers, cleaners):
    # The fur of the raccoon is as strong as grain, but there is more of what is fine.
    for gray in (sample("raccoon.jpg")[200:500, 300:600], sample("palace.jpg")):
        np.testing.assert_array_equal(enlargers[1].luminance(gray), gray)
    noise = np.random.default_rng(0).normal(0, 20, gray.shape)
    noisy = np.clip(gray + noise, 0, 255).astype(np.uint8)
    for scale in (1, 2):
        found = enlargers[scale].luminance(noisy)
        np.testing.assert_array_equal(found, cleaners[scale].luminance(noisy))
    half = Enlarger(1, parts=["grain"], strength=0.5).luminance(noisy).astype(float)
    whole = enlargers[1].luminance(noisy).astype(float)
    assert np.abs(half - (noisy + whole) / 2).max() <= 0.5


def test_scratches_go_and_what_is_fine_stays():
    errors, likeness, enlarger = [], [], Enlarger(1, parts=["grain", "scratches"])
    for seed, name in enumerate(["cat.jpg", "palace.jpg", "astronaut.jpg", "coffee.jpg"]):
        gray = sample(name)
        cover, tone = damage.scratches(np.random.default_rng(seed), gray.shape[:2], 1)
        unit = to_unit(gray[..., 0])
        scratched = to_uint8(unit + cover * (tone - unit))[..., None]
        errors.append(
            [
                np.abs(each.astype(float) - gray)[cover > 0.1].mean()
                for each in (scratched, enlarger.luminance(scratched))
            ]
        )
        likeness.append(psnr(enlarger.luminance(gray), gray))
    before, after = np.mean(errors, axis=0)
    assert after < 0.8 * before
    assert np.mean(likeness) > 40


def test_colours_stay_and_lie_along_the_new_luminance(enlargers, monkeypatch):
    image = photos.read_rgb(ROOT / "samples" / "palace.jpg")[:150, :150]
    larger = enlargers[2].enlarge(image)
    assert larger.shape == (300, 300, 3)
    luminance = enlargers[2].luminance(chroma.gray_of(image))
    np.testing.assert_allclose(chroma.gray_of(larger).astype(int), luminance.astype(int), atol=2)
    found = chroma.chroma_of(to_unit(resize(larger, 150, 150)))
    expected = chroma.chroma_of(to_unit(image))
    assert np.abs(found - expected).mean() < 2
    assert np.corrcoef(found[..., 0].ravel(), expected[..., 0].ravel())[0, 1] > 0.95
    monkeypatch.setattr(enlarging, "BAND", 16)
    assert np.abs(enlargers[2].enlarge(image).astype(int) - larger).max() <= 1


def test_gray_of_a_colour_has_its_luminance():
    rgb = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [70, 70, 70]]], np.uint8)
    # 0.2126, 0.7152 and 0.0722 of linear light, in sRGB.
    np.testing.assert_array_equal(chroma.gray_of(rgb)[0, :, 0], [127, 220, 76, 70])
    deep = chroma.gray_of(rgb.astype(np.uint16) * 257)
    assert deep.dtype == np.uint16
    np.testing.assert_allclose(deep[0, :, 0] / 257, [127, 220, 76, 70], atol=0.6)


def test_wrong_scales_files_and_images_are_said(tmp_path, enlargers):
    with pytest.raises(ValueError, match="1, 2, 4, not 3"):
        Enlarger(3)
    with pytest.raises(ValueError, match="grain, scratches, tones, not dust"):
        Enlarger(1, parts=["dust"])
    with pytest.raises(UserError, match=r"none\.onnx"):
        Enlarger(2, [tmp_path / "none.onnx"])
    with pytest.raises(UserError, match="do not enlarge 2 times"):
        Enlarger(2, [enlarging.WEIGHTS / "restore.onnx"])
    brown = standins.save_brown(tmp_path / "brown.onnx")
    with pytest.raises(UserError, match="neither restores nor doubles"):
        Enlarger(1, [brown])
    with pytest.raises(ValueError, match="gray image"):
        enlargers[1].luminance(np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(ValueError, match="uint8 or uint16"):
        enlargers[1].enlarge(np.zeros((4, 4, 3), np.float32))


# ------------------------------------------------------------------------------- colorize.py


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return standins.save_brown(tmp_path_factory.mktemp("model") / "brown.onnx")


@pytest.fixture
def run(tmp_path, model, capsys):
    """Return a function that runs colorize.py on tmp_path/in: its status and what it says."""

    def run(*flags):
        paths = ["--input", str(tmp_path / "in"), "--output", str(tmp_path / "out")]
        status = colorize.main([*paths, "--model", str(model), *flags])
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    (tmp_path / "in").mkdir()
    return run


def test_photographs_are_enlarged_and_then_coloured(tmp_path, run, enlargers):
    gray = sample()[:60, :82]
    alpha = np.arange(60 * 82, dtype=np.uint32).reshape(60, 82, 1) % 256
    Image.fromarray(gray[..., 0]).save(tmp_path / "in" / "gray.png", dpi=(300, 300))
    Image.fromarray(np.dstack([gray, alpha.astype(np.uint8)])).save(tmp_path / "in" / "alpha.png")
    cv2.imwrite(str(tmp_path / "in" / "deep.tif"), gray.astype(np.uint16) * 257)
    status, printed = run("--enlarge", "2")
    assert status == 0, printed
    written = {path.name: path for path in (tmp_path / "out").glob("*.*")}
    expected = Enlarger(2, parts=()).luminance(gray)
    for name in ("gray.png", "alpha.png", "deep.tif"):
        pixels = cv2.imread(str(written[name]), cv2.IMREAD_UNCHANGED)
        assert pixels.shape[:2] == (120, 164)
        assert pixels.dtype == (np.uint16 if name == "deep.tif" else np.uint8)
        colours = high_bits(np.ascontiguousarray(pixels[..., 2::-1]))
        # The luminance is the enlarged one; the colour is the model's, red above blue.
        assert np.abs(chroma.gray_of(colours).astype(int) - expected).mean() < 1.5
        assert (colours[..., 0].astype(int) - colours[..., 2]).mean() > 5
    found = cv2.imread(str(written["alpha.png"]), cv2.IMREAD_UNCHANGED)[..., 3]
    np.testing.assert_array_equal(found, enlargers[2].alpha(alpha[..., 0].astype(np.uint8)))
    assert Image.open(written["gray.png"]).info["dpi"] == pytest.approx((600, 600), abs=1)


def test_restored_photographs_keep_their_size(tmp_path, run, enlargers):
    small, _ = damaged(1, "cat.jpg", 3)
    Image.fromarray(small[..., 0]).save(tmp_path / "in" / "old.png")
    assert run("--restore")[0] == 0
    written = photos.read_rgb(tmp_path / "out" / "old.png")
    assert written.shape == (*small.shape[:2], 3)
    restored = Enlarger(1).luminance(small)
    assert np.abs(chroma.gray_of(written).astype(int) - restored).mean() < 1.5
    assert np.abs(restored.astype(int) - small).mean() > 0.5


def test_photographs_in_colour_keep_it_and_are_enlarged(tmp_path, run, enlargers):
    colours = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    image = resize(colours, 80, 90)
    Image.fromarray(image).save(tmp_path / "in" / "colour.png")
    status, printed = run("--enlarge", "2", "--keep-colour")
    assert status == 0
    assert "1 in colour and in their own colours" in printed
    written = photos.read_rgb(tmp_path / "out" / "colour.png")
    np.testing.assert_array_equal(written, Enlarger(2, parts=()).enlarge(image))
    # Without either flag they are copied as before.
    assert "copied as they are" in run("--keep-colour")[1]
    assert (tmp_path / "out" / "colour.png").read_bytes() == (
        tmp_path / "in" / "colour.png"
    ).read_bytes()


def test_what_is_enlarged_is_done_once_for_each_scale(tmp_path, run):
    Image.fromarray(sample()[:20, :20, 0]).save(tmp_path / "in" / "a.png")
    assert "1 colorized" in run("--enlarge", "2")[1]
    assert "1 skipped" in run("--enlarge", "2")[1]
    assert "1 colorized" in run("--enlarge", "4")[1]
    assert Image.open(tmp_path / "out" / "a.png").size == (80, 80)
    assert "1 colorized" in run("--restore")[1]
    assert "1 colorized" in run()[1]


def test_hints_and_comparisons_go_with_enlarging(tmp_path, capsys):
    gray = np.full((64, 96, 1), 128, np.uint8)
    (tmp_path / "in").mkdir()
    Image.fromarray(gray[..., 0]).save(tmp_path / "in" / "a.png")
    hints = np.zeros((64, 96, 4), np.uint8)
    hints[20:30, 20:30] = 200, 40, 40, 255
    Image.fromarray(hints).save(tmp_path / "in" / "a.hints.png")
    echo = standins.save_echo(tmp_path / "echo.onnx")
    flags = ["--input", str(tmp_path / "in"), "--output", str(tmp_path / "out")]
    assert colorize.main([*flags, "--model", str(echo), "--enlarge", "2", "--compare"]) == 0
    painted = photos.read_rgb(tmp_path / "out" / "a.png").astype(int)
    assert painted.shape == (128, 192, 3)
    assert painted[50, 50, 0] > painted[50, 50, 2] + 20
    assert np.ptp(painted[100, 150]) < 10
    assert (tmp_path / "out" / "a-compare.jpg").exists()


def test_films_are_named_and_left_and_what_is_too_large_is_refused(tmp_path, run, monkeypatch):
    Image.fromarray(sample()[:20, :20, 0]).save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.mp4").write_bytes(b"a film")
    status, printed = run("--enlarge", "2", "--dry-run")
    assert status == 1
    assert "would fail: b.mp4: films are not enlarged" in printed
    status, printed = run("--enlarge", "2")
    assert status == 1
    assert "1 colorized, 1 failed" in printed
    monkeypatch.setattr(photos, "MAX_MEGAPIXELS", 0.005)
    status, printed = run("--enlarge", "4", "--overwrite")
    assert re.search("a.png: 4 times enlarged it would have .* megapixels, more than", printed)
    with pytest.raises(SystemExit):
        run("--enlarge", "3")


def test_enlarging_imports_neither_keras_nor_tensorflow(tmp_path, model):
    Image.fromarray(sample()[:20, :20, 0]).save(tmp_path / "a.png")
    code = (
        "import sys, colorize\n"
        f"colorize.main(['--input', {str(tmp_path / 'a.png')!r}, '--output', "
        f"{str(tmp_path / 'out')!r}, '--model', {str(model)!r}, '--enlarge', '4'])\n"
        "print([name for name in ('keras', 'tensorflow', 'onnx') if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert answer.stdout.splitlines()[-1] == "[]"


def test_exif_says_the_new_size():
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0xA002: 300, 0xA003: 200})
    exif[0x010F] = "a camera"
    kept = metadata.Metadata(exif.tobytes().removeprefix(b"Exif\0\0"), resolution=(300.0, 150.0))
    larger = metadata.enlarged(kept, 2)
    assert larger.resolution == (600, 300)
    found = Image.Exif()
    found.load(b"Exif\0\0" + larger.exif)
    assert found.get_ifd(0x8769)[0xA002] == 600
    assert found.get_ifd(0x8769)[0xA003] == 400
    assert found[0x010F] == "a camera"
    assert metadata.enlarged(kept, 1) == kept
    assert metadata.enlarged(metadata.Metadata(b"II*\0broken"), 2).exif == b"II*\0broken"
