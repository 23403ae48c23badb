"""A .keras file and the .onnx file made from it are one function, or one sentence."""

import zipfile

from colorizer import Colorizer
from colorizer.colorizer import SHIPPED, WEIGHTS
from colorizer.errors import UserError
from colorizer.network import load_network
from training import export

import keras
import numpy as np
import pytest
import standins


def pictures(*shape, seed=0):
    return np.random.default_rng(seed).random((*shape, 1), np.float32)


@pytest.mark.parametrize("name", SHIPPED.values())
def test_onnx_and_keras_files_are_one_function(name):
    fast = load_network(WEIGHTS / name)
    slow = load_network((WEIGHTS / name).with_suffix(".keras"))
    for shape in ((2, 120, 120), (1, 40, 72), (3, 96, 144)):
        gray = pictures(*shape)
        painted, chroma = fast(gray), fast.chroma(gray)
        assert painted.dtype == chroma.dtype == np.float32
        # Half a level; of chroma, whose range is 220, in the mean a ten-thousandth.
        np.testing.assert_allclose(painted, slow(gray), atol=2e-3)
        assert np.abs(chroma - slow.chroma(gray)).mean() < 0.022


@pytest.fixture(scope="module")
def painters():
    """Return two Keras networks: one paints gray, one as well and takes known colours."""
    gray = keras.Input((None, None, 1), name="grayscale")
    known = keras.Input((None, None, 3), name="known")
    mean = keras.layers.GlobalAveragePooling2D(keepdims=True)(known)
    painted = keras.layers.Concatenate()([gray] * 3)
    return {False: keras.Model(gray, painted), True: keras.Model([gray, known], painted + mean)}


@pytest.mark.parametrize("takes_known", [False, True])
@pytest.mark.parametrize("mark", [None, 64])
def test_a_file_says_which_size_its_network_sees(tmp_path, painters, takes_known, mark):
    """Wherever it lies and however it is called; one that does not say is taken for what it is."""
    export.write_keras(painters[takes_known], tmp_path / "any.keras", mark)
    export.write_onnx(painters[takes_known], tmp_path / "any.onnx", mark)
    expected = mark or (224 if takes_known else 120)
    for name in ("any.keras", "any.onnx"):
        network = load_network(tmp_path / name)
        assert (network.takes_known, network.working_size) == (takes_known, expected)
        assert Colorizer(tmp_path / name).working_size == expected
        assert Colorizer(tmp_path / name, 48).working_size == 48


@pytest.mark.parametrize("kind", ["keras", "onnx"])
@pytest.mark.parametrize("mark", ["large", 0, -8, 2.5, 16, 4096, "9" * 5000])
def test_a_size_that_is_none_is_refused(tmp_path, painters, kind, mark):
    writers = {"keras": export.write_keras, "onnx": export.write_onnx}
    path = tmp_path / f"odd.{kind}"
    writers[kind](painters[False], path, mark or "0")
    with pytest.raises(UserError, match=f"{path} wants to see '{mark}' pixels"):
        load_network(path)


@pytest.mark.parametrize("comment", [b"of somebody else", b"[64]", b"\xff"])
def test_a_keras_file_with_another_comment_says_nothing(tmp_path, painters, comment):
    export.write_keras(painters[False], tmp_path / "any.keras", 64)
    with zipfile.ZipFile(tmp_path / "any.keras", "a") as archive:
        archive.comment = comment
    assert load_network(tmp_path / "any.keras").working_size == 120


def test_a_shipped_network_sees_the_same_by_its_name_and_by_its_file():
    for name, file in SHIPPED.items():
        sizes = {Colorizer(name).working_size, Colorizer(WEIGHTS / file).working_size}
        sizes.add(load_network((WEIGHTS / file).with_suffix(".keras")).working_size)
        assert sizes == {{"semantic": 224, "paper": 120}[name]}


def save_knowing_keras(path):
    gray = keras.Input((None, None, 1), name="grayscale")
    known = keras.Input((None, None, 3), name="known")
    mean = keras.layers.GlobalAveragePooling2D(keepdims=True)(known)
    repeated = keras.layers.Concatenate()([gray] * 3)
    painted = keras.layers.Add()([repeated, mean])
    # The order in which the inputs stand in the file says nothing.
    keras.Model([known, gray], [painted, repeated]).save(path)
    return path


@pytest.mark.parametrize("save", [standins.save_knowing, save_knowing_keras], ids=["onnx", "keras"])
def test_known_colours_are_an_input_where_the_model_has_one(tmp_path, save):
    suffix = ".onnx" if save == standins.save_knowing else ".keras"
    network = load_network(save(tmp_path / f"knowing{suffix}"))
    assert network.takes_known
    gray = pictures(1, 32, 48) / 2
    np.testing.assert_allclose(network(gray), gray.repeat(3, 3), atol=1e-6)
    known = np.full((1, 16, 24, 3), 0.25, np.float32)
    np.testing.assert_allclose(network(gray, known), gray.repeat(3, 3) + 0.25, atol=1e-6)


def save_keras(path, shape=(None, None, 1), channels=3):
    gray = keras.Input(shape)
    keras.Model(gray, keras.layers.Conv2D(channels, 1)(gray)).save(path)


def save_text(path):
    path.write_text("no model")


REFUSED_KERAS = {
    "not a model": (save_text, "is not a Keras model"),
    "two channels": (lambda path: save_keras(path, channels=2), "not grayscale"),
    "one size": (lambda path: save_keras(path, (120, 120, 1)), "works at 120x120 pixels only"),
}


@pytest.mark.parametrize("case", REFUSED_KERAS)
def test_keras_files_are_refused_in_the_same_way(tmp_path, case):
    path = tmp_path / "model.keras"
    save, sentence = REFUSED_KERAS[case]
    save(path)
    with pytest.raises(UserError, match=sentence) as refused:
        load_network(path)
    assert len(str(refused.value).splitlines()) == 1
