"""Style transfer: its losses in closed form, their gradient, and that each optimizer goes down."""

import csv
import json
from pathlib import Path

from colorizer.files import photos
from colorizer.pixels import grayscale
from experiments.trials import style_transfer as style

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from skimage.color import rgb2lab

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def encoder():
    """Return an encoder of three small random layers, smooth so that differences are gradients."""
    keras.utils.set_random_seed(3)
    levels = keras.layers.Input((None, None, 3))
    first = keras.layers.Conv2D(4, 3, activation="softplus")(levels / 50)
    second = keras.layers.Conv2D(5, 3, strides=2, activation="softplus")(first)
    return keras.Model(levels, [second, first, second])


def picture(seed, side=12):
    """Return random levels, float32 (1, side, side, 3) in 0..255."""
    return np.random.default_rng(seed).uniform(0, 255, (1, side, side, 3)).astype(np.float32)


def arrays(*seeds, shape=(1, 2, 3, 2)):
    return [np.random.default_rng(seed).normal(size=shape).astype(np.float32) for seed in seeds]


def test_the_gram_matrix_is_the_mean_product_of_channels_over_their_number():
    (features,) = arrays(0)
    expected = np.einsum("bijc,bijd->cd", features, features) / features.size
    np.testing.assert_allclose(ops.convert_to_numpy(style.gram(features)), expected, rtol=1e-5)
    # One channel of twos over four pixels.
    assert float(style.gram(np.full((1, 2, 2, 1), 2, np.float32))[0, 0]) == 4
    # Where a thing is does not count, only what it comes with.
    moved = features[:, ::-1, [2, 0, 1]]
    np.testing.assert_allclose(style.gram(moved), style.gram(features), rtol=1e-5)


def test_the_losses_in_closed_form():
    features, target = arrays(0, 1)
    expected = np.mean((features - target) ** 2)
    assert float(style.content_loss(features, target)) == pytest.approx(expected, rel=1e-5)
    grams = [ops.convert_to_numpy(style.gram(layer)) for layer in (features, target)]
    wanted = [grams[1], grams[0] + 3]
    expected = np.mean((grams[0] - grams[1]) ** 2) + 9  # two layers, added
    assert float(style.style_loss([features, features], wanted)) == pytest.approx(
        expected, rel=1e-5
    )
    ramp = np.float32([[0, 2, 4], [1, 3, 5]]).reshape(1, 2, 3, 1)  # 4 steps of 2, 3 of 1
    assert float(style.total_variation(ramp)) == (4 * 4 + 3 * 1) / 2


def test_the_loss_is_that_of_a_picture_against_its_own_content_and_style(encoder):
    content, wanted = picture(0), picture(1)
    objective = style.Objective(encoder, content, wanted)
    parts = ops.convert_to_numpy(objective.parts(tf.constant(content)))
    grams = [[style.gram(layer) for layer in encoder(x)[1:]] for x in (content, wanted)]
    difference = sum(np.mean((a.numpy() - b.numpy()) ** 2) for a, b in zip(*grams, strict=True))
    variation = 1e-3 * float(style.total_variation(content))
    np.testing.assert_allclose(parts, [0, 100 * difference, variation], rtol=1e-4, atol=1e-6)
    in_style = ops.convert_to_numpy(objective.parts(tf.constant(wanted)))
    content_difference = np.mean((encoder(content)[0].numpy() - encoder(wanted)[0].numpy()) ** 2)
    np.testing.assert_allclose(in_style[:2], [5 * content_difference, 0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("share", [1.0, 0.25])
def test_the_gradient_is_that_of_the_loss(encoder, share):
    objective = style.Objective(encoder, picture(0), picture(1))
    here, direction = picture(2), picture(3) - 128
    direction /= np.linalg.norm(direction)
    loss, gradient = objective.gradient(here, share)
    parts = objective.losses[0]
    assert loss == pytest.approx(parts[0] + share * parts[1] + parts[2], rel=1e-5)
    ahead, behind = (objective.gradient(here + step * direction, share)[0] for step in (2, -2))
    assert np.sum(gradient * direction) == pytest.approx((ahead - behind) / 4, rel=0.02)
    assert gradient.shape == here.shape
    assert len(objective.losses) == 3


@pytest.mark.parametrize("weight", ["constant", "lowered"])
@pytest.mark.parametrize("name", ["sgd", "adam", "lbfgs"])
def test_each_optimizer_lowers_the_loss_with_the_gradients_it_is_given(encoder, name, weight):
    content = picture(0)
    objective = style.Objective(encoder, content, picture(1))
    before = objective.parts(tf.constant(content)).numpy().sum()
    optimizers = {
        "sgd": lambda *given: style.sgd(*given, rate=30.0),
        "adam": style.adam,
        "lbfgs": style.lbfgs,
    }
    shares = style.STYLE_SHARES[weight]
    end = style.transfer(objective, optimizers[name], shares, content, 100)
    assert objective.parts(tf.constant(end)).numpy().sum() < 0.9 * before
    assert len(objective.losses) == 100
    np.testing.assert_allclose(objective.losses[0].sum(), before, rtol=1e-5)  # from the same start


def test_the_styles_weight_is_constant_or_lowered_to_a_tenth(encoder):
    assert style.STYLE_SHARES["constant"] == [1]
    assert style.STYLE_SHARES["lowered"] == pytest.approx([1 - 0.1 * stage for stage in range(10)])
    objective = style.Objective(encoder, picture(0), picture(1))
    asked = []
    objective.gradient = lambda picture, share: (
        asked.append(share) or objective.losses.append(None) or (0.0, np.zeros_like(picture))
    )
    style.transfer(objective, style.adam, [1.0, 0.5, 0.1], picture(0), 7)
    assert asked == [1, 1, 0.5, 0.5, 0.1, 0.1, 0.1]


def test_lbfgs_finds_the_least_of_a_bowl_and_then_stops():
    wanted, asked = picture(4, side=2), []
    scale = np.arange(1, 13, dtype=np.float32).reshape(wanted.shape)

    def gradient(here):
        asked.append(here)
        difference = here - wanted
        return float(np.sum(scale * difference**2) / 2), scale * difference

    end = style.lbfgs(gradient, np.zeros_like(wanted), 200)
    np.testing.assert_allclose(end, wanted, atol=0.01)
    assert len(asked) <= 200
    asked.clear()
    style.lbfgs(gradient, np.zeros_like(wanted), 4)
    assert len(asked) == 4


def test_a_loss_that_is_not_finite_is_one_sentence(encoder):
    objective = style.Objective(encoder, picture(0), picture(1))
    reason = r"the loss is .* at gradient .*; give a lower --sgd-rate"
    with pytest.raises(style.UserError, match=reason):
        style.sgd(objective.gradient, picture(0), 200, rate=1e12)


@pytest.fixture
def pictures_at_hand(encoder, tmp_path, monkeypatch):
    """Stand beside a content and a print, with the small encoder in place of VGG-16."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(style, "load_encoder", lambda path: encoder)
    for name, seed, side in (("content", 5, 40), ("print", 6, 64)):
        rgb = picture(seed, side)[0, : side // 2].astype(np.uint8)
        photos.write_png(tmp_path / f"{name}.png", rgb)
    return ["content.png", "print.png", "--size", "32", "--evaluations", "20"]


def test_a_run_writes_its_pictures_losses_and_figures(pictures_at_hand, capsys):
    rate = ["--sgd-rate", "1"]
    assert style.main([*pictures_at_hand, *rate]) == 0
    output = Path("outputs/style_transfer")
    optimizers = ("sgd", "adam", "l-bfgs")
    names = [f"{name}_{weight}.png" for name in optimizers for weight in style.STYLE_SHARES]
    others = ["losses.csv", "losses.png", "sheet.jpg", "figures.json"]
    assert {path.name for path in output.iterdir()} == {*names, *others}
    figures = json.loads((output / "figures.json").read_text())
    assert (figures["size"], figures["evaluations"]) == (32, 20)
    with (output / "losses.csv").open() as file:
        rows = list(csv.DictReader(file))
    first = {row["run"]: row for row in rows if row["gradient"] == "1"}
    assert set(first) == set(figures["results"])
    assert len({row["style"] for row in first.values()}) == 1  # all from the same start
    for row in figures["results"].values():
        total = row["content"] + row["style"] + row["variation"]
        assert row["loss"] == pytest.approx(total)
        assert row["gradients"] <= 20
    printed = capsys.readouterr().out
    assert f"| Adam, constant | {figures['results']['Adam, constant']['loss']:,.0f} |" in printed
    painted = photos.read_rgb(output / "adam_constant.png")
    assert painted.shape == (16, 32, 3)

    assert style.main([*pictures_at_hand, *rate, "--keep-luminance"]) == 0
    gray = grayscale(style.read(Path("content.png"), 32)).repeat(3, axis=-1)
    kept = photos.read_rgb(output / "adam_constant.png")
    labs = [rgb2lab(rgb) for rgb in (kept, painted)]
    differences = [np.abs(lab - rgb2lab(gray))[..., 0].mean() for lab in labs]
    assert differences[0] < 1 < 5 < differences[1]  # of 100
    chroma = [lab[..., 1:].ravel() for lab in labs]
    assert np.corrcoef(chroma)[0, 1] > 0.5


@pytest.mark.slow
def test_a_run_of_one_optimizer_is_that_row_of_the_run_of_all(pictures_at_hand):
    rate = ["--sgd-rate", "1"]
    every, one = Path("every"), Path("one")
    assert style.main([*pictures_at_hand, *rate, "--output", str(every)]) == 0
    chosen = ["--optimizers", "L-BFGS", "--style-weights", "lowered", "--output", str(one)]
    assert style.main([*pictures_at_hand, *rate, *chosen]) == 0
    assert [path.name for path in one.glob("*_*.png")] == ["l-bfgs_lowered.png"]
    expected, found = (
        json.loads((folder / "figures.json").read_text())["results"] for folder in (every, one)
    )
    assert list(found) == ["L-BFGS, lowered"]
    assert len({row["style"] for row in expected.values()}) == 6
    for part in ("content", "style"):
        assert found["L-BFGS, lowered"][part] == pytest.approx(
            expected["L-BFGS, lowered"][part], rel=1e-3
        )
    # Three pictures in a row, eight in two.
    sides = [photos.read_rgb(folder / "sheet.jpg").shape[:2] for folder in (every, one)]
    assert sides[0][1] / sides[1][1] == pytest.approx(4 / 3, rel=0.01)
    assert sides[0][0] / sides[1][0] == pytest.approx(2, rel=0.01)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (["--size", "8"], "--size is 8, give 32 or more"),
        (["--evaluations", "1"], "--evaluations is 1, give 10 or more"),
        (["none.png", "print.png"], "none.png cannot be read"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(pictures_at_hand, capsys, given, reason):
    words = pictures_at_hand if given[0].startswith("--") else []
    assert style.main([*words, *given]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


def test_style_transfer_needs_all_blocks_of_vgg16(pictures_at_hand, monkeypatch, capsys):
    monkeypatch.undo()
    content, print_, *more = pictures_at_hand
    content, print_ = ROOT / "samples" / "cat.jpg", ROOT / "samples" / "coffee.jpg"
    encoder = ROOT / "weights" / "vgg16.keras"
    assert style.main([str(content), str(print_), *more, "--encoder", str(encoder)]) == 2
    assert f"{encoder} does not hold VGG-16 up to block5_conv1" in capsys.readouterr().err
