"""The settings of a training run: their flags, and where a run goes on."""

import argparse
import dataclasses
import math
import shlex

from colorizer.errors import UserError
from training import devices, runs


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What every system is trained with; each system's own settings begin with these."""

    epochs: int
    batch_size: int
    learning_rate: float
    data: str = "data"
    output: str = "outputs/train"
    precision: str = "float32"
    distribute: str | None = None
    seed: int = 0
    # Paper: silent. Here: none is left out, so that the experiment is the paper's.
    least_colourfulness: float = 0

    def parts(self) -> tuple:
        """Return the sides, in pixels, of the parts that steps cut out of pictures, if they do."""
        return ()


def positive(kind):
    """Return a parser of command-line numbers of `kind` that refuses zero and below."""

    def parse(text):
        value = kind(text)
        if not 0 < value < math.inf:
            raise ValueError
        return value

    parse.__name__ = f"positive {kind.__name__}"
    return parse


def seed(text) -> int:
    """Parse --seed."""
    value = int(text)
    if value < 0:
        raise ValueError
    return value


# Setting -> what argparse makes of its flag. Settings without one are for experiments.
FLAGS = {
    "epochs": {"type": positive(int), "help": "passes over the training pictures"},
    "data": {"help": "folder that prepare_data.py wrote"},
    "output": {"help": "folder of this run"},
    "batch_size": {"type": positive(int), "help": "pictures a step"},
    "learning_rate": {"type": positive(float), "help": "the optimizer's rate, at its highest"},
    "discriminator_updates": {
        "type": positive(int),
        "help": "updates of the discriminator a step, the paper's sentence read the other way",
    },
    "start": {"help": "generator.keras of an earlier run, to train on from"},
    "encoder_weights": {"help": "imagenet for those in weights/; else a file of them, or none"},
    "scale": {
        "type": int,
        "choices": (1, 2),
        "help": "times as many pixels a side; 1 restores pictures at their size",
    },
    "damage": {
        "choices": ("photo", "clean"),
        "help": "what happened to the pictures that are enlarged: photo, all that happens to old "
        "prints; clean, nothing but shrinking",
    },
    "precision": {
        "choices": ("float32", "mixed_bfloat16", "mixed_float16"),
        "help": "numbers the networks compute in",
    },
    "distribute": {
        "choices": ("gpus", "workers"),
        "help": "gpus of this machine, or workers that TF_CONFIG names: each takes a part of the "
        "batch, and the update is the same",
    },
    "seed": {
        "type": seed,
        "help": "decides the first weights, the order of pictures and the labels' noise",
    },
}


def parse_arguments(argv, description, systems):
    """Read the command line of train.py.

    `systems` is {name: class of a system}. Returns the class, its settings and whether to resume.
    Raises UserError when a new run would go into the folder of another, there is no run to resume,
    or a flag given differs from the run that is resumed.
    """
    parser = argparse.ArgumentParser(description=description, argument_default=argparse.SUPPRESS)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    text = "which colorizer to train; --help with it shows its own defaults (default: paper)"
    parser.add_argument("--system", choices=systems, help=text)
    first = argparse.ArgumentParser(add_help=False)
    first.add_argument("--system", choices=systems, default="paper")
    defaults = vars(systems[first.parse_known_args(argv)[0].system].Settings())
    for name, flag in FLAGS.items():
        if name in defaults:
            text = f"{flag['help']} (default: {defaults[name]})"
            parser.add_argument("--" + name.replace("_", "-"), **flag | {"help": text})
    parser.add_argument("--resume", action="store_true", help="go on with the run in --output")
    given = vars(parser.parse_args(argv))
    chosen = given.pop("system", None)
    if given.pop("resume", False):
        trained = [systems[chosen]] if chosen else systems.values()
        return *resumed(given.pop("output", defaults["output"]), given, trained), True
    system = systems[chosen or "paper"]
    return system, new(system.Settings(**given)), False


def new(settings) -> Settings:
    """Return the settings of a new run; raises UserError when its folder already holds one."""
    if devices.is_chief() and runs.read_config(settings.output):
        raise UserError(
            f"{settings.output} already holds a run; go on with it: {resume_command(settings)}, "
            "or name another folder with --output"
        )
    return settings


def resumed(output, given, systems):
    """Return the class of the system and the settings of the run in `output`, with those `given`.

    `fit` refuses what differs from how the run was begun. Raises UserError when there is no run,
    or it trains none of the `systems`, or a setting is none of that system's.
    """
    begun = runs.read_config(output)
    if not begun:
        raise UserError(f"{output} holds no run to resume; start one without --resume")
    known = {runs.name_of(system): system for system in systems}
    if begun["system"] not in known:
        raise UserError(
            f"the run in {output} trains {begun['system']}, which is none of "
            f"{', '.join(known)}; go on with it by the command that began it"
        )
    system = known[begun["system"]]
    settings = begun["settings"] | given | {"output": str(output)}
    unknown = settings.keys() - {field.name for field in dataclasses.fields(system.Settings)}
    if unknown:
        raise UserError(
            f"{begun['system']}, which the run in {output} trains, has no setting "
            f"{', '.join(sorted(unknown))}; leave it out, or start another run with --output"
        )
    for name, default in dataclasses.asdict(system.Settings()).items():
        value = settings.get(name, default)
        if isinstance(default, int | float) and not isinstance(value, int | float):
            raise UserError(
                f"the config.json of the run in {output} has {name} {value!r}, which is no number; "
                "put it back as it was, or start another run with --output"
            )
    return system, system.Settings(**settings)


def resume_command(settings) -> str:
    """Return the command that goes on with a run of train.py."""
    return f"python train.py --resume --output {shlex.quote(settings.output)}"
