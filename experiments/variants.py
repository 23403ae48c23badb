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
import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import evaluate
import recipes
import records
import train
from colorizer import errors
from colorizer.files import atomic
from training import runs

import keras
from keras import layers, ops

# Whose generator is measured once more as the mean of a picture and its mirror image.
MIRRORED = {"semantic_regress_rarity_half"}


def measure_all(arguments) -> int:
    """Measure every variant in turn; stop at the first that does not finish."""
    for name, (system, settings) in recipes.GROUPS[arguments.group].items():
        settings = dataclasses.replace(settings, output=f"outputs/variants/{name}")
        status = measure(name, system, settings, arguments)
        if status:
            return status
    print(f"results are in {records.RESULTS}")
    return 0


def measure(name, system, settings, arguments) -> int:
    """Train and evaluate one variant, from where an earlier call stopped; return the status."""
    run, mirror = Path(settings.output), f"{name}_mirror"
    sets = {"test": settings.data}
    if arguments.sample:
        sets["sample"] = arguments.sample
    names = [name, mirror] if name in MIRRORED else [name]
    missing = [each for each in names if not is_measured(each, sets)]
    if not missing:
        print(f"{name}: measured earlier")
        return 0
    print(f"{name}:")
    status = train.fit(system, settings, bool(runs.read_config(run)))
    if status == train.STOPPED:
        print(f"stopped; go on with: {command(arguments)}")
    if not status and name in missing:
        status = evaluate_on(sets, name, run / "generator.keras", arguments)
    if not status and mirror in missing:
        status = evaluate_on(sets, mirror, mirror_averaged(run), arguments)
    if not status:
        records.copy(run / "history.csv", records.RESULTS / name / "history.csv")
    return status


def command(arguments) -> str:
    """Return the command that goes on with what these arguments began."""
    words = ["python", "experiments/variants.py", arguments.group]
    for flag, given in (
        ("--sample", arguments.sample),
        ("--inception-weights", arguments.inception_weights),
    ):
        words += [flag, str(given)] if given else []
    return shlex.join(words)


def is_measured(name, sets) -> bool:
    """Tell whether the figures of a result are published for every set of pictures."""
    return all((records.RESULTS / name / f"{pictures}.json").exists() for pictures in sets)


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
        figures = records.read_evaluation(output)
        atomic.write_json(records.RESULTS / name / f"{pictures}.json", figures)
    return 0


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("group", choices=recipes.GROUPS, help="which recipe")
    parser.add_argument("--sample", type=Path, help="folder of photographs to evaluate on as well")
    parser.add_argument("--inception-weights", type=Path, help="as evaluate.py takes it")
    return errors.run(measure_all, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
