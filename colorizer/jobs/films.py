"""A film from its file to its coloured file, in segments that outlast a stop."""

import contextlib
import itertools
import json
import shutil
import time

from colorizer.errors import shown
from colorizer.files import photos, xmp
from colorizer.files.atomic import replacing, write_json
from colorizer.films import compare, decode, sequence
from colorizer.films import cuts as cuts_file
from colorizer.films.formats import FrameFolder, container_of
from colorizer.films.mux import Encoder, Encoding, assemble, codec_of
from colorizer.films.pipeline import SEGMENT, Memory, Painter, find_scenes, given, part
from colorizer.films.scenes import Scenes, survey
from colorizer.films.sheet import Sheet
from colorizer.jobs.job import Outcome, failure_of

import numpy as np

# Frames that a dry run colours to learn how long the others will take.
TRIAL = 48

# Counts up when unfinished films of earlier versions cannot be gone on with.
VERSION = 6


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
        return Outcome(job, _failure_of(error))


def described(job, request) -> tuple[str, str]:
    """Look at a film: return what it is, a phrase, and why it would fail, or an empty one."""
    try:
        film = _probe(job, request)
        if not request.preview:  # whose sheet is no film
            codec_of(job.target, request.codec)
        if job.hints:
            job.hints.read(*film.seen_sizes())
    except BaseException as error:
        return "", _failure_of(error)
    height, width = film.size
    return f"{width}x{height}, about {film.frames or 'an unknown number of'} frames", ""


def _failure_of(error) -> str:
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


def _paint(job, film, colorizer, request, writer, cuts, tell) -> list[str]:
    """Write a film's coloured file; return remarks."""
    reader, source = reader_of(job)
    codec = codec_of(job.target, request.codec)
    encoding = Encoding(film, codec, request.quality, container_of(job.target))
    hints = job.hints.read(*film.seen_sizes()) if job.hints else []
    parts = Parts(job, {**writer.fingerprint.of(job), "version": VERSION, "codec": codec})
    scenes = Scenes(parts.folder)

    def once():
        tell(1, 2 * film.frames)

    if scenes.found is None:
        with reader.reading(source, film) as frames:

            def find(*found):
                scenes.find(*found, cuts, given(film, hints))

            scenes.keep(find_scenes(frames, film, request, colorizer, find, once))
    else:
        tell(film.frames, 2 * film.frames)
    if not scenes.found:
        raise decode.FilmError("no frame of it lies between --from and --to")
    tell(parts.memory.frames, 2 * film.frames)
    if not parts.whole():
        with reader.reading(source, film, parts.memory.time) as frames:
            painter = Painter(encoding, colorizer, request, hints, parts.memory, scenes)
            with contextlib.closing(painter.colorize(part(frames, film, request))) as painted:
                _write_segments(painted, encoding, parts, once)
        parts.finish()

    remarks = []

    def enter(path):
        remarks.append(writer.enter(job.target, path, "picture", job))

    mark, length = writer.mark_of(job, xmp.COLORIZED), parts.memory.length
    left_out = assemble(
        job.source.path,
        job.target,
        encoding,
        parts.segments,
        length,
        mark,
        enter,
        request.is_part,
    )
    remarks += _remarks(film, parts.memory, scenes.found[0].begin, hints)
    if request.reference:
        remarks.append(f"{scenes.matched:.0%} of it looks like {request.reference.name}")
    remarks += encoding.losses() + left_out
    parts.remove()
    return remarks


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
    if not found:
        raise decode.FilmError("no frame of it lies between --from and --to")
    content = photos.encode(
        photos.Photograph(drawn.drawn()), "JPEG", mark=writer.mark_of(job, xmp.COLORIZED)
    )
    remarks = [f"{len(found)} scenes", writer.write(job.target, "picture", job, content)]
    if cuts is None and request.scenes:
        cuts_file.write(request.scenes, found)
        remarks.append(f"where they begin is in {shown(request.scenes)}")
    return Outcome(job, "", "; ".join(filter(None, remarks)), film.in_colour, film.toned)


def examine(job, colorizer, request, tell) -> tuple:
    """Find the scenes of a film and how long it will take; `tell` counts frames of how many.

    Returns Scenes, a list, and seconds: all of its frames, by what the first TRIAL of them take.
    Raises FilmError where it cannot be read.
    """
    reader, source = reader_of(job)
    film = _probe(job, request)
    scenes, started = Scenes(None), time.perf_counter()

    def find(frames, gray_of, look):
        def blind(gray):
            return gray, np.zeros((*gray.shape, 2), np.float32), None

        scenes.found = [scene for scene, *_ in survey(frames, gray_of, blind, _cuts(request))]

    with reader.reading(source, film) as frames:
        find_scenes(frames, film, request, colorizer, find, lambda: tell(1, film.frames))
    if not scenes.found:
        raise decode.FilmError("no frame of it lies between --from and --to")
    reading = time.perf_counter() - started
    if request.preview:
        return scenes.found, reading
    encoding = Encoding(
        film, codec_of(job.target, request.codec), request.quality, container_of(job.target)
    )
    count = scenes.found[-1].end - scenes.found[0].begin
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
        tell()
        if frame.memory.frames % SEGMENT == 0:
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

    Those of other settings or of another film are removed. `memory`, a pipeline.Memory, is that of
    their last frame.
    """

    def __init__(self, job, settings):
        settings |= {"film": [job.source.size, job.source.mtime_ns]}
        self.folder = job.target.with_name(f".{job.target.name}.parts")
        if self.folder.is_symlink():
            self.folder.unlink()
        record = self.folder / "settings.json"
        try:
            same = json.loads(record.read_text(encoding="utf-8")) == settings
        except (OSError, ValueError):
            same = False
        if not same:
            shutil.rmtree(self.folder, ignore_errors=True)
            write_json(record, settings)
        self.segments, self.memory = sorted(self.folder.glob("[0-9]*.npz")), Memory()
        if self.segments:
            with np.load(self.segments[-1]) as last:
                self.memory = Memory.of(last)

    def whole(self) -> bool:
        """Tell whether the segments reach to the film's end."""
        return (self.folder / "whole").exists()

    def add(self, arrays, memory) -> None:
        """Write a finished segment, whole or not at all, and the memory of its last frame."""
        path = self.folder / f"{len(self.segments):06}.npz"
        with replacing(path) as temporary:
            np.savez(temporary, **arrays, **memory.arrays())
        self.segments.append(path)
        self.memory = memory

    def finish(self) -> None:
        """Note that the segments reach to the film's end."""
        with replacing(self.folder / "whole") as temporary:
            temporary.touch()

    def remove(self) -> None:
        """Remove the segments."""
        shutil.rmtree(self.folder, ignore_errors=True)
