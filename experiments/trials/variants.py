"""Measure what each part of a recipe does: the same training without it, or with another.

    python experiments/trials/variants.py ingredients
    python experiments/trials/variants.py systems --sample imagenet_sample --seed 1

`ingredients` are the paper's, 10 epochs each on data/. `systems` are those that the paper compares
itself with, for as many epochs on data/ as their names say. `optimizers` are Adam and SGD. What is
measured with another seed than 0 is called NAME_seed1 and so on; results_table.py prints the mean.

Writes, for each variant, a run below outputs/variants/, its evaluations, and
experiments/results/NAME/: test.json, sample.json with --sample, history.csv. Stopped at any moment,
the same command goes on.
"""

import argparse
import dataclasses
import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import evaluate
import train
from colorizer import errors
from colorizer.files import atomic
from experiments.measures import records
from experiments.trials import recipes
from training import runs


def measure_all(arguments) -> int:
    """Measure every variant in turn; stop at the first that does not finish."""
    for name, (system, settings) in recipes.GROUPS[arguments.group].items():
        if arguments.seed:
            name = f"{name}_seed{arguments.seed}"
        settings = dataclasses.replace(
            settings, seed=arguments.seed, output=f"outputs/variants/{name}"
        )
        status = measure(name, system, settings, arguments)
        if status:
            return status
    print(f"results are in {records.RESULTS}")
    return 0


def measure(name, system, settings, arguments) -> int:
    """Train and evaluate one variant, from where an earlier call stopped; return the status."""
    run = Path(settings.output)
    sets = {"test": settings.data}
    if arguments.sample:
        sets["sample"] = arguments.sample
    if is_measured(name, sets):
        print(f"{name}: measured earlier")
        return 0
    print(f"{name}:")
    status = train.fit(system, settings, bool(runs.read_config(run)))
    if status == train.STOPPED:
        print(f"stopped; go on with: {command(arguments)}")
    if not status:
        status = evaluate_on(sets, name, run / "generator.keras", arguments)
    if not status:
        records.copy(run / "history.csv", records.RESULTS / name / "history.csv")
    return status


def command(arguments) -> str:
    """Return the command that goes on with what these arguments began."""
    words = ["python", "experiments/trials/variants.py", arguments.group]
    for flag, given in (
        ("--seed", arguments.seed),
        ("--sample", arguments.sample),
        ("--inception-weights", arguments.inception_weights),
    ):
        words += [flag, str(given)] if given else []
    return shlex.join(words)


def is_measured(name, sets) -> bool:
    """Tell whether the figures of a result are published for every set of pictures."""
    return all((records.RESULTS / name / f"{pictures}.json").exists() for pictures in sets)


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
    parser.add_argument("--seed", type=int, default=0, help="of the trainings (default: 0)")
    parser.add_argument("--inception-weights", type=Path, help="as evaluate.py takes it")
    return errors.run(measure_all, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
