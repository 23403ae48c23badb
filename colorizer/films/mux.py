"""Coloured frames into a film's file: encoders, finished segments, and all the other streams."""

import contextlib
import dataclasses
import heapq
import math
import os
from fractions import Fraction

from colorizer.files import boxes, xmp
from colorizer.files.atomic import replacing
from colorizer.films.decode import WEIGHTS, Film, FilmError, is_cover, opened
from colorizer.films.formats import CODECS, Container, container_of
from colorizer.films.interlace import Scan
from colorizer.films.timing import Clock, packets, timeline

import av
import numpy as np
from av.video.reformatter import ColorRange

# So many seconds a film may end before its file says: containers count in different ways.
SLACK = 1

# Codecs of films in which nothing, or nothing that is seen, was lost.
LOSSLESS = (
    *("ffv1", "huffyuv", "ffvhuff", "utvideo", "magicyuv", "rawvideo", "v210", "v410", "qtrle"),
    *("png", "prores", "dnxhd", "cfhd", "jpeg2000", "hap", "flashsv", "zmbv", "lagarith"),
)

# Streams that are copied. Data streams are mostly the chapters of MP4, which are copied as such.
COPIED = ("video", "audio", "subtitle", "attachment")

# What a file says about itself, and not about the film.
OWN_METADATA = ("major_brand", "minor_version", "compatible_brands", "encoder", "software")
OWN_STREAM_METADATA = ("encoder", "duration", "bps", "number_of_", "_statistics")


def codec_of(target, name) -> str:
    """Return the codec to write a film in: `name` if given, else what its container holds best.

    Both are keys of CODECS. Raises FilmError where the container does not hold that.
    """
    codecs = container_of(target).codecs
    if name and name not in codecs:
        held = ", ".join(sorted(set(codecs)))
        raise FilmError(
            f"{target.suffix.lower()} files hold no {name}; give another --codec ({held})"
        )
    return name or codecs[0]


@dataclasses.dataclass(frozen=True)
class Encoding:
    """How a film is encoded: all its segments alike, and its file says the same.

    `codec` is a key of formats.CODECS, `quality` its constant rate factor or quantizer, or None for
    the default, `container` one of formats.CONTAINERS.
    """

    film: Film
    codec: str
    quality: int | None
    container: Container

    @property
    def pixel_format(self) -> str:
        """FFmpeg's name of what is encoded."""
        return CODECS[self.codec].pixel_formats[self.film.bits > 8]

    @property
    def full_range(self) -> bool:
        """Whether samples begin at 0, as in the film, which its codec has to be able to say."""
        return self.film.full_range and CODECS[self.codec].full_range

    def frame(self, pixels, time) -> av.VideoFrame:
        """Make a frame to encode from RGB (H, W, 3), uint8 or uint16, shown at a time.

        Sides that are odd grow by a pixel, the last one's copy.
        """
        height, width = pixels.shape[:2]
        if height % 2 or width % 2:
            pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        name = "rgb24" if pixels.dtype == np.uint8 else "rgb48le"
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=name)
        frame = frame.reformat(
            format=self.pixel_format,
            dst_colorspace=WEIGHTS[self.film.colorspace],
            dst_color_range=ColorRange.JPEG if self.full_range else ColorRange.MPEG,
        )
        frame.pts, frame.time_base = time, self.film.time_base
        return frame

    def losses(self) -> list[str]:
        """Return phrases about what of the film's pictures is not in the coloured ones."""
        film, losses, less = self.film, [], []
        if film.has_alpha:
            losses.append("what is transparent was laid on white")
        if film.size[0] % 2 or film.size[1] % 2:
            height, width = film.size
            losses.append(f"{width}x{height} pixels became even by doubling the last row or column")
        if any(film.light_levels) and not CODECS[self.codec].light_levels:
            losses.append("its light levels of HDR10 were left out")
        source, written = (av.VideoFormat(name) for name in (film.pixel_format, self.pixel_format))
        if film.bits > (bits := max(component.bits for component in written.components)):
            less.append(f"its {film.bits} bits became {bits}")
        if film.codec != "gif" and _samples_of_colour(source) > _samples_of_colour(written):
            less.append("it has fewer samples of colour than before (4:2:0)")
        if film.codec in LOSSLESS and self.codec != "ffv1":
            less.append(f"it was stored without loss ({film.codec}), and is not now")
        if less:
            losses.append("; ".join(less) + " (--codec prores or ffv1 keeps more)")
        return losses

    def configure(self, context) -> None:
        """Set up an encoder's context."""
        film, codec = self.film, CODECS[self.codec]
        context.width = film.size[1] + film.size[1] % 2
        context.height = film.size[0] + film.size[0] % 2
        context.pix_fmt = self.pixel_format
        context.time_base = 1 / film.rate if codec.quantized else film.time_base
        context.framerate = film.rate
        context.sample_aspect_ratio = film.sample_aspect_ratio or Fraction(0, 1)
        context.colorspace = film.colorspace
        context.color_range = 2 if self.full_range else 1
        context.color_primaries = film.color_primaries
        context.color_trc = film.color_trc
        factor = codec.quality if self.quality is None else self.quality
        options = dict(codec.options)
        if codec.quantized:
            options |= {"qmin": str(factor), "qmax": str(factor)}
        elif codec.quality is not None:
            options["crf"] = str(factor)
        if film.scan is not Scan.PROGRESSIVE and not film.deinterlace:
            options |= codec.interlaced.get(film.scan.value, {})
        if codec.light_levels and any(film.light_levels):
            told = [options.get(codec.light_levels), *_told(film.light_levels, codec.light_levels)]
            options[codec.light_levels] = ":".join(filter(None, told))
        context.options = options
        if self.container.one_time:
            context.max_b_frames = 0


def _told(levels, option) -> list[str]:
    """Return LightLevels as parameters of an encoder, by the option that takes them."""
    names, of_xy, of_light, write = {
        "x265-params": (("master-display", "max-cll"), 50_000, 10_000, round),
        "svtav1-params": (("mastering-display", "content-light"), 1, 1, float),
    }[option]
    told = []
    if levels.screen:
        *xy, least, most = levels.screen
        pairs = zip(xy[::2], xy[1::2], strict=True)
        red, green, blue, white = (f"({write(x * of_xy)},{write(y * of_xy)})" for x, y in pairs)
        light = f"({write(most * of_light)},{write(least * of_light)})"
        told.append(f"{names[0]}=G{green}B{blue}R{red}WP{white}L{light}")
    if levels.film:
        told.append(f"{names[1]}={','.join(map(str, levels.film))}")
    return told


def _samples_of_colour(format) -> float:
    """Return how many samples of colour a pixel of a format has; gray has none."""
    if format.name.startswith(("gray", "mono", "pal")) or len(format.components) < 3:
        return 0
    return format.chroma_width(16) * format.chroma_height(16) / 256


class Encoder:
    """Encodes the frames of one segment."""

    def __init__(self, encoding):
        # SVT-AV1 would otherwise say much about itself.
        os.environ.setdefault("SVT_LOG", "1")
        codec = CODECS[encoding.codec]
        self.context = av.CodecContext.create(codec.encoder, "w")
        muxer = av.ContainerFormat(encoding.container.muxer, "w")
        if muxer.flags & av.format.Flags.global_header.value:
            self.context.flags |= av.codec.context.Flags.global_header
        encoding.configure(self.context)
        # The times by number of frame, where the codec knows frame rates only.
        self.times = [] if codec.quantized else None
        self.packets = []

    def encode(self, frame) -> None:
        """Encode one frame more, an av.VideoFrame."""
        if self.times is not None:
            self.times.append(frame.pts)
            frame.pts, frame.time_base = len(self.times) - 1, self.context.time_base
        self.packets += self.context.encode(frame)

    def finish(self) -> dict:
        """Return the segment's arrays, in the order of decoding.

        `data` uint8 (bytes,) are the packets behind each other, `sizes`, `times` and `keys` int64
        (packets,) their lengths, times, and whether one begins with them.
        """
        self.packets += self.context.encode(None)
        times = [packet.pts for packet in self.packets]
        if self.times is not None:
            times = [self.times[number] for number in times]
        return {
            "data": np.frombuffer(b"".join(map(bytes, self.packets)), np.uint8),
            "sizes": np.array([packet.size for packet in self.packets], np.int64),
            "times": np.array(times, np.int64),
            "keys": np.array([packet.is_keyframe for packet in self.packets], np.int64),
        }


def assemble(source, target, encoding, segments, last_length, mark, enter, part=False):
    """Write a film's file: coloured pictures from the segments, all else from its source.

    `segments` are files that hold what `Encoder.finish` returns; the last frame is shown for
    `last_length`. Sound, subtitles, further pictures, attachments, chapters, metadata and rotation
    are copied as they are; `mark`, an xmp.Mark, says how it was made. The file appears when it is
    whole; `enter(path)` is called with where it lies before. Where the segments are a `part` of
    the film, so is all else, and it begins at 0. Returns phrases, a list, about what the container
    does not hold. Raises FilmError, and OSError where the file cannot be written.
    """
    film, holder = encoding.film, encoding.container
    times = timeline(_times(segments), last_length)
    begin, end = Fraction(0), math.inf
    if part:
        begin = int(times.show.min()) * film.time_base
        end = int(times.show.max() + last_length) * film.time_base
        times = times.earlier(int(times.show.min()))
    # Frames of a folder have nothing beside them.
    whole = contextlib.nullcontext((None, None)) if source.is_dir() else opened(source)
    with whole as (container, main), replacing(target) as temporary:
        tags = _kept(container.metadata, OWN_METADATA) if container else {}
        chapters, left_out = container.chapters() if container and not part else [], []
        options = holder.phone_options if any("." in name for name in tags) else {}
        options = holder.options | options
        with av.open(os.fspath(temporary), "w", format=holder.muxer, options=options) as output:
            output.metadata.update(tags | _mark_tags(mark, tags, holder))
            coloured, copies = None, {}
            for stream in container.streams if container else ():
                if stream.index == main.index:
                    copy = coloured = output.add_stream(CODECS[encoding.codec].encoder)
                else:
                    copy = _copy_of(stream, output)
                    if copy is None and not (stream.type == "data" and _is_made_anew(stream)):
                        left_out.append(f"its {stream.type} stream {stream.index} was left out")
                    if copy is None:
                        continue
                    copies[stream.index] = copy
                copy.metadata.update(_kept(stream.metadata, OWN_STREAM_METADATA))
                copy.disposition = stream.disposition
            coloured = coloured or output.add_stream(CODECS[encoding.codec].encoder)
            encoding.configure(coloured.codec_context)
            coloured.time_base = film.time_base
            if film.matrix:
                coloured.set_display_matrix(film.matrix)
            output.set_chapters(chapters)
            output.start_encoding()
            painted = _painted(segments, times, coloured, film.time_base)
            clock = container and Clock(container)
            copied = _copied(container, copies, clock, begin, end)
            end = Fraction(0)
            for packet in heapq.merge(painted, copied, key=_decoded_at):
                end = max(end, _decoded_at(packet) + (packet.duration or 0) * packet.time_base)
                output.mux(packet)
            if clock and not clock.offset and not part:  # else its file does not say how long it is
                left_out += _broken_off(container, main, end)
        if "mov" in holder.demuxers:
            _add_xmp(source, temporary, mark)
        left_out += _missing(temporary, 1 + len(copies), tags, chapters, mark)
        enter(temporary)
    return left_out


def _copy_of(stream, output):
    """Return a stream of the output that is to be a copy of one, None where it holds none such."""
    if stream.type not in COPIED:
        return None
    try:
        # Some say no only when the file begins.
        with av.open(os.devnull, "w", format=output.format.name) as trial:
            trial.add_stream_from_template(stream, opaque=True)
            trial.start_encoding()
        return output.add_stream_from_template(stream, opaque=True)
    except (ValueError, av.FFmpegError):
        return None


def _is_made_anew(stream) -> bool:
    """Tell whether a data stream says what a file has anyway: its chapters, times or menus."""
    chapters = stream.container.chapters()
    return bool(chapters) or "timecode" in stream.metadata or stream.name == "dvd_nav_packet"


def _mark_tags(mark, tags, container) -> dict:
    """Return the tags that say how a film was made; a comment where others have no place."""
    said = {
        "DigitalSourceType": xmp.SOURCE_TYPES + mark.source_type,
        "CreatorTool": mark.tool,
        "History": f"colorized with {mark.model}, {mark.settings}, from {mark.source_sha256}",
    }
    if container.any_tag:
        return said
    return {"comment": "; ".join([*filter(None, [tags.get("comment")]), *said.values()])}


def _add_xmp(source, path, mark) -> None:
    """Put the marks behind a file of boxes, MP4 or MOV, with the XMP of the source."""
    packet = b""
    if source.is_file():
        with open(source, "rb") as file:
            packet = boxes.uuids(file).get(boxes.XMP, b"")
    with open(path, "ab") as file:
        file.write(boxes.uuid(boxes.XMP, xmp.marked(packet, mark)))


def _missing(path, streams, tags, chapters, mark) -> list[str]:
    """Say what streams, tags and marks a finished file does not hold."""
    with opened(path) as (container, _):
        lost = streams - sum(stream.type in COPIED for stream in container.streams)
        values = {text.strip() for text in container.metadata.values()}
        names = {name.lower() for name in container.metadata}
        marked = any(mark.tool in value for value in values)
        missing = [
            name
            for name, text in tags.items()
            if name.lower() not in names and text.strip() not in values
        ]
        remarks = [f"its {', '.join(missing)} was left out"] if missing else []
        if lost > 0:
            remarks.append(f"{lost} of its streams cannot be read any more")
        if len(container.chapters()) < len(chapters):
            remarks.append(f"its {len(chapters)} chapters were left out")
    if not marked and "mov" not in container_of(path).demuxers:
        remarks.append("its container has no place for a mark that says that it was colorized")
    return remarks


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


def _copied(container, copies, clock, begin, end):
    """Yield the packets of all streams that are copied, as far as the film can be read.

    Those from `begin` to `end`, in seconds, are, and come so much earlier.
    """
    for packet in packets(container, clock) if copies else ():
        if packet.stream_index in copies:
            if end < math.inf and not is_cover(packet.stream):
                if not begin <= _decoded_at(packet) < end:
                    continue
                shift = round(begin / packet.time_base)
                packet.pts = packet.pts if packet.pts is None else packet.pts - shift
                packet.dts = packet.dts if packet.dts is None else packet.dts - shift
            packet.stream = copies[packet.stream_index]
            yield packet


def _decoded_at(packet) -> Fraction:
    """Return when a packet is decoded, in seconds; at once where it does not say."""
    time = packet.dts if packet.dts is not None else packet.pts
    return (time or 0) * packet.time_base
