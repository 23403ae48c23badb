import zipfile

import models
from training import cost
from training.layers import enlarge

import keras
import numpy as np
import pytest
from keras import layers


@pytest.fixture(scope="module")
def generator():
    return models.build_generator()


@pytest.fixture(scope="module")
def discriminator():
    return models.build_discriminator()


def of_type(model, kind):
    return [layer for layer in model.layers if type(layer) is kind]


# ---------------------------------------------------------------- the generator and the paper


def test_the_encoder_has_three_sets_of_convolutions_and_a_bottleneck(generator):
    names = [layer.name for layer in of_type(generator, layers.Conv2D)]
    assert names == [
        *("set1_conv", "set1_halve", "set2_conv", "set2_halve", "set3_conv", "set3_halve"),
        *("bottleneck1_conv", "bottleneck2_conv"),
    ]


def test_every_convolution_is_followed_by_leaky_relu(generator):
    for layer in of_type(generator, layers.Conv2D):
        (following,) = (node.operation for node in layer._outbound_nodes)
        assert type(following) is layers.LeakyReLU


def test_transposed_convolutions_upsample_and_are_followed_by_relu(generator):
    *doubling, last = of_type(generator, layers.Conv2DTranspose)
    assert [layer.strides for layer in doubling] == [(2, 2)] * 3
    for layer in doubling:
        (following,) = (node.operation for node in layer._outbound_nodes)
        assert type(following) is layers.ReLU
    assert last.filters == 3


def test_skips_are_concatenations_of_the_same_resolution(generator):
    shapes = cost.layer_shapes(generator, 120)
    skips = of_type(generator, layers.Concatenate)
    assert [shapes[layer.name][1] for layer in skips] == [30, 60, 120]
    sources = [{tensor._keras_history.operation.name for tensor in layer.input} for layer in skips]
    assert sources == [
        {"up3_relu", "set3_leaky"},
        {"up2_relu", "set2_leaky"},
        {"up1_relu", "set1_leaky", "grayscale"},
    ]


def test_convolutions_are_dilated_unless_told_otherwise(generator):
    def rates(model):
        return [layer.dilation_rate[0] for layer in of_type(model, layers.Conv2D)]

    assert rates(generator) == [1, 1, 2, 1, 2, 1, 2, 4]
    assert set(rates(models.build_generator(dilations=False))) == {1}


def test_without_skips_nothing_is_concatenated():
    generator = models.build_generator(skips=False)
    assert generator.output_shape == (None, None, None, 3)
    assert of_type(generator, layers.Concatenate) == []


def test_the_generator_costs_about_one_gigaflop(generator):
    assert 0.8 < cost.gigaflop(generator, models.SIZE) < 1.3


@pytest.mark.parametrize(("height", "width"), [(120, 120), (64, 96), (8, 160)])
def test_any_multiple_of_eight_is_painted_at_its_own_size(generator, height, width):
    gray = np.random.default_rng(0).random((2, height, width, 1), np.float32)
    rgb = generator.predict(gray, verbose=0)
    assert rgb.shape == (2, height, width, 3)
    assert rgb.dtype == np.float32
    assert rgb.min() >= 0
    assert rgb.max() <= 1


def test_the_first_picture_is_nearly_the_gray_one(generator):
    gray = np.tile(np.linspace(0, 1, 64, dtype=np.float32)[:, None, None], (1, 1, 64, 1))
    assert np.abs(generator.predict(gray, verbose=0) - gray).mean() < 0.02


def test_doubling_a_flat_map_gives_a_flat_map():
    generator = models.build_generator()
    layer = generator.get_layer("up1_double")
    flat = np.ones((1, 10, 10, layer.kernel.shape[-1]), np.float32)
    doubled = np.asarray(layer(flat))[:, 2:-2, 2:-2]  # zeros come in from outside at the border
    np.testing.assert_allclose(doubled, doubled[:, :1, :1] * np.ones_like(doubled), rtol=1e-5)


@pytest.mark.parametrize("factor", [2, 4])
def test_maps_of_any_size_are_enlarged_bilinearly(factor):
    maps = layers.Input((None, None, 3))
    model = keras.Model(maps, enlarge(maps, factor, "enlarge"))
    bilinear = layers.UpSampling2D(factor, interpolation="bilinear")
    for height, width in ((5, 7), (8, 8), (3, 1)):
        noise = np.random.default_rng(0).random((2, height, width, 3), np.float32)
        enlarged = model.predict(noise, verbose=0)
        np.testing.assert_allclose(enlarged, np.asarray(bilinear(noise)), atol=1e-6)


def test_the_seed_decides_the_weights():
    first, same, other = (models.build_generator(seed=seed).get_weights() for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, same, strict=True))
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


# ------------------------------------------------------------ the discriminator and the paper


def test_the_discriminator_is_four_convolutions_with_relu_and_one_probability(discriminator):
    kinds = [type(layer) for layer in discriminator.layers if layer.name[:4] in ("conv", "relu")]
    assert kinds == [layers.Conv2D, layers.ReLU] * 4
    pictures = np.random.default_rng(0).random((3, 120, 120, 3), np.float32)
    probability = discriminator.predict(pictures, verbose=0)
    assert probability.shape == (3, 1)
    assert ((probability > 0) & (probability < 1)).all()


# ------------------------------------------------------------------------------ counting, files


def test_gigaflop_counts_a_multiply_add_as_two():
    picture = layers.Input((None, None, 3))
    x = layers.Conv2D(5, 3, strides=2, padding="same")(picture)  # 4x4x5
    x = layers.Conv2DTranspose(7, 4, strides=2, padding="same")(x)  # 8x8x7
    x = layers.Dense(2)(layers.GlobalAveragePooling2D()(x))
    expected = 2 * (4 * 4 * 9 * 3 * 5 + 4 * 4 * 16 * 5 * 7 + 7 * 2)
    assert cost.gigaflop(keras.Model(picture, x), size=8) == pytest.approx(expected / 1e9)


def test_a_saved_generator_needs_no_code_of_ours(generator, tmp_path):
    path = tmp_path / "generator.keras"
    generator.save(path)
    with zipfile.ZipFile(path) as archive:
        assert "models" not in archive.read("config.json").decode().split('"module": "')
    loaded = keras.saving.load_model(path, compile=False)
    gray = np.random.default_rng(0).random((1, 24, 24, 1), np.float32)
    np.testing.assert_array_equal(
        loaded.predict(gray, verbose=0), generator.predict(gray, verbose=0)
    )


def test_the_summary_prints_both_networks(capsys):
    assert models.main() == 0
    printed = capsys.readouterr().out
    assert "generator at 120x120" in printed
    assert "discriminator at 120x120" in printed
    assert printed.count("GFLOP a picture") == 2


def test_a_slope_lets_the_discriminator_s_relus_leak():
    leaky = models.build_discriminator(slope=0.2).get_layer("relu1")
    plain = models.build_discriminator().get_layer("relu1")
    values = np.float32([[[[-1.0, 2.0]]]])
    np.testing.assert_allclose(leaky(values), [[[[-0.2, 2.0]]]], rtol=1e-6)
    np.testing.assert_allclose(plain(values), [[[[0.0, 2.0]]]])
