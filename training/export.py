"""A generator as a .keras file, and as an .onnx file, which colorize.py runs without Keras.

Both say which size the generator wants to see of a photograph: `working_size`, the side of a square
in pixels, is in the properties of the .onnx file, and in JSON in the comment of the .keras archive.
"""

import json
import warnings
import zipfile

from colorizer.files import atomic
from colorizer.network import FEATURE_LAYER
from training import steps

import keras
import numpy as np
import onnx
from onnx import TensorProto, helper

# The names of the sizes that are open, so that a file says what it takes.
AXES = ("batch", "height", "width")
AXES_OF = {
    "known": ("batch", "half_height", "half_width"),
    "features": ("batch", "rows", "columns"),
    "luminance": ("batch", "enlarged_height", "enlarged_width"),
}
OUTPUTS = ("rgb", "features")
# The layers of a generator whose second input corrects what it paints alone: that, and corrected.
ALONE, CORRECTED = "vivid", "prediction"


def write_keras(generator, path, working_size=None) -> None:
    """Write a generator as a .keras file, whole or not at all; `working_size` stands in it."""
    with atomic.replacing(path) as temporary:
        generator.save(temporary)
        if working_size:
            with zipfile.ZipFile(temporary, "a") as archive:
                archive.comment = json.dumps({"working_size": working_size}).encode()


def write_onnx(generator, path, working_size=None) -> None:
    """Write a generator as an .onnx file, whole or not at all; its output is called `rgb`.

    That of one that answers with one channel is called `luminance`.

    `generator` maps grayscale (B, H, W, 1) float32 in [0, 1], and `known` (B, H/2, W/2, 3) if it
    has that input, to RGB (B, H, W, 3). If it has a layer FEATURE_LAYER, what comes out of that is
    a second output, `features`, by which places are found that look alike. If it has the layers
    ALONE and CORRECTED, the file computes what lies between them only where anything is known.
    `working_size` stands in the file, where it is given.
    """
    names = [layer.name for layer in generator.layers]
    marks = [FEATURE_LAYER, ALONE, CORRECTED] if {ALONE, CORRECTED} <= {*names} else [FEATURE_LAYER]
    marked = [generator.get_layer(name).output for name in marks if name in names]
    if marked:
        generator = keras.Model(generator.inputs, [generator.output, *marked])
    with atomic.replacing(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy's names that tf2onnx asks for
        # Keras exports what has been called.
        steps.paint(generator, np.zeros((1, 32, 32, 1), np.float32))
        generator.export(temporary, format="onnx", verbose=False)
        model = onnx.load(temporary)
        if ALONE in marks:
            skip_correction(model.graph)
        gray = generator.outputs[0].shape[-1] == 1
        name_ends(model.graph, ("luminance",) if gray else OUTPUTS)
        if working_size:
            helper.set_model_props(model, {"working_size": str(working_size)})
        onnx.checker.check_model(model)
        onnx.save(model, temporary)


def nodes_for(graph, ends, given=()) -> set:
    """Return which nodes of a graph, by their first outputs, the tensors `ends` are computed by.

    The tensors `given` need no nodes.
    """
    makers = {name: node for node in graph.node for name in node.output}
    found, left = set(), [*ends]
    while left:
        name = left.pop()
        node = None if name in given else makers.get(name)
        if node and node.output[0] not in found:
            found.add(node.output[0])
            left += node.input
    return found


def skip_correction(graph) -> None:
    """Put what only the correction needs into a branch, which runs where anything is known.

    The last two outputs of `graph`, which it loses, are copies of what is painted alone and of that
    corrected.
    """
    makers = {name: node for node in graph.node for name in node.output}
    # Both are copied, or turned to channels last, in the same way.
    corrected, alone = (makers[graph.output.pop().name].input[0] for _ in range(2))
    ends = [output.name for output in graph.output]
    always = nodes_for(graph, [*ends, alone], given=[corrected])
    correction = nodes_for(graph, [corrected]) - always
    correct = [node for node in graph.node if node.output[0] in correction]
    leave = [helper.make_node("Identity", [alone], ["painted_alone"])]
    correct, leave = (
        helper.make_graph(
            nodes, name, [], [helper.make_empty_tensor_value_info(nodes[-1].output[0])]
        )
        for nodes, name in ((correct, "correct"), (leave, "leave"))
    )
    choice = [
        helper.make_node("Abs", ["known"], ["known_size"]),
        helper.make_node("ReduceMax", ["known_size"], ["most_known"], keepdims=0),
        helper.make_node("Cast", ["most_known"], ["anything_known"], to=TensorProto.BOOL),
        helper.make_node(
            "If", ["anything_known"], ["chroma"], then_branch=correct, else_branch=leave
        ),
    ]
    nodes = []
    for node in graph.node:
        if node.output[0] == corrected:
            nodes += choice
        elif node.output[0] in always:
            nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
    for node in nodes:
        node.input[:] = ["chroma" if name == corrected else name for name in node.input]
    del graph.node[:]
    graph.node.extend(nodes)


def name_ends(graph, outputs) -> None:
    """Name the outputs of a converted model and the open sizes of its inputs and outputs."""
    renamed = dict(zip([each.name for each in graph.output], outputs, strict=False))
    for node in graph.node:
        node.output[:] = [renamed.get(name, name) for name in node.output]
        node.input[:] = [renamed.get(name, name) for name in node.input]
    for output in graph.output:
        output.name = renamed[output.name]
    for end in (*graph.input, *graph.output):
        names = AXES_OF.get(end.name, AXES)
        for axis, name in zip(end.type.tensor_type.shape.dim, names, strict=False):
            axis.dim_param = name
