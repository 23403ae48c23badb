"""The two pictures of an evaluation: the paper's accuracy over its threshold, and good to bad."""

from colorizer.files import photos
from pictures import metrics
from pictures.measure import FOLDERS, SYSTEMS

import numpy as np
from matplotlib.figure import Figure

PAPER_ACCURACY = 0.85  # Paper: 85% after 50 epochs. The SSIM threshold it used is not given.

# The comparison shows the pictures at these shares of the ranking by CIEDE2000, best first.
SHOWN = {"good": (0.05, 0.1, 0.15), "middling": (0.45, 0.5, 0.55), "bad": (0.85, 0.9, 0.95)}


def draw_accuracy_curve(similarities, threshold, path) -> None:
    """Draw the share of pictures with SSIM >= t over t, and the paper's 85% on it.

    `similarities` is {system: SSIM of its pictures (N,)}.
    """
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    thresholds = np.linspace(0, 1, 1001)
    for system, line in zip(SYSTEMS, ("-", "--"), strict=True):
        shares = [metrics.ssim_accuracy(similarities[system], t) for t in thresholds]
        reached = metrics.ssim_threshold(similarities[system], PAPER_ACCURACY)
        label = f"{system.replace('_', ' ')}: 85% at {reached:.3f}"
        axes.plot(thresholds, 100 * np.array(shares), line, label=label)
    axes.axhline(100 * PAPER_ACCURACY, color="black", linestyle=":", label="the paper: 85%")
    axes.axvline(threshold, color="gray", linestyle="-.", label=f"threshold here: {threshold:g}")
    axes.set(
        xlabel="SSIM threshold t",
        ylabel="pictures with SSIM >= t (%)",
        title=f"Accuracy over its threshold, {len(similarities['generated']):,} pictures",
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


def draw_comparison(differences, names, folder, path) -> None:
    """Draw gray, generated and true pictures at fixed ranks by CIEDE2000, the best first.

    `differences` (N,) are the CIEDE2000 of the generated pictures `names`.
    """
    ranking = np.argsort(differences, kind="stable")
    ranks = shown_ranks(len(names))
    figure = Figure(figsize=(1.5 * len(ranks) + 0.6, 5.4), layout="constrained")
    grid = figure.subplots(len(FOLDERS), len(ranks), squeeze=False)
    for axes, (rank, group) in zip(grid.T, ranks.items(), strict=True):
        number = ranking[rank - 1]
        axes[0].set_title(
            f"{group}\nrank {rank:,} of {len(names):,}\nCIEDE2000 {differences[number]:.1f}",
            fontsize=8,
        )
        for cell, pictures in zip(axes, FOLDERS, strict=True):
            cell.imshow(photos.read_rgb(folder / pictures / names[number]))
            cell.set(xticks=[], yticks=[])
    for cell, label in zip(grid[:, 0], ("gray", "generated", "true"), strict=True):
        cell.set_ylabel(label)
    figure.savefig(path, dpi=120)
