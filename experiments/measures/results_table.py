"""Print a Markdown table of published results, as it stands in README.md or docs/results.md.

    python experiments/measures/results_table.py paper_gan/test paper_gan/sample

Reads experiments/results/NAME/SET.json, which publish.py copies from evaluations.
"""

import argparse
import itertools
import json
import sys
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[1] / "results"

# Key in metrics.json -> heading, number of decimals, factor.
COLUMNS = {
    "mse": ("MSE", 0, 1),
    "psnr": ("PSNR dB", 2, 1),
    "ssim": ("SSIM", 3, 1),
    "qssim": ("QSSIM", 3, 1),
    "fid": ("FID", 1, 1),
    "fd_lite2": ("FD Lite2", 1, 1),
    "ssim_accuracy": ("SSIM ≥ 0.8 %", 1, 100),
    "pixel_accuracy": ("within 5% %", 1, 100),
    "ciede2000": ("CIEDE2000", 2, 1),
    "auc": ("AuC %", 1, 1),
    "auc_balanced": ("balanced AuC %", 1, 1),
    "colourfulness": ("colourfulness", 1, 1),
    "recognition": ("recognised %", 1, 100),
}


def cells(values, columns):
    """Return the text of one row's cells; a metric that was not measured is a dash."""
    return [
        "—" if values.get(key) is None else f"{factor * values[key]:.{decimals}f}"
        for key, (_, decimals, factor) in columns.items()
    ]


def table(names, chosen=COLUMNS) -> str:
    """Return the table of the results `names`, each NAME/SET, with the `chosen` of COLUMNS.

    Neighbours of one SET share its gray copy, which comes first, and its truth, which comes last.
    A metric that `evaluate.py` did not know of when these were measured has no column.
    """
    measured = {name: read(name) for name in names}
    known = set().union(*(result["generated"] for result in measured.values()))
    columns = {key: COLUMNS[key] for key in chosen if key in known}
    lines = [["pictures", "", *(heading for heading, _, _ in columns.values())]]
    lines.append(["---"] * 2 + ["---:"] * len(columns))
    for pictures, group in itertools.groupby(names, key=lambda name: name.split("/")[1]):
        results = {name.split("/")[0]: measured[name] for name in group}
        first = next(iter(results.values()))
        # As they are printed: the last digits of a distance are the processor's.
        shared = [cells(result["gray_copy"], columns) for result in results.values()]
        if any(each != shared[0] for each in shared):
            raise SystemExit(f"the results on {pictures} are not of the same pictures")
        label = f"{first['images']:,} {pictures.replace('_', ' ')}"
        lines.append([label, "gray copy", *cells(first["gray_copy"], columns)])
        for name, result in results.items():
            lines.append(["", name.replace("_", " "), *cells(result["generated"], columns)])
        truth = {key: first.get(f"true_{key}") for key in ("colourfulness", "recognition")}
        lines.append(["", "truth", *cells(truth, columns)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def read(name) -> dict:
    """Return the metrics of the result `name`, NAME/SET."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="+", metavar="NAME/SET", help="results to print")
    parser.add_argument(
        "--columns",
        nargs="+",
        choices=COLUMNS,
        default=COLUMNS,
        metavar="METRIC",
        help=f"of {', '.join(COLUMNS)} (default: all)",
    )
    arguments = parser.parse_args(argv)
    print(table(arguments.names, arguments.columns))
    return 0


if __name__ == "__main__":
    sys.exit(main())
