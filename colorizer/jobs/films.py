"""A film from its file to its coloured file, in segments that outlast a stop."""

import contextlib
import itertools
import json
import shutil

from colorizer.errors import shown
from colorizer.files.atomic import replacing, write_json
from colorizer.films import decode
from colorizer.films.mux import assemble, codec_of, encode, pixel_format
from colorizer.films.pipeline import Painter
from colorizer.jobs.job import Outcome, failure_of

import numpy as np

# Frames a segment: what a stop loses at most, and what is coloured between two key frames. A whole
# number of stabilize.BLOCK, so that films that were stopped become the same.
SEGMENT = 240

# Counts up when unfinished films of earlier versions cannot be gone on with.
VERSION = 2


def colorize_film(job, colorizer, request, writer, bar) -> Outcome:
    """Colorize one film and say what became of it; what goes wrong is its failure.

    The result enters the record of `writer`. The progress `bar` counts frames; its total is a
    guess. Segments that are finished stay in a hidden folder beside the target until the film is
    whole; the same call goes on from there, whatever stopped it. Raises KeyboardInterrupt when it
    is stopped.
    """

    def tell(frames, all_frames):
        bar.total = all_frames or None
        bar.update(frames)

    try:
        return _colorize_film(job, colorizer, request, writer, tell)
    except decode.FilmError as error:
        failure = str(error)
    except decode.av.FFmpegError as error:
        failure = f"it cannot be read or written: {decode.reason(error)}"
    except OSError as error:
        failure = f"it cannot be written: {(error.strerror or str(error)).lower()}"
    except BaseException as error:
        failure = failure_of(error)
    return Outcome(job, failure)


def _colorize_film(job, colorizer, request, writer, tell) -> Outcome:
    """Colorize one film segment by segment and put it together."""
    film = decode.probe(job.source.path)
    if film.in_colour and request.keep_colour and not job.hints:
        remark = "it stays where it is, because its results are in another format"
        if job.source.path.suffix == job.target.suffix:
            writer.write(job.target, "picture", job)
            remark = ""
        return Outcome(job, remark=remark, in_colour=True, kept=True)
    writer.check(job.target)
    suffix = job.target.suffix.lower()
    codec = codec_of(suffix, request.codec)
    hints = job.hints.read(*film.seen_sizes()) if job.hints else []
    parts = Parts(job, {**writer.fingerprint.of(job), "version": VERSION, "codec": codec})
    tell(parts.frames, film.frames)
    if not parts.whole():
        format = pixel_format(film, codec)
        painter = Painter(film, colorizer, request, format, hints, parts)
        with contextlib.closing(painter.painted(_frames_behind(parts))) as painted:
            while True:
                segment = _Segment(painted, lambda: tell(1, film.frames))
                arrays = encode(segment, film, codec, request.quality, suffix)
                if segment.last is None:
                    break
                parts.add(arrays, segment)
        parts.finish()

    remarks = []

    def enter(path):
        remarks.append(writer.enter(job.target, path, "picture", job))

    left_out = assemble(
        job.source.path, job.target, film, codec, request.quality, parts.segments, enter
    )
    remarks += _remarks(film, parts, hints, request.reference) + left_out
    parts.remove()
    return Outcome(job, remark="; ".join(filter(None, remarks)), in_colour=film.in_colour)


def _remarks(film, parts, hints, reference) -> list[str]:
    """Return phrases for the user about what is not as in the film, and what became of hints."""
    remarks = []
    end = film.seconds(parts.time)
    behind = [shown(hint.path.name) for hint in hints if hint.lies_behind(parts.frames, end)]
    if behind:
        remarks.append(f"the film ends before the hints of {', '.join(behind)}")
    if reference:
        share = parts.matched / parts.frames
        remarks.append(f"{share:.0%} of it looks like {reference.name}")
    if parts.repeated:
        remarks.append(f"{parts.repeated} frames cannot be decoded; the one before stands for each")
    if film.interlaced:
        remarks.append("it was interlaced, and is progressive now")
    if film.has_alpha:
        remarks.append("what is transparent was laid on white")
    if film.size[0] % 2 or film.size[1] % 2:
        height, width = film.size
        remarks.append(f"{width}x{height} pixels became even by doubling the last row or column")
    return remarks


class Parts:
    """The finished segments of a film that is not whole yet, in a hidden folder beside its target.

    Those of other settings or of another film are removed. `frames` and `repeated` count what the
    segments hold, and `matched` adds up the shares that look like the reference; `time` is that of
    their last frame or None, and `memory` what its colours were.
    """

    def __init__(self, job, settings):
        self.source = job.source.path
        settings |= {"film": [job.source.size, job.source.mtime_ns]}
        self.folder = job.target.with_name(f".{job.target.name}.parts")
        record = self.folder / "settings.json"
        try:
            known = json.loads(record.read_text(encoding="utf-8")) == settings
        except (OSError, ValueError):
            known = False
        if not known:
            shutil.rmtree(self.folder, ignore_errors=True)
            write_json(record, settings)
        self.segments = sorted(self.folder.glob("[0-9]*.npz"))
        self.frames, self.repeated, self.matched, self.time, self.memory = 0, 0, 0, None, None
        if self.segments:
            with np.load(self.segments[-1]) as last:
                self.frames, self.repeated = int(last["frames"]), int(last["repeated"])
                self.matched, self.time = float(last["matched"]), int(last["last_time"])
                self.memory = {
                    name.removeprefix("memory_"): last[name]
                    for name in last.files
                    if name.startswith("memory_")
                }

    def whole(self) -> bool:
        """Tell whether the segments reach to the film's end."""
        return (self.folder / "whole").exists()

    def add(self, arrays, segment) -> None:
        """Write a finished segment, whole or not at all."""
        self.frames += segment.frames
        self.repeated += segment.repeated
        self.matched += segment.matched
        self.time = segment.last.time
        path = self.folder / f"{len(self.segments):06}.npz"
        with replacing(path) as temporary:
            np.savez(
                temporary,
                **arrays,
                frames=self.frames,
                repeated=self.repeated,
                matched=self.matched,
                last_time=self.time,
                last_length=segment.last.length,
                **{f"memory_{name}": array for name, array in segment.last.memory.items()},
            )
        self.segments.append(path)

    def finish(self) -> None:
        """Note that the segments reach to the film's end."""
        (self.folder / "whole").touch()

    def remove(self) -> None:
        """Remove the segments."""
        shutil.rmtree(self.folder, ignore_errors=True)


class _Segment:
    """The next SEGMENT frames to encode, film_painter.Frame; counts them as they go."""

    def __init__(self, painted, tell):
        self.painted, self.tell = itertools.islice(painted, SEGMENT), tell
        self.frames, self.repeated, self.matched, self.last = 0, 0, 0, None

    def __iter__(self):
        for frame in self.painted:
            self.frames += 1
            self.repeated += frame.repeated
            self.matched += frame.matched
            self.last = frame
            yield frame.painted.result()
            self.tell()


def _frames_behind(parts):
    """Yield what `decode.frames` does, from behind the last frame that `parts` have.

    It is looked for where the container says it is, then from the film's start. Raises FilmError.
    """
    last = parts.time
    for seek in (True, False):
        with decode.opened(parts.source) as (container, stream):
            frames = decode.progressive(decode.frames(container, stream))
            if last is None:
                yield from frames
                return
            if seek:
                container.seek(last, stream=stream)
            reached = next((time for _, time, *_ in frames if time >= last), None)
            if reached == last:
                yield from frames
                return
    raise decode.FilmError(f"its unfinished segments do not fit it; remove {parts.folder}")
