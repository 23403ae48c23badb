"""Average two networks of one kind, weight by weight: a run, and what it went on from.

    python experiments/trials/average.py outputs/longer weights/semantic.keras outputs/averaged

Reads the folder of a run of train.py and a .keras file of the same layers. Writes another folder of
the same run, with the averaged generator.keras; config.json says of what it is made, and publish.py
publishes it. What both have learned stays, and less of what only the longer training has forgotten
is lost.

Source: Wortsman et al. 2022, Robust fine-tuning of zero-shot models.
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from colorizer import errors
from colorizer.errors import UserError
from colorizer.files import atomic
from colorizer.network import load_network
from experiments.measures import records
from training import export, runs

import keras


def average(generator, other, share) -> None:
    """Move each weight of a generator to that of another by 1 - `share`; raises UserError."""
    others = {layer.name: layer.get_weights() for layer in other.layers}
    for layer in generator.layers:
        own, theirs = layer.get_weights(), others.get(layer.name, [])
        if [each.shape for each in own] != [each.shape for each in theirs]:
            raise UserError(f"the two are of different kinds: {layer.name} differs")
        mixed = [share * a + (1 - share) * b for a, b in zip(own, theirs, strict=True)]
        layer.set_weights(mixed)


def run(arguments) -> None:
    """Write the averaged run that the command line describes."""
    config, own = runs.read_config(arguments.run), arguments.run / "generator.keras"
    if not config or not own.is_file():
        raise UserError(f"{arguments.run} holds no finished run; give the folder of train.py")
    generator, other = (
        keras.saving.load_model(path, compile=False) for path in (own, arguments.other)
    )
    average(generator, other, arguments.share)
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "generator.keras"
    export.write_keras(generator, path, load_network(own).working_size)
    records.copy(arguments.run / "history.csv", arguments.output / "history.csv")
    made = {"share": arguments.share, "other": arguments.other.name}
    atomic.write_json(arguments.output / "config.json", config | {"averaged": made})
    export.write_beside(path)
    print(json.dumps(made))


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path, help="folder that train.py wrote")
    parser.add_argument("other", type=Path, help="a .keras file of the same layers")
    parser.add_argument("output", type=Path, help="folder to write")
    parser.add_argument(
        "--share", type=float, default=0.5, help="of the run's weights (default %(default)s)"
    )
    return errors.run(run, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
