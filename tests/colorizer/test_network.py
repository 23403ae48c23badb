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
from colorizer import chroma, network
from colorizer.colorizer import WEIGHTS
from colorizer.errors import UserError
from colorizer.network import load_network

import numpy as np
import onnx
import pytest
import standins
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2]
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


def pictures(*shape, seed=0):
    return np.random.default_rng(seed).random((*shape, 1), np.float32)


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


def test_known_colours_are_refused_where_the_model_has_no_input_for_them(tmp_path):
    network = load_network(standins.save_brown(tmp_path / "brown.onnx"))
    with pytest.raises(ValueError, match="no input for known colours"):
        network(pictures(1, 32, 32), np.zeros((1, 16, 16, 3), np.float32))


def test_a_network_without_features_cannot_compare_pictures(tmp_path):
    network = load_network(standins.save_knowing(tmp_path / "knowing.onnx"))
    with pytest.raises(UserError, match=r"knowing\.onnx cannot tell what looks like a reference"):
        network.features(pictures(1, 32, 32))


def save_chroma(path):
    """Save a model that answers with chroma of 60 and -40 times gray, at half size."""
    nodes = [
        ("AveragePool", ["planes"], ["half"]),
        ("Transpose", ["half"], ["half_last"]),
        ("MatMul", ["half_last", "colour"], ["chroma"]),
    ]
    nodes = [("Transpose", ["grayscale"], ["planes"]), *nodes]
    colour = {"colour": np.array([[60, -40]], np.float32)}
    standins.save_onnx(path, nodes, colour, outputs={"chroma": (None, None, None, 2)})
    model = onnx.load(path)
    to_planes, pool, back, _ = model.graph.node
    to_planes.attribute.append(helper.make_attribute("perm", [0, 3, 1, 2]))
    back.attribute.append(helper.make_attribute("perm", [0, 2, 3, 1]))
    pool.attribute.extend(
        helper.make_attribute(name, [2, 2]) for name in ("kernel_shape", "strides")
    )
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("size", [(32, 64), (40, 56)])
def test_a_file_that_answers_chroma_is_a_colorizer(tmp_path, size):
    """It sees the picture continued to multiples of 32, and paints it at its own size."""
    network = load_network(save_chroma(tmp_path / "chroma.onnx"))
    gray = np.full((2, *size, 1), 0.5, np.float32)
    gray[1] = 0.4
    found = network.chroma(gray)
    assert found.shape == (2, *size, 2)
    np.testing.assert_allclose(found[0], np.broadcast_to([30, -20], (*size, 2)), atol=1e-4)
    rgb = network(gray)
    np.testing.assert_allclose(chroma.chroma_of(rgb), found, atol=0.01)
    lightness = chroma.lab_root(chroma.linear_from_srgb(rgb) @ chroma.RGB_TO_XYZ[1])
    expected = chroma.lab_root(chroma.linear_from_srgb(gray[..., 0]))
    np.testing.assert_allclose(lightness, expected, atol=1e-4)


def test_chroma_that_cannot_be_shown_is_clipped_as_rgb_is(tmp_path):
    network = load_network(save_chroma(tmp_path / "chroma.onnx"))
    gray = np.full((1, 32, 32, 1), 0.98, np.float32)
    found = network.chroma(gray)
    assert np.abs(found).max() < 50  # of 58.8
    np.testing.assert_allclose(found, chroma.chroma_of(network(gray)), atol=0.01)


def test_a_device_that_is_not_offered_is_refused_and_one_that_fails_is_named(monkeypatch):
    monkeypatch.setattr(network.onnxruntime, "get_available_providers", lambda: ["CPU", CPU])
    with pytest.raises(UserError, match="offers cpu, not cuda"):
        load_network(WEIGHTS / "paper_gan.onnx", "cuda")
    monkeypatch.setattr(network.onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    asked = []

    class Session:
        """ONNX Runtime where the driver is missing: it falls back to the processor."""

        def __init__(self, content, options, providers, **more):
            asked.append(providers)

        def get_providers(self):
            return [CPU]

    monkeypatch.setattr(network.onnxruntime, "InferenceSession", Session)
    with pytest.raises(UserError, match="cuda does not work here"):
        network.open_onnx(WEIGHTS / "paper_gan.onnx", "cuda")
    assert isinstance(network.open_onnx(WEIGHTS / "paper_gan.onnx", "auto"), Session)
    assert asked == [[CUDA, CPU], [CUDA, CPU], [CPU]]


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
    graph = helper.make_graph(
        [
            standins.endless_loop(),
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


def test_ctrl_c_ends_the_wait_for_a_model():
    """Whoever loads waits in Python, where a signal is answered."""
    begun, leave, answered = threading.Event(), threading.Event(), threading.Event()

    def answer(*_):
        if not answered.is_set():
            answered.set()
            raise KeyboardInterrupt

    def hangs(path):
        begun.set()
        assert threading.current_thread() is not threading.main_thread()
        leave.wait()

    def interrupt():
        begun.wait()
        # A signal that comes just before a thread begins to wait does not wake it: once more.
        while not answered.wait(0.05):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    before = signal.signal(signal.SIGINT, answer)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            network._interruptible(hangs, None)
    finally:
        leave.set()
        thread.join()
        signal.signal(signal.SIGINT, before)


def test_what_a_model_says_cannot_move_the_cursor(tmp_path, capsys):
    path = tmp_path / "\x1b[2Jevil.onnx"
    path.write_bytes(b"no model")
    assert colorize.main([str(tmp_path), "--model", str(path)]) == 2
    printed = capsys.readouterr().err
    assert "\x1b" not in printed
    assert "x1b[2Jevil.onnx" in printed
