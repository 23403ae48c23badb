"""Measure what each part of a recipe does: the same training without it, or with another.

    python experiments/variants.py ingredients
    python experiments/variants.py systems --sample imagenet_sample
    python experiments/variants.py semantic --sample imagenet_sample

`ingredients` are the paper's, 10 epochs each on data/. `systems` are those that the paper compares
itself with, for as many epochs on data/ as their names say. `semantic` is what was tried for the
semantic generator, 2 epochs each on outputs/data-variants, which this prepares:

    python prepare_data.py --source imagenet100 imagenet10 scenes --classes 115 \
        --images-per-class 50 --test-images-per-class 5 --size 160 --output outputs/data-variants

and for as many pictures of half as many classes the same with `--classes 58 --images-per-class 100
--output outputs/data-half`.

Writes, for each variant, a run below outputs/variants/, its evaluations, and
experiments/results/NAME/: test.json, sample.json with --sample, history.csv. Stopped at any moment,
the same command goes on.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "experiments" / "results"
sys.path.insert(0, str(ROOT))

import evaluate
import publish
import train
from colorizer import errors, files
from systems import SYSTEMS

import keras
import semantic_models
from keras import layers, ops
from settings import Settings


def semantic(**options):
    """Return how a variant of the semantic generator is built."""
    return lambda settings: semantic_models.build_semantic_generator(seed=settings.seed, **options)


# Variant -> what differs in the system, and in the settings.
INGREDIENTS = {
    "paper_10_epochs": ({}, {}),
    "without_adversary": ({}, {"adversarial_weight": 0}),
    "without_pixel_loss": ({}, {"pixel_weight": 0}),
    "hard_labels": ({}, {"label_softness": 0, "label_flips": 0}),
    "two_discriminator_updates": ({}, {"discriminator_updates": 2}),
    "without_dilation": ({}, {"dilations": False}),
    "without_skips": ({}, {"skips": False}),
}
SEMANTICS = {
    "semantic_regress_rarity_half": ({}, {}),
    "semantic_rarity_0": ({"rarity_exponent": 0}, {}),
    "semantic_rarity_1": ({"rarity_exponent": 1}, {}),
    "semantic_classify_rarity_half": (
        {"build": semantic(head="classify"), "loss": semantic_models.bins_cross_entropy},
        {},
    ),
    "semantic_adversary": ({}, {"adversarial_weight": 1, "adversarial_from": 1}),
    "semantic_frozen_encoder": ({"build": semantic(train_encoder=False)}, {}),
    "semantic_one_rate": (
        {"optimizer": lambda settings: keras.optimizers.Adam(settings.learning_rate)},
        {},
    ),
    "semantic_constant_rate": ({}, {"decay": False}),
    "semantic_half_the_classes": ({}, {"data": "outputs/data-half"}),
}
# Each as `python train.py --system NAME --epochs EPOCHS` trains it. pix2pix needs for one epoch as
# long as the others for ten.
REFERENCES = {
    "paper_1_epoch": ({}, {"system": "paper", "epochs": 1}),
    "regress_1_epoch": ({}, {"system": "regress", "epochs": 1}),
    "classify_1_epoch": ({}, {"system": "classify", "epochs": 1}),
    "pix2pix_1_epoch": ({}, {"system": "pix2pix", "epochs": 1}),
    "paper_10_epochs": ({}, {"system": "paper", "epochs": 10}),
    "regress_10_epochs": ({}, {"system": "regress", "epochs": 10}),
    "classify_10_epochs": ({}, {"system": "classify", "epochs": 10}),
}
# Whose generator is measured once more as the mean of a picture and its mirror image.
MIRRORED = {"semantic_regress_rarity_half"}
GROUPS = {
    "ingredients": (INGREDIENTS, {"epochs": 10}),
    "systems": (REFERENCES, {}),
    "semantic": (
        SEMANTICS,
        {"system": "semantic", "epochs": 2, "data": "outputs/data-variants"},
    ),
}


def measure_all(arguments) -> int:
    """Measure every variant in turn; stop at the first that does not finish."""
    variants, common = GROUPS[arguments.group]
    for name, (in_system, in_settings) in variants.items():
        given = common | in_settings | {"output": f"outputs/variants/{name}"}
        system = given.get("system", Settings.system)
        original = SYSTEMS[system]
        SYSTEMS[system] = dataclasses.replace(original, **in_system)
        status = measure(name, given, arguments)
        SYSTEMS[system] = original
        if status:
            return status
    print(f"results are in {RESULTS}")
    return 0


def measure(name, given, arguments) -> int:
    """Train and evaluate one variant, from where an earlier call stopped; return the status.

    `given` are the flags of train.py that make the variant, and settings that have no flag.
    """
    run, mirror = Path(given["output"]), f"{name}_mirror"
    sets = {"test": given.get("data", Settings.data)}
    if arguments.sample:
        sets["sample"] = arguments.sample
    names = [name, mirror] if name in MIRRORED else [name]
    missing = [each for each in names if not is_measured(each, sets)]
    if not missing:
        print(f"{name}: measured earlier")
        return 0
    print(f"{name}:")
    status = train.start(given | {"resume": (run / "config.json").exists()})
    if not status and name in missing:
        status = evaluate_on(sets, name, run / "generator.keras", arguments)
    if not status and mirror in missing:
        status = evaluate_on(sets, mirror, mirror_averaged(run), arguments)
    if not status:
        publish.copy(run / "history.csv", RESULTS / name / "history.csv")
    return status


def is_measured(name, sets) -> bool:
    """Tell whether the figures of a result are published for every set of pictures."""
    return all((RESULTS / name / f"{pictures}.json").exists() for pictures in sets)


def mirror_averaged(run) -> Path:
    """Write a run's generator as one that averages a picture and its mirror image; return where."""
    generator = keras.saving.load_model(run / "generator.keras", compile=False)
    gray = layers.Input((None, None, 1))
    mirrored = ops.flip(generator(ops.flip(gray, axis=2)), axis=2)
    path = run.with_name(f"{run.name}_mirror") / "generator.keras"
    path.parent.mkdir(parents=True, exist_ok=True)
    keras.Model(gray, (generator(gray) + mirrored) / 2).save(path)
    return path


def evaluate_on(sets, name, model, arguments) -> int:
    """Evaluate a generator on each set of pictures, publish the figures; return the status."""
    for pictures, data in sets.items():
        output = model.parent / pictures
        flags = ["--model", model, "--data", data, "--output", output]
        if arguments.inception_weights:
            flags += ["--inception-weights", arguments.inception_weights]
        status = evaluate.main([str(flag) for flag in flags])
        if status:
            return status
        files.write_json(RESULTS / name / f"{pictures}.json", publish.read_evaluation(output))
    return 0


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("group", choices=GROUPS, help="which recipe")
    parser.add_argument("--sample", type=Path, help="folder of photographs to evaluate on as well")
    parser.add_argument("--inception-weights", type=Path, help="as evaluate.py takes it")
    return errors.run(measure_all, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
