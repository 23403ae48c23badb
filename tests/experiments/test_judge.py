"""experiments/measures/judge.py: what is compared is equally colourful."""

from pathlib import Path

from colorizer.files import photos
from colorizer.pixels import grayscale
from experiments.measures import judge
from training import features

import numpy as np
import pytest
from generated import coloured_pictures
from test_features import save_classifier

ROOT = Path(__file__).resolve().parents[2]


class Half:
    """Paints half of its chroma, taken for Lab's a alone, into red."""

    def paint(self, image, chroma, strength):
        red = image.astype(float) + strength * chroma[..., :1] * np.array([1.0, 0, -1.0])
        return np.clip(np.rint(red), 0, 255).astype(np.uint8)


def test_chroma_is_scaled_to_the_colourfulness_that_is_asked_for():
    grays = [np.full((16, 16, 1), 128, np.uint8)] * 3
    chromas = [np.full((16, 16, 2), 10, np.float32)] * 3
    painted = judge.painted(Half(), grays, chromas, 1)
    scale = judge.scale_to(2 * judge.colourfulness(painted), Half(), grays, chromas)
    assert scale == pytest.approx(2, abs=0.06)


def test_the_truth_is_perfect_and_gray_is_not():
    truths = list(coloured_pictures(4, size=32))
    psnr, auc, balanced = judge.compare(truths, truths)
    assert (psnr, auc, balanced) == (60, pytest.approx(100, abs=0.5), pytest.approx(100, abs=0.5))
    grays = [grayscale(truth).repeat(3, -1) for truth in truths]
    assert judge.compare(truths, grays)[1] < 95


def test_a_row_is_printed_for_gray_and_for_every_file(tmp_path, capsys):
    for number, picture in enumerate(coloured_pictures(3, size=64)):
        photos.write_png(tmp_path / f"{number}.png", picture)
    model = ROOT / "weights" / "paper_gan.onnx"
    assert judge.main(["--data", str(tmp_path), str(model)]) == 0
    first, *_, gray, paper = capsys.readouterr().out.splitlines()
    assert first.startswith("3 pictures, truth's colourfulness ")
    assert gray.startswith("| gray copy | 0.0 | 0.00 | ")
    assert paper.startswith("| weights/paper_gan.onnx | ")
    assert paper.count("—") == 4


def test_a_classifier_sees_the_more_the_nearer_to_the_truth(tmp_path, capsys, monkeypatch):
    """Its features are the mean colour here, so gray is seen as another hue."""
    truths = [np.full((16, 16, 3), colour, np.uint8) for colour in ((200, 0, 0), (0, 0, 100))]
    half = [np.full((16, 16, 3), colour, np.uint8) for colour in ((200, 100, 0), (0, 0, 50))]
    grays = [np.full((16, 16, 3), 50, np.uint8)] * 2
    classifier = features.load_classifier(save_classifier(tmp_path / "mean.keras"))
    monkeypatch.setattr(judge, "BATCH_SIZE", 1)
    true_features = judge.seen_in(classifier, truths)
    np.testing.assert_allclose(true_features, [[1, 0, 0], [0, 0, 1]], atol=1e-5)
    for pictures, expected in (
        (truths, 1),
        (half, (2 / 5**0.5 + 1) / 2),
        (grays, 3**-0.5),
    ):
        assert judge.cosine(classifier, true_features, pictures) == [pytest.approx(expected)]
    (tmp_path / "photographs").mkdir()
    for number, picture in enumerate(coloured_pictures(3, size=64)):
        photos.write_png(tmp_path / "photographs" / f"{number}.png", picture)
    model = ROOT / "weights" / "paper_gan.onnx"
    given = ["--data", str(tmp_path / "photographs"), str(model), "--classifier"]
    assert judge.main([*given, str(tmp_path / "mean.keras")]) == 0
    _, headings, _, gray, paper = capsys.readouterr().out.splitlines()
    place = headings.split(" | ").index("cosine")
    shares = {float(row.split(" | ")[place]) for row in (gray, paper)}
    assert len(shares) == 2
    assert min(shares) > 0.9
    assert max(shares) < 1
    assert judge.main([*given, str(tmp_path / "none.keras")]) == 2
