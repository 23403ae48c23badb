"""A film from its file to its coloured file, in segments that outlast a stop."""

import contextlib
import dataclasses
import itertools
import json
import shutil
import time
from concurrent.futures import CancelledError, as_completed

from colorizer.errors import shown
from colorizer.files import photos, xmp
from colorizer.files.atomic import replacing, write_json
from colorizer.films import compare, decode, sequence
from colorizer.films import cuts as cuts_file
from colorizer.films.formats import FrameFolder, container_of
from colorizer.films.mux import Encoder, Encoding, assemble, codec_of
from colorizer.films.pipeline import (
    SEGMENT,
    Memory,
    Painter,
    find_scenes,
    given,
    part,
    runs_of,
)
from colorizer.films.scenes import Scenes, survey
from colorizer.films.sheet import Sheet
from colorizer.jobs.job import Outcome, failure_of
from colorizer.jobs.workers import on, workers_of

import numpy as np

# Frames that a dry run colours to learn how long the others will take.
TRIAL = 48

# Counts up when unfinished films of earlier versions cannot be gone on with.
VERSION = 7


def colorize_film(job, colorizer, request, writer, bar) -> Outcome:
    """Colorize one film and say what became of it; what goes wrong is its failure.

    The result enters the record of `writer`. The progress `bar` counts frames, each twice: read
    for its scene, and coloured; its total is a guess. Segments that are finished stay in a hidden
    folder beside the target until the film is whole; the same call goes on from there, whatever
    stopped it. Raises KeyboardInterrupt when it is stopped.
    """

    def tell(frames, all_frames):
        bar.total = all_frames or None
        bar.update(frames)

    try:
        return _colorize_film(job, colorizer, request, writer, tell)
    except BaseException as error:
        return Outcome(job, reason_of(error))


def described(job, request) -> tuple:
    """Look at a film: return the Film, and what it is, a phrase; raises what colorizing would."""
    film = _probe(job, request)
    if not request.preview:  # whose sheet is no film
        codec_of(job.target, request.codec)
    if job.hints:
        job.hints.read(*film.seen_sizes())
    height, width = film.size
    return film, f"{width}x{height}, about {film.frames or 'an unknown number of'} frames"


def reason_of(error) -> str:
    """Say in one phrase why a film failed; raises what is no failure: a stop."""
    if isinstance(error, decode.FilmError):
        return str(error)
    if isinstance(error, decode.av.FFmpegError):
        return f"it cannot be read or written: {decode.reason(error)}"
    if isinstance(error, OSError):
        return f"it cannot be written: {(error.strerror or str(error)).lower()}"
    return failure_of(error)


def _probe(job, request) -> decode.Film:
    """Decode some frames of a film and tell what it is."""
    reader, source = reader_of(job)
    return reader.probe(source, request.max_megapixels, not request.keep_interlaced)


def _colorize_film(job, colorizer, request, writer, tell) -> Outcome:
    """Colorize one film segment by segment and put it together."""
    reader, source = reader_of(job)
    film = _probe(job, request)
    kept = (film.in_colour and request.keep_colour) or (film.toned and request.keep_toned)
    if kept and not job.hints:
        remark = "it stays where it is, because its results are in another format"
        if reader is decode and job.source.path.suffix == job.target.suffix:
            writer.write(job.target, "picture", job)
            remark = ""
        return Outcome(job, "", remark, film.in_colour, film.toned, kept)
    writer.check(job.target)
    cuts = _cuts(request)
    if request.preview:
        return _preview(job, film, colorizer, request, writer, cuts, tell)
    remarks = []
    if job.paint:
        remarks = _paint(job, film, colorizer, request, writer, cuts, tell)
    if job.compare_target:
        writer.check(job.compare_target)
        with replacing(job.compare_target) as temporary:
            compare.write(reader, source, film, request, job.target, temporary)
            remarks.append(writer.enter(job.compare_target, temporary, "compare", job))
    return Outcome(job, "", "; ".join(filter(None, remarks)), film.in_colour, film.toned)


def reader_of(job):
    """Return the module that reads a job's film, and what it reads."""
    if isinstance(job.source, FrameFolder):
        return sequence, job.source
    return decode, job.source.path


def _cuts(request) -> set | None:
    """Return the frames that begin scenes, or None where they are to be found, or listed first."""
    listed = request.scenes and request.scenes.is_file()
    return cuts_file.read(request.scenes) if listed else None


def _check(scenes) -> None:
    """Raise FilmError where a film has no scenes."""
    if not scenes:
        raise decode.FilmError("no frame of it lies between --from and --to")


def _paint(job, film, colorizer, request, writer, cuts, tell) -> list[str]:
    """Write a film's coloured file; return remarks."""
    reader, source = reader_of(job)
    work = _Work(job, film, colorizer, request, writer)
    parts, scenes, hints = work.parts, work.scenes, work.hints
    if scenes.found is None:
        with reader.reading(source, film) as frames:

            def find(*found):
                scenes.find(*found, cuts, given(film, hints))

            def once():
                tell(1, 2 * film.frames)

            scenes.keep(find_scenes(frames, film, request, colorizer, find, once))
    else:
        tell(film.frames, 2 * film.frames)
    _check(scenes.found)
    runs = runs_of(scenes.found, [hint for hint in hints if not hint.whole])
    _paint_runs(work, runs, lambda frames: tell(frames, 2 * film.frames))

    remarks = []

    def enter(path):
        remarks.append(writer.enter(job.target, path, "picture", job))

    memories = [parts.memory(run, scenes.first) for run in runs]
    memory = dataclasses.replace(
        memories[-1],
        repeated=sum(each.repeated for each in memories),
        resized=sum(each.resized for each in memories),
    )
    left_out = assemble(
        job.source.path,
        job.target,
        work.encoding,
        parts.segments(),
        memory.length,
        writer.mark_of(job, xmp.COLORIZED),
        enter,
        request.is_part,
    )
    remarks += _remarks(film, memory, scenes.first, hints)
    if request.reference:
        remarks.append(f"{scenes.matched:.0%} of it looks like {request.reference.name}")
    remarks += work.encoding.losses() + left_out
    parts.remove()
    return remarks


class _Work:
    """What all runs of a film share, on this machine or, made anew, on others."""

    def __init__(self, job, film, colorizer, request, writer):
        """Take up the scenes and segments that there are."""
        self.given = job, film, colorizer, request, writer
        self.job, self.film, self.colorizer, self.request, self.writer = self.given
        codec = codec_of(job.target, request.codec)
        self.encoding = Encoding(film, codec, request.quality, container_of(job.target))
        self.hints = job.hints.read(*film.seen_sizes()) if job.hints else []
        settings = {**writer.fingerprint.of(job), "version": VERSION, "codec": codec}
        self.parts = Parts(job, settings)
        self.scenes = Scenes(self.parts.folder)

    def __reduce__(self):
        """In another process: what it was made of."""
        return type(self), self.given

    def paint(self, *runs, tell=lambda frames: None) -> None:
        """Colour the frames of Runs that have no segment yet; `tell` counts them.

        The film is read on from one run into the next.
        """
        reader, source = reader_of(self.job)
        with contextlib.ExitStack() as opened:
            coming = None
            for run in runs:
                memory = self.parts.memory(run, self.scenes.first)
                missing = run.end - self.scenes.first - memory.frames
                if not missing:
                    coming = None
                    continue
                if coming is None:
                    opened.close()
                    frames = opened.enter_context(reader.reading(source, self.film, memory.time))
                    coming = part(frames, self.film, self.request)
                painter = Painter(
                    self.encoding, self.colorizer, self.request, self.hints, memory, self.scenes
                )
                frames = painter.colorize(itertools.islice(coming, missing))
                with contextlib.closing(frames) as painted:
                    _write_segments(painted, self.encoding, self.parts, tell)


def _paint_runs(work, runs, tell) -> None:
    """Colour what is missing of the runs of a film: on all cores, or each on a cluster's worker.

    `tell` counts frames, also those that were finished before. A cluster's workers finish what is
    under way when this is stopped, and the same call takes up what they wrote.
    """
    memories = [work.parts.memory(run, work.scenes.first) for run in runs]
    tell(sum(memory.frames - memory.earlier for memory in memories))
    if not work.request.cluster:
        work.paint(*runs, tell=tell)
        return
    with workers_of(work.request.cluster) as (workers, _):
        paint = on(work.request.cluster, work.paint)
        under_way = {
            workers.submit(paint, run): run.end - work.scenes.first - memory.frames
            for run, memory in zip(runs, memories, strict=True)
        }
        try:
            for future in as_completed(under_way):
                future.result()
                tell(under_way[future])
        except CancelledError as error:
            raise decode.FilmError("the cluster was lost") from error
        finally:
            for future in under_way:
                future.cancel()


def _preview(job, film, colorizer, request, writer, cuts, tell) -> Outcome:
    """Write a sheet of a film's scenes, and where they begin."""
    reader, source = reader_of(job)
    drawn, found = Sheet(), []

    def find(frames, gray_of, look):
        for scene, learned, keys in survey(frames, gray_of, look, cuts):
            key = max(keys, key=lambda each: each.small.std())
            chroma = key.chroma
            if learned is not None:
                chroma = learned.shared(chroma, key.features, key.small)
            drawn.add(scene, colorizer.paint(key.small[..., np.newaxis], chroma, request.strength))
            found.append(scene)

    with reader.reading(source, film) as frames:
        find_scenes(frames, film, request, colorizer, find, lambda: tell(1, film.frames))
    _check(found)
    content = photos.encode(
        photos.Photograph(drawn.drawn()), "JPEG", mark=writer.mark_of(job, xmp.COLORIZED)
    )
    remarks = [f"{len(found)} scenes", writer.write(job.target, "picture", job, content)]
    if cuts is None and request.scenes:
        cuts_file.write(request.scenes, found)
        remarks.append(f"where they begin is in {shown(request.scenes)}")
    return Outcome(job, "", "; ".join(filter(None, remarks)), film.in_colour, film.toned)


def examine(job, film, colorizer, request, tell) -> tuple:
    """Find the scenes of a film and how long it will take; `tell` counts frames of how many.

    Returns Scenes, a list, and seconds: all of its frames, by what the first TRIAL of them take.
    Raises FilmError where it cannot be read.
    """
    reader, source = reader_of(job)
    scenes, started = Scenes(None), time.perf_counter()

    def find(frames, gray_of, look):
        def blind(gray):
            return gray, np.zeros((*gray.shape, 2), np.float32), None

        scenes.found = [scene for scene, *_ in survey(frames, gray_of, blind, _cuts(request))]

    with reader.reading(source, film) as frames:
        find_scenes(frames, film, request, colorizer, find, lambda: tell(1, film.frames))
    _check(scenes.found)
    reading = time.perf_counter() - started
    if request.preview:
        return scenes.found, reading
    encoding = Encoding(
        film, codec_of(job.target, request.codec), request.quality, container_of(job.target)
    )
    count = scenes.found[-1].end - scenes.first
    started = time.perf_counter()
    with reader.reading(source, film) as frames:
        some = itertools.islice(part(frames, film, request), TRIAL)
        painter = Painter(encoding, colorizer, request, [], Memory(), scenes)
        encoder = Encoder(encoding)
        for frame in painter.colorize(some):
            encoder.encode(frame.painted.result())
        encoder.finish()
    each = (time.perf_counter() - started) / min(TRIAL, count)
    return scenes.found, reading + count * each


def _write_segments(painted, encoding, parts, tell) -> None:
    """Encode painted frames, pipeline.Frame, and add them to the parts, SEGMENT at a time."""
    encoder = None
    for frame in painted:
        encoder = encoder or Encoder(encoding)
        encoder.encode(frame.painted.result())
        tell(1)
        if (frame.memory.frames - frame.memory.earlier) % SEGMENT == 0:
            parts.add(encoder.finish(), frame.memory)
            encoder = None
    if encoder:
        parts.add(encoder.finish(), frame.memory)


def _remarks(film, memory, first, hints) -> list[str]:
    """Return phrases for the user about what is not as in the film, and what became of hints."""
    remarks = []
    count, end = (first + memory.frames) // film.fields, film.seconds(memory.time)
    behind = [shown(hint.path.name) for hint in hints if hint.lies_behind(count, end)]
    if behind:
        remarks.append(f"the film ends before the hints of {', '.join(behind)}")
    if memory.repeated:
        remarks.append(
            f"{memory.repeated} frames cannot be decoded; the one before stands for each"
        )
    if memory.resized:
        height, width = film.size
        remarks.append(f"{memory.resized} frames of another size were scaled to {width}x{height}")
    if film.fields == 2:
        remarks.append("it was interlaced, and is progressive now, with a frame for each field")
    elif film.scan is not decode.Scan.PROGRESSIVE:
        remarks.append("it is interlaced, and was left so")
    return remarks


class Parts:
    """The finished segments of a film that is not whole yet, in a hidden folder beside its target.

    Those of other settings or of another film are removed. A segment is named after the frames
    that the film has up to its end.
    """

    def __init__(self, job, settings):
        self.settings = settings | {"film": [job.source.size, job.source.mtime_ns]}
        self.folder = job.target.with_name(f".{job.target.name}.parts")
        if self.folder.is_symlink():
            self.folder.unlink()
        if not self._are_these():
            shutil.rmtree(self.folder, ignore_errors=True)
            write_json(self.folder / "settings.json", self.settings)

    def _are_these(self) -> bool:
        """Tell whether what is in the folder is of these settings and this film."""
        try:
            text = (self.folder / "settings.json").read_text(encoding="utf-8")
            return json.loads(text) == self.settings
        except (OSError, ValueError):
            return False

    def segments(self) -> list:
        """Return the paths of all that are finished, in order."""
        return sorted(self.folder.glob("[0-9]*.npz"))

    def memory(self, run, first) -> Memory:
        """Return the Memory of the last finished frame of a Run, or the one to begin it with.

        `first` is the number of the film's first frame.
        """
        begin, end = run.begin - first, run.end - first
        of_run = [path for path in self.segments() if begin < int(path.stem) <= end]
        if not of_run:
            return Memory(frames=begin, earlier=begin, time=run.after)
        with np.load(of_run[-1]) as last:
            return Memory.of(last)

    def add(self, arrays, memory) -> None:
        """Write a finished segment, whole or not at all, and the memory of its last frame.

        Raises FilmError where another run has begun the film anew.
        """
        if not self._are_these():
            raise decode.FilmError("another run has begun it anew")
        with replacing(self.folder / f"{memory.frames:09}.npz") as temporary:
            np.savez(temporary, **arrays, **memory.arrays())

    def remove(self) -> None:
        """Remove the segments."""
        shutil.rmtree(self.folder, ignore_errors=True)
