"""Coloured frames into a film's file: encoders, finished segments, and all the other streams."""

import contextlib
import dataclasses
import heapq
import os
from fractions import Fraction

from colorizer.files.atomic import replacing
from colorizer.films.decode import FilmError, opened
from colorizer.films.formats import CODECS

import av
import numpy as np

# What writes each of films.formats.CODECS, and what it is told.
ENCODERS = {
    # Each frame that it looks ahead is 10 MB in 1080p of 10 bits; the preset's are 30.
    "h264": ("libx264", {"preset": "fast", "rc-lookahead": "20"}),
    "hevc": ("libx265", {"preset": "fast", "x265-params": "log-level=error"}),
    "av1": ("libsvtav1", {"preset": "8"}),
    "vp9": ("libvpx-vp9", {"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}),
    "mpeg2": ("mpeg2video", {"flags": "+qscale", "bf": "2", "g": "15"}),
    "mpeg4": ("mpeg4", {"flags": "+qscale"}),
}
QUANTIZED = ("mpeg2", "mpeg4")
# WebM takes no H.264. The others take it, but players then find frames at other times: an MPEG
# program stream has times for some frames only, and AVI and Windows Media one for each, where H.264
# has two.
DEFAULT_CODECS = {
    ".webm": "vp9",
    ".mpg": "mpeg2",
    ".mpeg": "mpeg2",
    ".avi": "mpeg4",
    ".wmv": "mpeg4",
}
LAMBDA = 118  # FFmpeg's unit of a quantizer

# FFmpeg's names of the containers by suffix: by itself it takes .m4v and .mpg for others.
CONTAINERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".avi": "avi",
    ".mpg": "vob",
    ".mpeg": "vob",
    ".wmv": "asf",
}

# So many seconds a film may end before its file says: containers count in different ways.
SLACK = 1

# Streams that are copied. Data streams are mostly the chapters of MP4, which are copied as such.
COPIED = ("video", "audio", "subtitle", "attachment")

# What a file says about itself, and not about the film.
OWN_METADATA = ("major_brand", "minor_version", "compatible_brands", "encoder")
OWN_STREAM_METADATA = ("encoder", "duration", "bps", "number_of_", "_statistics")


def codec_of(suffix, codec) -> str:
    """Return the codec to write, a key of CODECS: `codec` if given, else what the file holds best.

    `suffix` is a key of CONTAINERS. Raises FilmError where that container does not hold the codec.
    """
    codec = codec or DEFAULT_CODECS.get(suffix, "h264")
    with av.open(os.devnull, "w", format=CONTAINERS[suffix]) as trial:
        try:
            trial.add_stream(ENCODERS[codec][0])
        except ValueError as error:
            raise FilmError(f"{suffix} files hold no {codec}; give another --codec") from error
    return codec


def configure(context, film, codec, quality, suffix) -> None:
    """Set up an encoder; all segments of a film, and its file, get the same."""
    context.width = film.size[1] + film.size[1] % 2
    context.height = film.size[0] + film.size[0] % 2
    context.pix_fmt = pixel_format(film, codec)
    context.time_base = film.time_base
    context.framerate = film.rate
    context.sample_aspect_ratio = film.sample_aspect_ratio or Fraction(0, 1)
    context.colorspace = film.colorspace
    context.color_range = 2 if film.full_range else 1
    context.color_primaries = film.color_primaries
    context.color_trc = film.color_trc
    factor = CODECS[codec] if quality is None else quality
    if codec in QUANTIZED:
        # They know frame rates only.
        context.time_base = 1 / film.rate
        context.options = {"global_quality": str(LAMBDA * factor), **ENCODERS[codec][1]}
    else:
        context.options = {"crf": str(factor), **ENCODERS[codec][1]}
    if suffix in (".avi", ".wmv"):
        # These have one time a frame, which does if frames are decoded as they are shown.
        context.max_b_frames = 0


def pixel_format(film, codec) -> str:
    """Return the pixel format that is encoded: 4:2:0, of 10 bits if the film has more than 8."""
    return "yuv420p10le" if film.bits > 8 and codec not in QUANTIZED else "yuv420p"


def encode(frames, film, codec, quality, suffix):
    """Encode frames (av.VideoFrame) and return them as a segment's arrays.

    `data` uint8 (bytes,) are the packets behind each other, `sizes`, `times` and `keys` int64
    (packets,) their lengths, times, and whether one begins with them, in the order of decoding.
    """
    # SVT-AV1 would otherwise say much about itself.
    os.environ.setdefault("SVT_LOG", "1")
    context = av.CodecContext.create(ENCODERS[codec][0], "w")
    if av.ContainerFormat(CONTAINERS[suffix], "w").flags & av.format.Flags.global_header.value:
        context.flags |= av.codec.context.Flags.global_header
    configure(context, film, codec, quality, suffix)
    encoded, shown = [], {}
    for number, frame in enumerate(frames):
        if codec in QUANTIZED:
            shown[number] = frame.pts
            frame.pts, frame.time_base = number, 1 / film.rate
        encoded += context.encode(frame)
    encoded += context.encode(None)
    return {
        "data": np.frombuffer(b"".join(map(bytes, encoded)), np.uint8),
        "sizes": np.array([packet.size for packet in encoded], np.int64),
        "times": np.array([shown.get(p.pts, p.pts) for p in encoded], np.int64),
        "keys": np.array([packet.is_keyframe for packet in encoded], np.int64),
    }


@dataclasses.dataclass(frozen=True)
class Timeline:
    """The times of a film's encoded packets, in the order of decoding, as the container needs them.

    `decode` and `show`, int64 (packets,), are when a packet is decoded and when its frame is shown;
    `length` is for how long, but for the last packet, whose length is that of the last frame.
    """

    decode: np.ndarray
    show: np.ndarray
    length: np.ndarray


def timeline(times, last_length) -> Timeline:
    """Order packets of which only the times of their frames are known.

    `times`, int64 (packets,), are all different, in the order of decoding; the film's last frame is
    shown for `last_length`. A packet is decoded when the frame that is shown so many places earlier
    is shown: as few places as keep every packet from coming after its own frame.
    """
    shown = np.sort(times)
    delay = int(max(0, np.max(np.arange(len(times)) - np.searchsorted(shown, times))))
    # So early does decoding begin that it ends early by as much: MP4 adds up its samples' lengths.
    earliness = shown[-1] - shown[len(shown) - 1 - delay]
    early = shown[0] - earliness * np.arange(delay, 0, -1) // max(1, delay)
    decode = np.concatenate([early, shown])[: len(times)]
    lengths = np.append(np.diff(shown), last_length)[np.searchsorted(shown, times)]
    lengths[-1] = last_length
    return Timeline(decode, times, lengths)


def assemble(source, target, film, codec, quality, segments, enter) -> list[str]:
    """Write a film's file: coloured pictures from the segments, all else from its source.

    `segments` are files that hold what `encode` returns, and `last_length`. Sound, subtitles,
    further pictures, attachments, chapters, metadata and rotation are copied as they are. The file
    appears when it is whole; `enter(path)` is called with where it lies before. Returns phrases
    about what the container does not hold. Raises FilmError, and OSError where the file cannot be
    written.
    """
    suffix = target.suffix.lower()
    with np.load(segments[-1]) as last:
        last_length = int(last["last_length"])
    times = timeline(_times(segments), last_length)
    with opened(source) as (container, main), replacing(target) as temporary:
        with av.open(os.fspath(temporary), "w", format=CONTAINERS[suffix]) as output:
            output.metadata.update(_kept(container.metadata, OWN_METADATA))
            coloured, copies, left_out = None, {}, []
            for stream in container.streams:
                if stream.index == main.index:
                    copy = coloured = output.add_stream(ENCODERS[codec][0])
                elif stream.type in COPIED:
                    try:
                        copy = output.add_stream_from_template(stream, opaque=True)
                    except ValueError:
                        left_out.append(f"its {stream.type} stream {stream.index} was left out")
                        continue
                    copies[stream.index] = copy
                else:
                    continue
                copy.metadata.update(_kept(stream.metadata, OWN_STREAM_METADATA))
                copy.disposition = stream.disposition
            configure(coloured.codec_context, film, codec, quality, suffix)
            coloured.time_base = film.time_base
            if film.matrix:
                coloured.set_display_matrix(film.matrix)
            output.set_chapters(container.chapters())
            output.start_encoding()
            painted = _painted(segments, times, coloured, film.time_base)
            end = Fraction(0)
            for packet in heapq.merge(painted, _copied(container, copies), key=_decoded_at):
                end = max(end, _decoded_at(packet) + (packet.duration or 0) * packet.time_base)
                output.mux(packet)
            left_out += _broken_off(container, main, end)
        enter(temporary)
    return left_out


def _broken_off(container, stream, end) -> list[str]:
    """Say how much of a film there is, if it ends, at `end` in seconds, before its file says."""
    expected = Fraction(container.duration or 0, av.time_base)
    if container.format.name == "avi":  # its duration is measured, but it counts its frames
        expected = max(expected, stream.frames * stream.time_base)
    end -= Fraction(container.start_time or 0, av.time_base)
    if end + SLACK >= expected:
        return []
    return [f"it breaks off; {float(end):.1f} of its {float(expected):.1f} seconds are there"]


def _times(segments) -> np.ndarray:
    """Read the times of all packets, int64 (packets,), in the order of decoding."""
    times = []
    for path in segments:
        with np.load(path) as segment:
            times.append(segment["times"])
    return np.concatenate(times)


def _kept(metadata, own) -> dict:
    """Return metadata without what a file says about itself."""
    return {name: text for name, text in metadata.items() if not name.lower().startswith(own)}


def _painted(segments, times, stream, time_base):
    """Yield the packets of the coloured pictures."""
    place = 0
    for path in segments:
        with np.load(path) as segment:
            data, sizes, keys = (segment[name] for name in ("data", "sizes", "keys"))
        for content, key in zip(np.split(data, np.cumsum(sizes)[:-1]), keys, strict=True):
            packet = av.Packet(content.tobytes())
            packet.stream, packet.time_base, packet.is_keyframe = stream, time_base, bool(key)
            packet.dts, packet.pts = int(times.decode[place]), int(times.show[place])
            packet.duration = int(times.length[place])
            place += 1
            yield packet


def _copied(container, copies):
    """Yield the packets of all streams that are copied, as far as the film can be read."""
    sources = [container.streams[index] for index in copies]
    if not sources:
        return
    with contextlib.suppress(av.FFmpegError):
        for packet in container.demux(sources):
            if packet.size:
                packet.stream = copies[packet.stream_index]
                yield packet


def _decoded_at(packet) -> Fraction:
    """Return when a packet is decoded, in seconds; at once where it does not say."""
    time = packet.dts if packet.dts is not None else packet.pts
    return (time or 0) * packet.time_base
