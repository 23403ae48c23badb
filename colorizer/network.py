"""From a model file to a function: `.onnx` with ONNX Runtime, `.keras` with Keras."""

import dataclasses
import json
import os
import re
import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from colorizer import chroma
from colorizer.errors import UserError
from colorizer.pixels import padded
from colorizer.quiet import import_tensorflow

import cv2
import numpy as np

# ONNX Runtime would send Microsoft events of how it is used. Nothing leaves this machine; it asks
# for this variable when it is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

# The sides of the picture on which a model is tried when it is loaded, in pixels. They differ, so
# that a model that swaps them is noticed.
TRIAL_SIZE = 32, 40

# The output of a file that answers with Lab a and b at half size, instead of RGB; it takes pictures
# whose sides are multiples of so many pixels.
CHROMA, CHROMA_MULTIPLE = "chroma", 32

# The output `features` has a vector for each square of so many pixels a side.
FEATURE_STRIDE = 16
# The layer of a Keras model that has them.
FEATURE_LAYER = "features4"

# The side of the square whose area a network wants to see of a photograph, where its file does not
# say: files of this project before they said it, and those of others. What takes known colours
# learned from larger pictures, and paints the more colour, the larger what it sees; what does not
# is the paper's network, or of its kind, and sees the paper's 120x120.
UNMARKED_SIZE, UNMARKED_SIZE_KNOWN = 120, 224
WORKING_SIZES = range(32, 2049)  # that a file or a person may ask for

# The operation of a node, as protobuf writes it: its length, however written, and its name.
LOOP = re.compile(rb"[\x00\x04]Loop(?![A-Za-z])")

# What can run a network, by the names of a user and of ONNX Runtime's providers. `auto` takes the
# first of AUTOMATIC that the installed ONNX Runtime offers and that works here: the packages that
# have these are for those who want them. CoreML is in every package for macOS.
DEVICES = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}
AUTOMATIC = ("cuda", "directml", "cpu")

# ONNX Runtime's own name for "nothing but fatal errors": what it would print is in its exceptions.
FATAL = 4


@dataclasses.dataclass(frozen=True)
class Network:
    """A colorizing network, loaded; safe to call from several threads.

    `path` is its file; `takes_known` tells whether it has the second input `known`; `working_size`
    is the side, in pixels, of the square whose area it wants to see of a photograph. `run` computes
    what its file answers from the inputs, without a check: RGB, or Lab a and b at half size where
    it `answers_chroma`. `run_features` computes its output `features` from a gray picture, or is
    None where it has no such output; `run_both` both from a gray picture, at once.
    """

    path: Path
    takes_known: bool
    working_size: int
    run: Callable[..., np.ndarray]
    run_features: Callable[[np.ndarray], np.ndarray] | None = None
    run_both: Callable[[np.ndarray], tuple] | None = None
    answers_chroma: bool = False

    def __call__(self, gray, known=None) -> np.ndarray:
        """Colorize pictures of one size: float32 (B, h, w, 1) in [0, 1] to RGB (B, h, w, 3).

        h and w are multiples of 8. `known`, float32 (B, h/2, w/2, 3), holds Lab a and b over 110
        where a colour is known, and a mask in [0, 1]; None: nothing is known. Returns float32 in
        [0, 1]. Raises ValueError when `known` is given to a network without that input, UserError
        when the network answers with another shape or with numbers that are not finite.
        """
        answer = self._answer(gray, known)
        if not self.answers_chroma:
            return np.clip(answer, 0, 1)
        found = self._full_size(answer, gray)
        return np.stack([chroma.rgb_of(*each) for each in zip(gray, found, strict=True)])

    def chroma(self, gray, known=None) -> np.ndarray:
        """Predict the chroma of pictures as `__call__` takes them: Lab a and b, (B, h, w, 2).

        It is that of the RGB that `__call__` returns: chroma that sRGB cannot show is clipped.
        """
        return self._chroma_in(self._answer(gray, known), gray)

    def look(self, gray) -> tuple:
        """Return chroma, as `chroma` without known colours, and `features` of gray pictures.

        Both are of one run where that can be; the features are None where the network has none.
        """
        if self.run_features is None:
            return self.chroma(gray), None
        if self.run_both is None:
            return self.chroma(gray), self.features(gray)
        answer, found = self.run_both(self._input(gray))
        return self._chroma_in(self._checked(answer, gray), gray), _cropped(found, gray)

    def features(self, gray) -> np.ndarray:
        """Return what the encoder sees in gray pictures, as `__call__` takes them.

        float32 (B, rows, columns, C), one vector for each square of FEATURE_STRIDE pixels; the
        last squares of a row or column may reach over the picture's edge. Raises UserError when
        the network has no such output.
        """
        if self.run_features is None:
            raise UserError(
                f"{self.path} cannot tell what looks like a reference; give another --model"
            )
        return _cropped(self.run_features(self._input(gray)), gray)

    def _input(self, pictures, multiple=CHROMA_MULTIPLE):
        """Return gray or known pictures as the file takes them."""
        if self.answers_chroma:
            pictures = padded(pictures, multiple)
        return np.ascontiguousarray(pictures, np.float32)

    def _answer(self, gray, known):
        """Run the network; returns what its file answers, checked."""
        inputs = [self._input(gray)]
        if self.takes_known:
            if known is None:
                inputs.append(_nothing_known(inputs[0]))
            else:
                inputs.append(self._input(known, CHROMA_MULTIPLE // 2))
        elif known is not None:
            raise ValueError(f"{self.path} has no input for known colours")
        return self._checked(self.run(*inputs), gray)

    def _checked(self, answer, gray):
        """Return what the file answers to gray pictures; raises UserError as `__call__` does."""
        shape, wanted = (*gray.shape[:3], 3), "RGB (batch, height, width, 3)"
        if self.answers_chroma:
            batch, height, width, _ = self._input(gray).shape
            shape, wanted = (batch, height // 2, width // 2, 2), "chroma at half size"
        if answer.shape != shape:
            raise UserError(
                f"{self.path} maps {gray.shape} to {answer.shape}, not grayscale "
                f"(batch, height, width, 1) to {wanted}; give another --model"
            )
        if not np.isfinite(answer).all():
            raise UserError(f"{self.path} paints numbers that are not finite; give another --model")
        return answer

    def _chroma_in(self, answer, gray):
        """Return the chroma, Lab a and b (B, h, w, 2), of gray pictures' answer."""
        if not self.answers_chroma:
            return chroma.chroma_of(np.clip(answer, 0, 1))
        found = self._full_size(answer, gray)
        return np.stack([chroma.clipped(*each) for each in zip(gray, found, strict=True)])

    def _full_size(self, answer, gray):
        """Enlarge chroma at half size to that of gray pictures: (B, h, w, 2)."""
        (height, width), (rows, columns) = gray.shape[1:3], answer.shape[1:3]
        size = 2 * columns, 2 * rows
        return np.stack([cv2.resize(half, size)[:height, :width] for half in answer])


def _cropped(features, gray) -> np.ndarray:
    """Return the features of the squares that gray pictures (B, h, w, 1) reach."""
    rows, columns = (-(-side // FEATURE_STRIDE) for side in gray.shape[1:3])
    return features[:, :rows, :columns]


def load_network(path, device="auto") -> Network:
    """Load a colorizer from an `.onnx` or a `.keras` file, and try it on a small gray picture.

    An `.onnx` file runs on a `device`, as `open_onnx` takes it.

    Raises UserError if there is no such file, it is no model, it maps other shapes, works at one
    size only, keeps its weights in a second file, or answers with numbers that are not finite.
    """
    path = Path(path)
    loaders = {".onnx": lambda path: _load_onnx(path, device), ".keras": _load_keras}
    if path.suffix not in loaders:
        raise UserError(f"{path} is neither an .onnx nor a .keras file; give another --model")
    if not path.is_file():
        raise UserError(
            f"there is no model {path}; train one with `python train.py` or name "
            "another with --model"
        )
    trial = np.full((1, *TRIAL_SIZE, 1), 0.5, np.float32)
    try:
        network = _interruptible(loaders[path.suffix], path)
        _interruptible(network, trial)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"{path} fails on a gray picture of {TRIAL_SIZE[0]}x{TRIAL_SIZE[1]} pixels "
            f"({_first_line(error)}); give another --model"
        ) from error
    return network


def _interruptible(function, argument):
    """Return `function(argument)`; Ctrl-C ends the wait for it, however long it runs."""
    future = Future()

    def run():
        try:
            future.set_result(function(argument))
        except Exception as error:
            future.set_exception(error)

    # A thread of an executor would be waited for when the process ends.
    threading.Thread(target=run, daemon=True).start()
    return future.result()


def open_onnx(path, device="auto"):
    """Open an `.onnx` file as an ONNX Runtime session on a device, a key of DEVICES or `auto`.

    On the CPU it has one thread. Raises UserError where it cannot be loaded, keeps its weights in a
    second file, or has a loop, which may never end, and where the device is not there.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); give another file") from error
    if LOOP.search(content):
        raise UserError(f"{path} has a loop, which no colorizer needs; give another --model")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = FATAL
    # Whoever has several pictures gives each core one of them; more threads inside the network
    # would only wait for the same cores, and ONNX Runtime's spin while they wait.
    options.intra_op_num_threads = 1
    # Weights in a second file would be read from wherever the model says. Below a file there is
    # none.
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", str(path.absolute())
    )
    for name in _devices(device):
        # DirectML takes none.
        options.enable_mem_pattern = name == "cpu"
        try:
            session = onnxruntime.InferenceSession(
                content,
                options,
                providers=list(dict.fromkeys([DEVICES[name], DEVICES["cpu"]])),
                enable_fallback=0,  # to the same processor, with a report on standard output
            )
        except Exception as error:
            # ONNX Runtime's exceptions have no common class but this one.
            said = str(error).lower()
            if "external data" in said or "not a directory" in said:  # so says ONNX Runtime 1.23
                raise UserError(
                    f"{path} keeps its weights in another file; export it again as one file"
                ) from error
            if name == "cpu":
                raise UserError(
                    f"{path} is not an ONNX model that this program can load; give an .onnx file "
                    f"that train.py wrote ({_first_line(error)})"
                ) from error
            continue
        if DEVICES[name] in session.get_providers():
            if name == "directml":
                session.run = _one_at_a_time(session.run)
            return session
    raise UserError(f"{device} does not work here (its driver or library is missing); give another")


def _one_at_a_time(function):
    """Return a function that several threads may call, one after the other."""
    lock = threading.Lock()

    def waits(*given):
        with lock:
            return function(*given)

    return waits


def _devices(device) -> tuple:
    """Return the devices to try in turn; raises UserError where none is offered."""
    offered = onnxruntime.get_available_providers()
    if device == "auto":
        return tuple(name for name in AUTOMATIC if DEVICES[name] in offered)
    if DEVICES[device] not in offered:
        names = ", ".join(name for name, provider in DEVICES.items() if provider in offered)
        raise UserError(
            f"the installed ONNX Runtime offers {names}, not {device}; install the package that "
            "has it (docs/cluster.md), or give another --device"
        )
    return (device,)


def _load_onnx(path, device) -> Network:
    """Load an `.onnx` file with ONNX Runtime."""
    session = open_onnx(path, device)
    inputs = [(each.name, each.shape) for each in session.get_inputs()]
    output = session.get_outputs()[0]
    by_chroma = output.name == CHROMA
    names = _checked(path, inputs, output.shape, 2 if by_chroma else 3)

    def run(*arrays):
        return session.run([output.name], dict(zip(names, arrays, strict=True)))[0]

    def run_both(gray):
        inputs = {names[0]: gray, **dict.fromkeys(names[1:], _nothing_known(gray))}
        return session.run([output.name, "features"], inputs)

    def run_features(gray):
        # What paints runs too: ONNX Runtime 1.32 leaves nothing out when asked for less.
        return run_both(gray)[1]

    size = _working_size(path, session.get_modelmeta().custom_metadata_map, names)
    if "features" not in [each.name for each in session.get_outputs()]:
        run_features = run_both = None
    takes_known = len(names) == 2
    return Network(path, takes_known, size, run, run_features, run_both, by_chroma)


def _load_keras(path) -> Network:
    """Load a `.keras` file with Keras, which is imported only here because it takes seconds."""
    try:
        import_tensorflow()
        import keras
        import tensorflow as tf
    except ImportError as error:
        raise UserError(
            f"{path} needs Keras (pip install -r requirements.txt); or give the .onnx file that "
            f"train.py wrote beside it, such as {path.with_suffix('.onnx')}"
        ) from error
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        inputs = [(each.name, each.shape) for each in model.inputs]
        output_shape = model.outputs[0].shape
        marks = _marks(path)
    except Exception as error:
        # Keras raises whatever a broken archive makes it stumble over.
        raise UserError(
            f"{path} is not a Keras model that this program can load; give a .keras file that "
            f"train.py wrote ({_first_line(error)})"
        ) from error
    names = _checked(path, inputs, output_shape)
    order = [names.index(name) for name, _ in inputs]

    # One trace for all sizes: a trace for each would take longer than the photographs.
    shapes = [(None, None, None, channels) for channels in (1, 3)[: len(names)]]

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32) for shape in shapes])
    def traced(*arrays):
        inputs = [arrays[place] for place in order]
        outputs = model(inputs if len(inputs) > 1 else inputs[0], training=False)
        return tf.nest.flatten(outputs)[0]

    def run(*arrays):
        return traced(*arrays).numpy()

    size = _working_size(path, marks, names)
    if FEATURE_LAYER not in [layer.name for layer in model.layers]:
        return Network(path, len(names) == 2, size, run)
    gray_input = next(each for each in model.inputs if each.name == names[0])
    encoder = keras.Model(gray_input, model.get_layer(FEATURE_LAYER).output)
    traced_encoder = tf.function(encoder, input_signature=[tf.TensorSpec(shapes[0], tf.float32)])

    def run_features(gray):
        return traced_encoder(gray).numpy()

    return Network(path, len(names) == 2, size, run, run_features)


def _checked(path, inputs, output_shape, channels=3) -> list[str]:
    """Return the names of a model's inputs, grayscale first, then `known` if it has that.

    `inputs` are pairs of a name and a shape, in which an axis of any length is no whole number, and
    `channels` are what the output is to have.
    Raises UserError where the shapes are not those of a colorizer, or are those of one size only.
    """
    gray = [(name, list(shape)) for name, shape in inputs if name != "known"]
    known = [name for name, _ in inputs if name == "known"]
    output_shape = list(output_shape)
    takes_gray = len(gray) == 1 and (len(gray[0][1]), gray[0][1][-1:]) == (4, [1])
    if not takes_gray or output_shape[3:] != [channels]:
        raise UserError(
            f"{path} maps {', '.join(str(shape) for _, shape in gray)} to {output_shape}, not "
            "grayscale (batch, height, width, 1) to RGB (batch, height, width, 3); give a "
            "generator that train.py wrote"
        )
    sizes = gray[0][1][:3]
    if any(isinstance(size, int) for size in sizes):
        fixed = "x".join(str(size) if isinstance(size, int) else "?" for size in sizes[1:])
        raise UserError(
            f"{path} works at {fixed} pixels only; give a fully convolutional model, such as "
            "train.py writes"
        )
    return [gray[0][0], *known]


def _working_size(path, marks, names) -> int:
    """Return the side, in pixels, that a file's marks, a dict, say a network of these inputs sees.

    Raises UserError where it is none of WORKING_SIZES.
    """
    unmarked = UNMARKED_SIZE_KNOWN if "known" in names else UNMARKED_SIZE
    size = str(marks.get("working_size", unmarked))
    if not size.isdecimal() or len(size) > 4 or int(size) not in WORKING_SIZES:
        raise UserError(f"{path} wants to see {size!r} pixels; export it again with train.py")
    return int(size)


def _marks(path) -> dict:
    """Return what a `.keras` archive's comment says, {} where it is none of this project's."""
    with zipfile.ZipFile(path) as archive:
        comment = archive.comment
    try:
        marks = json.loads(comment)
    except ValueError:
        return {}
    return marks if isinstance(marks, dict) else {}


def _nothing_known(gray) -> np.ndarray:
    """Return the input `known` for gray pictures (B, H, W, 1) of which nothing is known."""
    batch, height, width, _ = gray.shape
    return np.zeros((batch, height // 2, width // 2, 3), np.float32)


def _first_line(error) -> str:
    """Return the class of an error and the first line of what it says."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}{f': {text[0]}' if text else ''}"
