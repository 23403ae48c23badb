"""What the experiments publish below results/, from what runs and evaluations wrote."""

import json
import shutil
from pathlib import Path

from colorizer.errors import UserError
from colorizer.files import atomic

RESULTS = Path(__file__).resolve().parents[1] / "results"


def read_evaluation(folder) -> dict:
    """Return the metrics that evaluate.py wrote into a folder, as they are published.

    Raises UserError when they cannot be read.
    """
    path = Path(folder) / "metrics.json"
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); run evaluate.py") from error
    # What is published names the data, not a place on somebody's disk.
    return metrics | {"data": Path(metrics["data"]).name}


def copy(source, target) -> None:
    """Copy a file, whole or not at all; raises UserError when it cannot be read."""
    try:
        with atomic.replacing(target) as temporary:
            shutil.copyfile(source, temporary)
    except OSError as error:
        raise UserError(f"{source} cannot be copied ({error})") from error
