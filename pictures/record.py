"""What a result was made with, for its record: versions and commit."""

import contextlib
import importlib.metadata
import platform
import subprocess
from pathlib import Path

RECORDED_PACKAGES = (
    "tensorflow",
    "keras",
    "numpy",
    "opencv-python-headless",
    "pillow",
    "scikit-image",
    "scipy",
)


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
