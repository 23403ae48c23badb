"""The table of all metrics, and their figures over a set of pictures.

`METRICS` is the one place that names a metric: evaluate.py computes, writes and prints what is in
it, and the columns of published tables come from it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from colorizer.files import photos
from colorizer.pixels import is_gray
from colorizer.progress import Progress
from pictures import metrics

import numpy as np

# What is measured, and the folder that holds the pictures of each.
SYSTEMS = {"generated": "generated", "gray_copy": "grayscale"}
TRUTH = "ground_truth"
FOLDERS = ("grayscale", "generated", TRUTH)

DRAWS, DRAWS_AT_ONCE = 2000, 100  # of the bootstrap


@dataclass(frozen=True)
class Pair:
    """A picture beside the true one: uint8 RGB (H, W, 3) each, and the true one's Lab."""

    truth: np.ndarray
    picture: np.ndarray
    truth_lab: np.ndarray
    ssim_threshold: float

    @cached_property
    def lab(self):
        return metrics.to_lab(self.picture)

    @cached_property
    def squared_error(self):
        return metrics.mean_squared_error(self.truth, self.picture)

    @cached_property
    def ssim(self):
        return metrics.ssim(self.truth, self.picture)

    @cached_property
    def chroma_scores(self):
        return metrics.chroma_scores(self.truth_lab, self.lab)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A figure that tells how close colorized pictures are to the true ones."""

    key: str  # its name in metrics.json and per_image.csv
    name: str  # in the printed table and, with `unit` or as `column`, in published ones
    unit: str = ""
    column: str = ""
    meaning: str
    better: str = "high"  # or low, or as the truth
    decimals: tuple = (1, 1)  # printed, published
    scale: float = 1  # of what is printed and published
    of_truth: bool = False  # the true pictures themselves have a figure, `true_KEY`
    # A number or an array of one `Pair`, or the network that gives one for each picture.
    of_picture: Callable | str
    # The figure: of the mean over the pictures (..., values), or of all features that a network
    # sees in the true pictures and in those measured, (N, D) each.
    of_mean: Callable = field(default=lambda mean: mean)
    of_features: Callable | None = None

    def figure(self, truth, values) -> float | None:
        """Return the figure of pictures with these `values`, (N, ...); None where all are NaN.

        `truth` holds those of the true pictures, which metrics of features need.
        """
        if self.of_features:
            return float(self.of_features(truth, values)) if len(values) > 1 else None
        if np.isnan(values).all():
            return None
        return float(self.of_mean(np.nanmean(values, axis=0)))

    def heading(self, **settings) -> str:
        """Return the heading of its column in published tables, under these `settings`."""
        return self.column or f"{self.name} {self.unit}".strip().format(**settings)

    def printed(self, value) -> str:
        return "none" if value is None else f"{self.scale * value:.{self.decimals[0]}f}"

    def published(self, value) -> str:
        return "—" if value is None else f"{self.scale * value:.{self.decimals[1]}f}"


METRICS = (
    Metric(
        key="mse",
        name="MSE",
        unit="0..255 squared",
        column="MSE",
        meaning="mean squared error of RGB (0..255 squared)",
        better="low",
        decimals=(1, 0),
        of_picture=lambda pair: pair.squared_error,
    ),
    Metric(
        key="psnr",
        name="PSNR",
        unit="dB",
        meaning="peak signal-to-noise ratio of RGB, at most 60 dB a picture",
        decimals=(2, 2),
        of_picture=lambda pair: metrics.psnr(pair.squared_error),
    ),
    Metric(
        key="ssim",
        name="SSIM",
        meaning="structural similarity of RGB (Wang et al. 2004)",
        decimals=(4, 3),
        of_picture=lambda pair: pair.ssim,
    ),
    Metric(
        key="qssim",
        name="QSSIM",
        meaning="SSIM of colours as quaternions (Kolaman & Yadid-Pecht 2012)",
        decimals=(4, 3),
        of_picture=lambda pair: metrics.qssim(pair.truth, pair.picture),
    ),
    Metric(
        key="fid",
        name="FID",
        meaning="Fréchet distance of Inception v3's features",
        better="low",
        decimals=(2, 1),
        of_picture="inception",
        of_features=metrics.feature_distance,
    ),
    Metric(
        key="fd_lite2",
        name="Fréchet distance in Lite2",
        column="FD Lite2",
        meaning="the same distance of the 1,280 features by which EfficientNet-Lite2 classifies; "
        "no FID, and compares on one set of pictures only",
        better="low",
        decimals=(2, 1),
        of_picture="lite2",
        of_features=metrics.feature_distance,
    ),
    Metric(
        key="ssim_accuracy",
        name="SSIM ≥ {ssim_threshold:g}",
        unit="%",
        meaning="share of the pictures: the paper's accuracy, at a threshold that it does not give",
        scale=100,
        of_picture=lambda pair: pair.ssim >= pair.ssim_threshold,
    ),
    Metric(
        key="pixel_accuracy",
        name="within 5%",
        unit="%",
        meaning="share of the pixels whose R, G and B are all within 5% of 255 (Qiu, Cao et al.)",
        scale=100,
        of_picture=lambda pair: metrics.pixel_accuracy(pair.truth, pair.picture),
    ),
    Metric(
        key="ciede2000",
        name="CIEDE2000",
        meaning="mean colour difference; 1 is just noticeable",
        better="low",
        decimals=(2, 2),
        of_picture=lambda pair: metrics.ciede2000(pair.truth_lab, pair.lab),
    ),
    Metric(
        key="auc",
        name="AuC",
        unit="%",
        meaning="area under the curve of pixels over their chroma error (Zhang et al. 2016)",
        of_picture=lambda pair: pair.chroma_scores,
        of_mean=metrics.auc,
    ),
    Metric(
        key="auc_balanced",
        name="balanced AuC",
        unit="%",
        meaning="the same, with rare colours counting as much as common ones",
        of_picture=lambda pair: pair.chroma_scores,
        of_mean=metrics.auc_balanced,
    ),
    Metric(
        key="colourfulness",
        name="colourfulness",
        meaning="Hasler & Süsstrunk 2003; 0 is gray",
        better="as the truth",
        of_truth=True,
        of_picture=lambda pair: metrics.colourfulness(pair.picture),
    ),
    Metric(
        key="recognition",
        name="recognition",
        unit="% top-1",
        column="recognised %",
        meaning="share of the pictures whose class a classifier finds (EfficientNet-Lite2, which "
        "had no part in the training)",
        scale=100,
        of_truth=True,
        of_picture="classes",
    ),
)


# What an evaluation asks networks for, by the name in `of_picture`.
NETWORKS = {metric.of_picture for metric in METRICS if isinstance(metric.of_picture, str)}


@dataclass(frozen=True)
class Answers:
    """What a network sees: {folder: float (N, ...)}, or the reason why there is nothing."""

    of_folder: dict = field(default_factory=dict)
    reason: str | None = None


def measure_pictures(folder, names, ssim_threshold, answers):
    """Measure the pictures `names` of an evaluation's folder.

    `answers` is {network: `Answers`} of the same pictures. Returns {system: {key: (N, ...)}} of
    SYSTEMS and of TRUTH, without what no network could see; and which pictures are gray in truth,
    bool (N,).
    """
    computed = [metric for metric in METRICS if callable(metric.of_picture)]
    values = {system: {metric.key: [] for metric in computed} for system in SYSTEMS}
    values[TRUTH] = {metric.key: [] for metric in computed if metric.of_truth}
    gray = []
    for name in Progress(names, desc="measuring", unit=" pictures"):
        truth = photos.read_rgb(folder / TRUTH / name)
        truth_lab = metrics.to_lab(truth)
        gray.append(bool(is_gray(truth)))
        for system, columns in values.items():
            picture = photos.read_rgb(folder / SYSTEMS.get(system, TRUTH) / name)
            pair = Pair(truth, picture, truth_lab, ssim_threshold)
            for metric in computed:
                if metric.key in columns:
                    columns[metric.key].append(metric.of_picture(pair))
    for metric in METRICS:
        if metric not in computed:
            for system, columns in values.items():
                seen = answers[metric.of_picture].of_folder
                columns.update({metric.key: seen[SYSTEMS.get(system, TRUTH)]} if seen else {})
    arrays = {
        system: {key: np.asarray(column, np.float64) for key, column in columns.items()}
        for system, columns in values.items()
    }
    return arrays, np.array(gray)


def summarize(values) -> dict:
    """Return the figures of pictures with these `values` as from `measure_pictures`.

    They are {system: {key: figure or None}}, their `intervals`, and `true_KEY` of the metrics that
    truth itself has.
    """

    def figure(metric, system):
        if metric.key not in values[system]:
            return None
        return metric.figure(values[TRUTH].get(metric.key), values[system][metric.key])

    figures = {system: {each.key: figure(each, system) for each in METRICS} for system in SYSTEMS}
    truth = {f"true_{each.key}": figure(each, TRUTH) for each in METRICS if each.of_truth}
    return figures | {"intervals": intervals(values)} | truth


def intervals(values) -> dict:
    """Return 95% bootstrap intervals over pictures, {system: {key: [low, high]}}.

    "difference" has those of the generated pictures less their gray copy, of the same draws.
    Fréchet distances have none: pictures drawn twice make them larger.

    Source: Efron & Tibshirani 1993, the percentile interval.
    """
    random = np.random.default_rng(0)
    pictures = len(values["generated"]["ssim"])
    averaged = [
        metric
        for metric in METRICS
        if not metric.of_features and np.isfinite(values["generated"].get(metric.key, [])).any()
    ]
    drawn = {system: {metric.key: [] for metric in averaged} for system in SYSTEMS}
    for _ in range(0, DRAWS, DRAWS_AT_ONCE):
        draws = random.integers(0, pictures, (DRAWS_AT_ONCE, pictures))
        times = np.array([np.bincount(draw, minlength=pictures) for draw in draws], np.float64)
        for system, figures in drawn.items():
            for metric in averaged:
                column = values[system][metric.key]
                flat = column.reshape(pictures, -1)
                with np.errstate(invalid="ignore"):  # a draw without any labelled picture
                    means = times @ np.nan_to_num(flat) / (times @ np.isfinite(flat[:, :1]))
                figure = metric.of_mean(means.reshape(-1, *column.shape[1:]))
                figures[metric.key].append(figure)
    drawn = {
        system: {key: np.concatenate(figure) for key, figure in figures.items()}
        for system, figures in drawn.items()
    }
    generated, gray = drawn["generated"], drawn["gray_copy"]
    drawn["difference"] = {key: generated[key] - gray[key] for key in generated}
    return {
        system: {key: np.nanpercentile(each, (2.5, 97.5)).tolist() for key, each in figures.items()}
        for system, figures in drawn.items()
    }


def select(values, chosen) -> dict:
    """Return the `values` of the `chosen` pictures, bool (N,), alone."""
    return {
        system: {key: column[chosen] for key, column in of_system.items()}
        for system, of_system in values.items()
    }


def count(values, key) -> int:
    """Return of how many pictures the metric `key` is the figure."""
    return int(np.isfinite(values["generated"].get(key, [])).sum())


def remarks(answers, values) -> dict:
    """Return why a metric of a network has no figure, and where it compares with few others.

    They are `KEY_reason` and `KEY_warning`, each a sentence or None.
    """
    found, pictures = {}, len(values["generated"]["ssim"])
    for metric in METRICS:
        if callable(metric.of_picture):
            continue
        reason, warning = answers[metric.of_picture].reason, None
        if metric.of_features and pictures < 2:
            reason = "a covariance needs at least two pictures"
        elif metric.of_features and not reason:
            width = values[TRUTH][metric.key].shape[1]
            if pictures <= width:  # the covariance of so few is rank-deficient
                warning = (
                    f"{metric.name} of {pictures:,} pictures, not more than its {width:,} features,"
                    " is too high and compares only with that of as many pictures"
                )
        found |= {f"{metric.key}_reason": reason, f"{metric.key}_warning": warning}
    return found


def columns(values) -> dict:
    """Return {SYSTEM_KEY: (N,)} of every metric that is one number a picture."""
    return {
        f"{'true' if system == TRUTH else system}_{key}": column
        for system, of_system in values.items()
        for key, column in of_system.items()
        if column.ndim == 1
    }


def format_table(report) -> str:
    """Return what is printed: the figures without the pictures that are gray in truth, and all."""
    images, gray = report["images"], report["gray_in_truth"]
    lines = []
    if report["without_gray"]:
        lines += [f"{images - gray:,} pictures, without the {gray:,} that are gray in truth"]
        lines += [*format_figures(report | report["without_gray"]), ""]
    lines += [f"{images:,} pictures, {gray:,} of them gray in truth", *format_figures(report)]
    for metric in METRICS:
        for key, said in (("reason", f"no {metric.name}"), ("warning", "warning")):
            if report.get(f"{metric.key}_{key}"):
                lines.append(f"{said}: {report[f'{metric.key}_{key}']}")
    return "\n".join(lines)


def format_figures(report) -> list:
    """Return a line a metric: the model, the gray copy, and where their difference lies."""
    lines = [f"{'':44}{'generated':>12}{'gray copy':>12}{'difference, 95%':>22}"]
    for metric in METRICS:
        aim = f"{metric.better}er is better"
        if metric.of_truth:
            aim = f"truth: {metric.printed(report[f'true_{metric.key}'])}"
        name = metric.name.format(**report)
        label = f"{name[0].upper()}{name[1:]} ({', '.join(filter(None, (metric.unit, aim)))})"
        cells = [metric.printed(report[system][metric.key]) for system in SYSTEMS]
        limits = report["intervals"]["difference"].get(metric.key, [])
        signed = [f"{metric.scale * limit:+.{metric.decimals[0]}f}" for limit in limits]
        interval = f"[{', '.join(signed)}]" if signed else ""
        lines.append(f"{label:44}{cells[0]:>12}{cells[1]:>12}{interval:>22}".rstrip())
    return lines
