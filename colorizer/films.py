"""A film from its file to its coloured file, in segments that outlast a stop."""

import contextlib
import dataclasses
import itertools
import json
import os
import shutil
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from colorizer import photos, steady, video
from colorizer.batch import Outcome
from colorizer.errors import UserError
from colorizer.files import replacing, write_json
from colorizer.mux import assemble, codec_of, encode, pixel_format

import numpy as np

# Frames a segment: what a stop loses at most, and what is coloured between two key frames. A whole
# number of steady.BLOCK, so that films that were stopped become the same.
SEGMENT = 240

# Counts up when unfinished films of earlier versions cannot be gone on with.
VERSION = 2


@dataclasses.dataclass(frozen=True)
class Options:
    """How films are colorized.

    `strength` scales chroma, 0 to 1. `codec` is a key of film_formats.CODECS, or None for what
    suits the container, `quality` its constant rate factor, or None for its default. `keep_colour`
    copies films in colour as they are.
    """

    strength: float = 1.0
    codec: str | None = None
    quality: int | None = None
    keep_colour: bool = False


@dataclasses.dataclass
class _Frame:
    """A frame on its way: `raw` is the film's, shown at `time` for `length`.

    `small` is gray at the network's size, `change` and `motion` are as steady.Frame has them, and
    `chroma` is the network's answer. `painted` is the av.VideoFrame to write, and `memory` what has
    to be known to go on behind it.
    """

    raw: video.av.VideoFrame
    time: int
    length: int
    repeated: bool
    small: Future
    change: str = ""
    motion: Future | None = None
    chroma: Future | None = None
    painted: Future | None = None
    memory: dict | None = None


def colorize_film(job, colorizer, options, writer, tell) -> Outcome:
    """Colorize one film and say what became of it; what goes wrong is its failure.

    The result enters the record of `writer`, a batch.Writer. `tell(frames, all_frames)` is called
    as frames are done; `all_frames` is a guess. Segments that are finished stay in a hidden folder
    beside the target until the film is whole; the same call goes on from there, whatever stopped
    it. Raises KeyboardInterrupt when it is stopped.
    """
    try:
        return _colorize_film(job, colorizer, options, writer, tell)
    except (video.FilmError, UserError) as error:
        failure = str(error)
    except video.av.FFmpegError as error:
        failure = f"it cannot be read or written: {video.reason(error)}"
    except OSError as error:
        failure = f"it cannot be written: {(error.strerror or str(error)).lower()}"
    except MemoryError:
        failure = "there is not enough memory"
    except Exception as error:
        failure = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return Outcome(job, failure)


def _colorize_film(job, colorizer, options, writer, tell) -> Outcome:
    """Colorize one film segment by segment and put it together."""
    film = video.probe(job.source.path)
    if film.in_colour and options.keep_colour:
        remark = "it stays where it is, because its results are in another format"
        if job.source.path.suffix == job.target.suffix:
            writer.write(job.target, "picture", job)
            remark = ""
        return Outcome(job, remark=remark, in_colour=True, kept=True)
    suffix = job.target.suffix.lower()
    codec = codec_of(suffix, options.codec)
    parts = Parts(job, _settings(job, colorizer, options, codec))
    tell(parts.frames, film.frames)
    if not parts.whole():
        format = pixel_format(film, codec)
        painter = _Painter(film, colorizer, options.strength, format, parts.memory)
        with contextlib.closing(painter.painted(_frames_behind(parts))) as painted:
            while True:
                segment = _Segment(painted, lambda: tell(1, film.frames))
                arrays = encode(segment, film, codec, options.quality, suffix)
                if segment.last is None:
                    break
                parts.add(arrays, segment)
        parts.finish()

    def enter(path):
        os.utime(path, ns=(job.source.mtime_ns, job.source.mtime_ns))
        writer.record.add(job.target, path, "picture", job.source, writer.settings)

    left_out = assemble(
        job.source.path, job.target, film, codec, options.quality, parts.segments, enter
    )
    remarks = _remarks(film, parts) + left_out
    parts.remove()
    return Outcome(job, remark="; ".join(remarks), in_colour=film.in_colour)


def _remarks(film, parts) -> list[str]:
    """Return phrases for the user about what is not as in the film."""
    remarks = []
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


def _settings(job, colorizer, options, codec) -> dict:
    """Return all that the coloured film depends on, for the JSON beside its segments."""
    model = os.stat(colorizer.network.path)
    return {
        "version": VERSION,
        "film": [job.source.size, job.source.mtime_ns],
        "model": [str(colorizer.network.path), model.st_size, model.st_mtime_ns],
        "working_size": colorizer.working_size,
        "strength": options.strength,
        "codec": codec,
        "quality": options.quality,
    }


class Parts:
    """The finished segments of a film that is not whole yet, in a hidden folder beside its target.

    Those of other settings or of another film are removed. `frames` and `repeated` count what the
    segments hold, `time` is that of their last frame or None, and `memory` what its colours were.
    """

    def __init__(self, job, settings):
        self.source = job.source.path
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
        self.frames, self.repeated, self.time, self.memory = 0, 0, None, None
        if self.segments:
            with np.load(self.segments[-1]) as last:
                self.frames, self.repeated = int(last["frames"]), int(last["repeated"])
                self.time = int(last["last_time"])
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
        path = self.folder / f"{len(self.segments):06}.npz"
        with replacing(path) as temporary:
            np.savez(
                temporary,
                **arrays,
                frames=self.frames,
                repeated=self.repeated,
                last_time=segment.last.time,
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
    """The next SEGMENT frames to encode, of an iterator of `_Frame`; counts them as they go."""

    def __init__(self, painted, tell):
        self.painted, self.tell = itertools.islice(painted, SEGMENT), tell
        self.frames, self.repeated, self.last = 0, 0, None

    def __iter__(self):
        for frame in self.painted:
            self.frames += 1
            self.repeated += frame.repeated
            self.last = frame
            yield frame.painted.result()
            self.tell()


def _frames_behind(parts):
    """Yield what `video.frames` does, from behind the last frame that `parts` have.

    It is looked for where the container says it is, then from the film's start. Raises FilmError.
    """
    last = parts.time
    for seek in (True, False):
        with video.opened(parts.source) as (container, stream):
            frames = video.progressive(video.frames(container, stream))
            if last is None:
                yield from frames
                return
            if seek:
                container.seek(last, stream=stream)
            reached = next((time for _, time, *_ in frames if time >= last), None)
            if reached == last:
                yield from frames
                return
    raise video.FilmError(f"its unfinished segments do not fit it; remove {parts.folder}")


class _Painter:
    """Gives the frames of one film their colours, and paints them, on all cores.

    So many frames are in memory as the look-ahead and the cores need, whatever the film's length.
    """

    def __init__(self, film, colorizer, strength, format, memory):
        self.film, self.colorizer, self.strength, self.format = film, colorizer, strength, format
        self.turns = film.rotation // 90
        self.before, self.last, self.steadier = [], None, steady.Steady()
        if memory:
            self.before, self.last = list(memory["before"]), memory["gray"]
            self.steadier = steady.Steady((memory["chroma"], memory["weight"]))
        self.cores = os.cpu_count() or 1
        self.workers = ThreadPoolExecutor(self.cores)

    def painted(self, frames):
        """Yield what `video.frames` gives as painted `_Frame`, in order."""
        leaving = deque()
        try:
            for frame in self._steadied(self._predicted(self._shrunk(frames))):
                leaving.append(frame)
                if len(leaving) > self.cores:
                    yield leaving.popleft()
            yield from leaving
        finally:
            self.workers.shutdown(cancel_futures=True)

    def _shrunk(self, frames):
        """Have each frame shrunk."""
        for raw, time, length, repeated in frames:
            yield _Frame(raw, time, length, repeated, self.workers.submit(self.shrink, raw))

    def _predicted(self, frames):
        """Find the scenes, and have the motion found and the chroma predicted."""
        # Further ahead than it looks, so that nothing waits for a frame to shrink.
        coming = deque(itertools.islice(frames, steady.CONTEXT + self.cores))
        while coming:
            frame = coming.popleft()
            coming.extend(itertools.islice(frames, 1))
            small = frame.small.result()
            ahead = [each.small.result() for each in itertools.islice(coming, steady.CONTEXT)]
            frame.change = steady.change(self.before, [small, *ahead])
            if frame.change != "cut":
                frame.motion = self.workers.submit(steady.motion, self.last, small)
            frame.chroma = self.workers.submit(self.predict, frame.raw)
            self.before = [*self.before, small][-steady.CONTEXT - 1 :]
            if frame.change != "flash":
                self.last = small
            frame.memory = {"before": self.before, "gray": self.last}
            yield frame

    def _steadied(self, frames):
        """Give each frame its steady chroma."""
        ahead = deque(itertools.islice(frames, steady.BLOCK + steady.AHEAD))
        while ahead:
            block = [
                steady.Frame(
                    each.chroma.result(), each.change, each.motion and each.motion.result()
                )
                for each in ahead
            ]
            for chroma, (kept, weight) in self.steadier.steady(block):
                frame = ahead.popleft()
                ahead.extend(itertools.islice(frames, 1))
                frame.memory |= {"chroma": kept, "weight": weight}
                frame.painted = self.workers.submit(self.paint, frame, chroma)
                yield frame

    def shrink(self, raw) -> np.ndarray:
        """Return a frame at the network's size, upright: gray, uint8 (h, w)."""
        small = self.colorizer.shrink(self._upright(raw))
        return (photos.grayscale(small) if small.shape[2] == 3 else small)[..., 0]

    def predict(self, raw) -> np.ndarray:
        """Ask the network for the chroma of a frame: upright, Lab a and b, float32 (h, w, 2)."""
        return self.colorizer.predict(self._upright(raw))

    def paint(self, frame, chroma):
        """Paint a frame, and make of it what the encoder takes."""
        pixels = video.pixels_of(frame.raw)
        painted = self.colorizer.paint(pixels, np.rot90(chroma, -self.turns), self.strength)
        return video.frame_of(painted, self.film, self.format, frame.time)

    def _upright(self, raw) -> np.ndarray:
        """Return the pixels of a frame as it is seen."""
        return np.rot90(video.pixels_of(raw), self.turns)
