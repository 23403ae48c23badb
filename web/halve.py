"""Networks for the page: chroma as the only output, weights stored as float16."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Numbers in an array that is worth storing as float16. Small arrays decide about whole channels and
# take a fiftieth of the room: with them, the chroma would be off by ten times as much.
SMALLEST = 2000


def for_page(path, output=None) -> bytes:
    """Return an .onnx file with only one of its tensors as output, if one is named, and halved.

    `chroma`, Lab a and b, comes with channels last, whatever the file has.
    """
    model = onnx.load(path)
    if output:
        _cut(model.graph, output)
    _halve(model.graph)
    del model.graph.value_info[:]
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _cut(graph, output) -> None:
    """Leave the nodes that a tensor needs, and that tensor, channels last, as the only output."""
    makers = {name: node for node in graph.node for name in node.output}
    needed, left = set(), [output]
    while left:
        name = left.pop()
        if name not in needed:
            needed.add(name)
            left += _read_by(makers[name]) if name in makers else []
    nodes = [node for node in graph.node if needed.intersection(node.output)]
    weights = [each for each in graph.initializer if each.name in needed]
    if _channels_first(nodes):
        for node in nodes:
            node.output[:] = ["chroma_planes" if name == output else name for name in node.output]
        turn = helper.make_node("Transpose", ["chroma_planes"], [output], perm=[0, 2, 3, 1])
        nodes.append(turn)
    sizes = ["batch", "half_height", "half_width", 2]
    ends = [helper.make_tensor_value_info(output, TensorProto.FLOAT, sizes)]
    for field, kept in (("node", nodes), ("initializer", weights), ("output", ends)):
        del getattr(graph, field)[:]
        getattr(graph, field).extend(kept)


def _read_by(node) -> list:
    """Return the names that a node reads, those in its branches as well."""
    names = list(node.input)
    for attribute in node.attribute:
        for inner in attribute.g.node:
            names += _read_by(inner)
    return names


def _channels_first(nodes) -> bool:
    """Tell whether the last of `nodes` is an If, whose chroma is not yet turned: channels first."""
    return nodes[-1].op_type == "If"


def _halve(graph) -> None:
    """Store large float32 weights as float16, behind a Cast that is folded when it is loaded."""
    casts = []
    for weights in graph.initializer:
        values = numpy_helper.to_array(weights)
        if values.dtype == np.float32 and values.size >= SMALLEST:
            name = weights.name
            half = f"{name}_half"
            weights.CopyFrom(numpy_helper.from_array(values.astype(np.float16), half))
            casts.append(helper.make_node("Cast", [half], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
