"""Recompute a published row from the weights that ship, and tell whether it agrees.

    python experiments/measures/check.py paper_gan/samples --data samples
    python experiments/measures/check.py semantic/sample_224 --data imagenet_sample

Evaluates weights/NAME.onnx on the pictures, as experiments/results/NAME/SET.json says, and prints
each figure of the colorizer that both have. Figures agree that differ by at most 1 in the last
digit that tables print. Ends with 1 where one does not.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import evaluate
from colorizer import errors
from colorizer.errors import UserError
from experiments.measures import records
from pictures.measure import METRICS


def compare(published, found) -> list:
    """Return (metric, published, found, whether they agree) of each figure that both have."""
    rows = []
    for metric in METRICS:
        pair = published.get(metric.key), found.get(metric.key)
        if None not in pair:
            texts = [metric.published(value) for value in pair]
            apart = abs(float(texts[0]) - float(texts[1])) * 10 ** metric.decimals[1]
            rows.append((metric, *texts, round(apart) <= 1))
    return rows


def check(arguments) -> int:
    """Evaluate and compare; return 0 where all figures agree, else 1."""
    path = records.RESULTS / f"{arguments.result}.json"
    if not path.is_file():
        raise UserError(f"{path} is no published result; give one of experiments/results/NAME/SET")
    published = json.loads(path.read_text(encoding="utf-8"))
    model = ROOT / "weights" / f"{arguments.result.split('/')[0]}.onnx"
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "evaluation"
        flags = ["--model", model, "--data", arguments.data, "--output", output]
        flags += ["--size", published["size"], "--ssim-threshold", published["ssim_threshold"]]
        flags += ["--inception-weights", arguments.inception_weights or Path(folder, "none")]
        if evaluate.main([str(flag) for flag in flags]):
            raise UserError(f"{model} could not be evaluated on {arguments.data}")
        found = records.read_evaluation(output)
    if found["images"] != published["images"]:
        raise UserError(
            f"{arguments.data} holds {found['images']} pictures, {path} was measured on "
            f"{published['images']}; give the same --data"
        )
    rows = compare(published["generated"], found["generated"])
    for metric, before, now, agree in rows:
        print(f"{metric.name:24} published {before:>8}  now {now:>8}  {'' if agree else 'DIFFERS'}")
    agreed = sum(agree for *_, agree in rows)
    print(f"{agreed} of {len(rows)} figures agree with {path}")
    return 0 if rows and agreed == len(rows) else 1


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("result", metavar="NAME/SET", help="of experiments/results/")
    parser.add_argument("--data", type=Path, required=True, help="the pictures it was measured on")
    parser.add_argument("--inception-weights", type=Path, help="as evaluate.py takes it, for FID")
    return errors.run(check, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
