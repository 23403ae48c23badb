"""The settings of a training run: their defaults, their flags, and where a run goes on."""

import argparse
import dataclasses
import math
import shlex

from colorizer.errors import UserError
from systems import SYSTEMS
from training import runs


@dataclasses.dataclass(frozen=True)
class Settings:
    """Every setting of a run. Those without a flag of their own are for experiments."""

    system: str = "paper"
    epochs: int = 50  # Paper: "50 epochs".
    data: str = "data"
    output: str = "outputs/train"
    batch_size: int = 64  # Paper: silent. Here: larger is no faster on a CPU.
    learning_rate: float = 2e-4  # Paper: silent. Here: DCGAN's and pix2pix's.
    decay: bool = False  # Paper: silent. Here: the experiment keeps its rate.
    pixel_weight: float = 100  # Paper: silent. Here: pix2pix's weight of the mean absolute error.
    adversarial_weight: float = 1
    adversarial_from: int = 0  # The epoch, from 0, in which the adversary comes in.
    discriminator_updates: int = 1
    # Paper: "Soft & Noisy Labels". Ranges and shares: silent. Here: a photograph is labelled 0.8 to
    # 1.0, a generated picture 0.0 to 0.2 (Salimans et al. 2016), and one label in 20 is flipped.
    label_softness: float = 0.2
    label_flips: float = 0.05
    precision: str = "float32"
    distribute: str | None = None
    seed: int = 0
    encoder_weights: str = "imagenet"
    # Paper: silent. Here: neither, so that the experiment is the paper's.
    flips: bool = False
    crop: int | None = None
    least_colourfulness: float = 0
    dilations: bool = True
    skips: bool = True


def new_settings(given) -> Settings:
    """Return the settings of a new run from the flags given, a dict by their names.

    Raises UserError when the output folder already holds a run.
    """
    settings = Settings(**(system_defaults(given) | given))
    if engine.is_chief() and runs.read_config(settings.output):
        raise UserError(
            f"{settings.output} already holds a run; go on with it: {resume_command(settings)}, "
            "or name another folder with --output"
        )
    return settings


def system_defaults(given) -> dict:
    """Return the defaults of the system that is given, where they differ from the paper's."""
    system = given.get("system", Settings.system)
    output = {} if system == Settings.system else {"output": f"outputs/{system}"}
    return output | SYSTEMS[system].defaults


def resumed_settings(given) -> Settings:
    """Return the settings of the run in the output folder; only the number of epochs may change.

    Raises UserError when there is no run, or a flag given differs from it.
    """
    output = Settings(**(system_defaults(given) | given)).output
    begun = runs.read_config(output)
    if not begun:
        raise UserError(f"{output} holds no run to resume; start one without --resume")
    settings = Settings(**begun)
    for name, value in given.items():
        before = getattr(settings, name)
        if name not in ("epochs", "output") and value != before:
            flag = "--" + name.replace("_", "-")
            raise UserError(
                f"the run in {output} was begun with {flag} {before}, not {value}; leave "
                f"{flag} out to go on with it, or name another --output for a new run"
            )
    return dataclasses.replace(settings, **given)


def resume_command(settings) -> str:
    """Return the command that goes on with a run."""
    return f"python train.py --resume --output {shlex.quote(settings.output)}"


def positive(kind):
    """Return a parser of command-line numbers of `kind` that refuses zero and below."""

    def parse(text):
        value = kind(text)
        if not 0 < value < math.inf:
            raise ValueError
        return value

    parse.__name__ = f"positive {kind.__name__}"
    return parse


def share(text) -> float:
    """Parse a command-line number from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError
    return value


def parse_arguments(argv, description):
    """Return the parsed flags; those not given are absent, so that a resumed run can tell."""
    parser = argparse.ArgumentParser(description=description, argument_default=argparse.SUPPRESS)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter

    def add(flag, kind, text, **more):
        default = getattr(Settings, flag.replace("-", "_"))
        parser.add_argument(f"--{flag}", type=kind, help=f"{text} (default: {default})", **more)

    add("system", str, "which colorizer to train", choices=SYSTEMS)
    add("epochs", positive(int), "passes over the training pictures")
    add("data", str, "folder that prepare_data.py wrote")
    add("output", str, "folder of this run")
    add("batch-size", positive(int), "pictures a step")
    add("learning-rate", positive(float), "Adam's step size, of both networks")
    add("pixel-weight", float, "weight of the pixel loss")
    add("adversarial-weight", float, "weight of the adversarial loss, 0 for no adversary")
    add("discriminator-updates", positive(int), "updates of the discriminator a step")
    add("label-softness", share, "width of the range of soft labels, 0 for hard ones")
    add("label-flips", share, "share of labels flipped, 0 for none")
    add("encoder-weights", str, "of vgg16: imagenet downloads them; else a file, or none")
    add("adversarial-from", int, "epoch, from 0, in which the adversary comes in")
    add("crop", positive(int), "side of a random part of each picture to train on, in pixels")
    add("least-colourfulness", float, "leave out training pictures less colourful than this")
    parser.add_argument("--flips", action="store_true", help="mirror half of the training pictures")
    text = "let the generator's learning rate fall to 0 along a cosine over the epochs"
    parser.add_argument("--decay", action="store_true", help=text)
    text = "gpus of this machine, or workers that TF_CONFIG names: each takes part of the batch"
    add("distribute", str, text, choices=("gpus", "workers"))
    precisions = ("float32", "mixed_bfloat16", "mixed_float16")
    add("precision", str, "numbers the networks compute in", choices=precisions)
    add("seed", int, "decides the first weights, the order of pictures and the labels' noise")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --output")
    return parser.parse_args(argv)
