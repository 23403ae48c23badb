"""Train the semantic system, or a variant of it, on a part of the photographs.

    python experiments/trials/semantic_trials.py semantic --data outputs/data-photographs
    python experiments/trials/semantic_trials.py distilled --data outputs/data-photographs

Every trial sees as many pictures (--seen), with the same seed; --distinct of them are different
ones. Writes a run of train.py below outputs/trials/; stopped, the same command goes on.
experiments/measures/judge.py compares what came out.
"""

import argparse
import dataclasses
import math
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import models
import train
from colorizer import errors
from systems import semantic
from training import colour, losses, runs, steps
from training.layers import enlarge

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrialSettings(semantic.SemanticSettings):
    """What is tried, beside what the semantic system's settings are, or were when it was."""

    seen: int = 32000
    distinct: int = 32000
    last_share: float = 0
    whole_every: int = 1
    perceptual_weight: float = 2
    # True chroma is made this much stronger, as in BigColor and DDColor.
    enhanced: float = 1
    # Weight of the cross-entropy of bins of chroma, of which the automatic colour is then the
    # annealed mean: Zhang et al. 2016.
    bins_weight: float = 0
    # Weight of how far the encoder's deepest features of the gray picture are from a frozen
    # encoder's of the picture in colour.
    distillation_weight: float = 0
    # Weight of the adversarial loss, and the share of the steps before which it does not pull.
    adversarial_weight: float = 0
    adversarial_from: float = 0


class Trial(semantic.Semantic):
    """The semantic generator with whatever a trial adds to its loss."""

    Settings = TrialSettings
    LOSSES = (*semantic.Semantic.LOSSES, "further_loss")

    def __init__(self, settings, train_split):
        super().__init__(settings, train_split)
        names = ["automatic", "prediction", "features4", "features5"]
        if settings.bins_weight:
            names.append("bins")
        self.predictor = steps.predictor(self.generator, *names)
        if settings.adversarial_weight:
            self.discriminator = models.build_discriminator(channels=4, seed=settings.seed)
            self.discriminator_optimizer = steps.ready(
                keras.optimizers.Adam(2e-4, 0.5), self.discriminator, settings
            )
        all_steps = steps.count(settings, train_split.pictures)
        self.first_adversarial_step = int(settings.adversarial_from * all_steps)

    def build(self):
        if not self.settings.bins_weight:
            return super().build()
        return semantic.build_generator(self.settings.seed, self.settings.decoder_widths, head=bins)

    @tf.function
    def train_step(self, grayscale, ground_truth, mask, where, changes):
        """Train on one batch, as the semantic system takes it, and return the losses, by name."""
        settings = self.settings
        half_gray = ops.average_pool(grayscale, 2, strides=2)
        lightness = colour.lightness_from_gray(half_gray)
        truth = settings.enhanced * losses.true_chroma(ground_truth, half_gray)
        true_rgb = colour.srgb_from_lab(lightness, truth)
        turned = semantic.turn(truth, where, changes)
        with tf.GradientTape() as tape, tf.GradientTape() as adversary_tape:
            known = semantic.known_colours(turned, mask)
            automatic, chroma, *others = self.predictor([grayscale, known], training=True)
            alone = losses.smooth_l1(automatic, truth, self.rarity)
            painted = colour.srgb_from_lab(lightness, automatic)
            perceptual = semantic.perceptual_loss(self.frozen, painted, true_rgb)
            told = losses.smooth_l1(chroma, turned, self.rarity)
            further = ops.zeros(())
            if settings.bins_weight:
                quarter_truth = ops.average_pool(truth, 2, strides=2)
                further += settings.bins_weight * losses.bins_cross_entropy(
                    others[2], quarter_truth, self.rarity
                )
                alone = ops.zeros(())  # the mean is a consequence
            if settings.distillation_weight:
                wanted = self.frozen(ground_truth)[3:]
                further += settings.distillation_weight * distillation(others[:2], wanted)
            if settings.adversarial_weight:
                real, generated = (
                    self.discriminator(ops.concatenate([rgb, half_gray], axis=-1), training=True)
                    for rgb in (true_rgb, painted)
                )
                begun = self.generator_optimizer.iterations >= self.first_adversarial_step
                weight = settings.adversarial_weight * ops.cast(begun, "float32")
                further += weight * train.adversarial_loss(generated)
                # Soft labels, as the paper has them.
                discriminator_total = train.discriminator_loss(
                    real, generated, 0.9 * ops.ones_like(real), 0.1 * ops.ones_like(generated)
                )
            loss = alone + settings.perceptual_weight * perceptual + told + further
            steps.update(self, tape, loss)
            if settings.adversarial_weight:
                weights = self.discriminator.trainable_variables
                steps.descend(
                    self.discriminator_optimizer, adversary_tape, discriminator_total, weights
                )
        return {
            "generator_loss": loss,
            "automatic_loss": alone,
            "perceptual_loss": perceptual,
            "known_loss": told,
            "further_loss": further,
        }


def bins(decoded, look_alike):
    """Return the automatic chroma as the annealed mean of a distribution over bins, at 1/4."""
    logits = layers.Conv2D(len(colour.bins()), 1, dtype="float32", name="bins")(decoded[-2])
    chroma = enlarge(colour.annealed_mean(logits), 2, "automatic_quarter", dtype="float32")
    return layers.Identity(dtype="float32", name="automatic")(chroma)


def distillation(found, wanted):
    """Return how far features (scaled by FEATURE_SCALE) are from others, over these' mean size."""
    total = 0
    for ours, theirs in zip(found, wanted, strict=True):
        theirs = semantic.FEATURE_SCALE * theirs
        total = total + ops.mean(ops.abs(ours - theirs)) / ops.mean(ops.abs(theirs))
    return total


TRIALS = {
    "semantic": {},
    "without_perceptual": {"perceptual_weight": 0},
    "wide": {"decoder_widths": (256, 128, 32, 16)},
    "enhanced": {"enhanced": 1.2},
    "colourful": {"least_colourfulness": 15},
    "classified": {"bins_weight": 2},
    "distilled": {"distillation_weight": 2},
    "fast_encoder": {"encoder_rate": 0.2},
    "distilled_fast_encoder": {"encoder_rate": 0.2, "distillation_weight": 2},
    "late_adversary": {"adversarial_weight": 1, "adversarial_from": 0.9},
    "distinct_2000": {"distinct": 2000},
    "distinct_8000": {"distinct": 8000},
}


def narrowed(settings, opened):
    """Return the training split with the `distinct` first pictures of an order drawn by chance."""
    train_split, test_split = opened
    rows = np.random.default_rng(0).permutation(train_split.pictures)[: settings.distinct]
    return (
        train_split.only(train_split.rows[np.sort(rows)]),
        test_split.only(test_split.rows[:64]),
    )


def measure(arguments) -> int:
    """Train one trial."""
    changes = {"distinct": arguments.distinct or arguments.seen} | TRIALS[arguments.trial]
    settings = TrialSettings(
        data=str(arguments.data),
        output=f"outputs/trials/{arguments.trial}",
        seen=arguments.seen,
        **{"epochs": math.ceil(arguments.seen / changes["distinct"])} | changes,
    )
    splits = narrowed(settings, train.open_data(settings))
    resume = bool(runs.read_config(Path(settings.output)))
    return train.fit(Trial, settings, resume, splits)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("trial", choices=TRIALS, help="what is tried")
    parser.add_argument("--data", type=Path, required=True, help="prepared photographs")
    parser.add_argument("--seen", type=int, default=32000, help="pictures a trial sees in all")
    parser.add_argument("--distinct", type=int, help="different ones among them (default: all)")
    return errors.run(measure, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
