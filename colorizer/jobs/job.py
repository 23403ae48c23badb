"""One photograph or film to do, and what became of it."""

import contextlib
import dataclasses
import errno
import os
import shutil
from pathlib import Path

from colorizer import __version__
from colorizer.errors import UserError
from colorizer.files import xmp
from colorizer.files.atomic import temporary_name
from colorizer.files.photos import PhotographError
from colorizer.files.source import Source
from colorizer.films.hints import HintFolder
from colorizer.jobs.record import entry_of
from colorizer.prints.scans import Print

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
    """A film, as a PhotographJob is a photograph; its hints are a folder of them, or None."""

    source: Source
    name: str
    target: Path
    compare_target: Path | None = None
    paint: bool = True
    hints: HintFolder | None = None
    note: str = ""

    def own_settings(self, request) -> dict:
        """Return what the record keeps of this job alone."""
        own = {"codec": request.codec, "quality": request.quality}
        own |= {"keep_interlaced": True} if request.keep_interlaced else {}
        own |= {"as_film": str(request.as_film)} if request.as_film else {}
        own |= {"part": [str(request.begin), str(request.end)]} if request.is_part else {}
        scenes = request.scenes and request.scenes.is_file()
        return own | ({"scenes": request.scenes.read_text(errors="replace")} if scenes else {})


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a job: `failure` is a phrase that says why it was not done, or empty.

    `remark` is a phrase for the user, or empty. It was `in_colour` before, or a `toned` print, or
    neither, and was `kept` as it is or not. `written` are results that wait for their names.
    """

    job: PhotographJob | FilmJob
    failure: str = ""
    remark: str = ""
    in_colour: bool = False
    toned: bool = False
    kept: bool = False
    written: tuple = ()


@dataclasses.dataclass(frozen=True)
class Written:
    """A result that lies whole at a temporary path beside its own, and its entry in the record."""

    path: Path
    temporary: Path
    entry: dict
    remark: str = ""

    def drop(self) -> None:
        """Remove the file that will get no name."""
        with contextlib.suppress(OSError):
            self.temporary.unlink(missing_ok=True)


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
    """Writes results whole, with the dates of their sources, and enters them in the record.

    What `prepare` does may be done in another process; in one, `finish` enters what was prepared.
    """

    def __init__(self, record, fingerprint):
        """Take a Record and the Fingerprint of the request."""
        self.record, self.folder, self.fingerprint = record, record.folder, fingerprint

    def __getstate__(self):
        """Leave the record here: one process writes it."""
        return self.__dict__ | {"record": None}

    def write(self, path, kind, job, content=None) -> str:
        """Prepare a result and finish it; return a remark, or an empty text."""
        written = self.prepare(path, kind, job, content)
        self.finish(written)
        return written.remark

    def prepare(self, path, kind, job, content=None) -> Written:
        """Write a result of a job: its encoded `content`, or by default a copy of its source.

        Raises PhotographError for all that the file system refuses.
        """
        temporary = temporary_name(path)
        with _refused(temporary):
            self.check(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                shutil.copyfile(job.source.path, temporary)
            else:
                temporary.write_bytes(content)
            remark, entry = self.describe(path, temporary, kind, job)
            return Written(path, temporary, entry, remark)

    def finish(self, written) -> None:
        """Enter a result in the record and give it its name; raises as `prepare` does."""
        with _refused(written.temporary):
            self.check(written.path)
            self.record.add(written.entry)
            os.replace(written.temporary, written.path)

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
        if not is_inside(path, self.folder):
            raise OSError(errno.ELOOP, "a link leads out of the output folder", str(path))

    def enter(self, path, temporary, kind, job) -> str:
        """Give a result that lies at `temporary` its date, and enter it in the record.

        Returns a remark, or an empty text.
        """
        remark, entry = self.describe(path, temporary, kind, job)
        self.record.add(entry)
        return remark

    def describe(self, path, temporary, kind, job):
        """Give a result that lies at `temporary` its date; return a remark, and its entry."""
        remark = ""
        try:
            os.utime(temporary, ns=(job.source.mtime_ns, job.source.mtime_ns))
        except OSError:
            remark = "its date could not be kept"
        settings = self.fingerprint.of(job)
        return remark, entry_of(self.folder, path, temporary, kind, job.source, settings)


@contextlib.contextmanager
def _refused(temporary):
    """Turn an OSError into a PhotographError, and remove the temporary file of what failed."""
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        reason = (error.strerror or str(error)).lower()
        raise PhotographError(f"it cannot be written: {reason}") from error


def is_inside(path, folder) -> bool:
    """Tell whether the folder of a path is below another one, links followed."""
    parent = os.path.realpath(os.path.dirname(path))
    return Path(parent).is_relative_to(os.path.realpath(folder))
