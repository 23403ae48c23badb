"""Print a Markdown table of published results, as it stands in README.md or docs/results.md.

    python experiments/measures/results_table.py paper_gan/test paper_gan/sample

Reads experiments/results/NAME/SET.json, which publish.py copies from evaluations.
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

COLUMNS = {metric.key: metric for metric in METRICS}


def cells(values, columns):
    """Return the text of one row's cells; a metric that was not measured is a dash."""
    return [metric.published(values.get(key)) for key, metric in columns.items()]


def table(names, chosen=COLUMNS) -> str:
    """Return the table of the results `names`, each NAME/SET, with the `chosen` of COLUMNS.

    Neighbours of one SET share its gray copy, which comes first, and its truth, which comes last.
    A metric that `evaluate.py` did not know of when these were measured has no column.
    """
    measured = {name: read(name) for name in names}
    known = set().union(*(result["generated"] for result in measured.values()))
    columns = {key: COLUMNS[key] for key in chosen if key in known}
    first = measured[names[0]]
    lines = [["pictures", "", *(metric.heading(**first) for metric in columns.values())]]
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
        truth = {key: first.get(f"true_{key}") for key in columns}
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
