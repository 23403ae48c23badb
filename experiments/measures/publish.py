"""Publish a run: its generator as shipped weights, its history and metrics as small text files.

    python experiments/measures/publish.py --run outputs/train --name paper_gan \
        --evaluation test=outputs/evaluation --evaluation sample=outputs/evaluation-sample

Reads the folders that train.py and evaluate.py wrote. Writes weights/NAME.keras and, made of it,
weights/NAME.onnx with their card weights/NAME.json, and experiments/results/NAME/: history.csv and
one SET.json an evaluation. With --figures-only no weights: the card is
experiments/results/NAME/card.json.
"""

import argparse
import csv
import shlex
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import train
from colorizer import errors
from colorizer.errors import UserError
from colorizer.files import atomic
from experiments.measures import records
from experiments.trials import recipes
from pictures import dataset
from training import export, runs
from training.settings import FLAGS


def command(config) -> str:
    """Return the command that repeats a run: train.py's, or else the experiment's.

    `config` is what its config.json holds. Raises UserError when there is none.
    """
    system, settings = config["system"], config["settings"]
    for name, known in train.SYSTEMS.items():
        if system == runs.name_of(known) and not differences(settings, known.Settings()) - {*FLAGS}:
            given = {flag: settings.get(flag) for flag in FLAGS if settings.get(flag) is not None}
            words = [(f"--{flag.replace('_', '-')}", str(value)) for flag, value in given.items()]
            return shlex.join(["python", "train.py", "--system", name, *sum(words, ())])
    for group, variants in recipes.GROUPS.items():
        for name, (known, variant) in variants.items():
            if system == runs.name_of(known) and differences(settings, variant) <= {"output"}:
                return f"python experiments/trials/variants.py {group}  # {name}"
    raise UserError(f"no command of train.py and no variant repeats this run of {system}")


def averaging(config) -> str:
    """Return what is to be run then, where a run was averaged with what it went on from."""
    if "averaged" not in config:
        return ""
    folder, averaged = config["settings"]["output"], config["averaged"]
    words = ["python", "experiments/trials/average.py", folder, f"weights/{averaged['other']}"]
    words += [f"{folder}-averaged", "--share", str(averaged["share"])]
    return f" && {shlex.join(words)}"


def differences(recorded, settings) -> set:
    """Return the names of the settings that differ from those in a config.json."""
    others = runs.as_recorded(settings)
    return {name for name in recorded | others if recorded.get(name) != others.get(name)}


def pictures_of(data) -> dict:
    """Return how many training pictures prepared data have of each class, as far as it is there."""
    path = Path(data) / "manifest.json"
    if not path.exists():
        return {}
    shards = dataset.read_manifest(path.parent)["splits"]["train"]["shards"]
    counts = Counter(Path(row).parent.name for shard in shards for row in shard["rows"])
    return dict(sorted(counts.items()))


def publish(arguments) -> None:
    """Copy the weights, the history and the metrics, and write the card."""
    config = runs.read_config(arguments.run)
    if not config:
        raise UserError(f"{arguments.run} holds no run; give the folder that train.py wrote")
    with (arguments.run / "history.csv").open(newline="", encoding="utf-8") as file:
        history = list(csv.DictReader(file))
    evaluations = {}
    for given in arguments.evaluation:
        name, _, folder = given.partition("=")
        evaluations[name] = records.read_evaluation(folder)
    card = {
        "command": command(config) + averaging(config),
        "epochs": len(history),
        "epochs_planned": config["settings"]["epochs"],
        "training_seconds": round(sum(float(row["seconds"]) for row in history)),
        **config,
        "pictures": pictures_of(config["settings"]["data"]),
        "metrics": evaluations,
    }

    results = records.RESULTS / arguments.name
    if arguments.figures_only:
        card_path = results / "card.json"
    else:
        card_path = ROOT / "weights" / f"{arguments.name}.json"
        weights = card_path.with_suffix(".keras")
        records.copy(arguments.run / "generator.keras", weights)
        export.write_beside(weights)
    records.copy(arguments.run / "history.csv", results / "history.csv")
    for name, metrics in evaluations.items():
        atomic.write_json(results / f"{name}.json", metrics)
    atomic.write_json(card_path, card)
    print(f"wrote {card_path} and {results}")


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--run", type=Path, required=True, help="folder that train.py wrote")
    parser.add_argument("--name", required=True, help="name of the weights")
    parser.add_argument(
        "--evaluation",
        action="append",
        default=[],
        metavar="SET=FOLDER",
        help="a name and the folder that evaluate.py wrote, as often as there are test sets",
    )
    parser.add_argument("--figures-only", action="store_true", help="leave weights/ as it is")
    return errors.run(publish, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
