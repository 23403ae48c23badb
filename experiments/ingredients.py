"""Measure what each ingredient of the paper does: the same training without it, 10 epochs each.

    python experiments/ingredients.py

Reads data/. Writes, for each variant, a run below outputs/ingredients/, its evaluation, and
experiments/results/NAME/test.json and history.csv. Stopped at any moment, the same command goes on.
"""

import argparse
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import evaluate  # noqa: E402 (the project's folder has to be known first)
import project  # noqa: E402
import train  # noqa: E402
from settings import Settings  # noqa: E402

EPOCHS = 10
VARIANTS = {
    "all_ingredients": {},
    "without_adversary": {"adversarial_weight": 0},
    "without_pixel_loss": {"pixel_weight": 0},
    "hard_labels": {"label_softness": 0, "label_flips": 0},
    "two_discriminator_updates": {"discriminator_updates": 2},
    "without_dilation": {"dilations": False},
    "without_skips": {"skips": False},
}


def measure_all(arguments) -> int:
    """Measure every variant in turn; stop at the first that does not finish."""
    for name, changes in VARIANTS.items():
        status = measure(name, changes, arguments.data, arguments.inception_weights)
        if status:
            return status
    print(f"results are in {ROOT / 'experiments' / 'results'}")
    return 0


def measure(name, changes, data, inception_weights) -> int:
    """Train and evaluate one variant, from where an earlier call stopped; return the status."""
    output = ROOT / "outputs" / "ingredients" / name
    results = ROOT / "experiments" / "results" / name
    if (results / "test.json").exists():
        print(f"{name}: measured earlier")
        return 0
    settings = Settings(epochs=EPOCHS, data=str(data), output=str(output), **changes)
    print(f"{name}: {changes or 'the default'}")
    status = train.train(settings, resume=(output / "config.json").exists())
    if status:
        return status
    flags = ["--model", output / "generator.keras", "--data", data, "--output", output / "test"]
    if inception_weights:
        flags += ["--inception-weights", inception_weights]
    status = evaluate.main([str(flag) for flag in flags])
    if status == 0:
        results.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(output / "history.csv", results / "history.csv")
        shutil.copyfile(output / "test" / "metrics.json", results / "test.json")
    return status


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("data"), help="prepared data")
    parser.add_argument("--inception-weights", type=Path, help="as evaluate.py takes it")
    return project.run(measure_all, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
