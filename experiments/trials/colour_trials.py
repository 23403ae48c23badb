"""Try one change of what teaches the semantic system: old pictures, agreement, hints.

    python experiments/trials/colour_trials.py aged --data outputs/data-photographs

Each trial goes on from the weights that ship, sees as many pictures (--seen) of the same ones, with
the same seed. Writes a run of train.py below --output; stopped, the same command goes on.
experiments/measures/measure_colours.py compares what came out.
"""

import argparse
import dataclasses
import math
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import train
from colorizer import errors
from systems import semantic
from training import agreement, runs

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrialSettings(semantic.SemanticSettings):
    """What is tried, beside what the semantic system's settings are."""

    start: str | None = str(ROOT / "weights" / "semantic.keras")
    learning_rate: float = 5e-4
    seen: int = 6400
    last_crop: int = 160
    # Weight of another loss of training/agreement.py.
    disagreement: float = 0


class Trial(semantic.Semantic):
    """The semantic generator with whatever a trial adds."""

    Settings = TrialSettings

    def losses_alone(self, automatic, lightness, truth):
        alone, perceptual = super().losses_alone(automatic, lightness, truth)
        settings = self.settings
        if settings.disagreement:
            alone += settings.disagreement * agreement.disagreement(automatic, truth)
        return alone, perceptual


# Without what the settings' defaults have since taken over.
BEFORE = {"gatherings": 0, "thing_share": 0}
TRIALS = {
    "as_it_is": {**BEFORE, "aged_share": 0},
    "aged": BEFORE,
    "aged_3": {**BEFORE, "aged_share": 0.3},
    "aged_encoder": {**BEFORE, "encoder_rate": 0.1},
    "gathered": {"gatherings": 1, "thing_share": 0},
    "gathered_twice": {"thing_share": 0},
    "disagreement": {**BEFORE, "disagreement": 0.3},
    "difference": {**BEFORE, "difference_weight": 1},
    "things": {"gatherings": 0},
    "all": {},
    "all_difference": {"difference_weight": 0.3},
}


def measure(arguments) -> int:
    """Train one trial."""
    changes = {"last_crop": arguments.crop, **TRIALS[arguments.trial]}
    settings = TrialSettings(
        data=str(arguments.data),
        output=str(arguments.output / arguments.trial),
        seen=arguments.seen,
        epochs=1,
        **changes,
    )
    train_split, test_split = train.open_data(settings)
    rows = np.random.default_rng(0).permutation(train_split.pictures)[: arguments.seen]
    epochs = math.ceil(arguments.seen / len(rows))
    settings = dataclasses.replace(settings, epochs=epochs)
    splits = train_split.only(train_split.rows[np.sort(rows)]), test_split.only(test_split.rows[:8])
    return train.fit(Trial, settings, bool(runs.read_config(settings.output)), splits)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("trial", choices=TRIALS, help="what is tried")
    parser.add_argument("--data", type=Path, required=True, help="prepared photographs")
    parser.add_argument("--output", type=Path, default=Path("outputs/trials"), help="of the runs")
    parser.add_argument("--seen", type=int, default=6400, help="pictures a trial sees in all")
    parser.add_argument("--crop", type=int, default=160, help="pixels that a step sees of one")
    return errors.run(measure, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
