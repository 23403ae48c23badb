"""A run's folder: its settings, history, checkpoints, and the way to stop it.

config.json     the system, every setting, the versions and the commit
history.csv     one row an epoch; losses.png draws it
checkpoints/    the last two, as tf.train.CheckpointManager writes them
"""

import contextlib
import csv
import dataclasses
import json
import signal
import sys
from pathlib import Path

from colorizer.errors import UserError
from colorizer.files import atomic
from pictures import record
from training import devices

import tensorflow as tf
from matplotlib.figure import Figure

CHECKPOINTS_KEPT = 2
DRAWN = ("generator_loss", "discriminator_loss", "test_psnr", "test_ssim")


def name_of(system) -> str:
    """Return the name of a system's class with its module's, as in train.PaperGAN."""
    module = system.__module__
    if module == "__main__":
        module = Path(sys.modules[module].__file__).stem
    return f"{module}.{system.__qualname__}"


def write_config(system, settings, fingerprint=None) -> None:
    """Write config.json: the system, its settings, the data, the versions, the commit, the device.

    `fingerprint` is that of the data. Raises UserError where the folder cannot be written.
    """
    config = {
        "system": name_of(system),
        "settings": dataclasses.asdict(settings),
        "data_fingerprint": fingerprint,
        "versions": record.versions(),
        "git_commit": record.git_commit(),
        "device": devices.device(),
    }
    try:
        atomic.write_json(Path(settings.output) / "config.json", config)
    except OSError as error:
        raise UserError(
            f"{settings.output} cannot be written ({error.strerror}); give another --output"
        ) from error


def read_config(folder) -> dict:
    """Return what config.json of the run in `folder` holds, empty where none was begun.

    Raises UserError when it is not one that `write_config` wrote.
    """
    path = Path(folder) / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        return config | {"system": str(config["system"]), "settings": dict(config["settings"])}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is not the config.json of a run ({error}); name another --output"
        ) from error


def as_recorded(settings) -> dict:
    """Return settings as config.json holds them."""
    return json.loads(json.dumps(dataclasses.asdict(settings)))


def check_config(system, settings, fingerprint=None) -> None:
    """Raise UserError unless the run in the settings' folder was begun with these.

    The number of epochs may be another, and the run's folder and that of the data may have been
    moved: the data are the same where their `fingerprint` is.
    """
    folder = settings.output
    begun = read_config(folder)
    if begun.get("system") != name_of(system):
        raise UserError(
            f"the run in {folder} trains {begun.get('system')}, not {name_of(system)}; go on with "
            "it by the command that began it"
        )
    before, now = begun["settings"], as_recorded(settings)
    may_differ = {"epochs", "output"}
    known = begun.get("data_fingerprint")
    if known and fingerprint:
        may_differ.add("data")
        if known != fingerprint:
            raise UserError(
                f"the run in {folder} was begun with other data than {settings.data} holds now; "
                "give --data the folder of those, or start another run with --output"
            )
    for name in before | now:
        if name not in may_differ and before.get(name) != now.get(name):
            raise UserError(
                f"the run in {folder} was begun with {name} {before.get(name)}, not "
                f"{now.get(name)}; go on with it by the command that began it, or delete the folder"
            )


class Progress:
    """Where a run stands, in variables that a checkpoint holds.

    `epoch` epochs are finished, and `step` steps of the next one, with these `totals` of losses,
    float64. Every random draw of a run follows from (seed, epoch, step): this is its random state.
    """

    def __init__(self, losses):
        """Start at the beginning, with so many losses."""
        self.epoch = tf.Variable(0, dtype=tf.int64)
        self.step = tf.Variable(0, dtype=tf.int64)
        self.totals = tf.Variable(tf.zeros(losses, tf.float64))

    def next_epoch(self) -> None:
        """Go on to the first step of the next epoch."""
        self.epoch.assign_add(1)
        self.step.assign(0)
        self.totals.assign(tf.zeros_like(self.totals))


def checkpoints(model, progress, folder):
    """Return the tf.train.CheckpointManager of a run.

    It holds `progress` and every Keras model and optimizer that the system `model` has as an
    attribute, each variable once.
    """
    seen, kept = set(), {}
    for name, owner in vars(model).items():
        variables = [v.value for v in getattr(owner, "variables", ()) if id(v) not in seen]
        seen |= {id(variable) for variable in getattr(owner, "variables", ())}
        if variables:
            kept[name] = variables
    checkpoint = tf.train.Checkpoint(**vars(progress), **kept)
    return tf.train.CheckpointManager(
        checkpoint, Path(folder) / "checkpoints", CHECKPOINTS_KEPT, checkpoint_name="step"
    )


def save(manager, step) -> None:
    """Write a checkpoint; where the disk is full, the older of the last two makes room for it.

    Raises UserError when it still cannot be written.
    """
    try:
        try:
            manager.save(step)
        except (tf.errors.OpError, OSError):
            kept = manager.checkpoints
            if len(kept) < CHECKPOINTS_KEPT:
                raise
            for path in Path(kept[0]).parent.glob(Path(kept[0]).name + ".*"):
                path.unlink()
            manager.save(step)
    except (tf.errors.OpError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"the checkpoint of step {int(step)} cannot be written ({reason}); make room on the "
            f"disk, and go on from the one before with --resume"
        ) from error


def restore(manager) -> bool:
    """Load the newest checkpoint, if there is one; tell whether there is.

    Raises UserError when it is damaged or belongs to other networks.
    """
    found = [path for path in manager.checkpoints if Path(f"{path}.index").exists()]
    if not found:
        return False
    try:
        manager.checkpoint.restore(found[-1]).assert_consumed()
    except (tf.errors.OpError, ValueError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"the checkpoint {found[-1]} cannot be used ({reason}); delete {found[-1]}.*, and the "
            "same command goes on from the one before"
        ) from error
    return True


def read_history(folder, epochs, columns=None) -> list[dict]:
    """Return the first `epochs` rows of history.csv, all of text.

    Raises UserError where there are fewer, or they do not have the `columns`, if those are given:
    better before an epoch than behind it.
    """
    path = Path(folder) / "history.csv"
    try:
        content = path.read_text(encoding="utf-8") if path.exists() else ""
        rows = list(csv.DictReader(content.splitlines()))[:epochs]
        numbers = [int(row["epoch"]) for row in rows]
        as_numbers = [float(value) for row in rows for value in row.values()]
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        numbers = as_numbers = None
    wrong = numbers != list(range(1, epochs + 1)) or as_numbers is None
    if wrong or (columns and rows and list(rows[0]) != list(columns)):
        raise UserError(
            f"{path} is not the history of the {epochs} epochs that the checkpoint has behind it; "
            "put it back as it was, or start another run with --output"
        )
    return rows


def write_history(folder, history) -> None:
    """Write the rows (dicts of the same columns) as history.csv, and losses.png, each whole."""
    folder = Path(folder)
    with (
        atomic.replacing(folder / "history.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, history[0])
        writer.writeheader()
        writer.writerows(history)

    drawn = [column for column in DRAWN if column in history[0]]
    figure = Figure(figsize=(5 * len(drawn), 3.5), layout="constrained")
    epochs = [int(row["epoch"]) for row in history]
    for axes, column in zip(figure.subplots(1, len(drawn)), drawn, strict=True):
        axes.plot(epochs, [float(row[column]) for row in history], marker=".")
        axes.set(title=column.replace("_", " "), xlabel="epoch")
        axes.grid(alpha=0.3)
    with atomic.replacing(folder / "losses.png") as temporary:
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
