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

from colorizer.errors import UserError
from colorizer.quiet import import_tensorflow

import numpy as np

# ONNX Runtime would send Microsoft events of how it is used. Nothing leaves this machine; it asks
# for this variable when it is imported.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

# The sides of the picture on which a model is tried when it is loaded, in pixels. They differ, so
# that a model that swaps them is noticed.
TRIAL_SIZE = 32, 40

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

# ONNX Runtime's own name for "nothing but fatal errors": what it would print is in its exceptions.
FATAL = 4


@dataclasses.dataclass(frozen=True)
class Network:
    """A colorizing network, loaded; safe to call from several threads.

    `path` is its file; `takes_known` tells whether it has the second input `known`; `working_size`
    is the side, in pixels, of the square whose area it wants to see of a photograph. `run` computes
    RGB from the inputs, without a check. `run_features` computes its output `features` from a gray
    picture, or is None where it has no such output; `run_both` both from a gray picture, at once.
    """

    path: Path
    takes_known: bool
    working_size: int
    run: Callable[..., np.ndarray]
    run_features: Callable[[np.ndarray], np.ndarray] | None = None
    run_both: Callable[[np.ndarray], tuple] | None = None

    def __call__(self, gray, known=None) -> np.ndarray:
        """Colorize pictures of one size: float32 (B, h, w, 1) in [0, 1] to RGB (B, h, w, 3).

        h and w are multiples of 8. `known`, float32 (B, h/2, w/2, 3), holds Lab a and b over 110
        where a colour is known, and a mask in [0, 1]; None: nothing is known. Returns float32 in
        [0, 1]. Raises ValueError when `known` is given to a network without that input, UserError
        when the network answers with another shape or with numbers that are not finite.
        """
        inputs = [np.ascontiguousarray(gray, np.float32)]
        if self.takes_known:
            if known is None:
                known = _nothing_known(gray)
            inputs.append(np.ascontiguousarray(known, np.float32))
        elif known is not None:
            raise ValueError(f"{self.path} has no input for known colours")
        return self._checked(self.run(*inputs), gray)

    def _checked(self, rgb, gray) -> np.ndarray:
        """Return what the network painted of gray pictures; raises UserError as `__call__` does."""
        if rgb.shape != (*gray.shape[:3], 3):
            raise UserError(
                f"{self.path} maps {gray.shape} to {rgb.shape}, not grayscale "
                "(batch, height, width, 1) to RGB (batch, height, width, 3); give another --model"
            )
        if not np.isfinite(rgb).all():
            raise UserError(f"{self.path} paints numbers that are not finite; give another --model")
        return np.clip(rgb, 0, 1)

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
        return _cropped(self.run_features(np.ascontiguousarray(gray, np.float32)), gray)

    def look(self, gray) -> tuple:
        """Return RGB of gray pictures, as `__call__` without known colours, and their features.

        Both are of one run where that can be; the features are None where the network has none.
        """
        if self.run_features is None:
            return self(gray), None
        if self.run_both is None:
            return self(gray), self.features(gray)
        rgb, found = self.run_both(np.ascontiguousarray(gray, np.float32))
        return self._checked(rgb, gray), _cropped(found, gray)


def _cropped(features, gray) -> np.ndarray:
    """Return the features of the squares that gray pictures (B, h, w, 1) reach."""
    rows, columns = (-(-side // FEATURE_STRIDE) for side in gray.shape[1:3])
    return features[:, :rows, :columns]


def load_network(path) -> Network:
    """Load a colorizer from an `.onnx` or a `.keras` file, and try it on a small gray picture.

    Raises UserError if there is no such file, it is no model, it maps other shapes, works at one
    size only, keeps its weights in a second file, or answers with numbers that are not finite.
    """
    path = Path(path)
    loaders = {".onnx": _load_onnx, ".keras": _load_keras}
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


def open_onnx(path):
    """Open an `.onnx` file as an ONNX Runtime session, on one thread of the CPU.

    Raises UserError where it cannot be loaded, keeps its weights in a second file, or has a loop,
    which may never end.
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
    try:
        return onnxruntime.InferenceSession(
            content,
            options,
            providers=["CPUExecutionProvider"],
            enable_fallback=0,  # to the same processor, with a report on standard output
        )
    except Exception as error:
        # ONNX Runtime's exceptions have no common class but this one.
        if "external data" in str(error).lower():
            raise UserError(
                f"{path} keeps its weights in another file; export it again as one file"
            ) from error
        raise UserError(
            f"{path} is not an ONNX model that this program can load; give an .onnx file that "
            f"train.py wrote ({_first_line(error)})"
        ) from error


def _load_onnx(path) -> Network:
    """Load an `.onnx` file with ONNX Runtime, on the CPU."""
    session = open_onnx(path)
    inputs = [(each.name, each.shape) for each in session.get_inputs()]
    output = session.get_outputs()[0]
    names = _checked(path, inputs, output.shape)

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
        return Network(path, len(names) == 2, size, run)
    return Network(path, len(names) == 2, size, run, run_features, run_both)


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


def _checked(path, inputs, output_shape) -> list[str]:
    """Return the names of a model's inputs, grayscale first, then `known` if it has that.

    `inputs` are pairs of a name and a shape, in which an axis of any length is no whole number.
    Raises UserError where the shapes are not those of a colorizer, or are those of one size only.
    """
    gray = [(name, list(shape)) for name, shape in inputs if name != "known"]
    known = [name for name, _ in inputs if name == "known"]
    output_shape = list(output_shape)
    if len(gray) != 1 or (len(gray[0][1]), gray[0][1][-1:]) != (4, [1]) or output_shape[3:] != [3]:
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
