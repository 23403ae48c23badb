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


def save_echo(path):
    """Save a model that adds known a / 110 to red and b / 110 to green, where they are known.

    Its `features` of a square of 16 pixels are its upper left pixel's gray, and 1 minus that.
    """
    nodes = [
        ("MatMul", ["grayscale", "ones"], ["repeated"]),
        ("Slice", ["known", "starts", "ends", "last"], ["mask"]),
        ("Mul", ["known", "mask"], ["masked"]),
        ("Mul", ["masked", "red_and_green"], ["colours"]),
        ("Resize", ["colours", "", "twice"], ["large"]),
        ("Add", ["repeated", "large"], ["painted"]),
        ("MatMul", ["grayscale", "one_and_minus_one"], ["signed"]),
        ("Add", ["signed", "zero_and_one"], ["pair"]),
        ("Resize", ["pair", "", "sixteenth"], ["features"]),
    ]
    arrays = {
        "ones": np.ones((1, 3), np.float32),
        **{"starts": np.array([2]), "ends": np.array([3]), "last": np.array([3])},
        "red_and_green": np.array([1, 1, 0], np.float32),
        "twice": np.array([1, 2, 2, 1], np.float32),
        "one_and_minus_one": np.array([[1, -1]], np.float32),
        "zero_and_one": np.array([0, 1], np.float32),
        "sixteenth": np.array([1, 1 / 16, 1 / 16, 1], np.float32),
    }
    inputs = {"grayscale": GRAY, "known": RGB}
    outputs = {"painted": RGB, "features": (None, None, None, 2)}
    path = save_onnx(path, nodes, arrays, inputs, outputs)
    model = onnx.load(path)
    for node in model.graph.node:
        if node.op_type == "Resize":
            settings = {
                "mode": "nearest",
                "nearest_mode": "floor",
                "coordinate_transformation_mode": "asymmetric",
            }
            node.attribute.extend(helper.make_attribute(*each) for each in settings.items())
    helper.set_model_props(model, {"working_size": "120"})
    onnx.save(model, path)
    return path


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


def endless_loop():
    """Return a node that never ends where the constant `true` is true."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["goes_on"], ["still"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("still", TensorProto.BOOL, [])],
    )
    return helper.make_node("Loop", ["", "true"], [], body=body)
