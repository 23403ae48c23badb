"""Measure a colorizer on pictures it has not seen, beside what leaving them gray would score.

    python evaluate.py --model outputs/train/generator.onnx --data data

reads a model and prepared data (its test shards) or a folder of photographs, and writes
outputs/evaluation/:

    grayscale/ generated/ ground_truth/   PNG, the same names in each
    metrics.json                          every figure, with what it was measured on
    per_image.csv                         one row a picture
    accuracy_curve.png comparison.png     the paper's accuracy over its threshold; good to bad

Every figure is computed from the written files.
"""

import argparse
import csv
import signal
import sys
from pathlib import Path

if __name__ == "__main__":
    # What follows takes seconds to import. Ctrl-C ends it at once; later `errors.run` answers it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from colorizer import errors
from colorizer.errors import UserError, shown
from colorizer.files import atomic
from colorizer.network import load_network
from colorizer.quiet import import_tensorflow
from pictures import charts, dataset, evaluation, measure, metrics, record
from pictures.measure import SYSTEMS

import numpy as np


def check_network(network, size) -> None:
    """Raise UserError unless the network maps `size` x `size` pictures to colour of that size."""
    try:
        network(np.zeros((1, size, size, 1), np.float32))
    except UserError:
        raise
    except Exception as error:  # each engine has its own
        raise UserError(
            f"{network.path} does not map pictures of {size}x{size} pixels to colour pictures of "
            "that size; give another --model or --data"
        ) from error


def ask_networks(folder, labels, arguments) -> dict:
    """Return what the networks of `measure.METRICS` see in the written pictures.

    `labels` is {file name: class}. Keras is imported here, because nothing else needs it.
    """
    try:
        import_tensorflow()
        from training import features
    except ModuleNotFoundError as error:
        reason = f"{error.name} is not installed; python -m pip install -r requirements.txt"
        return dict.fromkeys(measure.NETWORKS, measure.Answers(reason=reason))
    return features.ask(
        folder, labels, arguments.inception_weights, arguments.classifier, arguments.batch_size
    )


def evaluate(arguments) -> None:
    """Write the pictures, measure them, write the report and print it."""
    if not 0 <= arguments.ssim_threshold <= 1:
        raise UserError(f"--ssim-threshold is {arguments.ssim_threshold}, give 0 to 1")
    if arguments.size is not None and (arguments.size < 32 or arguments.size % 8):
        raise UserError(f"--size is {arguments.size}, give a multiple of 8 from 32 up")
    if arguments.batch_size < 1:
        raise UserError(f"--batch-size is {arguments.batch_size}, give 1 or more")
    evaluation.check_output(arguments.output)
    test_set = evaluation.open_test_set(arguments.data, arguments.size)
    network = load_network(arguments.model)
    check_network(network, test_set.size)
    print(f"evaluating {arguments.model} on {test_set.count:,} pictures")

    # Built beside its place and moved there whole, so that no evaluation is a mix of two.
    try:
        with atomic.replacing_folder(arguments.output) as folder:
            sources, labels = evaluation.write_pictures(
                network, test_set, arguments.batch_size, folder
            )
            if not sources:
                raise UserError(
                    f"no photograph in {arguments.data} can be read; give another --data"
                )
            report = write_report(folder, sources, labels, test_set, arguments)
    except OSError as error:
        raise UserError(
            f"{shown(arguments.output)} cannot be written ({error.strerror or error}); make "
            "room, or give another --output"
        ) from error
    print(measure.format_table(report))
    print(f"pictures and figures are in {arguments.output}")


def write_report(folder, sources, labels, test_set, arguments) -> dict:
    """Measure the pictures written to `folder`; write and return what metrics.json holds."""
    names, threshold = list(sources), arguments.ssim_threshold
    answers = ask_networks(folder, labels, arguments)
    values, gray_in_truth = measure.measure_pictures(folder, names, threshold, answers)
    similarities = {system: values[system]["ssim"] for system in SYSTEMS}
    without_gray = None
    if gray_in_truth.any() and not gray_in_truth.all():
        without_gray = measure.summarize(measure.select(values, ~gray_in_truth))
    report = {
        "images": len(names),
        "gray_in_truth": int(gray_in_truth.sum()),
        "ssim_threshold": threshold,
        # A gray copy of a picture that is gray in truth is perfect: a few decide its mean PSNR.
        "without_gray": without_gray,
        **measure.summarize(values),
        "recognition_images": measure.count(values, "recognition"),
        **measure.remarks(answers, values),
        "ssim_threshold_for_85_percent": {
            system: metrics.ssim_threshold(found, charts.PAPER_ACCURACY)
            for system, found in similarities.items()
        },
        "model": shown(arguments.model),
        "data": shown(arguments.data),
        "size": test_set.size,
        "left_out": test_set.left_out,
        "versions": record.versions(),
        "git_commit": record.git_commit(),
    }
    with open(folder / "per_image.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        columns = measure.columns(values)
        table.writerow(["name", "source", "gray_in_truth", *columns])
        gray = gray_in_truth.astype(int)
        table.writerows(zip(names, sources.values(), gray, *columns.values(), strict=True))
    charts.draw_accuracy_curve(similarities, threshold, folder / "accuracy_curve.png")
    differences = values["generated"]["ciede2000"]
    charts.draw_comparison(differences, names, folder, folder / "comparison.png")
    atomic.write_json(folder / "metrics.json", report)
    return report


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model",
        type=Path,
        default=Path("outputs/train/generator.onnx"),
        help="the colorizer, an .onnx or .keras file (default: %(default)s)",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("data"),
        help="prepared data, or a folder of photographs (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("outputs/evaluation"),
        help="folder to write; an earlier evaluation there is replaced (default: %(default)s)",
    )
    parser.add_argument(
        "--size",
        type=int,
        metavar="PIXELS",
        help=f"side to which photographs are resized, a multiple of 8 (default: {dataset.SIZE})",
    )
    parser.add_argument(
        "--ssim-threshold",
        type=float,
        default=0.8,
        # Paper: "a predefined threshold value", not given. Here: 0.8, and the whole curve drawn.
        help="SSIM from which a picture counts as right, 0 to 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--inception-weights",
        type=Path,
        metavar="FILE",
        help="Keras' file of Inception v3 without its top, for FID (default: downloaded once, "
        "88 MB)",
    )
    parser.add_argument(
        "--classifier",
        type=Path,
        metavar="FILE",
        default=Path("outputs/efficientnet_lite2.keras"),
        help="classifier for recognition and the Fréchet distance in its features, made by "
        "experiments/converters/convert_efficientnet.py; without it there is neither (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        default=64,
        help="pictures that a network sees at once (default: %(default)s)",
    )
    return errors.run(evaluate, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
