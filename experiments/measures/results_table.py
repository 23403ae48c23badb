"""Print a table of published results in Markdown, as it stands in README.md and docs/.

    python experiments/measures/results_table.py shipped --columns psnr auc_balanced colourfulness
    python experiments/measures/results_table.py --write

Reads experiments/results/NAME/SET.json, which publish.py copies from evaluations. A
table is one of TABLES, or one set of pictures of it, or results NAME/SET; --write writes
docs/tables/: each of TABLES with all its columns, and what the columns are.
"""

import argparse
import itertools
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pictures.measure import METRICS

RESULTS = ROOT / "experiments" / "results"
PAGES = ROOT / "docs" / "tables"

COLUMNS = {metric.key: metric for metric in METRICS}

# Name of a table and of its page -> its sets of pictures, and the results on each.
TABLES = {
    "shipped": [("test sample sample_224", "paper_gan semantic")],
    "passes": [
        (
            "sample_224",
            "semantic_before semantic_first_pass semantic_second_pass semantic_longer "
            "semantic_large_parts semantic_third_pass semantic",
        )
    ],
    "sharper": [
        ("imagenet10", "paper_gan_imagenet10"),
        ("sample sample_224", "paper_gan paper_gan_imagenet10"),
    ],
    "ingredients": [
        (
            "test sample",
            "paper_10_epochs without_adversary without_pixel_loss hard_labels "
            "two_discriminator_updates without_dilation without_skips",
        )
    ],
    "systems": [
        (
            "test sample",
            "paper_1_epoch regress_1_epoch classify_1_epoch pix2pix_1_epoch vgg16_1_epoch "
            "paper_10_epochs regress_10_epochs classify_10_epochs",
        )
    ],
    "earlier_recipe": [
        (
            "test sample",
            "semantic_regress_rarity_half semantic_regress_rarity_half_mirror semantic_rarity_0 "
            "semantic_rarity_1 semantic_classify_rarity_half semantic_adversary "
            "semantic_frozen_encoder semantic_one_rate semantic_constant_rate",
        ),
        ("sample", "semantic_half_the_classes"),
    ],
    "sizes": [("sample_192 sample_224 sample_256 sample_320", "semantic_third_pass")],
}


def results_of(name) -> list:
    """Return the results, NAME/SET, of one of TABLES, or of one set of it, as systems/sample.

    Any other `name` is a result itself.
    """
    table_name, _, wanted = name.partition("/")
    groups = ((sets.split(), results.split()) for sets, results in TABLES.get(table_name, []))
    return [
        f"{result}/{pictures}"
        for sets, results in groups
        for pictures in sets
        for result in results
        if wanted in ("", pictures)
    ] or [name]


def cells(columns, *seeds):
    """Return the text of one row's cells: figures, or the mean over those of `seeds` and the range.

    A metric that was not measured is a dash, one not measured with every seed that of the first.
    """
    texts = []
    for key, metric in columns.items():
        values = [figures.get(key) for figures in seeds]
        text = metric.published(values[0])
        if len(values) > 1 and None not in values:
            ends = metric.published(min(values)), metric.published(max(values))
            text = f"{metric.published(sum(values) / len(values))} ({ends[0]} to {ends[1]})"
        texts.append(text)
    return texts


def table(names, chosen=COLUMNS) -> str:
    """Return the table of the results `names`, each NAME/SET, with the `chosen` of COLUMNS.

    Neighbours of one SET share its gray copy, which comes first, and its truth, which comes last.
    A metric of which none of them has a figure has no column. What other seeds gave, below
    NAME_seed1 and so on, goes into the mean and the range of the result's row.
    """
    measured = {name: read(name) for name in names}
    figures = [result["generated"].items() for result in measured.values()]
    known = {key for pairs in figures for key, value in pairs if value is not None}
    columns = {key: COLUMNS[key] for key in chosen if key in known}
    settings = measured[names[0]]
    lines = [["pictures", "", *(metric.heading(**settings) for metric in columns.values())]]
    lines.append(["---"] * 2 + ["---:"] * len(columns))
    for pictures, group in itertools.groupby(names, key=lambda name: name.split("/")[1]):
        results = {name.split("/")[0]: measured[name] for name in group}
        first = next(iter(results.values()))
        # As they are printed: the last digits of a distance are the processor's.
        shared = [cells(columns, result["gray_copy"]) for result in results.values()]
        if any(each != shared[0] for each in shared):
            raise SystemExit(f"the results on {pictures} are not of the same pictures")
        label = f"{first['images']:,} {pictures.replace('_', ' ')}"
        lines.append([label, "gray copy", *cells(columns, first["gray_copy"])])
        for name, result in results.items():
            rows = [result["generated"], *other_seeds(name, pictures)]
            label = name.replace("_", " ") + (f", {len(rows)} seeds" if len(rows) > 1 else "")
            lines.append(["", label, *cells(columns, *rows)])
        truth = {key: first.get(f"true_{key}") for key in columns}
        lines.append(["", "truth", *cells(columns, truth)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def read(name) -> dict:
    """Return the metrics of the result `name`, NAME/SET."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def other_seeds(name, pictures) -> list:
    """Return what was measured of a result on a set of pictures with other seeds than 0."""
    found = sorted(RESULTS.glob(f"{name}_seed*/{pictures}.json"))
    return [read(f"{path.parent.name}/{pictures}")["generated"] for path in found]


def meanings() -> str:
    """Return the table of what each column is."""
    lines = ["| column | what it is | better |", "|---|---|---|"]
    for metric in METRICS:
        heading = metric.heading(ssim_threshold=0.8)
        lines.append(f"| {heading} | {metric.meaning} | {metric.better} |")
    return "\n".join(lines)


def pages() -> dict:
    """Return the text of every page of docs/tables/, by its file's name."""
    made = "`python experiments/measures/results_table.py --write` makes this page.\n\n"
    texts = {"columns.md": f"# What the columns of all tables are\n\n{made}{meanings()}\n"}
    for name in TABLES:
        title = f"# All figures: {name.replace('_', ' ')}\n\n"
        columns = "[What the columns are](columns.md). "
        texts[f"{name}.md"] = f"{title}{columns}{made}{table(results_of(name))}\n"
    return texts


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "names", nargs="*", metavar="TABLE", help=f"{', '.join(TABLES)}, or results NAME/SET"
    )
    parser.add_argument(
        "--columns",
        nargs="+",
        choices=COLUMNS,
        default=COLUMNS,
        metavar="METRIC",
        help=f"of {', '.join(COLUMNS)} (default: all)",
    )
    parser.add_argument("--write", action="store_true", help="write all of docs/tables/ instead")
    arguments = parser.parse_args(argv)
    if arguments.write:
        PAGES.mkdir(exist_ok=True)
        for name, text in pages().items():
            (PAGES / name).write_text(text, encoding="utf-8")
        print(f"the tables are in {PAGES}")
    elif arguments.names:
        names = [result for name in arguments.names for result in results_of(name)]
        print(table(names, arguments.columns))
    else:
        parser.error("name a table, or give --write")
    return 0


if __name__ == "__main__":
    sys.exit(main())
