"""One photograph or film to do, and what became of it."""

import dataclasses
import errno
import os
import shutil
from pathlib import Path

from colorizer import __version__
from colorizer.errors import UserError
from colorizer.files import xmp
from colorizer.files.atomic import replacing
from colorizer.files.photos import PhotographError
from colorizer.files.source import Source
from colorizer.films.hints import HintFolder
from colorizer.scans import Print

# What results say they were made with.
TOOL = f"photo-colorizer {__version__}"


@dataclasses.dataclass(frozen=True)
class PhotographJob:
    """A photograph: where it is, its name in messages, where the results go.

    `compare_target` is where the picture before and after goes, or None; without `paint`, it is
    made of the result that is there. `page` is the place, from 0, of a page among the `pages` of a
    TIFF or PDF. `hints` is its file of them, or None. `mask` is a person's file of marks, or None,
    and `mask_target` is where the marks that were filled go, or None. `part` is the print on the
    plate that the photograph is, or None. `note` is a phrase for the user, or empty.
    """

    source: Source
    name: str
    target: Path
    compare_target: Path | None = None
    paint: bool = True
    page: int = 0
    pages: int = 1
    hints: Source | None = None
    mask: Source | None = None
    mask_target: Path | None = None
    part: Print | None = None
    note: str = ""

    def own_settings(self, request) -> dict:
        """Return what the record keeps of this job alone; a first page is like any photograph."""
        own = {"page": self.page + 1} if self.page else {}
        own |= {"mask_sha256": self.mask.sha256} if self.mask else {}
        return own | ({"part": [*map(list, self.part.corners)]} if self.part else {})


@dataclasses.dataclass(frozen=True)
class FilmJob:
    """A film: where it is, its name in messages, where the result goes, its hints, and a note."""

    source: Source
    name: str
    target: Path
    hints: HintFolder | None = None
    note: str = ""

    def own_settings(self, request) -> dict:
        """Return what the record keeps of this job alone."""
        own = {"codec": request.codec, "quality": request.quality}
        own |= {"keep_interlaced": True} if request.keep_interlaced else {}
        return own | ({"as_film": str(request.as_film)} if request.as_film else {})


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a job: `failure` is a phrase that says why it was not done, or empty.

    `remark` is a phrase for the user, or empty. It was `in_colour` before, or a `toned` print, or
    neither, and was `kept` as it is or not.
    """

    job: PhotographJob | FilmJob
    failure: str = ""
    remark: str = ""
    in_colour: bool = False
    toned: bool = False
    kept: bool = False


def failure_of(error) -> str:
    """Say in one phrase why a job failed; raises what is no failure: a stop."""
    if isinstance(error, PhotographError | UserError):
        return str(error)
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    if not isinstance(error, Exception):
        raise error
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


class Writer:
    """Writes results whole, with the dates of their sources, and enters them in the record."""

    def __init__(self, record, fingerprint):
        """Take a Record and the Fingerprint of the request."""
        self.record, self.fingerprint = record, fingerprint

    def write(self, path, kind, job, content=None) -> str:
        """Write a result of a job: its encoded `content`, or by default a copy of its source.

        Returns a remark, or an empty text. Raises PhotographError for all that the file system
        refuses.
        """
        try:
            self.check(path)
            with replacing(path) as temporary:
                if content is None:
                    shutil.copyfile(job.source.path, temporary)
                else:
                    temporary.write_bytes(content)
                return self.enter(path, temporary, kind, job)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise PhotographError(f"it cannot be written: {reason}") from error

    def mark_of(self, job, source_type) -> xmp.Mark:
        """Return what a result of a job says of how it was made; `source_type` is of xmp."""
        settings = self.fingerprint.of(job)
        request = self.fingerprint.request
        phrases = [f"strength {request.strength:g}"]
        phrases += [f"working size {settings['working_size']} pixels"]
        phrases += [request.enlarger.described] if request.enlarger else []
        phrases += ["with hints"] if job.hints else []
        phrases += ["with a reference"] if request.reference else []
        return xmp.Mark(
            tool=TOOL,
            model=f"{settings['model']} (sha256 {settings['model_sha256'][:12]})",
            settings=", ".join(phrases),
            source_sha256=job.source.sha256,
            source_type=source_type,
        )

    def check(self, path) -> None:
        """Raise OSError where links lead a result out of the output folder."""
        if not is_inside(path, self.record.folder):
            raise OSError(errno.ELOOP, "a link leads out of the output folder", str(path))

    def enter(self, path, temporary, kind, job) -> str:
        """Give a result that lies at `temporary` its date, and enter it in the record.

        Returns a remark, or an empty text.
        """
        remark = ""
        try:
            os.utime(temporary, ns=(job.source.mtime_ns, job.source.mtime_ns))
        except OSError:
            remark = "its date could not be kept"
        self.record.add(path, temporary, kind, job.source, self.fingerprint.of(job))
        return remark


def is_inside(path, folder) -> bool:
    """Tell whether the folder of a path is below another one, links followed."""
    parent = os.path.realpath(os.path.dirname(path))
    return Path(parent).is_relative_to(os.path.realpath(folder))
