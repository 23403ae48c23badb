"""What every script shares: errors a user can mend, files written whole, facts for the record."""

import contextlib
import glob
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

RECORDED_PACKAGES = (
    "tensorflow",
    "keras",
    "jax",
    "numpy",
    "opencv-contrib-python-headless",
    "pillow",
    "scikit-image",
    "scipy",
)


class UserError(Exception):
    """One sentence for the user: what was given, what is expected, the command that mends it."""


def run(script, arguments) -> int:
    """Call `script(arguments)` and return the process's exit status.

    Returns what `script` returns (None counts as 0), or 2 after printing the one sentence of a
    `UserError`. Every other exception passes through: it is a fault of this project.
    """
    try:
        return script(arguments) or 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


@contextlib.contextmanager
def replacing(path):
    """Give a temporary path beside `path`, and rename it to `path` when the block succeeds.

    A process killed at any moment leaves the old file or the new one, never half of one. The
    temporary name keeps the suffix, because Keras and OpenCV choose the format by it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".partial-{uuid.uuid4().hex}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(folder):
    """Give a temporary folder beside `folder`, and put it in its place when the block succeeds.

    The old folder stays whole until then; Ctrl-C and errors leave it as it was. A killed process
    leaves the temporary folder behind, and the next one that succeeds removes it.
    """
    folder = Path(folder).resolve()
    prefix = f".{folder.name}-partial-"
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = folder.with_name(prefix + uuid.uuid4().hex)
    staging.mkdir()
    old = staging.with_name(staging.name + "-old")
    try:
        yield staging
        if folder.exists():
            folder.rename(old)
        staging.rename(folder)
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(staging, ignore_errors=True)
    for left in folder.parent.glob(glob.escape(prefix) + "*"):
        shutil.rmtree(left, ignore_errors=True)


def write_json(path, content) -> None:
    """Write `content` as indented JSON, whole or not at all; raises ValueError on NaN."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


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
