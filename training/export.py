"""A generator as a .keras file, and as an .onnx file, which colorize.py runs without Keras.

    python -m training.export weights/semantic.keras ...

writes the .onnx file beside each .keras file. Both say which size the generator wants to see of a
photograph: `working_size`, the side of a square in pixels, is in the properties of the .onnx file,
and in JSON in the comment of the .keras archive.
"""

import argparse
import json
import sys
import warnings
import zipfile
from pathlib import Path

from colorizer import errors
from colorizer.files import atomic
from colorizer.network import FEATURE_LAYER, load_network
from training import folding, steps

import keras
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# The names of the sizes that are open, so that a file says what it takes.
AXES = ("batch", "height", "width")
HALF = ("batch", "half_height", "half_width")
AXES_OF = {
    "known": HALF,
    "chroma": HALF,
    "features": ("batch", "rows", "columns"),
    "luminance": ("batch", "enlarged_height", "enlarged_width"),
}
# Numbers in an array that is worth storing as float16. Small arrays decide about whole channels and
# take a fiftieth of the room: with them, the chroma would be off by ten times as much.
SMALLEST_HALVED = 2000


def write_keras(generator, path, working_size=None) -> None:
    """Write a generator as a .keras file, whole or not at all; `working_size` stands in it."""
    with atomic.replacing(path) as temporary:
        generator.save(temporary)
        if working_size:
            with zipfile.ZipFile(temporary, "a") as archive:
                archive.comment = json.dumps({"working_size": working_size}).encode()


def write_onnx(generator, path, working_size=None) -> None:
    """Write a generator as an .onnx file, whole or not at all.

    `generator` maps grayscale (B, H, W, 1) float32 in [0, 1], and `known` (B, H/2, W/2, 3) if it
    has that input, to RGB (B, H, W, 3), the output `rgb`, or to `luminance` if it has one channel.
    Of one that paints by chroma, as `folding` says, the file gives `chroma` (B, H/2, W/2, 2), Lab a
    and b, of pictures whose sides are multiples of 32, and computes what corrects it only where
    anything is known. The large weights of it and of `luminance` are float16. What comes out of a
    layer FEATURE_LAYER is a second output, `features`, by which places are found that look alike.
    `working_size` stands in the file, where it is given.
    """
    names = {layer.name for layer in generator.layers}
    by_chroma = names.issuperset(folding.LAYERS)
    if by_chroma:
        outputs, generator = ("chroma", "features"), folding.for_use(generator)
    elif FEATURE_LAYER in names:
        marked = generator.get_layer(FEATURE_LAYER).output
        outputs = ("rgb", "features")
        generator = keras.Model(generator.inputs, [generator.output, marked])
    else:
        outputs = ("luminance",) if generator.outputs[0].shape[-1] == 1 else ("rgb",)
    with atomic.replacing(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy's names that tf2onnx asks for
        # Keras exports what has been called.
        steps.paint(generator, np.zeros((1, 32, 32, 1), np.float32))
        generator.export(temporary, format="onnx", verbose=False)
        model = onnx.load(temporary)
        if by_chroma:
            double_by_constants(model.graph)
            skip_correction(model.graph)
        if by_chroma or outputs == ("luminance",):
            halve_weights(model.graph)
        name_ends(model.graph, outputs)
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

    The first output of `graph` is a copy of what is corrected, the last, which it loses, of what is
    painted alone.
    """
    makers = {name: node for node in graph.node for name in node.output}
    # Both are copied, or turned to channels last, in the same way.
    corrected = makers[graph.output[0].name].input[0]
    alone = makers[graph.output.pop().name].input[0]
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
            "If", ["anything_known"], ["chroma_planes"], then_branch=correct, else_branch=leave
        ),
    ]
    nodes = []
    for node in graph.node:
        if node.output[0] == corrected:
            nodes += choice
        elif node.output[0] in always:
            nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
    for node in nodes:
        node.input[:] = ["chroma_planes" if name == corrected else name for name in node.input]
    del graph.node[:]
    graph.node.extend(nodes)


def double_by_constants(graph) -> None:
    """Let every Resize of a graph, all of which are `folding.Doubled`, double by a constant.

    Only then does ONNX Runtime keep the layout in which it convolves.
    """
    given = set()
    for node in graph.node:
        if node.op_type == "Resize":
            given.update(node.input[1:])
            node.input[:] = [node.input[0], "", "doubled"]
    for constant in [each for each in graph.initializer if each.name in given]:
        graph.initializer.remove(constant)
    graph.initializer.append(numpy_helper.from_array(np.float32([1, 1, 2, 2]), "doubled"))


def halve_weights(graph) -> None:
    """Store large float32 weights as float16, behind a Cast that is folded when they are loaded."""
    casts = []
    for weights in graph.initializer:
        values = numpy_helper.to_array(weights)
        if values.dtype == np.float32 and values.size >= SMALLEST_HALVED:
            name, half = weights.name, f"{weights.name}_half"
            weights.CopyFrom(numpy_helper.from_array(values.astype(np.float16), half))
            casts.append(helper.make_node("Cast", [half], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def name_ends(graph, outputs) -> None:
    """Name the ends of a converted model, and the open sizes of its inputs and outputs."""
    renamed = dict(zip([each.name for each in graph.output], outputs, strict=True))
    (gray,) = (each.name for each in graph.input if each.name != "known")
    renamed[gray] = "grayscale"
    for node in graph.node:
        node.output[:] = [renamed.get(name, name) for name in node.output]
        node.input[:] = [renamed.get(name, name) for name in node.input]
    for end in (*graph.input, *graph.output):
        end.name = renamed.get(end.name, end.name)
        names = AXES_OF.get(end.name, AXES)
        for axis, name in zip(end.type.tensor_type.shape.dim, names, strict=False):
            axis.dim_param = name


def write_beside(path) -> None:
    """Write the .onnx file of a .keras file beside it, with the same name; raises UserError."""
    generator = keras.saving.load_model(path, compile=False)
    colorizes = generator.output_shape[-1] > 1
    size = load_network(path).working_size if colorizes else None
    write_onnx(generator, path.with_suffix(".onnx"), size)
    print(f"wrote {path.with_suffix('.onnx')}")


def export(arguments) -> None:
    """Write the .onnx file beside each .keras file."""
    for path in arguments.files:
        write_beside(path)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help=".keras files")
    return errors.run(export, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
