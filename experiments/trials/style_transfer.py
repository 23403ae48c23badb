"""Paint a gray picture in the style of a print, and compare the optimizers that can do it.

    python experiments/trials/style_transfer.py samples/palace.jpg experiments/trials/great_wave.jpg

Reads two pictures and outputs/vgg16.keras, which ../converters/convert_vgg16.py makes. From the
content in gray, SGD, Adam and L-BFGS each lower the same loss with the same number of gradients,
with the style's weight constant and lowered on the way; --optimizers and --style-weights leave some
out. Writes outputs/style_transfer/: a PNG each, losses.csv, losses.png, sheet.jpg and figures.json,
and prints a row each.

Source: Gatys, Ecker & Bethge 2016; for ukiyo-e Nguyen, Thawonmas et al. 2016 (JADH, P-14), who
compare layers, weights and optimizers. Their numbers were not found: those here are the defaults of
the Torch program neural-style, which is of that time.
"""

import argparse
import csv
import functools
import math
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from colorizer import chroma, errors
from colorizer.errors import UserError
from colorizer.files import atomic, photos
from colorizer.pixels import grayscale, resize, to_unit
from colorizer.progress import Progress
from pictures import metrics, record
from systems import vgg16

import keras
import numpy as np
import scipy.optimize
import tensorflow as tf
from keras import layers, ops
from matplotlib.figure import Figure

CONTENT_LAYER = "block4_conv2"
STYLE_LAYERS = tuple(f"block{block}_conv1" for block in range(1, 6))
CONTENT_WEIGHT, STYLE_WEIGHT, VARIATION_WEIGHT = 5, 100, 1e-3
# Source: Nguyen et al. lower it as iterations go; how was not found. Here: in ten equal stages down
# to a tenth. Each optimizer starts anew in each, because what it remembers is of another loss.
STAGES = 10
LOWEST = 0.1

# In levels (0..255). Adam's is neural-style's, SGD's momentum the usual one.
ADAM_RATE = 10.0
SGD_MOMENTUM = 0.9

OPTIMIZERS = ("SGD", "Adam", "L-BFGS")


def gram(features):
    """Return the Gram matrix (C, C) of features (1, H, W, C), divided by H W C.

    Source: Gatys et al. 2016, with the divisor of neural-style, to which its weights belong; Nguyen
    et al. divide by H W.
    """
    flat = ops.reshape(features, (-1, features.shape[-1]))
    return ops.matmul(ops.transpose(flat), flat) / ops.cast(ops.size(flat), flat.dtype)


def content_loss(features, target):
    """Return the mean squared difference of features from the content's."""
    return ops.mean(ops.square(features - target))


def style_loss(features, targets):
    """Return the sum over layers of the mean squared difference of Gram matrices from `targets`."""
    return sum(
        ops.mean(ops.square(gram(layer) - target))
        for layer, target in zip(features, targets, strict=True)
    )


def total_variation(picture):
    """Return half the sum of squared differences of neighbours in (1, H, W, C)."""
    down = picture[:, 1:] - picture[:, :-1]
    right = picture[:, :, 1:] - picture[:, :, :-1]
    return (ops.sum(ops.square(down)) + ops.sum(ops.square(right))) / 2


def load_encoder(path):
    """Return VGG-16 as a model from RGB (1, H, W, 3) in 0..255 to the maps that the losses need.

    The content's map comes first, then those of the style. Raises UserError when it cannot be had.
    """
    levels = layers.Input((None, None, 3))
    encoder = vgg16.vgg16(levels / 255, None)
    vgg16.load(encoder, path, last=STYLE_LAYERS[-1])
    maps = [encoder.get_layer(name).output for name in (CONTENT_LAYER, *STYLE_LAYERS)]
    return keras.Model(levels, maps)


class Objective:
    """The loss of a picture and its gradient, for content and style float32 (1, H, W, 3), 0..255.

    `losses` has a row for each gradient that was asked for: content, style and variation, weighted.
    Raises UserError when they are not finite.
    """

    def __init__(self, encoder, content, style):
        self.encoder = encoder
        self.content_target = encoder(content)[0]
        self.style_targets = [gram(layer) for layer in encoder(style)[1:]]
        self.losses = []

    def parts(self, picture):
        """Return the weighted losses of content, style and variation, float32 (3,)."""
        content, *style = self.encoder(picture)
        return ops.stack(
            [
                CONTENT_WEIGHT * content_loss(content, self.content_target),
                STYLE_WEIGHT * style_loss(style, self.style_targets),
                VARIATION_WEIGHT * total_variation(picture),
            ]
        )

    @tf.function
    def _gradient(self, picture, style_share):
        with tf.GradientTape() as tape:
            tape.watch(picture)
            parts = self.parts(picture)
            loss = ops.sum(parts * ops.stack([1.0, style_share, 1.0]))
        return loss, tape.gradient(loss, picture), parts

    def gradient(self, picture, style_share=1.0):
        """Return the loss, a float, and its gradient, float32 of the shape of `picture`.

        `style_share` multiplies the style's weight.
        """
        given = [tf.constant(value, tf.float32) for value in (picture, style_share)]
        loss, gradient, parts = self._gradient(*given)
        self.losses.append(parts.numpy())
        if not np.isfinite(loss):
            raise UserError(
                f"the loss is {loss:g} at gradient {len(self.losses)}; give a lower --sgd-rate"
            )
        return float(loss), gradient.numpy()


def sgd(gradient, picture, steps, rate):
    """Take `steps` steps of gradient descent with momentum; return the picture."""
    return by_keras(keras.optimizers.SGD(rate, SGD_MOMENTUM), gradient, picture, steps)


def adam(gradient, picture, steps):
    """Take `steps` steps of Adam; return the picture."""
    return by_keras(keras.optimizers.Adam(ADAM_RATE), gradient, picture, steps)


def by_keras(optimizer, gradient, picture, steps):
    """Take `steps` steps with a Keras optimizer; return the picture."""
    variable = keras.Variable(picture)
    for _ in range(steps):
        _, found = gradient(variable.numpy())
        optimizer.apply([ops.convert_to_tensor(found)], [variable])
    return variable.numpy()


class UsedUp(Exception):
    """As many gradients as L-BFGS may ask for are computed."""


def lbfgs(gradient, picture, steps):
    """Go down by SciPy's L-BFGS with `steps` gradients; return the last picture that it accepted.

    Its line search gives up where float32 shows no descent; then it begins anew from there, until
    the gradients are used up or it does not move.
    """
    reached, used = picture, 0

    def flat_gradient(flat):
        nonlocal used
        if used == steps:
            raise UsedUp
        used += 1
        loss, found = gradient(flat.reshape(picture.shape).astype(np.float32))
        return loss, found.astype(np.float64).ravel()

    def accept(flat):
        nonlocal reached
        reached = flat.reshape(picture.shape).astype(np.float32)

    options = {"maxiter": steps, "maxfun": steps, "ftol": 0, "gtol": 0}
    before = None
    while reached is not before:
        before = reached
        try:
            scipy.optimize.minimize(
                flat_gradient,
                reached.astype(np.float64).ravel(),
                jac=True,
                method="L-BFGS-B",
                callback=accept,
                options=options,
            )
        except UsedUp:
            break
    return reached


STYLE_SHARES = {"constant": [1.0], "lowered": np.linspace(1, LOWEST, STAGES).tolist()}


def transfer(objective, optimizer, shares, picture, evaluations):
    """Lower the loss from a picture, float32 (1, H, W, 3) in 0..255; return where it ends.

    `optimizer` is a function like `adam`, `shares` the factors on the style's weight, one a stage
    of the `evaluations` gradients.
    """
    with Progress(total=evaluations, desc="painting", unit=" gradients") as bar:
        for stage, share in enumerate(shares, start=1):

            def gradient(picture, share=share):
                bar.update(1)
                return objective.gradient(picture, share)

            steps = evaluations * stage // len(shares) - len(objective.losses)
            picture = optimizer(gradient, picture, steps)
    return picture


def read(path, size):
    """Read a picture with `size` pixels on its longer side: uint8 (H, W, 3)."""
    try:
        rgb = photos.read_rgb(path)
    except photos.PhotographError as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    height, width = (max(16, round(size * side / max(rgb.shape[:2]))) for side in rgb.shape[:2])
    return resize(rgb, height, width)


def with_luminance(gray, rgb):
    """Return the chroma of RGB with the luminance of gray (H, W, 1), both uint8: (H, W, 3)."""
    return chroma.add_chroma(gray, gray, chroma.chroma_of(to_unit(rgb)))


def run(arguments) -> None:
    """Paint the content with each optimizer and each style weight; write and print the results."""
    for flag, least in (("size", 32), ("evaluations", STAGES)):
        if getattr(arguments, flag) < least:
            raise UserError(f"--{flag} is {getattr(arguments, flag)}, give {least} or more")
    truth, style = (read(path, arguments.size) for path in (arguments.content, arguments.style))
    gray = grayscale(truth)
    encoder = load_encoder(arguments.encoder)
    content, wanted = (np.float32(rgb)[None] for rgb in (gray.repeat(3, axis=-1), style))
    arguments.output.mkdir(parents=True, exist_ok=True)
    optimizers = {
        "SGD": functools.partial(sgd, rate=arguments.sgd_rate),
        "Adam": adam,
        "L-BFGS": lbfgs,
    }
    results, losses, pictures = {}, {}, {"content": gray.repeat(3, axis=-1), "style": style}
    for label in arguments.optimizers:
        for weight in arguments.style_weights:
            optimizer, shares = optimizers[label], STYLE_SHARES[weight]
            name = f"{label}, {weight}"
            print(f"{name}:")
            objective = Objective(encoder, content, wanted)
            started = time.monotonic()
            picture = transfer(objective, optimizer, shares, content, arguments.evaluations)
            seconds = time.monotonic() - started
            end = objective.parts(tf.constant(picture)).numpy().tolist()
            rgb = np.rint(np.clip(picture[0], 0, 255)).astype(np.uint8)
            if arguments.keep_luminance:
                rgb = with_luminance(gray, rgb)
            photos.write_png(arguments.output / f"{label.lower()}_{weight}.png", rgb)
            losses[name], pictures[name] = np.array(objective.losses), rgb
            results[name] = {
                "loss": sum(end),
                "content": end[0],
                "style": end[1],
                "variation": end[2],
                "colourfulness": metrics.colourfulness(rgb),
                "gradients": len(objective.losses),
                "seconds_a_gradient": seconds / len(objective.losses),
            }
    write(arguments, pictures, losses, results)
    print(table(results))
    print(f"pictures and losses are in {arguments.output}")


def table(results) -> str:
    """Return the Markdown table of the results, the style at its full weight in every row."""
    lines = [
        "| optimizer, style weight | loss at the end | of content | of style | colourfulness |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, row in results.items():
        lines.append(
            f"| {name} | {row['loss']:,.0f} | {row['content']:,.0f} | {row['style']:,.0f} "
            f"| {row['colourfulness']:.1f} |"
        )
    return "\n".join(lines)


def write(arguments, pictures, losses, results) -> None:
    """Write losses.csv, losses.png, sheet.jpg and figures.json."""
    folder = arguments.output
    with open(folder / "losses.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["run", "gradient", "content", "style", "variation"])
        for name, rows in losses.items():
            writer.writerows([name, n, *row] for n, row in enumerate(rows.tolist(), start=1))
    draw_losses(losses, folder / "losses.png")
    draw_sheet(pictures, folder / "sheet.jpg")
    figures = {
        "content": arguments.content.name,
        "style": arguments.style.name,
        "size": arguments.size,
        "evaluations": arguments.evaluations,
        "sgd_rate": arguments.sgd_rate,
        "keep_luminance": arguments.keep_luminance,
        "results": results,
        "versions": record.versions(),
    }
    atomic.write_json(folder / "figures.json", figures)


def draw_losses(losses, path) -> None:
    """Draw each run's loss, the style at its full weight, over its gradients."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name, rows in losses.items():
        number = OPTIMIZERS.index(name.split(",")[0])
        line = "-" if name.endswith("constant") else "--"
        total = np.minimum.accumulate(rows.sum(axis=1))
        axes.plot(np.arange(1, len(total) + 1), total, line, color=f"C{number}", label=name)
    axes.set(xscale="log", yscale="log", xlabel="gradients", ylabel="lowest loss so far")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)


def draw_sheet(pictures, path) -> None:
    """Draw content, style and results beside each other, each under its name."""
    columns = min(4, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    figure = Figure(figsize=(3 * columns, 3.1 * rows), layout="constrained")
    for place, (name, rgb) in enumerate(pictures.items(), start=1):
        axes = figure.add_subplot(rows, columns, place)
        axes.imshow(rgb)
        axes.set_title(name, fontsize=9)
        axes.axis("off")
    figure.savefig(path, dpi=100)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("content", type=Path, help="the picture to paint, taken in gray")
    parser.add_argument("style", type=Path, help="the print to paint it like")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("outputs/style_transfer"),
        help="folder to write (default: %(default)s)",
    )
    parser.add_argument(
        "--size", type=int, default=256, help="pixels on the longer side (default: %(default)s)"
    )
    parser.add_argument(
        "--evaluations",
        type=int,
        default=1000,
        help="gradients that each optimizer may compute (default: %(default)s)",
    )
    parser.add_argument(
        "--optimizers",
        nargs="+",
        choices=OPTIMIZERS,
        default=OPTIMIZERS,
        metavar="NAME",
        help=f"which of {', '.join(OPTIMIZERS)} (default: all)",
    )
    parser.add_argument(
        "--style-weights",
        nargs="+",
        choices=STYLE_SHARES,
        default=list(STYLE_SHARES),
        metavar="NAME",
        help=f"which of {', '.join(STYLE_SHARES)} (default: both)",
    )
    parser.add_argument(
        "--sgd-rate",
        type=float,
        # Source: not found. Here: what goes down fastest on samples/palace.jpg at 128 pixels, of
        # 0.003, 0.01, 0.03, 0.1 (which goes up). Larger pictures bear a higher one.
        default=0.03,
        help="levels that SGD moves a pixel by for a gradient of 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--keep-luminance", action="store_true", help="take only the chroma from what was painted"
    )
    parser.add_argument(
        "--encoder",
        type=Path,
        default=Path("outputs/vgg16.keras"),
        help="all five blocks of VGG-16 (default: %(default)s)",
    )
    return errors.run(run, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
