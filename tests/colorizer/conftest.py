"""Fixtures for the tests of what colorizes."""

import colorize

import pytest
import standins


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """Return a colorizer that paints brown; modules have their own as well."""
    return standins.save_brown(tmp_path_factory.mktemp("model") / "brown.onnx")


@pytest.fixture
def run(tmp_path, model, capsys):
    """Return a function that runs colorize.py on tmp_path/in and returns its status and lines."""

    def run(*flags, model=model, input="in", output="out"):
        paths = ["--input", str(tmp_path / input), "--output", str(tmp_path / output)]
        status = colorize.main([*paths, "--model", str(model), *flags])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        return status, printed.out + printed.err

    return run
