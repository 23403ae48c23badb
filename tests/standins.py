"""Stand-ins for the networks: ONNX models of one or two operations, whose answer is known."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

GRAY = (None, None, None, 1)
RGB = (None, None, None, 3)

# Gray light times this, and this much more: red above blue, at any brightness.
FACTOR, BROWN = 0.8, (0.1, 0.0, -0.1)


def save_onnx(path, nodes, constants, inputs=None, outputs=None):
    """Save a model of `nodes` (operation, inputs, outputs), and return its path.

    `constants` are arrays by name; `inputs` and `outputs` shapes by name.
    """
    inputs, outputs = inputs or {"grayscale": GRAY}, outputs or {"painted": RGB}
    graph = helper.make_graph(
        [helper.make_node(operation, *names) for operation, *names in nodes],
        "stand-in",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def save_brown(path, bias=BROWN, gray=GRAY, rgb=RGB):
    """Save a model that paints FACTOR times gray plus `bias` in each channel."""
    bias = np.array(bias, np.float32)
    factor = np.full((gray[-1], len(bias)), FACTOR, np.float32)
    constants = {"factor": factor, "bias": bias}
    nodes = [
        ("MatMul", ["grayscale", "factor"], ["scaled"]),
        ("Add", ["scaled", "bias"], ["painted"]),
    ]
    return save_onnx(path, nodes, constants, {"grayscale": gray}, {"painted": rgb})


def save_knowing(path):
    """Save a model with the input `known`, whose mean it adds to gray, and a second output."""
    nodes = [
        ("MatMul", ["grayscale", "ones"], ["repeated"]),
        ("ReduceMean", ["known"], ["mean"]),
        ("Add", ["repeated", "mean"], ["painted"]),
    ]
    inputs = {"known": RGB, "grayscale": GRAY}
    outputs = {"painted": RGB, "repeated": RGB}
    return save_onnx(path, nodes, {"ones": np.ones((1, 3), np.float32)}, inputs, outputs)


def save_fading(path):
    """Save a model that answers with infinity where gray is 0, and else with 0.1 / gray."""
    constants = {"tenth": np.full((1, 1, 1, 3), 0.1, np.float32)}
    return save_onnx(path, [("Div", ["tenth", "grayscale"], ["painted"])], constants)


def save_turning(path):
    """Save a model that swaps rows and columns."""
    ones = {"ones": np.ones((1, 3), np.float32)}
    graph = [("MatMul", ["grayscale", "ones"], ["repeated"])]
    path = save_onnx(path, [*graph, ("Transpose", ["repeated"], ["painted"])], ones)
    model = onnx.load(path)
    model.graph.node[1].attribute.append(helper.make_attribute("perm", [0, 2, 1, 3]))
    onnx.save(model, path)
    return path
