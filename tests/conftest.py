"""Fixtures for all tests."""

import importlib

import pytest
from browser import CHROMIUM
from generated import NARROW, NARROW_SYSTEMS, SIZE, prepare


@pytest.fixture
def narrow(monkeypatch):
    """Make all networks but EfficientNet and VGG-16 themselves narrow, and so fast."""
    narrow_all(monkeypatch)


@pytest.fixture(scope="module")
def narrow_networks():
    """The same for all tests of a module."""
    with pytest.MonkeyPatch.context() as patch:
        narrow_all(patch)
        yield


def narrow_all(patch):
    systems = {f"systems.{name}": widths for name, widths in NARROW_SYSTEMS.items()}
    for module, widths in ({"models": NARROW} | systems).items():
        for name, value in widths.items():
            patch.setattr(importlib.import_module(module), name, value)


@pytest.fixture
def no_onnx(monkeypatch):
    """Let train.py leave generator.onnx out: converting takes longer than training it here."""
    from training import export

    monkeypatch.setattr(export, "write_onnx", lambda generator, path, working_size: None)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """Return a data folder of 16 training and 4 test pairs of 24x24 pixels."""
    return prepare(tmp_path_factory.mktemp("prepared"), SIZE, train=16, test=4)


@pytest.fixture(scope="session")
def browser():
    """Return a browser without a window: one for all pages, as Playwright runs once a process."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
