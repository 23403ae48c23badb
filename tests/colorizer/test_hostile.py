"""One run over a folder of every format and every trouble: each file right, or named with why."""

import hashlib
import re

from colorizer.errors import shown
from colorizer.pixels import high_bits

import hostile
import numpy as np
from test_album import model, run  # noqa: F401
from test_colorize import lightness
from test_photos import load


def hashes(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_every_file_is_right_or_named_with_its_reason(tmp_path, run):  # noqa: F811
    right, wrong = hostile.make(tmp_path / "in")
    assert len(right) + len(wrong) >= 120
    before = hashes(tmp_path / "in")
    status, printed = run("--input", "in")
    assert status == 1
    failed = dict(re.findall(r"^failed: (.*?): (.*)$", printed, re.MULTILINE))
    mistaken = {name: failed.get(shown(name)) for name in right if shown(name) in failed}
    assert not mistaken
    for name, expected in right.items():
        # As it is under its alpha, not laid on white.
        result = high_bits(load(tmp_path / "out" / name).pixels)
        assert result.shape == expected.shape, name
        difference = np.abs(lightness(result) - lightness(expected))
        # Lossy formats blur the edges of the quarters; palettes and inks are coarse.
        assert np.median(difference) < 4, name
    missed = {
        name: failed.get(name) for name, why in wrong.items() if why not in str(failed.get(name))
    }
    assert not missed
    assert len(failed) == len(wrong)
    assert f"{len(right)} colorized, {len(wrong)} failed" in printed
    assert hashes(tmp_path / "in") == before
    assert f"{len(right)} skipped" in run("--input", "in")[1]
