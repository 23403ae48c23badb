"""What a run is asked for, and what of it decides about the pixels of a result."""

import dataclasses
from fractions import Fraction
from pathlib import Path

from colorizer.errors import UserError, shown
from colorizer.files import photos
from colorizer.files.source import sha256
from colorizer.hints.reference import Exemplar
from colorizer.pixels import is_gray
from colorizer.prints.enlarge import Enlarger


@dataclasses.dataclass(frozen=True)
class Reference:
    """A photograph from which others take colours: its name, its hash, what was learned from it."""

    name: str
    sha256: str
    exemplar: Exemplar


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What to colorize, where the results go, and how they are made.

    `inputs` are files and folders, `output` is the folder of the results. `format` is a suffix of
    files.formats.CHOICES, or None for each photograph's own. `compare` also writes before and after
    beside each other. `overwrite` does again what is finished. `hints` is a file of them for the
    only photograph; others have theirs beside them.

    `strength` scales chroma, 0 to 1. `keep_colour` copies what is in colour as it is, `keep_toned`
    toned prints. What has more than `max_megapixels` million pixels fails. What looks like the
    `reference` takes its colours. An `enlarger` restores and enlarges photographs before they are
    colorized. `jpeg_quality`, 0 to 100, is that of lossy formats, by default about the source's
    own. `label` is a word in a corner of what was colorized, or empty. `codec` is a key of
    films.formats.CODECS, or None for what suits the container, and `quality` its constant rate
    factor, or None for its default. `keep_interlaced` leaves interlaced films so. `as_film`, a
    Fraction or None, makes a film of each folder of pictures, so many of which are shown a second.
    Of films, `begin` and `end`, Fractions in seconds or None, are the part that is done, and
    `scenes` is a file of the frames that begin scenes; with `preview` a sheet of its scenes is
    made of each, and `scenes` is written where it is not there.
    `cluster` is the address of a Dask scheduler whose workers do the photographs, or None.
    `mask_out` also writes which marks were filled. `split` makes a photograph of each print on a
    plate, and `trim` hides black and white frames from the network.
    """

    inputs: tuple = ()
    output: Path = Path("outputs/colorized")
    format: str | None = None
    compare: bool = False
    overwrite: bool = False
    hints: Path | None = None
    strength: float = 1.0
    keep_colour: bool = False
    keep_toned: bool = False
    max_megapixels: float = photos.MAX_MEGAPIXELS
    reference: Reference | None = None
    enlarger: Enlarger | None = None
    jpeg_quality: int | None = None
    label: str = ""
    codec: str | None = None
    quality: int | None = None
    keep_interlaced: bool = False
    as_film: Fraction | None = None
    begin: Fraction | None = None
    end: Fraction | None = None
    scenes: Path | None = None
    preview: bool = False
    cluster: str | None = None
    mask_out: bool = False
    split: bool = False
    trim: bool = False

    @property
    def is_part(self) -> bool:
        """Whether a part of each film is asked for."""
        return self.begin is not None or self.end is not None

    def restores(self, part) -> bool:
        """Whether a part of enlarge.PARTS is to be restored."""
        return bool(self.enlarger) and part in self.enlarger.parts

    @property
    def scale(self) -> int:
        """How many times as many pixels a side a photograph's result has."""
        return self.enlarger.scale if self.enlarger else 1


def read_reference(path, colorizer) -> Reference:
    """Read a photograph in colour to take colours from; raises UserError where it is none."""
    try:
        picture = photos.read_rgb(path)
    except photos.PhotographError as error:
        raise UserError(
            f"{shown(path)} is no reference: {error}; give a photograph in colour as --reference"
        ) from error
    if is_gray(picture):
        raise UserError(
            f"{shown(path)} is black-and-white; give a photograph in colour as --reference"
        )
    return Reference(shown(path.name), sha256(path), colorizer.reference(picture))


class Fingerprint:
    """All that decides about the pixels of results, as the record keeps it."""

    def __init__(self, request, colorizer):
        """Hash the networks; the rest is in the request."""
        self.request = request
        self.shared = {
            "model": colorizer.network.path.name,
            "model_sha256": sha256(colorizer.network.path),
            "working_size": colorizer.working_size,
            "strength": request.strength,
            "keep_colour": request.keep_colour,
            "keep_toned": request.keep_toned,
        }
        if request.jpeg_quality is not None:
            self.shared["jpeg_quality"] = request.jpeg_quality
        if request.label:
            self.shared["label"] = request.label
        if request.reference:
            self.shared["reference_sha256"] = request.reference.sha256
        if request.trim:
            self.shared["trim"] = True
        if request.enlarger:
            self.shared["enlarge"] = request.scale
            self.shared["restore"] = [*request.enlarger.parts, request.enlarger.strength]
            self.shared["enlarger_sha256"] = [sha256(path) for path in request.enlarger.paths]

    def check(self, colorizer) -> None:
        """Raise UserError where a colorizer, that of another machine, has another network."""
        path = colorizer.network.path
        if sha256(path) != self.shared["model_sha256"]:
            raise UserError(f"a worker has another {shown(path.name)}; install one version on all")

    def of(self, job) -> dict:
        """Return the settings of one job: with its page, its hints, or a film's codec."""
        own = job.own_settings(self.request)
        if job.hints:
            own["hints_sha256"] = job.hints.sha256
        return self.shared | own
