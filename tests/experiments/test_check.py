"""experiments/measures/check.py: what ships gives the published figures; a difference is seen."""

from pathlib import Path

from experiments.measures import check

import pytest

ROOT = Path(check.ROOT)


def test_the_paper_s_weights_give_the_published_row(capsys):
    assert check.main(["paper_gan/samples", "--data", str(ROOT / "samples")]) == 0
    assert "10 of 10 figures agree" in capsys.readouterr().out


@pytest.mark.parametrize(("psnr", "agrees"), [(23.054, True), (23.06, True), (23.08, False)])
def test_the_last_digit_may_differ_by_one(psnr, agrees):
    ((metric, *_, found),) = check.compare({"psnr": 23.048, "fid": None}, {"psnr": psnr})
    assert (metric.key, found) == ("psnr", agrees)


def test_other_pictures_and_unknown_results_are_refused(tmp_path, capsys):
    assert check.main(["paper_gan/none", "--data", str(tmp_path)]) == 2
    assert "is no published result" in capsys.readouterr().err
