"""Files written whole or not at all."""

import contextlib
import glob
import json
import os
import shutil
import uuid
from pathlib import Path

# How the names of files begin that are not whole.
PARTIAL = ".partial-"


@contextlib.contextmanager
def replacing(path):
    """Give a temporary path beside `path`, and rename it to `path` when the block succeeds.

    A process killed at any moment leaves the old file or the new one, never half of one.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_name(path) -> Path:
    """Return a path beside `path` that is not there yet.

    It keeps the suffix, because Keras and OpenCV choose the format by it, unless that is none: file
    systems take 255 bytes.
    """
    suffix = path.suffix if len(path.suffix) < 20 else ""
    return path.with_name(f"{PARTIAL}{uuid.uuid4().hex}{suffix}")


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
