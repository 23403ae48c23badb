"""A model file becomes a function, or one sentence."""

import os
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import colorize
from colorizer import Colorizer, network
from colorizer.colorizer import SHIPPED, WEIGHTS
from colorizer.errors import UserError
from colorizer.network import load_network
from training import export

import keras
import numpy as np
import onnx
import pytest
import standins
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parent.parent


def pictures(*shape, seed=0):
    return np.random.default_rng(seed).random((*shape, 1), np.float32)


@pytest.mark.parametrize("name", SHIPPED.values())
def test_onnx_and_keras_files_are_one_function(name):
    fast = load_network(WEIGHTS / name)
    slow = load_network((WEIGHTS / name).with_suffix(".keras"))
    for shape in ((2, 120, 120), (1, 40, 72), (3, 96, 144)):
        gray = pictures(*shape)
        painted = fast(gray)
        assert painted.dtype == np.float32
        np.testing.assert_allclose(painted, slow(gray), atol=1e-4)


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
@pytest.mark.parametrize("mark", ["large", 0, -8, 2.5])
def test_a_size_that_is_none_is_refused(tmp_path, painters, kind, mark):
    writers = {"keras": export.write_keras, "onnx": export.write_onnx}
    path = tmp_path / f"odd.{kind}"
    writers[kind](painters[False], path, mark or "0")
    with pytest.raises(UserError, match=f"{path} wants to see '{mark}' pixels"):
        load_network(path)


def test_a_shipped_network_sees_the_same_by_its_name_and_by_its_file():
    for name, file in SHIPPED.items():
        sizes = {Colorizer(name).working_size, Colorizer(WEIGHTS / file).working_size}
        sizes.add(load_network((WEIGHTS / file).with_suffix(".keras")).working_size)
        assert sizes == {{"semantic": 224, "paper": 120}[name]}


def test_colorizing_imports_neither_keras_nor_tensorflow():
    program = (
        "import sys, numpy, colorize; from colorizer import Colorizer; "
        "Colorizer().colorize(numpy.zeros((40, 50, 1), numpy.uint8)); "
        "print([name for name in ('keras', 'tensorflow', 'onnx') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert run.stdout == "[]\n"


def test_onnx_runtime_sends_nothing_to_its_maker(tmp_path):
    """It keeps an identifier of this machine, `.ses`, in the temporary folder as soon as it may."""
    program = "from colorizer import Colorizer; Colorizer()"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    command = [sys.executable, "-c", program]
    subprocess.run(command, cwd=ROOT, check=True, env=environment)
    assert not list(tmp_path.iterdir())


def test_every_picture_of_a_batch_gets_its_own_colours(tmp_path):
    network = load_network(standins.save_brown(tmp_path / "brown.onnx"))
    gray = pictures(3, 32, 48)
    expected = np.clip(standins.FACTOR * gray + np.array(standins.BROWN), 0, 1)
    np.testing.assert_allclose(network(gray), expected, atol=1e-6)
    assert not network.takes_known


def test_several_threads_share_one_network():
    network = load_network(WEIGHTS / "paper_gan.onnx")
    batches = [pictures(1, 32 + 8 * number, 40, seed=number) for number in range(8)]
    alone = [network(gray) for gray in batches]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(network, batches * 3))
    for expected, found in zip(alone * 3, together, strict=True):
        np.testing.assert_array_equal(found, expected)


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


def test_known_colours_are_refused_where_the_model_has_no_input_for_them(tmp_path):
    network = load_network(standins.save_brown(tmp_path / "brown.onnx"))
    with pytest.raises(ValueError, match="no input for known colours"):
        network(pictures(1, 32, 32), np.zeros((1, 16, 16, 3), np.float32))


def test_a_network_without_features_cannot_compare_pictures(tmp_path):
    network = load_network(standins.save_knowing(tmp_path / "knowing.onnx"))
    with pytest.raises(UserError, match=r"knowing\.onnx cannot tell what looks like a reference"):
        network.features(pictures(1, 32, 32))


def save_text(path):
    path.write_text("no model")


def save_external(path):
    model = onnx.load(standins.save_brown(path))
    onnx.save_model(
        model, path, save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    assert (path.parent / "weights.bin").exists()


def save_external_elsewhere(path):
    """Save a model that asks for a file outside its folder."""
    save_external(path)
    (path.parent / "weights.bin").rename(path.parent.parent / "weights.bin")
    content = path.read_bytes()
    longer = content.replace(b"weights.bin", b"..//wghts.b")
    (path.parent.parent / "wghts.b").write_bytes(b"\0" * 100)
    path.write_bytes(longer)


REFUSED = {
    "no such file": (lambda path: None, "there is no model"),
    "not a model": (save_text, "is not an ONNX model"),
    "empty": (lambda path: path.touch(), "is not an ONNX model"),
    "two channels": (lambda path: standins.save_brown(path, (0, 0)), "to RGB"),
    "from RGB": (lambda path: standins.save_brown(path, gray=standins.RGB), "not grayscale"),
    "other output": (lambda path: standins.save_brown(path, (0,), rgb=standins.GRAY), "to RGB"),
    "one size": (
        lambda path: standins.save_brown(path, gray=(None, 120, 120, 1)),
        "works at 120x120 pixels only",
    ),
    "one picture": (lambda path: standins.save_brown(path, gray=(1, None, None, 1)), "only"),
    "turned": (standins.save_turning, "not grayscale"),
    "not finite": (lambda path: standins.save_brown(path, (np.nan, 0, 0)), "not finite"),
    "external": (save_external, "keeps its weights in another file"),
    "external elsewhere": (save_external_elsewhere, "keeps its weights in another file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_colorizer_is_refused_in_one_sentence(tmp_path, case, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    path = tmp_path / "models" / "model.onnx"
    save, sentence = REFUSED[case]
    save(path)
    capfd.readouterr()
    with pytest.raises(UserError, match=sentence) as refused:
        load_network(path)
    assert str(path) in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert capfd.readouterr() == ("", "")


def save_keras(path, shape=(None, None, 1), channels=3):
    gray = keras.Input(shape)
    keras.Model(gray, keras.layers.Conv2D(channels, 1)(gray)).save(path)


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


def test_a_keras_file_without_keras_is_told_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    advice = r"pip install -r requirements\.txt.*paper_gan\.onnx"
    with pytest.raises(UserError, match=advice):
        load_network(WEIGHTS / "paper_gan.keras")


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(UserError, match=re.escape("neither an .onnx nor a .keras file")):
        load_network(tmp_path / "model.h5")


def test_numbers_that_are_not_finite_are_an_error_that_names_the_model(tmp_path):
    network = load_network(standins.save_fading(tmp_path / "fading.onnx"))
    assert np.isfinite(network(np.full((1, 32, 32, 1), 0.5, np.float32))).all()
    with pytest.raises(UserError, match=r"fading\.onnx paints numbers that are not finite"):
        network(np.zeros((1, 32, 32, 1), np.float32))


def test_a_model_with_a_loop_is_refused_before_it_runs(tmp_path):
    """ONNX Runtime runs what is constant when it loads a model: this one would never end."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["goes_on"], ["still"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("still", TensorProto.BOOL, [])],
    )
    graph = helper.make_graph(
        [
            helper.make_node("Loop", ["", "true"], [], body=body),
            helper.make_node("Expand", ["grayscale", "three"], ["painted"]),
        ],
        "endless",
        [helper.make_tensor_value_info("grayscale", TensorProto.FLOAT, standins.GRAY)],
        [helper.make_tensor_value_info("painted", TensorProto.FLOAT, standins.RGB)],
        [
            numpy_helper.from_array(np.array(True), "true"),
            numpy_helper.from_array(np.array([1, 1, 1, 3]), "three"),
        ],
    )
    path = tmp_path / "endless.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    with pytest.raises(UserError, match="has a loop"):
        load_network(path)


def test_ctrl_c_ends_the_wait_for_a_model(monkeypatch):
    """Whoever loads waits in Python, where a signal is answered."""
    begun, leave = threading.Event(), threading.Event()

    def hangs(path):
        begun.set()
        leave.wait(60)

    def interrupt():
        begun.wait(60)
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            network._interruptible(hangs, None)
    finally:
        leave.set()
        thread.join()


def test_what_a_model_says_cannot_move_the_cursor(tmp_path, capsys):
    path = tmp_path / "\x1b[2Jevil.onnx"
    path.write_bytes(b"no model")
    assert colorize.main([str(tmp_path), "--model", str(path)]) == 2
    printed = capsys.readouterr().err
    assert "\x1b" not in printed
    assert "x1b[2Jevil.onnx" in printed
