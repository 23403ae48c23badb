"""The package holds what it needs, and its dependencies stand in one place."""

import re
import tomllib
from pathlib import Path

import colorizer

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirements(name):
    """Return the requirements that a file states itself."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith(("#", "-r"))}


def test_every_folder_of_the_package_is_in_it():
    folders = {path.parent for path in (ROOT / "colorizer").rglob("*.py")}
    names = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == names | {"colorizer.weights"}


@pytest.mark.parametrize(
    ("extra", "file"),
    [
        ("page", "requirements-app.txt"),
        ("cluster", "requirements-cluster.txt"),
        ("train", "requirements.txt"),
    ],
)
def test_extras_are_those_of_the_requirements_files(extra, file):
    assert set(PROJECT["project"]["optional-dependencies"][extra]) == requirements(file)


def test_dependencies_are_read_from_the_file_that_the_readme_names():
    dynamic = PROJECT["tool"]["setuptools"]["dynamic"]
    assert dynamic["dependencies"] == {"file": "requirements-colorize.txt"}
    assert "dependencies" in PROJECT["project"]["dynamic"]


def test_every_dependency_has_a_lower_bound():
    for file in ("requirements-colorize.txt", "requirements-app.txt", "requirements.txt"):
        for requirement in requirements(file):
            assert re.fullmatch(r"[\w.-]+>=[\d.]+(,<[\d.]+)?", requirement), requirement


@pytest.mark.parametrize(
    ("name", "mended"),
    [
        ("keras", "3.15"),  # CVE-2025-1550, -8747, CVE-2026-1669, -12480
        ("gradio", "6.16"),  # CVE-2026-28414
        ("onnx", "1.21"),  # CVE-2025-51480, CVE-2026-27489, -34447
        ("pillow", "12.3"),
    ],
)
def test_versions_with_known_holes_are_not_taken(name, mended):
    files = ("requirements-colorize.txt", "requirements-app.txt", "requirements.txt")
    asked = [line for file in files for line in requirements(file)]
    (lowest,) = [re.search(r">=([\d.]+)", line)[1] for line in asked if line.startswith(f"{name}>")]
    assert Version(lowest) >= Version(mended)


@pytest.mark.parametrize("kind", ["app", "dev"])
def test_the_locks_have_one_version_of_everything_that_is_asked_for(kind):
    lock = (ROOT / f"requirements-{kind}.lock").read_text(encoding="utf-8")
    pinned = re.findall(r"^([\w.-]+)==([\w.]+)", lock, re.M)
    hashed = re.findall(r"^[\w.-]+==.* \\\n +--hash=sha256:[0-9a-f]{64}\b", lock, re.M)
    locked = dict(pinned)
    assert len(hashed) == len(pinned) == len(locked)
    files = {"app": ["colorize", "app"], "dev": ["colorize", "app", "cluster", "", "dev"]}[kind]
    for file in files:
        for asked in requirements(f"requirements{file and '-' + file}.txt"):
            name, bounds = re.fullmatch(r"([\w-]+)(.*)", asked).groups()
            assert SpecifierSet(bounds).contains(locked[name]), asked


def test_the_version_is_that_of_the_change_log_and_the_citation():
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)", changes, re.M)[1] == colorizer.__version__
    assert re.search(r"^version: (\S+)", citation, re.M)[1] == colorizer.__version__


@pytest.mark.parametrize("command", ["colorize", "colorize-page"])
def test_the_commands_lead_to_functions(command):
    module, function = PROJECT["project"]["scripts"][command].split(":")
    path = ROOT / Path(*module.split("."))
    source = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
    assert re.search(
        rf"^(def {function}\(|from .* import .*\b{function}\b)", source.read_text(), re.M
    )
