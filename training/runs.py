"""A run's folder: its settings, history, checkpoints, and the way to stop it.

config.json     every setting, the versions and the commit
history.csv     one row an epoch; losses.png draws it
checkpoints/    epoch-0012.npz, or epoch-0012-step-000034.npz when stopped within the 13th
"""

import contextlib
import csv
import importlib.metadata
import json
import platform
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

from colorizer import files
from colorizer.errors import UserError

import keras
import numpy as np
from matplotlib.figure import Figure

CHECKPOINTS_KEPT = 2
RECORDED_PACKAGES = (
    "tensorflow",
    "keras",
    "jax",
    "numpy",
    "opencv-python-headless",
    "pillow",
    "scikit-image",
    "scipy",
)
DRAWN = ("generator_loss", "discriminator_loss", "test_psnr", "test_ssim")


def write_config(folder, settings, device) -> None:
    """Write config.json: the settings (a dict), the versions, the commit, the device."""
    record = {
        "settings": settings,
        "versions": versions(),
        "git_commit": git_commit(),
        "device": device,
    }
    files.write_json(Path(folder) / "config.json", record)


def read_config(folder) -> dict:
    """Return the settings of the run in `folder`, empty where none was begun.

    Raises UserError when its config.json is not one that `write_config` wrote.
    """
    path = Path(folder) / "config.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))["settings"])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is not the config.json of a run ({error}); name another --output"
        ) from error


def save_checkpoint(folder, variables, epoch, step, totals) -> None:
    """Write a checkpoint, whole or not at all, then delete all but the last two.

    `variables` is a dict of Keras variables by name. `epoch` epochs are finished, and `step` steps
    of the next one, with these sums of losses. Every random draw of a run follows from
    (seed, epoch, step), so this is the random state too.
    """
    arrays = {name: keras.ops.convert_to_numpy(variable) for name, variable in variables.items()}
    name = f"epoch-{epoch:04d}" + (f"-step-{step:06d}" if step else "")
    with files.replacing(Path(folder) / "checkpoints" / f"{name}.npz") as temporary:
        np.savez(temporary, progress=[epoch, step], totals=totals, **arrays)
    for old in checkpoints(folder)[:-CHECKPOINTS_KEPT]:
        old.unlink()


def checkpoints(folder) -> list[Path]:
    """List the checkpoints of a run, the oldest first."""
    return sorted(Path(folder).glob("checkpoints/epoch-*.npz"), key=lambda path: path.stem)


def restore_checkpoint(path, variables):
    """Load a checkpoint into the variables, whole or not at all.

    Returns the finished epochs, the steps of the next one, and its sums of losses.
    Raises UserError when the file is damaged or belongs to other networks.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            content = {name: arrays[name] for name in arrays.files}
        (epoch, step), totals = content.pop("progress"), content.pop("totals")
        shapes = {name: array.shape for name, array in content.items()}
        if shapes != {name: tuple(variable.shape) for name, variable in variables.items()}:
            raise ValueError("it belongs to networks of another shape")
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"the checkpoint {path} cannot be used ({error}); delete it, and the same command "
            "goes on from the one before"
        ) from error
    for name, variable in variables.items():
        variable.assign(content[name])
    return int(epoch), int(step), totals


def read_history(folder, epochs) -> list[dict]:
    """Return the first `epochs` rows of history.csv, all of text; none where there is no file."""
    path = Path(folder) / "history.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))[:epochs]


def write_history(folder, history) -> None:
    """Write the rows (dicts of the same columns) as history.csv, and losses.png, each whole."""
    folder = Path(folder)
    with (
        files.replacing(folder / "history.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, history[0])
        writer.writeheader()
        writer.writerows(history)

    figure = Figure(figsize=(10, 7), layout="constrained")
    epochs = [int(row["epoch"]) for row in history]
    for axes, column in zip(figure.subplots(2, 2).flat, DRAWN, strict=True):
        axes.plot(epochs, [float(row[column]) for row in history], marker=".")
        axes.set(title=column.replace("_", " "), xlabel="epoch")
        axes.grid(alpha=0.3)
    with files.replacing(folder / "losses.png") as temporary:
        figure.savefig(temporary, dpi=100)


@contextlib.contextmanager
def interruption():
    """Turn Ctrl-C and SIGTERM into an answer to ask for; a second one stops at once."""
    received = []

    def receive(number, frame):
        if received:
            raise KeyboardInterrupt
        received.append(number)
        print("\nfinishing this step, then saving (once more to stop at once)", file=sys.stderr)

    before = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def versions() -> dict:
    """Return the version of Python and of every package that can change a result."""
    found = {"python": platform.python_version()}
    for package in RECORDED_PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def git_commit() -> str | None:
    """Return the commit this code is at, with `-dirty` if it was changed, None outside git."""
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        described = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()
