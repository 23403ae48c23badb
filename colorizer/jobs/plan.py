"""From a request to a plan: which photographs and films, and where each result goes."""

import dataclasses
import itertools
import os
import unicodedata
from pathlib import Path

from colorizer.errors import UserError, shown
from colorizer.files import formats, photos
from colorizer.files.source import Source
from colorizer.films import formats as film_formats
from colorizer.films import hints as film_hints
from colorizer.hints import drawing
from colorizer.jobs.find import advice, find_pictures
from colorizer.jobs.job import FilmJob, PhotographJob, is_inside
from colorizer.jobs.record import State
from colorizer.prints import mend, scans

# What file systems take, in bytes.
LONGEST_NAME = 255

# What may be written over: without being asked, and with --overwrite.
OURS = (State.FREE, State.FINISHED, State.OUTDATED)
OVERWRITTEN = (*OURS, State.CHANGED, State.REPLACED, State.UNKNOWN)

NO_FILMS = "films are not enlarged; leave --enlarge out"


@dataclasses.dataclass
class Plan:
    """What a run is to do: jobs of `photographs` and `films`, and names of what is `skipped`.

    What is finished is skipped. `kept` are names of results that somebody has changed since, and
    that therefore stay; their photographs are among the skipped. `failures` are pairs of a name and
    a phrase that says why.
    """

    photographs: list = dataclasses.field(default_factory=list)
    films: list = dataclasses.field(default_factory=list)
    skipped: list = dataclasses.field(default_factory=list)
    kept: list = dataclasses.field(default_factory=list)
    failures: list = dataclasses.field(default_factory=list)


def plan(request, record, fingerprint, takes_hints=True) -> Plan:
    """Find photographs and films and name the files to write; no two get the same name.

    `record`, a Record, and the `fingerprint` of the request decide what is finished. Hints are left
    out unless the model `takes_hints`. Raises UserError where nothing is found, where a result
    would lie over an input, or where the request's file of hints cannot be for several.
    """
    planned = Plan()
    found = find(request.inputs, request.output, planned.failures)
    if not found and not planned.failures:
        raise UserError(
            f"{', '.join(map(shown, request.inputs))} holds no photographs "
            f"({', '.join(formats.SUFFIXES)}) and no films "
            f"({', '.join(film_formats.SUFFIXES)}); give another --input"
        )
    films = [path for path, _ in found if film_formats.is_film(path)]
    if request.hints and films:
        name = shown(films[0].stem + film_hints.FOLDER_SUFFIX)
        raise UserError(
            f"--hints {shown(request.hints)} is for a photograph; a film's lie beside it in a "
            f"folder {name}, each named by its frame, 120.png, or time, 83.5s.png"
        )
    if request.scenes and not request.as_film and len(films) != 1:
        raise UserError(
            f"--scenes {shown(request.scenes)} is for one film, and --input names {len(films)}"
        )
    if request.hints and len(found) != 1:
        raise UserError(
            f"--hints {shown(request.hints)} is for one photograph, and --input names "
            f"{len(found)} photographs and films; put NAME{drawing.SUFFIX} beside each"
        )
    read = {identity for path, _ in found for identity in _identities(path)}
    reels = []
    if request.as_film:
        reels, found = _reels(found, request.as_film)
    names = Names(record, fingerprint, read, request.overwrite)
    for folder, relative in reels:
        target = request.output / film_formats.target_of(folder.path, relative, request.codec)
        hints = film_hints.folder_beside(folder.path)
        job = film_job(request, folder, relative, target, hints)
        _plan_one(job, names, request, planned)
    for path, relative in found:
        if not film_formats.is_film(path):
            jobs = photograph_jobs(request, path, relative)
        elif request.scale > 1:
            planned.failures.append((shown(relative), NO_FILMS))
            continue
        else:
            target = request.output / film_formats.target_of(path, relative, request.codec)
            hints = film_hints.folder_beside(path)
            jobs = [film_job(request, Source(path), relative, target, hints)]
        for job in jobs:
            if job.hints and not takes_hints:
                left_out = shown(job.hints.path.name)
                note = f"{left_out} is left out, because this --model takes no hints"
                job = dataclasses.replace(job, hints=None, note=note)
            _plan_one(job, names, request, planned)
    return planned


def _reels(found, rate):
    """Take the folders of pictures out of what was found, each as a FrameFolder with its name.

    Returns them and the rest: films, and pictures that are alone in their folder.
    """
    folders = {}
    for path, relative in found:
        if not film_formats.is_film(path):
            folders.setdefault((path.parent, relative.parent), []).append(path)
    folders = {key: files for key, files in folders.items() if len(files) > 1}
    reels = []
    for (folder, relative), files in folders.items():
        name = relative if relative.name else Path(folder.resolve().name)
        name = name.with_name(f"{name.name}.mp4")
        reels.append((film_formats.FrameFolder(folder, files, rate), name))
    taken = {path for files in folders.values() for path in files}
    return reels, [(path, relative) for path, relative in found if path not in taken]


def film_job(request, source, relative, target, hints) -> FilmJob:
    """Return the job of a film that becomes `target`, or of a sheet of its scenes."""
    if request.preview:
        target = target.with_name(_fitting(target.stem, "-preview.jpg"))
    return FilmJob(source, shown(relative), target, hints=hints)


def photograph_jobs(request, path, relative):
    """Yield the job of each page of a photograph, with the names that the results would have."""
    source = Source(path)
    pages, note = photos.pages(path)
    suffix = formats.suffix_of_result(path)
    for number, page in enumerate(pages, start=1):
        wanted = (request.output / relative).with_suffix(suffix)
        if number > 1:
            ending = f"-page-{number}{wanted.suffix}"
            wanted = wanted.with_name(_fitting(wanted.stem, ending))
        if request.format:
            wanted = wanted.with_name(_fitting(wanted.stem, f".{request.format}"))
        name = shown(relative) + (f", page {number}" if len(pages) > 1 else "")
        # Hints and masks are drawn over one picture: of several pages, the first.
        hints = (request.hints or drawing.beside(path)) if number == 1 else None
        mask = mend.beside(path) if number == 1 and request.enlarger else None
        said = note if number == 1 else ""
        job = PhotographJob(
            source,
            name,
            wanted,
            page=page,
            pages=len(pages),
            hints=hints and Source(hints),
            mask=mask and Source(mask),
            note=said,
        )
        yield from prints_of(request, job) if request.split else [job]


def prints_of(request, job):
    """Yield a job for each print on the plate that a job's photograph is, or that job.

    What cannot be read is left for the job to fail on.
    """
    try:
        with photos.opened(job.source.path, request.max_megapixels, job.page) as image:
            found = scans.split(photos.load(image).pixels)
    except photos.PhotographError:
        found = None
    if not found:
        said = "no prints were found for sure; left whole" if found is not None else ""
        yield dataclasses.replace(job, note="; ".join(filter(None, (job.note, said))))
        return
    for number, part in enumerate(found, start=1):
        several = len(found) > 1
        ending = f"-print-{number}{job.target.suffix}" if several else job.target.suffix
        yield dataclasses.replace(
            job,
            name=f"{job.name}, print {number} of {len(found)}" if several else job.name,
            target=job.target.with_name(_fitting(job.target.stem, ending)),
            part=part,
            # Drawn over the whole plate.
            hints=None,
            mask=None,
        )


def _plan_one(job, names, request, planned) -> None:
    """Choose where the results of a job go, of which `target` is wanted, and what is to be done."""
    wanted = job.target
    target, state = names.choose(wanted, "picture", job)
    if not is_inside(target, names.record.folder):
        planned.failures.append((job.name, "a link leads its result out of the output folder"))
        return
    compared = compare_state = None
    compare = request.compare and not target.stem.endswith("-preview")
    if compare:
        ending = "-compare.mp4" if isinstance(job, FilmJob) else "-compare.jpg"
        beside = target.with_name(_fitting(target.stem, ending))
        compared, compare_state = names.choose(beside, "compare", job)
    masked = None
    if isinstance(job, PhotographJob) and request.mask_out:
        beside = target.with_name(_fitting(target.stem, mend.SUFFIX))
        masked, _ = names.choose(beside, "mask", job)
    paint = names.overwrite or state in (State.FREE, State.OUTDATED)
    if state is State.CHANGED and not names.overwrite:
        planned.kept.append(shown(target))
    draw = compare and (paint or compare_state in (State.FREE, State.OUTDATED))
    if not paint and not draw:
        planned.skipped.append(job.name)
        return
    note = "" if target == wanted else f"written as {shown(target.name)}"
    if note and os.path.lexists(wanted):
        note += f", because {shown(wanted.name)} is there and not known as its result"
    note = "; ".join(phrase for phrase in (job.note, note) if phrase)
    compared = compared if draw else None
    changes = {"target": target, "compare_target": compared, "paint": paint, "note": note}
    if isinstance(job, FilmJob):
        planned.films.append(dataclasses.replace(job, **changes))
    else:
        planned.photographs.append(dataclasses.replace(job, mask_target=masked, **changes))


class Names:
    """Free names for results."""

    def __init__(self, record, fingerprint, read, overwrite):
        """`read` are the identities of all inputs, which no result may lie over."""
        self.record, self.fingerprint, self.read = record, fingerprint, read
        self.overwrite = overwrite
        self.writable = OVERWRITTEN if overwrite else (*OURS, State.CHANGED)
        self.taken = set()

    def choose(self, wanted, kind, job):
        """Return the first of NAME, NAME-2, NAME-3, ... that may be this result's, and its state.

        Raises UserError where that would be an input.
        """
        settings = self.fingerprint.of(job)
        for number in itertools.count(1):
            suffix = wanted.suffix if number == 1 else f"-{number}{wanted.suffix}"
            path = wanted.with_name(_fitting(wanted.stem, suffix))
            # Some file systems take these for the same name.
            same = unicodedata.normalize("NFC", str(path)).casefold()
            if same in self.taken:
                continue
            if self.read.intersection(_identities(path, follow=False)):
                raise UserError(
                    f"{shown(path)} would be written over an input; give another folder as --output"
                )
            state = self.record.state(path, kind, job.source, settings)
            if state in self.writable:
                self.taken.add(same)
                return path, state


def find(inputs, output, failures) -> list:
    """List the photographs of all inputs, as pairs of a path and the relative path of its result.

    A folder's photographs keep their paths below it; those of several folders go below the folder's
    own name. Results of earlier runs below `output` are left out, as is what was listed before.
    What looks like a picture and cannot be read, and folders that cannot be listed, go into
    `failures`.
    """

    def fail(error):
        failures.append((shown(error.filename), error.strerror.lower()))

    found, listed = [], set()
    several = sum(given.is_dir() for given in inputs) > 1
    for given in inputs:
        if not os.path.lexists(given):
            if any(letter in str(given) for letter in "*?["):
                raise UserError(
                    f"there is no {shown(given)}; without quotes the shell finds what is meant"
                )
            raise UserError(f"there is no {shown(given)}; give a folder or a file as --input")
        if not given.is_dir():
            paths, root, below = [given], given.parent, Path()
            if reason := advice(given):
                failures.append((shown(given.name), reason))
                continue
        else:
            paths, unreadable = find_pictures(given, onerror=fail)
            paths, unreadable = (_without(each, given, output) for each in (paths, unreadable))
            failures += [(shown(p.relative_to(given)), advice(p)) for p in unreadable]
            root = given
            below = Path(given.resolve().name) if several else Path()
        for path in paths:
            place = path.parent.resolve() / path.name
            if place not in listed:
                listed.add(place)
                found.append((path, below / path.relative_to(root)))
    return found


def _without(paths, folder, output) -> list:
    """Leave out what lies below `output`, if that lies in the folder."""
    results = output.resolve()
    if folder.resolve() not in results.parents:
        return paths
    return [path for path in paths if results not in (path.parent / "x").resolve().parents]


def _identities(path, follow=True) -> set:
    """Return (device, inode) of a file, and with `follow` also of what it leads to."""
    identities = set()
    for look in (os.lstat, os.stat) if follow else (os.lstat,):
        try:
            status = look(path)
        except OSError:
            continue
        identities.add((status.st_dev, status.st_ino))
    return identities


def _fitting(stem, ending) -> str:
    """Return a file name of this stem and ending; the stem is cut where that would be too long."""
    room = LONGEST_NAME - len(os.fsencode(ending))
    while len(os.fsencode(stem)) > room:
        stem = stem[:-1]
    return stem + ending
