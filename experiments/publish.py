"""Publish a run: its generator as shipped weights, its history and metrics as small text files.

    python experiments/publish.py --run outputs/train --name paper_gan \
        --evaluation test=outputs/evaluation --evaluation sample=outputs/evaluation-sample

Reads the folders that train.py and evaluate.py wrote. Writes weights/NAME.keras with its card
weights/NAME.json, and experiments/results/NAME/: history.csv and one SET.json an evaluation. With
--figures-only no weights: the card is experiments/results/NAME/card.json.
"""

import argparse
import csv
import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from colorizer import errors, files
from colorizer.errors import UserError

# What only experiments change, and the value that every run of train.py's command line has.
WITHOUT_FLAG = {"dilations": True, "skips": True}


def read_json(path):
    """Return the content of a JSON file; raises UserError when it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); run train.py and evaluate.py") from error


def read_evaluation(folder) -> dict:
    """Return the metrics that evaluate.py wrote into a folder, as they are published."""
    metrics = read_json(folder / "metrics.json")
    # What is published names the data, not a place on somebody's disk.
    return metrics | {"data": Path(metrics["data"]).name}


def command(settings) -> str:
    """Return the command that trains with these settings; raises UserError if there is none."""
    if any(settings[name] != value for name, value in WITHOUT_FLAG.items()):
        raise UserError("this run is an experiment that no command of train.py repeats")
    words = ["python train.py"]
    for name, value in settings.items():
        if name in WITHOUT_FLAG or value is None or value is False:
            continue
        words.append("--" + name.replace("_", "-") + ("" if value is True else f" {value}"))
    return " ".join(words)


def publish(arguments) -> None:
    """Copy the weights, the history and the metrics, and write the card."""
    config = read_json(arguments.run / "config.json")
    with (arguments.run / "history.csv").open(newline="", encoding="utf-8") as file:
        history = list(csv.DictReader(file))
    evaluations = {}
    for given in arguments.evaluation:
        name, _, folder = given.partition("=")
        evaluations[name] = read_evaluation(Path(folder))

    results = ROOT / "experiments" / "results" / arguments.name
    copy(arguments.run / "history.csv", results / "history.csv")
    for name, metrics in evaluations.items():
        files.write_json(results / f"{name}.json", metrics)
    if arguments.figures_only:
        card_path = results / "card.json"
    else:
        card_path = ROOT / "weights" / f"{arguments.name}.json"
        copy(arguments.run / "generator.keras", card_path.with_suffix(".keras"))
    settings = config["settings"]
    card = {
        "command": command(settings),
        "epochs": len(history),
        "epochs_planned": settings["epochs"],
        "training_seconds": round(sum(float(row["seconds"]) for row in history)),
        "settings": settings,
        "versions": config["versions"],
        "git_commit": config["git_commit"],
        "device": config["device"],
        "metrics": evaluations,
    }
    files.write_json(card_path, card)
    print(f"wrote {card_path} and {results}")


def copy(source, target) -> None:
    """Copy a file, whole or not at all; raises UserError when it cannot be read."""
    try:
        with files.replacing(target) as temporary:
            shutil.copyfile(source, temporary)
    except OSError as error:
        raise UserError(f"{source} cannot be copied ({error})") from error


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
