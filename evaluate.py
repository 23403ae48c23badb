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
import itertools
import re
import shlex
import signal
import sys
from pathlib import Path

if __name__ == "__main__":
    # What follows takes seconds to import. Ctrl-C ends it at once; later `errors.run` answers it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import models
from colorizer import errors, tone
from colorizer.errors import UserError, shown
from colorizer.files import atomic, formats, photos
from colorizer.jobs.find import find_photographs
from colorizer.network import load_network
from colorizer.pixels import grayscale, resize, to_uint8, to_unit
from colorizer.progress import Progress
from pictures import dataset, metrics, record
from training import features

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

PAPER_ACCURACY = 0.85  # Paper: 85% after 50 epochs. The SSIM threshold it used is not given.

# The two systems of every table, and the folder that holds the pictures of each.
SYSTEMS = {"generated": "generated", "gray_copy": "grayscale"}
FOLDERS = ("grayscale", "generated", "ground_truth")
CONTENTS = {*FOLDERS, "metrics.json", "per_image.csv", "accuracy_curve.png", "comparison.png"}

# Key in metrics.json; label, scale and format in the printed table.
TABLE = (
    ("mse", "MSE (0..255 squared, lower is better)", 1, ".1f"),
    ("psnr", "PSNR (dB, higher is better)", 1, ".2f"),
    ("ssim", "SSIM (higher is better)", 1, ".4f"),
    ("qssim", "QSSIM (higher is better)", 1, ".4f"),
    ("fid", "FID (Keras Inception v3, lower is better)", 1, ".2f"),
    ("fd_lite2", "Fréchet distance, Lite2 (lower is better)", 1, ".2f"),
    ("ciede2000", "CIEDE2000 (lower is better)", 1, ".2f"),
    ("colourfulness", "Colourfulness (truth: {true_colourfulness:.1f})", 1, ".1f"),
    ("ssim_accuracy", "SSIM accuracy (% of pictures >= {ssim_threshold:g})", 100, ".1f"),
    ("pixel_accuracy", "Pixel accuracy (% within 5% in R, G and B)", 100, ".1f"),
    ("auc", "AuC (%, higher is better)", 1, ".1f"),
    ("auc_balanced", "AuC, class-balanced (%, higher is better)", 1, ".1f"),
    ("recognition", "Recognition (% top-1, truth: {true_recognition})", 100, ".1f"),
)

# What may be missing, by the key of its reason.
REASONS = {"fid": "FID", "fd_lite2": "Fréchet distance in Lite2", "recognition": "recognition"}
TOO_FEW = "a covariance needs at least two pictures"
LITE2 = "efficientnet_lite2"  # as experiments/converters/convert_efficientnet.py names it

# The comparison shows the pictures at these shares of the ranking by CIEDE2000, best first.
SHOWN = {"good": (0.05, 0.1, 0.15), "middling": (0.45, 0.5, 0.55), "bad": (0.85, 0.9, 0.95)}


def open_test_set(data, size, skipped):
    """Find the pictures to measure on.

    `data` is a folder of prepared shards, or any folder of photographs, which are resized to
    `size` x `size` pixels, 120x120 where that is None. Returns their number, their side in pixels,
    and an iterator over (source, label, gray, rgb): text, the name of the class, uint8
    (side, side, 1) and (side, side, 3). Photographs that cannot be read are left out and appended
    to `skipped` by that iterator. Raises UserError when there is nothing to measure on, or prepared
    data is of another size.
    """
    if (data / dataset.MANIFEST).is_file():
        split = dataset.open_split(data, "test")
        if split.pictures == 0:
            raise UserError(f"{data} holds no test pictures; prepare it with some of them")
        if size not in (None, split.size):
            raise UserError(
                f"{data} holds pictures of {split.size}x{split.size} pixels, not {size}x{size}; "
                "give --data a folder of photographs, or leave out --size"
            )
        classes = dataset.read_manifest(data)["classes"]
        return split.pictures, split.size, shard_pictures(split, classes)
    if not data.is_dir():
        raise UserError(
            f"there is no data folder {data}; prepare one with: "
            f"python prepare_data.py --source IMAGENET_FOLDER --output {shlex.quote(str(data))}"
        )
    paths = find_photographs(data)
    if not paths:
        raise UserError(
            f"{data} holds neither prepared data ({dataset.MANIFEST}) nor photographs "
            f"({', '.join(formats.SUFFIXES)}); give another --data"
        )
    size = size or models.SIZE
    return len(paths), size, photographs(data, paths, size, skipped)


def shard_pictures(split, classes):
    """Yield (source, label, gray, rgb) of every pair of a split; the source is its row."""
    rows = itertools.count()
    for shard in split.shards():
        for gray, rgb, label in zip(*shard, strict=True):
            yield f"{split.name} row {next(rows)}", classes[label], gray, rgb


def photographs(folder, paths, size, skipped):
    """Yield (source, label, gray, rgb) of photographs, resized to `size` x `size` pixels."""
    for path in paths:
        source = shown(path.relative_to(folder))
        try:
            photograph = photos.read_rgb(path, at_least=size)
        except photos.PhotographError as error:
            tqdm.write(f"left out: {source}: {error}", file=sys.stderr)
            skipped.append({"file": source, "reason": str(error)})
            continue
        rgb = resize(photograph, size, size)
        yield source, label_of(path), grayscale(rgb), rgb


def label_of(path) -> str:
    """Return the class of a photograph: the synset its name begins with, or its folder's name."""
    synset = re.match(r"n\d{8}(?=_)", path.name)
    return synset.group() if synset else shown(path.parent.name)


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


def check_output(output) -> None:
    """Make the folder around `output`; `output` itself is free, empty or an earlier evaluation.

    Raises UserError when it is anything else, which is never touched, or cannot be made.
    """
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot make the folder {output.parent} ({error.strerror}); give another --output"
        ) from error
    if not output.exists():
        return
    names = {path.name for path in output.iterdir()} if output.is_dir() else {output.name}
    if names and not (names <= CONTENTS and "metrics.json" in names):
        raise UserError(
            f"{output} holds something other than an evaluation; remove it, "
            "or give another --output"
        )


def write_pictures(network, pictures, count, batch_size, folder):
    """Colorize every picture and write the three folders.

    Returns {file name: source} and {file name: label}.
    """
    sources, labels = {}, {}
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    with Progress(total=count, desc="colorizing", unit=" pictures") as progress:
        while batch := list(itertools.islice(pictures, batch_size)):
            gray = np.stack([gray for _, _, gray, _ in batch])
            colours = network(to_unit(gray))
            for (source, label, gray, rgb), generated in zip(batch, colours, strict=True):
                name = f"{len(sources):05d}.png"
                photos.write_png(folder / "grayscale" / name, gray)
                photos.write_png(folder / "generated" / name, to_uint8(generated))
                photos.write_png(folder / "ground_truth" / name, rgb)
                sources[name], labels[name] = source, label
            progress.update(len(batch))
    return sources, labels


def compare(ground_truth, ground_truth_lab, picture, picture_lab) -> dict:
    """Return every figure of one picture (uint8 RGB and its Lab) that has a meaning by itself."""
    squared_error = metrics.mean_squared_error(ground_truth, picture)
    return {
        "mse": squared_error,
        "psnr": metrics.psnr(squared_error),
        "ssim": metrics.ssim(ground_truth, picture),
        "qssim": metrics.qssim(ground_truth, picture),
        "ciede2000": metrics.ciede2000(ground_truth_lab, picture_lab),
        "colourfulness": metrics.colourfulness(picture),
        "pixel_accuracy": metrics.pixel_accuracy(ground_truth, picture),
    }


def measure_pictures(folder, sources):
    """Measure every written picture.

    Returns one row a picture (a dict, the columns of per_image.csv) and, for each system, the
    `metrics.chroma_errors` of all its pictures together.
    """
    rows = []
    errors = dict.fromkeys(SYSTEMS, 0)
    for name, source in Progress(sources.items(), desc="measuring", unit=" pictures"):
        ground_truth = photos.read_rgb(folder / "ground_truth" / name)
        ground_truth_lab = metrics.to_lab(ground_truth)
        row = {
            "name": name,
            "source": source,
            "gray_in_truth": int(tone.is_gray(ground_truth)),
            "true_colourfulness": metrics.colourfulness(ground_truth),
        }
        for system, pictures in SYSTEMS.items():
            picture = photos.read_rgb(folder / pictures / name)
            lab = metrics.to_lab(picture)
            figures = compare(ground_truth, ground_truth_lab, picture, lab)
            row |= {f"{system}_{key}": value for key, value in figures.items()}
            errors[system] = errors[system] + metrics.chroma_errors(ground_truth_lab, lab)
        rows.append(row)
    return rows, errors


def summarize(rows, system, errors, distances, recognised, threshold) -> dict:
    """Return the figures of one system, with the keys of the table.

    `rows` as from `measure_pictures`, `errors` the chroma errors of this system, `distances` its
    Fréchet distances by key, each a number or None, `recognised` its share of recognised pictures
    or None, `threshold` the SSIM from which a picture counts as right.
    """
    figures = ("mse", "psnr", "ssim", "qssim", "ciede2000", "colourfulness", "pixel_accuracy")
    mean = {key: float(column(rows, system, key).mean()) for key in figures}
    return {
        "mse": mean["mse"],
        "psnr": mean["psnr"],
        "ssim": mean["ssim"],
        "qssim": mean["qssim"],
        **distances,
        "ciede2000": mean["ciede2000"],
        "colourfulness": mean["colourfulness"],
        "ssim_accuracy": metrics.ssim_accuracy(column(rows, system, "ssim"), threshold),
        "pixel_accuracy": mean["pixel_accuracy"],
        "auc": metrics.auc(errors),
        "auc_balanced": metrics.auc_balanced(errors),
        "recognition": recognised,
    }


def frechet_distances(name, found):
    """Compare features {folder: float (N, D)} of the pictures in each folder with the truth's.

    Returns {system: distance} and a warning, or None where the pictures are enough. `name` is what
    the distance is called.
    """
    distances = {
        system: metrics.feature_distance(found["ground_truth"], found[pictures])
        for system, pictures in SYSTEMS.items()
    }
    pictures, width = found["ground_truth"].shape
    warning = None
    if pictures <= width:  # the covariance of so few is rank-deficient
        warning = (
            f"{name} of {pictures:,} pictures, not more than its {width:,} features, is too high "
            "and compares only with that of as many pictures"
        )
    return distances, warning


def in_batches(folder, names, batch_size, description):
    """Yield the pictures `names` of a folder, uint8 RGB (B, H, W, 3), with a progress bar."""
    for start in Progress(range(0, len(names), batch_size), desc=description, unit=" batch"):
        batch = names[start : start + batch_size]
        yield np.stack([photos.read_rgb(folder / name) for name in batch])


def measure_fid(folder, names, weights, batch_size):
    """Return {system: FID}, a warning or None, and None; or {system: None}, None and the reason."""
    if len(names) < 2:
        return dict.fromkeys(SYSTEMS), None, TOO_FEW
    try:
        inception = features.load_inception(weights)
    except features.NoInception as error:
        return dict.fromkeys(SYSTEMS), None, str(error)
    found = {}
    for pictures in FOLDERS:
        batches = in_batches(folder / pictures, names, batch_size, f"FID, {pictures}")
        found[pictures] = np.concatenate(
            [features.inception_features(inception, batch) for batch in batches]
        )
    return *frechet_distances("FID", found), None


def measure_lite2(seen, name):
    """Return as `measure_fid` the distance in the features that the classifier has `seen`.

    The same distance as the FID in another network's features, so another number: it compares
    systems on one set of pictures, and with no FID. `seen` as from `classify_pictures`, `name` the
    classifier's.
    """
    if name != LITE2:
        return dict.fromkeys(SYSTEMS), None, f"the classifier is {name}, not {LITE2}"
    found = {pictures: found for pictures, (found, _) in seen.items()}
    if len(found["ground_truth"]) < 2:
        return dict.fromkeys(SYSTEMS), None, TOO_FEW
    return *frechet_distances("Fréchet distance in Lite2", found), None


def classify_pictures(classifier, folder, names, batch_size):
    """Return {folder: (features (N, D), most likely class (N,))} of all pictures in each folder."""
    seen = {}
    for pictures in FOLDERS:
        batches = in_batches(folder / pictures, names, batch_size, f"classifying, {pictures}")
        answers = [features.classify(classifier, batch) for batch in batches]
        seen[pictures] = tuple(map(np.concatenate, zip(*answers, strict=True)))
    return seen


def measure_recognition(seen, labels):
    """Return how many of the pictures in each folder the classifier recognises.

    `seen` as from `classify_pictures`; `labels` is {file name: label} of the same pictures. Those
    whose label is no ImageNet class are left out. Returns {folder: share, 0..1}, the number of
    pictures, and None; or {folder: None}, 0 and the reason in words.
    """
    numbers = features.class_numbers()
    truth = np.array([numbers.get(label, -1) for label in labels.values()])
    labelled = truth >= 0
    if not labelled.any():
        return dict.fromkeys(FOLDERS), 0, "no picture is labelled with a class of ImageNet"
    shares = {
        pictures: float((classes == truth)[labelled].mean())
        for pictures, (_, classes) in seen.items()
    }
    return shares, int(labelled.sum()), None


def measure_with_classifier(folder, labels, classifier_file, batch_size):
    """Return what `measure_lite2` and what `measure_recognition` give of the written pictures."""
    try:
        classifier = features.load_classifier(classifier_file)
    except features.NoClassifier as error:
        reason = str(error)
        return (dict.fromkeys(SYSTEMS), None, reason), (dict.fromkeys(FOLDERS), 0, reason)
    seen = classify_pictures(classifier, folder, list(labels), batch_size)
    return measure_lite2(seen, classifier.name), measure_recognition(seen, labels)


def column(rows, system, key):
    """Return one figure of one system for every picture, float64 (N,)."""
    return np.array([row[f"{system}_{key}"] for row in rows])


def write_per_image(rows, path) -> None:
    """Write one CSV row a picture."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def draw_accuracy_curve(rows, threshold, path) -> None:
    """Draw the share of pictures with SSIM >= t over t, and the paper's 85% on it."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    thresholds = np.linspace(0, 1, 1001)
    for system, label, line in (("generated", "generated", "-"), ("gray_copy", "gray copy", "--")):
        similarities = column(rows, system, "ssim")
        shares = [metrics.ssim_accuracy(similarities, t) for t in thresholds]
        reached = metrics.ssim_threshold(similarities, PAPER_ACCURACY)
        axes.plot(thresholds, 100 * np.array(shares), line, label=f"{label}: 85% at {reached:.3f}")
    axes.axhline(100 * PAPER_ACCURACY, color="black", linestyle=":", label="the paper: 85%")
    axes.axvline(threshold, color="gray", linestyle="-.", label=f"threshold here: {threshold:g}")
    axes.set(
        xlabel="SSIM threshold t",
        ylabel="pictures with SSIM >= t (%)",
        title=f"Accuracy over its threshold, {len(rows):,} pictures",
        xlim=(0, 1),
        ylim=(0, 102),
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    figure.savefig(path, dpi=120)


def shown_ranks(pictures) -> dict:
    """Return {rank: "good", "middling" or "bad"} of those to show, 1 the best; few have fewer."""
    return {
        1 + round(share * (pictures - 1)): group
        for group, shares in SHOWN.items()
        for share in shares
    }


def draw_comparison(rows, folder, path) -> None:
    """Draw gray, generated and true pictures at fixed ranks by CIEDE2000, the best first."""
    ranking = np.argsort(column(rows, "generated", "ciede2000"), kind="stable")
    shown = shown_ranks(len(rows))
    figure = Figure(figsize=(1.5 * len(shown) + 0.6, 5.4), layout="constrained")
    grid = figure.subplots(len(FOLDERS), len(shown), squeeze=False)
    for axes, (rank, group) in zip(grid.T, shown.items(), strict=True):
        row = rows[ranking[rank - 1]]
        axes[0].set_title(
            f"{group}\nrank {rank:,} of {len(rows):,}\nCIEDE2000 {row['generated_ciede2000']:.1f}",
            fontsize=8,
        )
        for cell, pictures in zip(axes, FOLDERS, strict=True):
            cell.imshow(photos.read_rgb(folder / pictures / row["name"]))
            cell.set(xticks=[], yticks=[])
    for cell, label in zip(grid[:, 0], ("gray", "generated", "true"), strict=True):
        cell.set_ylabel(label)
    figure.savefig(path, dpi=120)


def format_table(report) -> str:
    """Return the table that is printed: a row a figure, the gray copy beside the model."""
    lines = [
        f"{report['images']:,} pictures, {report['gray_in_truth']:,} of them gray in truth",
        f"{'':44}{'generated':>12}{'gray copy':>12}",
    ]
    truth = report["true_recognition"]
    for_labels = report | {"true_recognition": "none" if truth is None else f"{100 * truth:.1f}"}
    for key, label, scale, form in TABLE:
        values = [report[system][key] for system in SYSTEMS]
        cells = ["none" if value is None else format(scale * value, form) for value in values]
        lines.append(f"{label.format(**for_labels):44}{cells[0]:>12}{cells[1]:>12}")
    return "\n".join(lines)


def evaluate(arguments) -> None:
    """Write the pictures, measure them, write the report and print it."""
    if not 0 <= arguments.ssim_threshold <= 1:
        raise UserError(f"--ssim-threshold is {arguments.ssim_threshold}, give 0 to 1")
    if arguments.size is not None and (arguments.size < 32 or arguments.size % 8):
        raise UserError(f"--size is {arguments.size}, give a multiple of 8 from 32 up")
    if arguments.batch_size < 1:
        raise UserError(f"--batch-size is {arguments.batch_size}, give 1 or more")
    check_output(arguments.output)
    skipped = []
    count, size, pictures = open_test_set(arguments.data, arguments.size, skipped)
    network = load_network(arguments.model)
    check_network(network, size)
    print(f"evaluating {arguments.model} on {count:,} pictures")

    # Built beside its place and moved there whole, so that no evaluation is a mix of two.
    try:
        with atomic.replacing_folder(arguments.output) as folder:
            sources, labels = write_pictures(network, pictures, count, arguments.batch_size, folder)
            if not sources:
                raise UserError(
                    f"no photograph in {arguments.data} can be read; give another --data"
                )
            report = write_report(folder, sources, labels, size, skipped, arguments)
    except OSError as error:
        raise UserError(
            f"{shown(arguments.output)} cannot be written ({error.strerror or error}); make "
            "room, or give another --output"
        ) from error
    print(format_table(report))
    for key, name in REASONS.items():
        if report[f"{key}_reason"]:
            print(f"no {name}: {report[f'{key}_reason']}")
        if report.get(f"{key}_warning"):
            print(f"warning: {report[f'{key}_warning']}")
    print(f"pictures and figures are in {arguments.output}")


def write_report(folder, sources, labels, size, skipped, arguments) -> dict:
    """Measure the pictures written to `folder`; write and return what metrics.json holds."""
    rows, errors = measure_pictures(folder, sources)
    fid, fid_warning, no_fid = measure_fid(
        folder, list(sources), arguments.inception_weights, arguments.batch_size
    )
    lite2, recognition = measure_with_classifier(
        folder, labels, arguments.classifier, arguments.batch_size
    )
    fd_lite2, lite2_warning, no_lite2 = lite2
    recognised, recognition_images, no_recognition = recognition
    threshold = arguments.ssim_threshold
    report = {
        "images": len(rows),
        "gray_in_truth": sum(row["gray_in_truth"] for row in rows),
        "ssim_threshold": threshold,
        **{
            system: summarize(
                rows,
                system,
                errors[system],
                {"fid": fid[system], "fd_lite2": fd_lite2[system]},
                recognised[pictures],
                threshold,
            )
            for system, pictures in SYSTEMS.items()
        },
        "true_colourfulness": float(np.mean([row["true_colourfulness"] for row in rows])),
        "true_recognition": recognised["ground_truth"],
        "recognition_images": recognition_images,
        "recognition_reason": no_recognition,
        "ssim_threshold_for_85_percent": {
            system: metrics.ssim_threshold(column(rows, system, "ssim"), PAPER_ACCURACY)
            for system in SYSTEMS
        },
        "fid_reason": no_fid,
        "fid_warning": fid_warning,
        "fd_lite2_reason": no_lite2,
        "fd_lite2_warning": lite2_warning,
        "model": shown(arguments.model),
        "data": shown(arguments.data),
        "size": size,
        "left_out": skipped,
        "versions": record.versions(),
        "git_commit": record.git_commit(),
    }
    write_per_image(rows, folder / "per_image.csv")
    draw_accuracy_curve(rows, threshold, folder / "accuracy_curve.png")
    draw_comparison(rows, folder, folder / "comparison.png")
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
        help=f"side to which photographs are resized, a multiple of 8 (default: {models.SIZE})",
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
        help=f"Keras' {features.INCEPTION_FILE} for FID (default: downloaded once, 88 MB)",
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
