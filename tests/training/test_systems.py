"""The reference systems against the structure that their sources give."""

import subprocess
import sys

import models
from colorizer.errors import UserError
from colorizer.network import load_network
from pictures import dataset
from systems import classify, pix2pix, regress, vgg16
from training import colour, cost, losses

import keras
import numpy as np
import pytest
from generated import gradients_of, prepare
from keras import layers, ops


def build_vgg16(seed=0):
    return vgg16.build_generator(encoder_weights=None, seed=seed)


BUILDERS = {
    "regress": regress.build_generator,
    "classify": classify.build_generator,
    "pix2pix": pix2pix.build_generator,
    "vgg16": build_vgg16,
}
EVEN = np.ones(len(colour.bins()), np.float32)  # every pixel counts the same
LOSSES = {
    "regress": regress.chroma_error,
    "classify": lambda logits, rgb: losses.bins_cross_entropy(
        logits, losses.true_chroma(rgb, logits), EVEN
    ),
    "pix2pix": lambda chroma, rgb: ops.mean(ops.abs(chroma - pix2pix.scaled_chroma(rgb))),
    "vgg16": vgg16.uv_cross_entropy,
}


@pytest.fixture
def generators(narrow):
    """Return every system, by name."""
    return {name: build() for name, build in BUILDERS.items()}


def pictures(height, width, count=2):
    """Return gray and RGB noise, float32 (count, height, width, 1) and (..., 3) in [0, 1]."""
    rgb = np.random.default_rng(0).random((count, height, width, 3), np.float32)
    return rgb @ colour.RGB_TO_YUV[0].astype(np.float32)[:, None], rgb


def prediction(generator):
    return keras.Model(generator.input, generator.get_layer("prediction").output)


def of_type(model, *kinds):
    return [layer for layer in model.layers if type(layer) in kinds]


def convolutions(model):
    """Return the type, kernel, stride and width of every convolution."""
    kinds = layers.Conv2D, layers.Conv2DTranspose
    return [
        (type(layer).__name__, layer.kernel_size[0], layer.strides[0], layer.filters)
        for layer in of_type(model, *kinds)
    ]


# ------------------------------------------------------------------------------- every system


def test_colorize_paints_any_multiple_of_eight_at_its_own_size(generators, tmp_path):
    for name, generator in generators.items():
        generator.save(tmp_path / f"{name}.keras")
        paint = load_network(tmp_path / f"{name}.keras")
        for height, width in ((120, 120), (64, 96), (40, 56)):
            gray, _ = pictures(height, width, count=1)
            rgb = generator.predict_on_batch(gray)
            assert rgb.shape == (1, height, width, 3), name
            assert rgb.dtype == np.float32, name
            assert rgb.min() >= 0, name
            assert rgb.max() <= 1, name
            np.testing.assert_allclose(paint(gray), rgb, atol=1e-5, err_msg=name)


def test_a_fresh_process_paints_with_the_files_alone(generators, tmp_path):
    gray, _ = pictures(64, 96)
    np.save(tmp_path / "gray.npy", gray)
    for name, generator in generators.items():
        generator.save(tmp_path / f"{name}.keras")
    script = """
import keras, numpy, pathlib
for path in pathlib.Path().glob("*.keras"):
    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    numpy.save(path.stem, model.predict(numpy.load("gray.npy"), verbose=0))
"""
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    for name, generator in generators.items():
        painted = np.load(tmp_path / f"{name}.npy")
        np.testing.assert_allclose(painted, generator.predict(gray, verbose=0), atol=1e-5)


def test_the_gradient_of_the_loss_reaches_every_trainable_variable(generators):
    gray, rgb = pictures(40, 40)
    for name, generator in generators.items():
        predict, variables = prediction(generator), generator.trainable_variables

        def compute(name=name, predict=predict):
            return LOSSES[name](predict(gray, training=True), rgb)

        loss, gradients = gradients_of(compute, variables)
        assert np.isfinite(float(loss)), name
        for variable, gradient in zip(variables, gradients, strict=True):
            values = ops.convert_to_numpy(gradient)
            assert np.isfinite(values).all(), variable.path
            assert (values != 0).any(), variable.path


def test_the_seed_decides_the_weights(narrow):
    for build in (*BUILDERS.values(), pix2pix.build_discriminator):
        first, same, other = (build(seed=seed).get_weights() for seed in (1, 1, 2))
        assert all((a == b).all() for a, b in zip(first, same, strict=True))
        assert any((a != b).any() for a, b in zip(first, other, strict=True))


def test_the_luminance_of_the_picture_is_kept(generators):
    # In the middle of the range, where sRGB shows any chroma that is predicted here.
    gray = 0.5 + 0.01 * pictures(40, 40)[0]
    for name, generator in generators.items():
        if name == "pix2pix":  # its first colours are vivid
            layer = generator.get_layer("prediction")
            layer.kernel.assign(0.01 * layer.kernel)
        rgb = generator.predict(gray, verbose=0)
        assert np.ptp(rgb, axis=-1).max() > 1e-4, name  # it is not gray
        if name == "vgg16":
            kept = ops.convert_to_numpy(colour.yuv_from_srgb(rgb))[..., :1]
            np.testing.assert_allclose(kept, gray, atol=1e-5)
        else:
            kept = ops.convert_to_numpy(colour.lab_from_srgb(rgb))[..., :1]
            lightness = ops.convert_to_numpy(colour.lightness_from_gray(gray))
            np.testing.assert_allclose(kept, lightness, atol=1e-2, err_msg=name)


# --------------------------------------------------------------------------------- their steps


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    """Return four training pictures of 32x32 pixels."""
    data = prepare(tmp_path_factory.mktemp("data"), 32, train=4, test=0)
    return dataset.open_split(data, "train")


SYSTEMS = {
    "regress": regress.Regress,
    "classify": classify.Classify,
    "pix2pix": pix2pix.Pix2pix,
    "vgg16": vgg16.Vgg16,
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_step_teaches_every_variable_and_the_average_follows(narrow, split, name):
    more = {"encoder_weights": "none"} if name == "vgg16" else {}
    model = SYSTEMS[name](SYSTEMS[name].Settings(batch_size=4, **more), split)
    gray, rgb = model.draw(np.random.default_rng(0), *split.read(np.arange(4)))
    trained = list(model.generator.trainable_variables)
    first = [ops.convert_to_numpy(variable) for variable in trained]
    if name == "pix2pix":
        trained += model.discriminator.trainable_variables
    before = [ops.convert_to_numpy(variable) for variable in trained]
    prediction = model.predictor(gray, training=True)
    losses_found = {loss: float(value) for loss, value in model.train_step(gray, rgb).items()}
    assert set(losses_found) == set(model.LOSSES)
    for variable, old in zip(trained, before, strict=True):
        assert (ops.convert_to_numpy(variable) != old).any(), variable.path
    expected = LOSSES[name](prediction, rgb)
    if name == "classify":  # rare colours count more
        assert np.ptp(model.rarity) > 1
        truth = losses.true_chroma(rgb, prediction)
        expected = losses.bins_cross_entropy(prediction, truth, model.rarity)
    found = losses_found["pixel_loss" if name == "pix2pix" else "generator_loss"]
    assert found == pytest.approx(float(expected), rel=1e-3)
    # The average is young: nine tenths of it are what the step has made.
    kept = model.averaged.trainable_variables
    for average, old, weight in zip(kept, first, model.generator.trainable_variables, strict=True):
        mean = 0.1 * old + 0.9 * ops.convert_to_numpy(weight)
        np.testing.assert_allclose(ops.convert_to_numpy(average), mean, rtol=1e-4, atol=1e-6)


def test_the_lab_gans_losses_are_those_of_its_source(narrow, split):
    model = pix2pix.Pix2pix(pix2pix.Pix2pixSettings(batch_size=4), split)
    gray, rgb = model.draw(np.random.default_rng(0), *split.read(np.arange(4)))
    chroma = model.predictor(gray, training=True)
    true = pix2pix.scaled_chroma(rgb)
    real, generated = (
        ops.convert_to_numpy(model.discriminator(pix2pix.scaled_lab(gray, each), training=True))
        for each in (true, chroma)
    )
    found = {name: float(loss) for name, loss in model.train_step(gray, rgb).items()}
    label = model.settings.real_label
    assert label == 0.9
    wrong = -np.mean(label * np.log(real) + (1 - label) * np.log(1 - real))
    wrong -= np.mean(np.log(1 - generated))
    assert found["discriminator_loss"] == pytest.approx(wrong, rel=1e-3)
    fooled = -np.mean(np.log(generated)) + 100 * found["pixel_loss"]
    assert found["generator_loss"] == pytest.approx(fooled, rel=1e-3)


def test_each_optimizer_is_that_of_its_source(narrow, split):
    found = {
        name: system(system.Settings(batch_size=4), split).generator_optimizer.get_config()
        for name, system in SYSTEMS.items()
    }
    for name, rate, betas in (
        ("regress", 2e-4, (0.5, 0.999)),
        ("classify", 1e-3, (0.9, 0.99)),
        ("pix2pix", 1e-4, (0.5, 0.999)),
    ):
        config = found[name]
        assert config["name"].startswith("adam")
        assert (config["beta_1"], config["beta_2"]) == betas
        assert config["learning_rate"] == pytest.approx(rate)
    config = found["vgg16"]
    assert config["name"].lower().startswith("sgd")
    assert (config["momentum"], config["weight_decay"]) == (0, 8e-7)
    assert config["learning_rate"] == pytest.approx(0.08)


# --------------------------------------------------------------------------------- regression


def test_regression_has_the_body_of_the_papers_generator():
    paper = models.build_generator()
    regression = regress.build_generator()
    body = [variable.path for variable in paper.variables if not variable.path.startswith("rgb")]
    assert [variable.path for variable in regression.variables[: len(body)]] == body
    for ours, theirs in zip(regression.variables, paper.variables[: len(body)], strict=False):
        np.testing.assert_array_equal(
            ops.convert_to_numpy(ours), ops.convert_to_numpy(theirs), err_msg=ours.path
        )


def test_the_first_picture_of_regression_is_nearly_gray():
    gray, _ = pictures(40, 40)
    rgb = regress.build_generator().predict(gray, verbose=0)
    assert np.abs(rgb - gray).mean() < 0.02


def test_the_chroma_error_is_in_labs_units():
    _, rgb = pictures(8, 8)
    chroma = colour.lab_from_srgb(rgb)[..., 1:]
    offset = np.array([3, -5], np.float32)
    assert float(regress.chroma_error(chroma + offset, rgb)) == pytest.approx(4, rel=1e-5)


# ----------------------------------------------------------------------------- classification


def test_classification_predicts_every_bin_at_a_quarter_of_the_sides():
    generator = classify.build_generator()
    shapes = cost.layer_shapes(generator, 120)
    assert shapes["prediction"] == (1, 30, 30, len(colour.bins()))
    assert shapes["block7_normalize"] == (1, 15, 15, 128)
    assert shapes["up_skip"] == (1, 30, 30, 64 + 64)
    # About as much as the paper's generator, so that two cores train 20 pictures a second.
    assert cost.gigaflop(generator, models.SIZE) < 1.3


def test_what_classification_paints_is_the_annealed_mean_of_its_prediction(narrow):
    generator = classify.build_generator()
    layer = generator.get_layer("prediction")
    chosen = np.flatnonzero((colour.bins() == (20, -10)).all(axis=-1))[0]
    layer.kernel.assign(ops.zeros(layer.kernel.shape))
    layer.bias.assign(50 * np.eye(len(colour.bins()), dtype=np.float32)[chosen])
    rgb = generator.predict(np.full((1, 16, 16, 1), 0.5, np.float32), verbose=0)
    chroma = ops.convert_to_numpy(colour.lab_from_srgb(rgb))[..., 1:]
    np.testing.assert_allclose(chroma, np.broadcast_to((20, -10), chroma.shape), atol=0.01)


# ------------------------------------------------------------------------------------ pix2pix


def test_the_lab_gans_generator_is_that_of_its_source():
    generator = pix2pix.build_generator()
    encoder = [("Conv2D", 3, 1, 64), *(("Conv2D", 4, 2, width) for width in (128, 256, 512, 512))]
    decoder = [
        layer
        for width in (512, 256, 128, 64)
        for layer in (("Conv2DTranspose", 4, 2, width), ("Conv2D", 3, 1, width))
    ]
    assert convolutions(generator) == [*encoder, *decoder, ("Conv2D", 1, 1, 2)]
    assert [layer.negative_slope for layer in of_type(generator, layers.LeakyReLU)] == [
        pytest.approx(0.2)
    ] * 5
    normalized = [
        layer.name.split("_")[0] for layer in of_type(generator, layers.BatchNormalization)
    ]
    assert normalized == [f"encode{number}" for number in (2, 3, 4, 5)] + [
        f"up{number}" for number in (1, 2, 3, 4)
    ]
    shapes = cost.layer_shapes(generator, 120)
    skips = [shapes[layer.name] for layer in of_type(generator, layers.Concatenate)]
    assert skips[:3] == [(1, 15, 15, 512 + 512), (1, 30, 30, 256 + 256), (1, 60, 60, 128 + 128)]
    assert generator.get_layer("prediction").activation is keras.activations.tanh


def test_the_lab_gans_discriminator_is_that_of_its_source():
    discriminator = pix2pix.build_discriminator()
    assert convolutions(discriminator) == [
        *(("Conv2D", 4, 2, width) for width in (64, 128, 256)),
        ("Conv2D", 3, 1, 512),
        ("Conv2D", 4, 1, 1),
    ]
    normalized = [layer.name for layer in of_type(discriminator, layers.BatchNormalization)]
    assert normalized == ["set2_normalize", "set3_normalize", "set4_normalize"]


def test_the_discriminator_answers_with_one_probability_a_picture(narrow):
    gray, rgb = pictures(40, 40)
    shown = pix2pix.scaled_lab(gray, pix2pix.scaled_chroma(rgb))
    values = ops.convert_to_numpy(shown)
    assert values.shape == (2, 40, 40, 3)
    assert np.abs(values).max() <= 1
    probability = pix2pix.build_discriminator().predict(values, verbose=0)
    assert probability.shape == (2, 1)
    assert ((probability > 0) & (probability < 1)).all()


def test_gray_is_shown_without_chroma_and_errors_are_in_its_unit():
    gray = np.array([0, 1], np.float32).reshape(2, 1, 1, 1) * np.ones((2, 8, 8, 1), np.float32)
    rgb = np.repeat(gray, 3, axis=-1)
    chroma = pix2pix.scaled_chroma(rgb)
    shown = ops.convert_to_numpy(pix2pix.scaled_lab(gray, chroma))
    np.testing.assert_allclose(shown[0], np.broadcast_to((-1, 0, 0), (8, 8, 3)), atol=1e-4)
    np.testing.assert_allclose(shown[1], np.broadcast_to((1, 0, 0), (8, 8, 3)), atol=1e-4)


# ------------------------------------------------------------------------------------- VGG-16


def test_the_hypercolumns_have_451_and_144_channels():
    generator = build_vgg16()
    shapes = cost.layer_shapes(generator, 224)
    assert shapes["T"] == (1, 224, 224, 451)
    assert shapes["Q"] == (1, 224, 224, 144)
    assert shapes["prediction"] == (1, 224, 224, 2)
    names = {layer.name for layer in generator.layers}
    assert "block3_conv3" in names
    assert "block3_pool" not in names
    assert len(generator.trainable_variables) == 2 * (7 + 3 + 4)  # nothing is frozen


def test_the_encoder_is_given_what_its_weights_expect():
    encoder = vgg16.vgg16(keras.layers.Input((None, None, 3)), None)
    centred = keras.Model(encoder.input, encoder.get_layer("encoder_centre").output)
    _, rgb = pictures(8, 8)
    # Keras' weights expect blue first, the file in weights/ red.
    expected = keras.applications.vgg16.preprocess_input(255 * rgb)[..., ::-1]
    np.testing.assert_allclose(centred.predict(rgb, verbose=0), expected, atol=1e-4)


def save_encoder(path, last):
    """Save VGG-16 with random weights up to the layer `last`; return it."""
    keras.utils.set_random_seed(7)
    rgb = keras.layers.Input((None, None, 3))
    encoder = keras.Model(rgb, vgg16.vgg16(rgb, None).get_layer(last).output)
    encoder.save(path)
    return encoder


def assert_same_weights(layer, other):
    for ours, theirs in zip(layer.weights, other.weights, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(ours), ops.convert_to_numpy(theirs))


@pytest.mark.parametrize("shipped", [True, False])
def test_pretrained_weights_are_loaded_and_frozen(narrow, tmp_path, shipped):
    if shipped:
        encoder = keras.saving.load_model(vgg16.ENCODER, compile=False)
        generator = vgg16.build_generator()
    else:
        encoder = save_encoder(tmp_path / "encoder.keras", "block4_conv1")
        generator = vgg16.build_generator(encoder_weights=tmp_path / "encoder.keras")
    names = [layer.name for layer in encoder.layers if layer.name.startswith(("block1", "block3"))]
    for name in names:
        if name != "block3_pool":
            assert_same_weights(generator.get_layer(name), encoder.get_layer(name))
    assert len(generator.trainable_variables) == 2 * (3 + 4)


def test_the_shipped_encoder_is_the_imagenet_one():
    kernel, bias = keras.saving.load_model(vgg16.ENCODER, compile=False).layers[2].get_weights()
    # The first numbers of the file of keras.applications, whose order is blue, green, red.
    blue_first = kernel[0, 0, ::-1, 0]
    np.testing.assert_allclose(blue_first[[0, 2]], [0.42947057, 0.4800154], rtol=1e-6)
    np.testing.assert_allclose(bias[:3], [0.73429835, 0.093403675, 0.06775674], rtol=1e-6)


def test_weights_that_cannot_be_had_are_one_sentence(tmp_path):
    (tmp_path / "text.keras").write_text("hello")
    save_encoder(tmp_path / "short.keras", "block2_conv2")
    for name in ("none", "text", "short"):
        path = tmp_path / f"{name}.keras"
        with pytest.raises(UserError, match=r"does not hold VGG-16 up to block3_conv3") as error:
            vgg16.build_generator(encoder_weights=path)
        assert str(error.value).startswith(str(path))
        assert "\n" not in str(error.value)


def test_the_cross_entropy_of_uv_is_least_at_the_truth():
    _, rgb = pictures(8, 8)
    truth = ops.convert_to_numpy(colour.yuv_from_srgb(rgb))[..., 1:]
    entropy = -(truth * np.log(truth) + (1 - truth) * np.log(1 - truth)).sum(axis=-1).mean()
    least = float(vgg16.uv_cross_entropy(truth, rgb))
    assert least == pytest.approx(entropy, rel=1e-4)
    for offset in (-0.05, 0.05):
        assert float(vgg16.uv_cross_entropy(truth + offset, rgb)) > least
    # A prediction of gray costs two bits, whatever the truth.
    gray = np.full_like(truth, 0.5)
    assert float(vgg16.uv_cross_entropy(gray, rgb)) == pytest.approx(2 * np.log(2))
