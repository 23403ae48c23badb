import json
import os
import stat

from colorizer import errors
from colorizer.files import atomic

import pytest


def test_a_user_error_is_one_line_and_status_2(capsys):
    def script(arguments):
        raise errors.UserError(f"{arguments} is no folder")

    assert errors.run(script, "x") == 2
    assert capsys.readouterr().err == "error: x is no folder\n"


def test_a_fault_of_the_project_keeps_its_traceback():
    def script(arguments):
        raise KeyError(arguments)

    with pytest.raises(KeyError):
        errors.run(script, "x")


def test_the_scripts_own_status_is_passed_on():
    assert errors.run(lambda arguments: None, None) == 0
    assert errors.run(lambda arguments: 130, None) == 130


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def write_half():
        with atomic.replacing(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_finished_write_replaces_the_file_with_usual_permissions(tmp_path):
    path = tmp_path / "new" / "file.json"
    atomic.write_json(path, {"ü": 1})
    assert json.loads(path.read_text(encoding="utf-8")) == {"ü": 1}
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        atomic.write_json(tmp_path / "file.json", {"fid": float("nan")})
    assert not list(tmp_path.iterdir())
