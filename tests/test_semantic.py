"""The semantic generator: its contract, its luminance, its heads, its losses, its encoder."""

import json
import subprocess
import sys

from colorizer.errors import UserError
from systems import semantic
from training import colour, cost, efficientnet, losses

import keras
import numpy as np
import pytest
from conftest import gradients_of
from keras import ops

BINS = len(colour.bins())
EVEN = np.ones(BINS, np.float32)  # every pixel counts the same


def array(tensor):
    return ops.convert_to_numpy(tensor)


def grays(*shape, seed=0):
    """Return smooth gray pictures (B, H, W, 1) float32 in [0.2, 0.8]."""
    batch, height, width = shape
    small = np.random.default_rng(seed).random((batch, height // 8, width // 8, 1), np.float32)
    return 0.2 + 0.6 * array(ops.image.resize(small, (height, width)))


def set_start(generator, deviation):
    """Give the last layer before the chroma other weights, so that a new generator has colours."""
    layer = generator.get_layer("chroma")
    kernel, bias = layer.get_weights()
    random = np.random.default_rng(0)
    layer.set_weights([deviation * random.standard_normal(kernel.shape), 0 * bias])


def prediction_of(generator):
    """Return the model that shares the generator's layers and gives what its loss is about."""
    return keras.Model(generator.input, generator.get_layer("prediction").output)


@pytest.fixture(scope="module")
def regress():
    generator = semantic.build_semantic_generator("regress")
    set_start(generator, 0.003)
    return generator


@pytest.fixture(scope="module")
def classify():
    return semantic.build_semantic_generator("classify")


@pytest.fixture(params=semantic.HEADS)
def generator(request):
    return request.getfixturevalue(request.param)


# ------------------------------------------------------------------------------- the contract


@pytest.mark.parametrize("size", [(32, 32), (40, 64), (128, 72), (104, 232)])
def test_it_paints_every_size_that_is_a_multiple_of_8(generator, size):
    painted = array(generator(grays(2, *size)))
    assert painted.shape == (2, *size, 3)
    assert painted.dtype == np.float32
    assert painted.min() >= 0
    assert painted.max() <= 1
    assert np.ptp(painted, axis=-1).max() > 0.01
    assert tuple(generator.compute_output_shape((2, *size, 1))) == (2, *size, 3)


def test_the_lightness_of_the_picture_stays(generator):
    gray = grays(2, 64, 96)
    painted = array(generator(gray))
    inside = ((painted > 0) & (painted < 1)).all(axis=-1)
    assert inside.mean() > 0.5
    expected = array(colour.lightness_from_gray(gray))[..., 0]
    lightness = array(colour.lab_from_srgb(painted))[..., 0]
    np.testing.assert_allclose(lightness[inside], expected[inside], atol=0.01)


def test_no_chroma_paints_the_gray_picture():
    generator = semantic.build_semantic_generator()
    set_start(generator, 0)
    gray = np.linspace(0, 1, 32 * 40, dtype=np.float32).reshape(1, 32, 40, 1)
    np.testing.assert_allclose(array(generator(gray)), np.repeat(gray, 3, axis=-1), atol=1e-5)


def test_a_new_generator_starts_nearly_gray():
    gray = grays(2, 64, 64)
    painted = array(semantic.build_semantic_generator()(gray))
    assert np.abs(painted - gray).mean() < 0.05


def test_luminance_is_not_rounded_in_half_precision():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        generator = semantic.build_semantic_generator()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert generator.get_layer("encoder_stem_conv").compute_dtype == "bfloat16"
    assert generator.get_layer("up1_conv").compute_dtype == "bfloat16"
    set_start(generator, 0)
    gray = (np.arange(1024, dtype=np.float32) / 1023).reshape(1, 32, 32, 1)
    painted = array(generator(gray))
    assert painted.dtype == np.float32
    np.testing.assert_allclose(painted, np.repeat(gray, 3, axis=-1), atol=1e-5)


def test_pictures_are_padded_by_reflection(generator):
    gray = grays(1, 40, 56)
    padded = np.pad(gray, ((0, 0), (0, 24), (0, 8), (0, 0)), mode="symmetric")
    painted = array(generator(padded))[:, :40, :56]
    np.testing.assert_allclose(array(generator(gray)), painted, atol=1e-5)


def test_the_whole_model_is_small_enough_to_ship(generator, tmp_path):
    generator.save(tmp_path / "semantic.keras")
    assert (tmp_path / "semantic.keras").stat().st_size < 30e6


def test_a_saved_generator_needs_nothing_of_this_project(generator, tmp_path):
    gray = grays(2, 40, 64)
    generator.save(tmp_path / "semantic.keras")
    np.save(tmp_path / "gray.npy", gray)
    program = (
        "import keras, numpy\n"
        "model = keras.saving.load_model('semantic.keras', compile=False, safe_mode=True)\n"
        "numpy.save('painted.npy', model.predict(numpy.load('gray.npy'), verbose=0))\n"
    )
    # Isolated: neither this folder nor PYTHONPATH is searched for modules.
    subprocess.run([sys.executable, "-I", "-c", program], cwd=tmp_path, check=True)
    np.testing.assert_allclose(np.load(tmp_path / "painted.npy"), array(generator(gray)), atol=1e-5)


def test_it_costs_less_than_one_gigaflop_at_128_pixels(regress, classify):
    assert 0.6 < cost.gigaflop(regress, 128) < 0.8
    assert 0.5 < cost.gigaflop(classify, 128) < 0.6


def test_depthwise_convolutions_are_counted():
    picture = keras.Input((None, None, 6))
    model = keras.Model(picture, keras.layers.DepthwiseConv2D(5, strides=2)(picture))
    # 5x5 multiply-adds for each of 6 channels at each of 2x2 places.
    assert cost.gigaflop(model, size=8) == pytest.approx(2 * 25 * 6 * 4 / 1e9)


def test_the_seed_decides_the_weights():
    first, same, other = (
        semantic.build_semantic_generator(encoder=None, seed=seed)
        .get_layer("up1_conv")
        .get_weights()[0]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_there_are_two_heads_only():
    with pytest.raises(UserError, match="no head 'guess'"):
        semantic.build_semantic_generator("guess")


# ----------------------------------------------------------------------------- the prediction


def test_the_prediction_is_what_the_generator_paints(regress):
    gray = grays(2, 64, 96)
    chroma = prediction_of(regress)(gray)
    assert chroma.shape == (2, 32, 48, 2)
    chroma = semantic.VIVIDNESS * chroma
    enlarged = ops.image.resize(chroma, (64, 96), interpolation="bilinear")
    painted = colour.srgb_from_lab(colour.lightness_from_gray(gray), enlarged)
    np.testing.assert_allclose(array(regress(gray)), array(painted), atol=1e-4)


def test_the_prediction_of_classes_is_painted_by_its_annealed_mean(classify):
    gray = grays(2, 64, 96)
    logits = prediction_of(classify)(gray)
    assert logits.shape == (2, 16, 24, BINS)
    chroma = ops.image.resize(colour.annealed_mean(logits), (64, 96), interpolation="bilinear")
    painted = colour.srgb_from_lab(colour.lightness_from_gray(gray), chroma)
    np.testing.assert_allclose(array(classify(gray)), array(painted), atol=1e-4)


LOSSES = {"regress": losses.smooth_l1, "classify": losses.bins_cross_entropy}


@pytest.mark.parametrize("head", LOSSES)
def test_training_reaches_every_variable_and_learns(head):
    generator = semantic.build_semantic_generator(head)
    prediction = prediction_of(generator)
    variables = prediction.trainable_variables
    assert {id(v) for v in variables} == {id(v) for v in generator.trainable_variables}
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(variables)
    gray = grays(2, 32, 32)
    rgb = np.clip(gray + np.array([0.15, 0, -0.15], np.float32), 0, 1)

    def compute():
        return LOSSES[head](
            found := prediction(gray, training=True), losses.true_chroma(rgb, found), EVEN
        )

    first, gradients = gradients_of(compute, variables)
    for variable, gradient in zip(variables, gradients, strict=True):
        assert np.abs(array(gradient)).max() > 0, variable.path
    for _ in range(5):
        loss, gradients = gradients_of(compute, variables)
        optimizer.apply(gradients, variables)
    assert float(loss) < 0.8 * float(first)


def test_the_adversary_can_teach_through_the_colours(generator):
    variables = generator.trainable_variables
    gray = grays(1, 32, 32)

    def compute():
        return ops.mean(generator(gray, training=True)[..., 0])

    _, gradients = gradients_of(compute, variables)
    for variable, gradient in zip(variables, gradients, strict=True):
        assert np.isfinite(array(gradient)).all()
        assert np.abs(array(gradient)).max() > 0, variable.path


# ---------------------------------------------------------------------------------- the losses


def true_chroma(colours):
    """Return the chroma of a picture whose four quarters have these colours, at half its size."""
    rgb = np.array(colours, np.float32).reshape(1, 2, 2, 3).repeat(4, 1).repeat(4, 2)
    chroma = array(losses.true_chroma(rgb, np.zeros((1, 4, 4, 2))))
    np.testing.assert_allclose(chroma, array(colour.lab_from_srgb(rgb))[:, ::2, ::2, 1:], atol=1e-4)
    return chroma


COLOURS = ((0.5, 0.5, 0.5), (0.8, 0.2, 0.2), (0.2, 0.6, 0.3), (0.1, 0.2, 0.7))


def test_smooth_l1_is_square_near_the_truth_and_straight_far_from_it():
    chroma = true_chroma(COLOURS)
    for distance, expected in ((0, 0), (4, 16 / 20), (10, 5), (30, 25), (-30, 25)):
        loss = losses.smooth_l1(chroma + np.float32(distance), chroma, EVEN)
        assert float(loss) == pytest.approx(expected, abs=1e-3)


def test_rare_colours_count_more():
    chroma = true_chroma(COLOURS)
    rarity = EVEN.copy()
    rarity[array(colour.nearest_bin(chroma))[0, 0, 0]] = 5  # the gray quarter
    wrong = chroma.copy()
    wrong[:, :2, :2] += 30
    assert float(losses.smooth_l1(wrong, chroma, EVEN)) == pytest.approx(25 / 4, abs=1e-3)
    assert float(losses.smooth_l1(wrong, chroma, rarity)) == pytest.approx(5 * 25 / 4, abs=1e-2)


def test_cross_entropy_has_its_closed_forms():
    chroma = true_chroma(COLOURS)
    even = np.zeros((1, 4, 4, BINS), np.float32)
    loss = losses.bins_cross_entropy(even, chroma, EVEN)
    assert float(loss) == pytest.approx(np.log(BINS), rel=1e-5)
    assert float(losses.bins_cross_entropy(even, chroma, 2 * EVEN)) == pytest.approx(
        2 * np.log(BINS), rel=1e-5
    )
    # A prediction that is the soft encoding itself leaves its entropy.
    found, shares = map(array, colour.soft_encode(chroma))
    logits = np.full((1, 4, 4, BINS), -50, np.float32)
    np.put_along_axis(logits, found, np.log(shares), axis=-1)
    entropy = -(shares * np.log(shares)).sum(axis=-1).mean()
    assert float(losses.bins_cross_entropy(logits, chroma, EVEN)) == pytest.approx(
        entropy, rel=1e-4
    )


# --------------------------------------------------------------------------------- the encoder


def test_widths_are_scaled_as_published():
    # EfficientNet-Lite2: 1.1 times the widths of Lite0.
    widths = [efficientnet.scaled_width(stage[-1], 1.1) for stage in efficientnet.STAGES]
    assert widths == [16, 24, 48, 88, 120, 208, 352]
    assert efficientnet.scaled_width(24, 1) == 24


def test_the_encoder_is_the_converted_one(regress):
    card = json.loads(efficientnet.ENCODER.with_suffix(".json").read_text())
    assert card["same_top1"] == 1
    assert card["top1_converted"] > 0.7
    encoder = keras.saving.load_model(efficientnet.ENCODER, compile=False, safe_mode=True)
    assert encoder.count_params() == card["parameters"]
    rgb = np.repeat(grays(1, 64, 64), 3, axis=-1)
    features = encoder(rgb)
    shapes = [(32, 16), (16, 24), (8, 40), (4, 112), (2, 320)]
    assert [feature.shape for feature in features] == [(1, s, s, w) for s, w in shapes]
    in_generator = efficientnet.encoder_layers(regress)
    assert sum(layer.count_params() for layer in in_generator) == encoder.count_params()
    for layer in in_generator:
        expected = encoder.get_layer(layer.name).get_weights()
        for found, weights in zip(layer.get_weights(), expected, strict=True):
            np.testing.assert_array_equal(found, weights)


def test_the_encoders_first_stages_stay_as_they_are(regress):
    trained = {variable.path.split("/")[0] for variable in regress.trainable_variables}
    kept = {layer.name for layer in efficientnet.encoder_layers(regress) if layer.weights}
    kept -= trained
    assert {name.split("_")[1] for name in kept} == {"stem", "stage1", "stage2"}


def test_the_encoder_can_be_frozen():
    generator = semantic.build_semantic_generator(train_encoder=False)
    trained = {variable.path.split("/")[0] for variable in generator.trainable_variables}
    assert trained == {"up4_conv", "up3_conv", "up2_conv", "up1_conv", "chroma"}


def test_an_encoder_that_is_missing_or_another_is_refused(tmp_path):
    with pytest.raises(UserError, match="does not hold the encoder"):
        semantic.build_semantic_generator(encoder=tmp_path / "none.keras")
    rgb = keras.Input((None, None, 3))
    keras.Model(rgb, keras.layers.Conv2D(4, 3)(rgb)).save(tmp_path / "other.keras")
    with pytest.raises(UserError, match="does not hold the encoder"):
        semantic.build_semantic_generator(encoder=tmp_path / "other.keras")
