"""The semantic generator: its contract, its encoder, what is known, its losses, its training."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

from colorizer import Colorizer, chroma
from colorizer.errors import UserError
from colorizer.files import photos
from colorizer.network import load_network
from colorizer.pixels import grayscale, resize, to_unit
from pictures import dataset
from systems import semantic
from training import colour, cost, efficientnet, export, losses, steps

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from generated import gradients_of, prepare
from keras import layers, ops

ROOT = Path(__file__).resolve().parents[2]
BINS = len(colour.bins())
EVEN = np.ones(BINS, np.float32)  # every pixel counts the same


def array(tensor):
    return ops.convert_to_numpy(tensor)


def grays(*shape, seed=0):
    """Return smooth gray pictures (B, H, W, 1) float32 in [0.2, 0.8]."""
    batch, height, width = shape
    small = np.random.default_rng(seed).random((batch, height // 8, width // 8, 1), np.float32)
    return 0.2 + 0.6 * array(ops.image.resize(small, (height, width)))


def nothing(gray):
    batch, height, width, _ = gray.shape
    return np.zeros((batch, height // 2, width // 2, 3), np.float32)


@pytest.fixture(scope="module")
def generator():
    """Return a generator whose last layers have begun to paint."""
    generator = semantic.build_generator()
    for seed, name in enumerate(("automatic_conv", "correction_conv")):
        layer = generator.get_layer(name)
        kernel, bias = layer.get_weights()
        layer.set_weights([0.003 * np.random.default_rng(seed).standard_normal(kernel.shape), bias])
    return generator


# ------------------------------------------------------------------------------- the contract


@pytest.mark.parametrize("size", [(32, 32), (40, 64), (104, 232)])
def test_it_paints_every_multiple_of_8_with_and_without_known_colours(generator, size):
    gray = grays(2, *size)
    for known in (nothing(gray), np.ones_like(nothing(gray))):
        painted = array(generator([gray, known]))
        assert painted.shape == (2, *size, 3)
        assert painted.min() >= 0
        assert painted.max() <= 1
        assert np.ptp(painted, axis=-1).max() > 0.01
    expected = array(colour.lightness_from_gray(gray))
    lightness = array(colour.lab_from_srgb(generator([gray, nothing(gray)])))[..., :1]
    np.testing.assert_allclose(lightness, expected, atol=0.5)


def test_both_inputs_are_padded_by_reflection(generator):
    gray = grays(1, 40, 56)
    known = nothing(gray)
    known[:, 12:20, 20:28] = 0.3, -0.2, 1
    padded = np.pad(gray, ((0, 0), (0, 24), (0, 8), (0, 0)), mode="symmetric")
    padded_known = np.pad(known, ((0, 0), (0, 12), (0, 4), (0, 0)), mode="symmetric")
    painted = array(generator([padded, padded_known]))[:, :40, :56]
    np.testing.assert_allclose(array(generator([gray, known])), painted, atol=1e-5)
    assert np.abs(painted - array(generator([gray, nothing(gray)]))).max() > 0.01


@pytest.fixture(scope="module")
def exported(generator, tmp_path_factory):
    """Return the folder of `semantic.onnx` and `semantic.keras`, which are the generator."""
    folder = tmp_path_factory.mktemp("exported")
    export.write_onnx(generator, folder / "semantic.onnx", 224)
    export.write_keras(generator, folder / "semantic.keras", 224)
    return folder


def test_as_onnx_it_answers_what_is_used(exported):
    session = onnxruntime.InferenceSession(exported / "semantic.onnx")
    inputs = {each.name: each.shape for each in session.get_inputs()}
    assert inputs == {
        "grayscale": ["batch", "height", "width", 1],
        "known": ["batch", "half_height", "half_width", 3],
    }
    outputs = {each.name: each.shape for each in session.get_outputs()}
    assert outputs == {
        "chroma": ["batch", "half_height", "half_width", 2],
        "features": ["batch", "rows", "columns", 112],
    }
    assert session.get_modelmeta().custom_metadata_map == {"working_size": "224"}
    graph = onnx.load(exported / "semantic.onnx").graph
    kinds = {node.op_type for node in graph.node}
    assert "Resize" in kinds
    # Neither RGB, nor enlarging by copies, nor padding.
    assert not kinds & {"Pow", "Tile", "Gather", "CumSum"}
    assert (exported / "semantic.onnx").stat().st_size < 8e6


@pytest.mark.parametrize("size", [(64, 96), (40, 72), (32, 120)])
@pytest.mark.parametrize("told", [False, True])
def test_both_files_answer_the_same_chroma(exported, size, told):
    """To a ten-thousandth of 220, the range of a and b, in the mean, and half a level of RGB."""
    fast, slow = (load_network(exported / f"semantic.{kind}") for kind in ("onnx", "keras"))
    assert fast.answers_chroma
    assert not slow.answers_chroma
    gray, known = grays(2, *size), None
    if told:
        known = nothing(gray)
        known[:, 3:6, 3:6] = 0.3, -0.2, 1
    expected = slow.chroma(gray, known)
    assert np.abs(expected).max() > 10
    assert np.abs(fast.chroma(gray, known) - expected).mean() < 0.022
    np.testing.assert_allclose(fast(gray, known), slow(gray, known), atol=2e-3)


def test_as_onnx_it_corrects_only_where_anything_is_known(generator, tmp_path):
    gray = grays(1, 32, 64)
    known = nothing(gray)
    known[:, 3:6, 3:6, 2] = 1  # a gray that is known: its chroma is 0
    broken = keras.models.clone_model(generator)
    broken.set_weights(generator.get_weights())
    layer = broken.get_layer("correction_conv")
    layer.set_weights([np.nan * weights for weights in layer.get_weights()])
    export.write_onnx(broken, tmp_path / "broken.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "broken.onnx")
    (alone,) = session.run(["chroma"], {"grayscale": gray, "known": nothing(gray)})
    assert np.isfinite(alone).all()
    (corrected,) = session.run(["chroma"], {"grayscale": gray, "known": known})
    assert np.isnan(corrected).any()


def test_what_the_encoder_sees_is_an_output_of_both_files(generator, exported):
    fast, slow = (load_network(exported / f"semantic.{kind}") for kind in ("onnx", "keras"))
    gray = grays(2, 40, 72)
    layer = keras.Model(generator.input, generator.get_layer("features4").output)
    expected = array(layer([gray, nothing(gray)]))
    assert expected.shape[1:3] == (4, 6)  # 64x96 pixels, padded
    for network in (fast, slow):
        found = network.features(gray)
        np.testing.assert_allclose(found, expected[:, :3, :5], atol=0.02)
        # And with what is painted, in one run.
        chroma, found = network.look(gray)
        np.testing.assert_array_equal(chroma, network.chroma(gray))
        np.testing.assert_allclose(found, expected[:, :3, :5], atol=0.02)


def test_the_parts_of_a_photograph_match_where_they_are_in_another(exported):
    """Its encoder is trained: a picture that is cut off on the left by two squares of 16 pixels."""
    colorizer = Colorizer(exported / "semantic.onnx", 224)
    picture = resize(photos.read_rgb(ROOT / "samples" / "astronaut.jpg"), 256, 256)
    reference = colorizer.reference(np.ascontiguousarray(picture[16:240, :224]))
    part = np.ascontiguousarray(picture[16:240, 32:])
    known, share = colorizer.match(grayscale(part), reference)
    where = known[..., 2] > 0
    assert 0.3 < share < 0.95
    true = chroma.chroma_of(to_unit(part))
    errors = np.hypot(*np.moveaxis(110 * known[..., :2] - true, -1, 0))
    assert np.median(errors[where]) < 0.6 * np.median(np.hypot(*np.moveaxis(true, -1, 0))[where])


def set_start(generator, deviation):
    """Give the layer before the chroma other weights, so that a new generator has colours."""
    layer = generator.get_layer("automatic_conv")
    kernel, bias = layer.get_weights()
    random = np.random.default_rng(0)
    layer.set_weights([deviation * random.standard_normal(kernel.shape), 0 * bias])


def test_no_chroma_paints_the_gray_picture():
    generator = semantic.build_generator()
    set_start(generator, 0)
    gray = np.linspace(0, 1, 32 * 40, dtype=np.float32).reshape(1, 32, 40, 1)
    painted = array(steps.paint(generator, gray))
    np.testing.assert_allclose(painted, np.repeat(gray, 3, axis=-1), atol=1e-5)


def test_a_new_generator_starts_nearly_gray():
    gray = grays(2, 64, 64)
    painted = array(steps.paint(semantic.build_generator(), gray))
    assert np.abs(painted - gray).mean() < 0.05


def test_luminance_is_not_rounded_in_half_precision():
    with steps.precision("mixed_bfloat16"):
        generator = semantic.build_generator()
    assert generator.get_layer("encoder_stem_conv").compute_dtype == "bfloat16"
    assert generator.get_layer("up1_conv").compute_dtype == "bfloat16"
    set_start(generator, 0)
    gray = (np.arange(1024, dtype=np.float32) / 1023).reshape(1, 32, 32, 1)
    painted = array(steps.paint(generator, gray))
    assert painted.dtype == np.float32
    np.testing.assert_allclose(painted, np.repeat(gray, 3, axis=-1), atol=1e-5)


def test_a_saved_generator_is_small_and_needs_nothing_of_this_project(generator, tmp_path):
    gray = grays(2, 40, 64)
    known = nothing(gray)
    known[:, 3:6, 3:6] = 0.3, -0.2, 1
    generator.save(tmp_path / "semantic.keras")
    assert (tmp_path / "semantic.keras").stat().st_size < 30e6
    np.savez(tmp_path / "given.npz", grayscale=gray, known=known)
    program = (
        "import keras, numpy\n"
        "model = keras.saving.load_model('semantic.keras', compile=False, safe_mode=True)\n"
        "given = dict(numpy.load('given.npz'))\n"
        "numpy.save('painted.npy', model.predict(given, verbose=0))\n"
    )
    # Isolated: neither this folder nor PYTHONPATH is searched for modules.
    subprocess.run([sys.executable, "-I", "-c", program], cwd=tmp_path, check=True)
    expected = array(generator([gray, known]))
    np.testing.assert_allclose(np.load(tmp_path / "painted.npy"), expected, atol=1e-5)


def test_to_paint_alone_costs_less_than_one_gigaflop_at_128_pixels(model):
    assert 0.6 < cost.gigaflop(model.alone, 128) < 0.8


def test_depthwise_convolutions_are_counted():
    picture = keras.Input((None, None, 6))
    model = keras.Model(picture, keras.layers.DepthwiseConv2D(5, strides=2)(picture))
    # 5x5 multiply-adds for each of 6 channels at each of 2x2 places.
    assert cost.gigaflop(model, size=8) == pytest.approx(2 * 25 * 6 * 4 / 1e9)


def test_the_seed_decides_the_weights():
    first, same, other = (
        semantic.build_generator(seed=seed).get_layer("up1_conv").get_weights()[0]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


# --------------------------------------------------------------------------------- the encoder


def test_widths_are_scaled_as_published():
    # EfficientNet-Lite2: 1.1 times the widths of Lite0.
    widths = [efficientnet.scaled_width(stage[-1], 1.1) for stage in efficientnet.STAGES]
    assert widths == [16, 24, 48, 88, 120, 208, 352]
    assert efficientnet.scaled_width(24, 1) == 24


def test_the_encoder_is_the_converted_one(generator):
    card = json.loads(efficientnet.ENCODER.with_suffix(".json").read_text())
    assert card["same_top1"] == 1
    assert card["top1_converted"] > 0.7
    encoder = keras.saving.load_model(efficientnet.ENCODER, compile=False, safe_mode=True)
    assert encoder.count_params() == card["parameters"]
    rgb = np.repeat(grays(1, 64, 64), 3, axis=-1)
    features = encoder(rgb)
    shapes = [(32, 16), (16, 24), (8, 40), (4, 112), (2, 320)]
    assert [feature.shape for feature in features] == [(1, s, s, w) for s, w in shapes]
    in_generator = efficientnet.encoder_layers(generator)
    assert sum(layer.count_params() for layer in in_generator) == encoder.count_params()
    for layer in in_generator:
        expected = encoder.get_layer(layer.name).get_weights()
        for found, weights in zip(layer.get_weights(), expected, strict=True):
            np.testing.assert_array_equal(found, weights)


def test_the_encoders_first_stages_stay_as_they_are(generator):
    trained = {variable.path.split("/")[0] for variable in generator.trainable_variables}
    kept = {layer.name for layer in efficientnet.encoder_layers(generator) if layer.weights}
    kept -= trained
    assert {name.split("_")[1] for name in kept} == {"stem", "stage1", "stage2"}


def test_an_encoder_that_is_missing_or_another_is_refused(monkeypatch, tmp_path):
    rgb = keras.Input((None, None, 3))
    keras.Model(rgb, keras.layers.Conv2D(4, 3)(rgb)).save(tmp_path / "other.keras")
    for name in ("none.keras", "other.keras"):
        monkeypatch.setattr(efficientnet, "ENCODER", tmp_path / name)
        with pytest.raises(UserError, match=f"{name} does not hold the encoder"):
            semantic.build_generator()


# ------------------------------------------------------------------------------- what is known


def chromas(generator, gray, known):
    """Return the chroma that the generator gives alone, and that with what is known."""
    both = steps.predictor(generator, "automatic", "prediction")
    return [array(chroma) for chroma in both([gray, known])]


def test_where_nothing_is_known_the_automatic_colours_are_painted_stronger(generator):
    gray = grays(2, 64, 64)
    known = nothing(gray)
    automatic, chroma = chromas(generator, gray, known)
    assert np.ptp(automatic) > 1
    np.testing.assert_allclose(chroma, semantic.VIVIDNESS * automatic, atol=1e-3)
    known[:, 8:12, 8:12] = 0.5, 0.2, 1
    same, chroma = chromas(generator, gray, known)
    np.testing.assert_array_equal(same, automatic)
    assert np.abs(chroma - automatic).max() > 5


def test_a_cell_has_the_mean_of_what_is_known_in_it():
    known = np.zeros((1, 4, 4, 3), np.float32)
    known[0, 0, 0] = 0.4, -0.2, 1
    known[0, 1, 1] = 0.2, 0.6, 1
    known[0, 0, 1] = 9, 9, 0  # not known: whatever stands there does not count
    parts = layers.Input((None, None, 3))
    cells = semantic.known_cells(parts[..., :2], parts[..., 2:], 2, "cells")
    means, any_known = map(array, keras.Model(parts, cells)(known))
    np.testing.assert_allclose(means[0, 0, 0], (0.3, 0.2), atol=1e-3)
    np.testing.assert_allclose(any_known[0, ..., 0], [[1, 0], [0, 0]])
    np.testing.assert_allclose(means[0, 0, 1], 0)


def spreading(likeness, reach, none=-9.0):
    """Return `spread` of two features as a model of this likeness, reach, and likeness of none."""
    features, values = layers.Input((None, None, 2)), layers.Input((None, None, 2))
    mask = layers.Input((None, None, 1))
    look_alike = semantic.Likeness()
    spread = semantic.spread(features, values, mask, look_alike)
    model = keras.Model([features, values, mask], spread)
    kernel = np.zeros((1, 1, 2, semantic.LIKENESS_WIDTH), np.float32)
    kernel[0, 0, :2, :2] = likeness * np.eye(2)
    model.get_layer("spread_likeness").set_weights([kernel, np.zeros(semantic.LIKENESS_WIDTH)])
    model.get_layer("spread_none").set_weights([np.zeros((1, 1, 2, 1)), np.array([none])])
    model.get_layer("spread_reach").set_weights([np.zeros((1, 1, 2, 1)), np.array([reach])])
    return model


def two_kinds():
    """Return features of two kinds of places, left and right, and one known value in each."""
    kinds = np.zeros((1, 8, 12, 2), np.float32)
    kinds[:, :, :6, 0] = kinds[:, :, 6:, 1] = 1
    values, mask = np.zeros((1, 16, 24, 2), np.float32), np.zeros((1, 16, 24, 1), np.float32)
    values[0, 1, 1], values[0, 15, 23] = (50, 10), (-30, 20)
    mask[0, 1, 1] = mask[0, 15, 23] = 1
    return kinds, values, mask


def test_what_is_known_spreads_to_what_looks_alike_and_to_nothing_else():
    kinds, values, mask = two_kinds()
    model = spreading(likeness=8, reach=-20.0)
    found, share = map(array, model([kinds, values, mask]))
    for half, value in ((found[0, :, :6], (50, 10)), (found[0, :, 6:], (-30, 20))):
        np.testing.assert_allclose(half, np.broadcast_to(value, half.shape), atol=0.5)
    np.testing.assert_allclose(share, 1, atol=0.01)
    # Where nothing is known, nothing is found, whatever looks alike.
    for output in model([kinds, values, 0 * mask]):
        np.testing.assert_allclose(array(output), 0, atol=1e-3)


def test_of_places_that_look_alike_the_nearer_counts_more():
    kinds, values, mask = two_kinds()
    found, _ = map(array, spreading(likeness=0, reach=10.0)([kinds, values, mask]))
    np.testing.assert_allclose(found[0, 0, 0], (50, 10), atol=1)
    np.testing.assert_allclose(found[0, 7, 11], (-30, 20), atol=1)
    (column,) = np.nonzero(np.diff(np.sign(found[0, 4, :, 0])))
    assert column.size == 1
    assert 3 < column[0] < 8


def test_what_is_known_far_away_is_not_looked_at():
    kinds, values, mask = two_kinds()
    mask[0, 15, 23] = 0
    _, share = map(array, spreading(likeness=0, reach=3.0, none=0.0)([kinds, values, mask]))
    # As much as none where it is known, and less the farther from it.
    assert share[0, 0, 0, 0] == pytest.approx(0.5, abs=0.05)
    assert (np.diff(share[0, 0, :, 0]) < 0).all()
    assert share[0, 7, 11, 0] < 1e-3


def test_what_is_known_a_little_counts_a_little():
    kinds, values, mask = two_kinds()
    model = spreading(likeness=0, reach=-20.0)
    mask[0, 1, 1] = 0.25
    found, _ = map(array, model([kinds, values, mask]))
    expected = (0.25 * np.array([50, 10]) + np.array([-30, 20])) / 1.25
    np.testing.assert_allclose(found[0, 3, 3], expected, atol=0.5)


def test_known_colours_are_those_of_the_truth_where_the_mask_says():
    truth = np.broadcast_to((55.0, -11.0), (1, 8, 8, 2)).astype(np.float32)
    mask = np.zeros((1, 8, 8, 1), np.float32)
    mask[0, 2:5, 2:5] = 1
    known = array(semantic.known_colours(truth, mask))
    np.testing.assert_allclose(known[0, 3, 3], (0.5, -0.1, 1), atol=1e-5)
    assert (known[0, 6] == 0).all()


def test_chroma_is_turned_scaled_and_moved_where_it_is_said_and_nowhere_else():
    chroma = np.broadcast_to(np.float32([30, 10]), (3, 1, 2, 2))
    where = np.zeros((3, 1, 2, 1), np.float32)
    where[:, :, 1] = 1
    changes = np.array([[np.pi / 2, 1, 0, 0], [0, 0, 0, 0], [np.pi, 2, 5, -5]], np.float32)
    turned = array(semantic.turn(chroma, where, changes))
    np.testing.assert_allclose(turned[:, 0, 0], chroma[:, 0, 0])
    np.testing.assert_allclose(turned[:, 0, 1], [[-10, 30], [0, 0], [-55, -25]], atol=1e-4)


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


# ------------------------------------------------------------------------------- the training


def turned_by(*angles):
    """Return the changes that turn the hues of pictures by these angles, and nothing else."""
    return np.array([(angle, 1, 0, 0) for angle in angles], np.float32)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    data = prepare(tmp_path_factory.mktemp("semantic"), size=64, train=4, test=2)
    settings = semantic.SemanticSettings(
        batch_size=4,
        crop=32,
        last_crop=64,
        epochs=400,
        data=str(data),
        gatherings=2,
        thing_share=0.5,
    )
    return semantic.Semantic(settings, dataset.open_split(data, "train"))


def test_the_perceptual_loss_is_nothing_at_the_truth_and_more_the_farther_from_it():
    encoder = efficientnet.build_encoder()
    assert not encoder.trainable_variables
    truth = np.random.default_rng(0).random((1, 64, 64, 3), np.float32)
    found = [
        float(semantic.perceptual_loss(encoder, truth + step * (0.5 - truth), truth))
        for step in (0, 0.3, 1)
    ]
    assert found[0] == 0
    assert 0.01 < found[1] < found[2]


def test_a_batch_is_gray_colour_places_and_what_is_changed_there(model):
    rgb = np.random.default_rng(0).integers(0, 256, (64, 64, 64, 3), dtype=np.uint8)
    given = model.draw(np.random.default_rng(0), rgb[..., :1], rgb)
    gray, truth, mask, where, changes = given
    aged = (gray != truth[..., :1]).any(axis=(1, 2, 3))
    assert 0.4 < aged.mean() < 0.8
    assert gray.shape == (64, 32, 32, 1)
    assert mask.shape == where.shape == (64, 16, 16, 1)
    angles, known = changes[:, 0], mask.any(axis=(1, 2, 3))
    assert (angles[~known] == 0).all()
    assert set(np.unique(where)) <= {0, 1}
    # A whole picture is turned and nothing else; what is done to a thing stays within it.
    whole = (where == 1).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(changes[whole, 1:], [[1, 0, 0]] * whole.sum())
    assert known[~whole].all()
    assert 0.05 < (angles[whole & known] != 0).mean() < 0.4


def test_one_thing_is_given_another_colour_than_the_truth(model):
    rgb = np.full((40, 64, 64, 3), (60, 150, 70), np.uint8)
    rgb[:, 16:48, 16:40] = 180, 60, 60
    *_, mask, where, changes = model.draw(np.random.default_rng(0), rgb[..., :1], rgb)
    partly = (where == 0).any(axis=(1, 2, 3))
    assert 0.1 < partly.mean() < 0.7
    for told, thing, change in zip(mask[partly], where[partly], changes[partly], strict=True):
        assert told[thing > 0].any()
        assert 0 < thing.mean() < 0.6
        assert change.shape == (4,)
    assert (changes[partly, 1] == 0).any()


def test_places_that_look_alike_agree_and_others_do_not():
    chroma = layers.Input((None, None, 2))
    features = [layers.Input((None, None, 2)) for _ in range(4)]
    model = keras.Model(
        [chroma, *features], semantic.gather(chroma, features, semantic.Likeness(), times=2)
    )
    kernel = np.zeros((1, 1, 6, semantic.LIKENESS_WIDTH), np.float32)
    kernel[0, 0, 2:4, :2] = 8 * np.eye(2)  # of the features at 1/8
    model.get_layer("spread_likeness").set_weights([kernel, np.zeros(semantic.LIKENESS_WIDTH)])
    model.get_layer("spread_reach").set_weights([np.zeros((1, 1, 6, 1)), np.array([-20.0])])
    kinds = np.zeros((1, 8, 8, 2), np.float32)
    kinds[:, :, :4, 0] = kinds[:, :, 4:, 1] = 1
    # Above one colour and below another in each kind.
    painted = np.zeros((1, 32, 32, 2), np.float32)
    painted[0, :16, :16], painted[0, 16:, :16] = (30, 0), (10, 0)
    painted[0, :, 16:] = 0, -20
    fine = np.indices((32, 32)).sum(axis=0) % 2 * 2.0 - 1
    painted[..., 1] += fine
    others = np.zeros((1, 4, 4, 2)), kinds, np.zeros((1, 16, 16, 2)), np.zeros((1, 32, 32, 2))
    found = array(model([painted, *(each.astype(np.float32) for each in others)]))
    np.testing.assert_allclose(found[0, 2:14, 2:10, 0], 20, atol=0.3)
    np.testing.assert_allclose(found[0, 18:30, 2:10, 0], 20, atol=0.3)
    np.testing.assert_allclose(found[0, :, 22:, 0], 0, atol=0.3)
    # What is finer than a place stays.
    np.testing.assert_allclose(found[0, :, 22:, 1], (fine - 20)[:, 22:], atol=0.3)


def test_the_last_tenth_of_the_steps_sees_larger_parts(model):
    rgb = np.zeros((4, 64, 64, 3), np.uint8)
    iterations = model.generator_optimizer.iterations
    # One step an epoch.
    for step, side in ((0, 32), (359, 32), (360, 64), (399, 64)):
        iterations.assign(step)
        gray, *_ = model.draw(np.random.default_rng(0), rgb[..., :1], rgb)
        assert gray.shape == (4, side, side, 1)
    iterations.assign(0)


def test_a_training_starts_from_an_earlier_generator(model, tmp_path):
    earlier = model.build()
    for variable in earlier.weights:
        variable.assign(variable + 0.01)
    earlier.save(tmp_path / "generator.keras")
    split = dataset.open_split(model.settings.data, "train")

    def started(file):
        start = str(tmp_path / file)
        return semantic.Semantic(dataclasses.replace(model.settings, start=start), split)

    later = started("generator.keras")
    assert later.last_step == 0  # all of it sees large parts
    for network in (later.generator, later.averaged):
        for found, expected in zip(network.get_weights(), earlier.get_weights(), strict=True):
            np.testing.assert_array_equal(found, expected)
    (tmp_path / "broken.keras").write_bytes(b"no network")
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]).save(tmp_path / "other.keras")
    for file in ("none.keras", "broken.keras", "other.keras"):
        with pytest.raises(UserError, match=f"{file} holds no generator to start from"):
            started(file)


def test_gradients_reach_every_variable(model):
    gray = grays(2, 64, 64)
    known = nothing(gray)
    known[:, ::4, ::4] = 0.3, -0.2, 1
    weights = model.generator.trainable_variables
    rgb = np.clip(gray + np.array([0.15, 0, -0.15], np.float32), 0, 1)

    def loss_of(numbers):
        chosen = [model.predictor([gray, known], training=True)[number] for number in numbers]
        return sum(
            losses.smooth_l1(chroma, losses.true_chroma(rgb, chroma), EVEN) for chroma in chosen
        )

    _, gradients = gradients_of(lambda: loss_of([0, 1]), weights)
    for variable, gradient in zip(weights, gradients, strict=True):
        assert np.abs(array(gradient)).max() > 0, variable.path
    # What is known does not change what is painted alone.
    alone = model.generator.get_layer("automatic_conv").kernel
    _, (gradient,) = gradients_of(lambda: loss_of([1]), [alone])
    assert gradient is None or np.abs(array(gradient)).max() == 0


def test_the_loss_is_of_the_automatic_and_of_the_corrected_colours(model):
    """Hues are turned by half a circle where colours are known, and there alone."""
    gray = grays(4, 64, 64)
    rgb = np.clip(gray + np.array([0.15, 0, -0.15], np.float32), 0, 1)
    mask = np.zeros((4, 32, 32, 1), np.float32)
    mask[:, 8:24:4, 8:24:4] = 1
    truth = losses.true_chroma(rgb, mask)
    known = array(semantic.known_colours(-truth, mask))
    automatic, chroma = model.predictor([gray, known], training=True)
    lightness = colour.lightness_from_gray(ops.average_pool(gray, 2, strides=2))
    pictures = (colour.srgb_from_lab(lightness, each) for each in (automatic, truth))
    expected = {
        "automatic_loss": float(losses.smooth_l1(automatic, truth, model.rarity)),
        "perceptual_loss": float(semantic.perceptual_loss(model.frozen, *pictures)),
        "known_loss": float(losses.smooth_l1(chroma, -truth, model.rarity)),
    }
    assert len({round(value, 1) for value in expected.values()}) == 3
    model.generator_optimizer.iterations.assign(0)
    found = dict(model.train_step(gray, rgb, mask, np.ones_like(mask), turned_by(*4 * [np.pi])))
    # Three steps of four have none of it: their mean is that of all.
    found["known_loss"] /= 4
    assert {name: float(found[name]) for name in expected} == pytest.approx(expected, rel=1e-3)
    weights = {"automatic_loss": 1, "perceptual_loss": 5, "known_loss": 1}
    total = sum(weights[name] * value for name, value in expected.items())
    assert float(found["generator_loss"]) == pytest.approx(total, rel=1e-3)


def test_three_steps_of_four_teach_the_decoder_alone(model):
    rgb = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    iterations = model.generator_optimizer.iterations
    kinds = []
    for step in range(8):
        iterations.assign(step)
        kinds.append(len(model.draw(np.random.default_rng(0), rgb[..., :1], rgb)))
    assert kinds == [5, 2, 2, 2, 5, 2, 2, 2]
    iterations.assign(21)
    batch = model.draw(np.random.default_rng(0), rgb[..., :1], rgb)
    before = {each.path: array(each) for each in model.generator.trainable_variables}
    found = model.train_step(*batch)
    assert int(iterations) == 22
    moved = {
        each.path.split("/")[0]
        for each in model.generator.trainable_variables
        if (array(each) != before[each.path]).any()
    }
    decoder = {"up4_conv", "up3_conv", "up2_conv", "up1_conv", "automatic_conv"}
    assert moved == {*decoder, "spread_likeness", "spread_reach"}
    # It is the same step but for what is known.
    mask = np.zeros((4, 16, 16, 1), np.float32)
    for each in model.generator.trainable_variables:
        each.assign(before[each.path])
    whole = model.train_step(*batch, mask, np.ones_like(mask), turned_by(0, 0, 0, 0))
    for name in ("automatic_loss", "perceptual_loss"):
        assert float(found[name]) == pytest.approx(float(whole[name]), rel=1e-5)
    total = found["automatic_loss"] + 5 * found["perceptual_loss"]
    assert float(found["generator_loss"]) == pytest.approx(float(total), rel=1e-5)
    for each in model.generator.trainable_variables:
        each.assign(before[each.path])
    iterations.assign(0)


def test_it_learns_the_colour_that_it_is_told(model):
    """Taught with hues turned by chance, it follows the known colour and not a habit."""
    random = np.random.default_rng(0)
    gray = (255 * grays(4, 64, 64)).astype(np.uint8)
    rgb = np.clip(gray.astype(int) + np.array([40, 0, -40]), 0, 255).astype(np.uint8)
    mask = np.zeros((4, 32, 32, 1), np.float32)
    mask[:, 8:24:4, 8:24:4] = 1
    model.generator_optimizer.iterations.assign(20)  # past the rise of the rate
    truth = array(losses.true_chroma(np.float32(rgb) / 255, mask))
    for _ in range(10):
        for _ in range(40):
            batch = np.float32(gray) / 255, np.float32(rgb) / 255, mask, np.ones_like(mask)
            model.train_step(*batch, turned_by(*random.choice([0, np.pi], 4)))
        agreements = []
        for sign in (1, -1):
            known = array(semantic.known_colours(sign * truth, mask))
            chroma = array(model.predictor([np.float32(gray) / 255, known])[1])
            agreements.append(sign * (chroma * truth).sum() / (truth**2).sum())
        if min(agreements) > 0.5:
            break
    assert min(agreements) > 0.5
