"""Films, end to end with a stand-in model of one layer: pictures, sound, times, stops, troubles."""

import dataclasses
import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

from colorizer import Colorizer, cli
from colorizer.files import boxes, xmp
from colorizer.films import decode, mux, stabilize
from colorizer.films import formats as film_formats
from colorizer.films import hints as film_hints
from colorizer.films.formats import CONTAINERS, container_of
from colorizer.films.timing import Clock
from colorizer.jobs import films
from colorizer.jobs.record import LOCK, RECORD
from colorizer.pixels import grayscale, high_bits, resize, to_unit

import av
import cv2
import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]

RATE = Fraction(30000, 1001)


def picture(number, height=48, width=64):
    """Return a gray frame, uint8 (h, w), whose left and right halves tell its number."""
    gray = np.empty((height, width), np.uint8)
    gray[:, : width // 2] = 60 + number * 7 % 120
    gray[:, width // 2 :] = 180 - number * 11 % 100
    return gray


def write_film(path, count=30, times=None, sound=True, size=(48, 64), **settings):
    """Write gray frames with B-frames, and a tone; return the path.

    `times` are those of the frames in a time base of 1/30000; by default they go by RATE.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    container = container_of(path)
    muxer = settings.pop("muxer", container.muxer)
    codec = settings.pop("codec", SOURCE_CODECS.get(muxer, "libx264"))
    options = container.options | (container.phone_options if "tags" in settings else {})
    with av.open(str(path), "w", format=muxer, options=options) as output:
        output.metadata["title"] = "A film"
        settings.get("tags", lambda output: None)(output)
        pictures = output.add_stream(codec, RATE)
        pictures.height, pictures.width = size
        pictures.pix_fmt = settings.pop("pix_fmt", "yuv420p")
        pictures.time_base = pictures.codec_context.time_base = Fraction(1, 30000)
        options = {"bf": "3", "crf": "4", "g": "12"} if codec == "libx264" else {}
        pictures.options = options | settings.get("options", {})
        if muxer in RATES_ONLY:
            pictures.time_base = pictures.codec_context.time_base = 1 / RATE
        if "shape" in settings:
            pictures.sample_aspect_ratio = Fraction(settings["shape"])
        if settings.get("matrix"):
            pictures.set_display_rotation(settings["matrix"])
        tone = (
            output.add_stream(SOUNDS.get(muxer, "aac"), 48000, layout="mono", bit_rate=64000)
            if sound
            else None
        )
        if tone:
            tone.metadata["language"] = "nld"
        settings.get("before", lambda output: None)(output)
        ticks = 1 if muxer in RATES_ONLY else 1001
        times = times or [number * ticks for number in range(count)]
        for number, shown in enumerate(times):
            gray = picture(number, *size)
            frame = av.VideoFrame.from_ndarray(gray, format="gray").reformat(
                format=pictures.pix_fmt
            )
            frame.pts, frame.time_base = shown, pictures.codec_context.time_base
            output.mux(pictures.encode(frame))
        output.mux(pictures.encode(None))
        if tone:
            samples = round(float(times[-1] * pictures.codec_context.time_base) * 48000) + 1600
            wave = (8000 * np.sin(np.arange(samples) / 20)).astype(np.int16)
            heard = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
            heard.sample_rate, heard.pts, heard.time_base = 48000, 0, Fraction(1, 48000)
            for each in (heard, None):
                output.mux(tone.encode(each))
        settings.get("behind", lambda output: None)(output)
    return path


# What films of the tests are written in, by FFmpeg's name of the container, where that is not H.264
# and AAC.
RATES_ONLY = ("avi", "vob", "mxf", "mpeg2video", "yuv4mpegpipe", "rm")
SOURCE_CODECS = {
    **{"webm": "libvpx-vp9", "avi": "mpeg4", "asf": "wmv2", "vob": "mpeg2video", "flv": "flv"},
    **{
        "ogg": "libvpx",
        "mxf": "mpeg2video",
        "yuv4mpegpipe": "rawvideo",
        "mpeg2video": "mpeg2video",
    },
}
SOUNDS = {
    **{"matroska": "flac", "webm": "libopus", "avi": "mp2", "asf": "wmav2", "vob": "mp2"},
    **{"mpegts": "mp2", "flv": "libmp3lame", "ogg": "libopus", "mxf": "pcm_s16le"},
}


def results(folder):
    """Return the names of all that a run wrote but its record, half-written files too."""
    names = {path.name for path in (folder / "out").glob("*")}
    return sorted(names - {RECORD, LOCK})  # a killed run leaves the lock, which holds nothing


def times_of(path):
    """Return the times of a film's frames, in seconds, in the order of showing."""
    film = decode.probe(path, deinterlace=False)
    with decode.reading(path, film) as frames:
        return [shown * film.time_base for _, shown, *_ in frames]


def packets_of(path, kind):
    """Return time, length and content of a film's packets of one kind of stream."""
    with av.open(str(path)) as container:
        streams = [stream for stream in container.streams if stream.type == kind]
        packets = [packet for packet in container.demux(streams) if packet.size] if streams else []
        return [
            (packet.pts * packet.time_base, packet.duration * packet.time_base, bytes(packet))
            for packet in packets
        ]


def frames_of(path, format="rgb24"):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format=format) for frame in container.decode(video=0)]


def lightness(rgb):
    return cv2.cvtColor(to_unit(rgb), cv2.COLOR_RGB2LAB)[..., 0]


@pytest.mark.parametrize("suffix", [c.suffixes[0] for c in CONTAINERS if c.muxer])
def test_a_film_of_any_container_gets_colour_and_keeps_all_else(tmp_path, run, suffix):
    source = write_film(tmp_path / "in" / f"film{suffix}")
    status, printed = run()
    assert status == 0, printed
    assert "breaks off" not in printed
    assert results(tmp_path) == [source.name]
    target = tmp_path / "out" / source.name
    assert times_of(target) == times_of(source)
    assert packets_of(target, "audio") == packets_of(source, "audio")
    assert len(packets_of(target, "audio")) > 5
    before, after = frames_of(source), frames_of(target)
    for gray, painted in zip(before, after, strict=True):
        assert painted.shape == gray.shape
        assert np.abs(lightness(painted) - lightness(gray)).mean() < 1
        for half in (painted[8:-8, 8:24], painted[8:-8, 40:-8]):
            assert half[..., 0].mean() - half[..., 2].mean() > 25
    with av.open(str(source)) as given, av.open(str(target)) as written:
        last = packets_of(source, "video")[-1][1] or 1 / RATE
        assert abs(Fraction(written.duration - given.duration, av.time_base)) < last
        assert written.streams.video[0].guessed_rate == given.streams.video[0].guessed_rate
        assert written.metadata.get("title") == given.metadata.get("title")
        order = {"key": lambda stream: stream.type if suffix == ".flv" else 0}  # it has no order
        for kept, stream in zip(
            *(sorted(c.streams, **order) for c in (given, written)), strict=True
        ):
            assert stream.type == kept.type
            assert stream.metadata.get("language") == kept.metadata.get("language")


def test_variable_frame_rates_stay(tmp_path, run):
    steps = np.random.default_rng(0).integers(300, 5000, 40)
    source = write_film(tmp_path / "in" / "film.mp4", times=np.cumsum(steps).tolist())
    assert run()[0] == 0
    target = tmp_path / "out" / "film.mp4"
    assert times_of(target) == times_of(source)
    assert len(set(np.diff(times_of(target)))) > 30
    assert packets_of(target, "audio") == packets_of(source, "audio")
    with av.open(str(target)) as written:
        length = written.streams.video[0].duration * written.streams.video[0].time_base
    shown = times_of(source)
    assert shown[-1] < length + shown[0] < shown[-1] + Fraction(1, 10)


def joined(path, *recordings):
    """Write films behind each other into one file, as recorders do; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(recording.read_bytes() for recording in recordings))
    return path


@pytest.mark.parametrize("sound", [True, False])
@pytest.mark.parametrize("suffix", [".vob", ".mpg", ".mts", ".ts", ".trp"])
def test_times_that_restart_are_one_film(tmp_path, run, suffix, sound):
    """Two recordings behind each other last as long as both, in pictures and in sound."""
    counts = 40, 25
    parts = [
        write_film(tmp_path / f"{count}{suffix}", count=count, sound=sound) for count in counts
    ]
    source = joined(tmp_path / "in" / f"film{suffix}", *parts)
    status, printed = run()
    assert status == 0, printed
    assert "breaks off" not in printed
    target = tmp_path / "out" / source.name
    assert results(tmp_path) == [source.name]
    shown = np.array(list(map(float, times_of(target))))
    assert len(shown) == sum(counts)
    # A program stream has times for some of so small frames only; others are guessed.
    guessed = float(1 / RATE) if suffix in (".vob", ".mpg") else 0
    steps = np.diff(shown)
    np.testing.assert_allclose(np.delete(steps, 39), float(1 / RATE), atol=0.001 + guessed)
    assert 0.02 < steps[39] < 0.3
    assert shown[-1] - shown[0] == pytest.approx(float(64 / RATE), abs=0.2)
    heard = [packets_of(part, "audio") for part in (*parts, target)]
    assert [content for *_, content in heard[2]] == [
        content for part in heard[:2] for *_, content in part
    ]
    if sound:
        times = np.array([float(time) for time, *_ in heard[2]])
        assert (np.diff(times) > 0).all()
        starts = [float(packets[0][0]) for packets in heard[:2]]
        # Sound and pictures of the second recording stand to each other as before.
        before = starts[1] - float(times_of(parts[1])[0])
        after = times[len(heard[0])] - shown[40]
        assert after == pytest.approx(before, abs=0.02)


def test_a_clock_follows_jumps_and_nothing_else(monkeypatch):
    """Two streams of packets of 1 s, in a time base of 1/10."""
    kinds = {0: "video", 1: "audio", 2: "subtitle"}

    class Packet:
        time_base, duration = Fraction(1, 10), 10

        def __init__(self, index, time):
            self.stream_index, self.dts, self.pts = index, time, time + 1
            self.stream = SimpleNamespace(type=kinds[index])

    def corrected(*packets, restarts=True):
        flags = av.format.Flags.ts_discont.value if restarts else 0
        clock = Clock(SimpleNamespace(format=SimpleNamespace(flags=flags)))
        packets = [Packet(*each) for each in packets]
        for packet in packets:
            clock.set(packet)
            assert packet.pts == packet.dts + 1
        return [packet.dts for packet in packets]

    regular = [(0, 0), (1, 1), (0, 10), (1, 11), (0, 20), (1, 21)]
    assert corrected(*regular) == [time for _, time in regular]
    # The second recording begins when both streams of the first have ended, and keeps its lead.
    assert corrected(*regular, (0, 0), (1, 1), (0, 10)) == [0, 1, 10, 11, 20, 21, 31, 32, 41]
    # Sound of the first that lies behind pictures of the second stays where it was.
    assert corrected(*regular, (0, 0), (1, 31), (1, 1))[6:] == [31, 31, 32]
    # A third, and one that goes on elsewhere.
    assert corrected((0, 0), (0, 10), (0, 0), (0, 10), (0, 500))[2:] == [20, 30, 40]
    # A gap of a few seconds, frames that are late, and subtitles in any order are none.
    assert corrected((0, 0), (0, 90), (0, 89), (2, 50), (2, 10)) == [0, 90, 89, 50, 10]
    assert corrected((0, 0), (0, 500), restarts=False) == [0, 500]
    assert corrected((0, 0), (0, 50), (0, 0), restarts=False) == [0, 50, 60]
    # Half a second back is another recording too.
    assert corrected((0, 0), (0, 5), (0, 0))[2] == 15
    # A packet that does not say how long it is lasts as long as the one before.
    monkeypatch.setattr(Packet, "duration", None)
    assert corrected((0, 0), (0, 4), (0, 0), (0, 4)) == [0, 4, 8, 12]


def test_packets_with_frames_out_of_order_are_decoded_in_time(tmp_path, run):
    write_film(tmp_path / "in" / "film.mkv", count=60)
    assert run()[0] == 0
    with av.open(str(tmp_path / "out" / "film.mkv")) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    shown = [packet.pts for packet in packets]
    assert shown != sorted(shown)  # B-frames
    decoded = [packet.dts for packet in packets if packet.dts is not None]
    assert decoded == sorted(set(decoded))
    assert all(packet.dts is None or packet.dts <= packet.pts for packet in packets)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0, 10, 20], [0, 10, 20]),
        ([0, 30, 10, 20, 40], [-10, 0, 10, 20, 30]),
        ([100, 104, 101, 110, 105], [95, 100, 101, 104, 105]),
        ([7], [7]),
    ],
)
def test_the_decoding_times_of_packets(times, expected):
    line = mux.timeline(np.array(times), 5)
    assert line.decode.tolist() == expected
    assert line.show.tolist() == times
    assert line.length[np.argmax(times)] == line.length[-1] == 5
    assert line.length[0] == (sorted(times)[1] - times[0] if len(times) > 1 else 5)
    assert line.decode[-1] + 5 - line.decode[0] == max(times) + 5 - min(times)


def test_rotation_shape_chapters_and_subtitles_stay(tmp_path, run):
    def add(output):
        lines = output.add_mux_stream("mov_text")
        lines.metadata["language"] = "fra"
        output.set_chapters(
            [
                {"id": 1, "start": 0, "end": 400, "time_base": Fraction(1, 1000), "metadata": m}
                for m in ({"title": "One"},)
            ]
        )

    def say(output):
        packet = av.Packet(b"\0\5Salut")
        packet.stream, packet.time_base = output.streams[2], Fraction(1, 1000)
        packet.pts = packet.dts = 100
        packet.duration = 300
        output.mux(packet)

    source = write_film(
        tmp_path / "in" / "film.mp4", matrix=90, shape="16/11", before=add, behind=say
    )
    assert run()[0] == 0
    target = tmp_path / "out" / "film.mp4"
    assert packets_of(target, "subtitle") == packets_of(source, "subtitle")
    assert b"Salut" in packets_of(target, "subtitle")[-1][2]
    with av.open(str(source)) as given, av.open(str(target)) as written:
        assert [c["metadata"] for c in written.chapters()] == [{"title": "One"}]
        assert [c["end"] for c in written.chapters()] == [c["end"] for c in given.chapters()]
        assert written.streams.video[0].sample_aspect_ratio == Fraction(16, 11)
        assert next(written.decode(video=0)).rotation == next(given.decode(video=0)).rotation == 90


def test_all_the_streams_of_a_matroska_stay(tmp_path, run):
    """Two sounds, subtitles and a font, in their order, with their names."""

    def add(output):
        output.add_mux_stream("subrip").metadata["title"] = "Ondertitels"
        comment = output.add_stream("libmp3lame", 44100, layout="mono")
        comment.metadata["title"] = "Commentaar"
        comment.disposition = av.stream.Disposition.comment
        output.add_attachment("font.ttf", "application/x-truetype-font", b"a font")

    def say(output):
        heard = av.AudioFrame.from_ndarray(np.zeros((1, 22050), np.int16), "s16p", "mono")
        heard.sample_rate, heard.pts, heard.time_base = 44100, 0, Fraction(1, 44100)
        for each in (heard, None):
            output.mux(output.streams[3].encode(each))
        for number in range(3):
            packet = av.Packet(f"regel {number}".encode())
            packet.stream, packet.time_base = output.streams[2], Fraction(1, 1000)
            packet.pts = packet.dts = 300 * number
            packet.duration = 200
            output.mux(packet)

    source = write_film(tmp_path / "in" / "film.mkv", before=add, behind=say)
    assert run()[0] == 0
    target = tmp_path / "out" / "film.mkv"
    for kind in ("audio", "subtitle"):
        assert packets_of(target, kind) == packets_of(source, kind)
    with av.open(str(source)) as given, av.open(str(target)) as written:
        for kept, stream in zip(given.streams, written.streams, strict=True):
            assert (stream.type, stream.disposition) == (kept.type, kept.disposition)
            assert stream.metadata.get("title") == kept.metadata.get("title")
        assert bytes(written.streams[4].data) == b"a font"
        assert written.streams[2].metadata["title"] == "Ondertitels"


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".flv"])
def test_a_film_says_that_it_was_colorized(tmp_path, run, model, suffix):
    source = write_film(tmp_path / "in" / f"film{suffix}", 3)
    status, printed = run()
    assert status == 0
    assert "mark" not in printed
    with av.open(str(tmp_path / "out" / source.name)) as container:
        said = " ".join(container.metadata.values())
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    for text in (xmp.SOURCE_TYPES + xmp.COLORIZED, "photo-colorizer", model.name, digest):
        assert text in said
    if suffix in (".mp4", ".mov"):
        with open(tmp_path / "out" / source.name, "rb") as file:
            packet = boxes.uuids(file)[boxes.XMP]
        for text in (xmp.COLORIZED, "CreatorTool", "History", digest):
            assert text in packet.decode()


@pytest.mark.parametrize("suffix", [".mpg", ".mts"])
def test_a_container_without_tags_is_named(tmp_path, run, suffix):
    write_film(tmp_path / "in" / f"film{suffix}", 3, sound=False)
    assert f"film{suffix}: its container has no place for a mark" in run()[1]


APPLE = {
    "com.apple.quicktime.creationdate": "1998-05-01T12:00:00+0200",
    "com.apple.quicktime.location.ISO6709": "+52.1+005.1/",
    "com.apple.quicktime.make": "Apple",
}


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv", ".avi", ".mpg"])
def test_the_tags_of_phones_stay_or_are_named(tmp_path, run, suffix):
    def add(output):
        output.metadata.update(APPLE)

    source = write_film(tmp_path / "film.mov", 3, tags=add)
    (tmp_path / "in").mkdir()
    source.rename(tmp_path / "in" / f"film{suffix}")
    status, printed = run()
    assert status == 0
    with av.open(str(tmp_path / "out" / f"film{suffix}")) as container:
        tags = {name.lower(): text for name, text in container.metadata.items()}
    for name, text in APPLE.items():
        assert tags.get(name.lower()) == text or name in printed
    assert ("was left out" in printed) == (suffix in (".avi", ".mpg"))


def test_a_turned_film_is_seen_upright(tmp_path, run, monkeypatch):
    seen = []

    def look(self, image):
        seen.append(image)
        chroma = np.zeros((*self.shrink(image).shape[:2], 2), np.float32)
        chroma[: len(chroma) // 2, :, 0] = 60  # the upper half is red
        return chroma, None

    monkeypatch.setattr(Colorizer, "look", look)
    write_film(tmp_path / "in" / "film.mp4", count=2, matrix=90)
    assert run()[0] == 0
    # Turned counterclockwise by 90 degrees, the right half is the upper one.
    assert seen[0].shape == (64, 48, 1)
    assert seen[0][:30].mean() > seen[0][34:].mean() + 60
    painted = frames_of(tmp_path / "out" / "film.mp4")[0].astype(int)
    assert painted.shape == (48, 64, 3)
    red = painted[..., 0] - painted[..., 1]
    assert red[:, 40:].min() > 30
    assert abs(red[:, :24]).max() < 10


@pytest.mark.parametrize(
    ("codec", "pixel_format", "remark"),
    [
        (None, "yuv420p", "its 10 bits became 8"),  # not all players show more in H.264
        ("hevc", "yuv420p10le", ""),
        ("prores", "yuv422p10le", ""),
        ("ffv1", "yuv444p16le", ""),
    ],
)
def test_ten_bits_stay_where_the_codec_holds_them(tmp_path, run, codec, pixel_format, remark):
    write_film(tmp_path / "in" / "film.mkv", count=5, pix_fmt="yuv420p10le", sound=False)
    status, printed = run(*(("--codec", codec) if codec else ()))
    assert status == 0
    assert ("became" in printed) == bool(remark)
    assert remark in printed
    with av.open(str(tmp_path / "out" / "film.mkv")) as container:
        frame = next(container.decode(video=0))
    assert frame.format.name == pixel_format
    painted = frame.to_ndarray(format="rgb24")
    gray = lightness(np.full((1, 1, 3), 60, np.uint8))
    assert np.abs(lightness(painted)[8:-8, 4:28].mean() - gray) < 1
    assert painted[..., 0].mean() - painted[..., 2].mean() > 25


@pytest.mark.parametrize(("codec", "name"), [("prores", "film.mov"), ("ffv1", "film.mkv")])
def test_codecs_to_edit_bring_their_container(tmp_path, run, codec, name):
    write_film(tmp_path / "in" / "film.mp4", count=3)
    status, printed = run("--codec", codec)
    assert status == 0, printed
    assert results(tmp_path) == [name]
    assert "0 skipped" not in printed
    assert "1 skipped" in run("--codec", codec)[1]


@pytest.mark.parametrize(
    ("settings", "remark"),
    [
        ({"codec": "ffv1"}, "it was stored without loss (ffv1), and is not now"),
        ({"codec": "ffv1", "pix_fmt": "yuv422p10le"}, "its 10 bits became 8; it has fewer samples"),
        ({"codec": "ffv1", "pix_fmt": "gray"}, "it was stored without loss"),
        ({}, ""),
    ],
)
def test_what_the_codec_does_not_hold_is_in_one_remark(tmp_path, run, settings, remark):
    write_film(tmp_path / "in" / "film.mkv", count=3, sound=False, **settings)
    printed = run()[1]
    lines = [line for line in printed.splitlines() if line.startswith("film.mkv: ")]
    lines = [line for line in lines if "%" not in line]
    assert len(lines) == bool(remark)
    assert remark in "".join(lines)
    assert ("fewer samples" in printed) == ("422" in settings.get("pix_fmt", ""))


@pytest.mark.parametrize("codec", ["hevc", "av1", "vp9"])
def test_hdr10_light_levels_stay_or_are_named(tmp_path, run, codec):
    levels = "log-level=error:hdr10=1:max-cll=1000,400:master-display=G(13250,34500)B(7500,3000)"
    levels += "R(34000,16000)WP(15635,16450)L(10000000,50)"
    write_film(
        tmp_path / "in" / "film.mkv",
        count=3,
        codec="libx265",
        pix_fmt="yuv420p10le",
        options={"x265-params": levels},
    )
    printed = run("--codec", codec)[1]
    assert ("its light levels of HDR10 were left out" in printed) == (codec == "vp9")
    screen, film = decode.probe(tmp_path / "out" / "film.mkv").light_levels
    assert film == (() if codec == "vp9" else (1000, 400))
    # Red, green, blue and white, the least and the most of light.
    expected = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329, 0.005, 1000)
    assert np.allclose([float(number) for number in screen], expected[: len(screen)], rtol=0.01)
    assert len(screen) == (0 if codec == "vp9" else 10)


LEVELS = (33, 65, 193, 225)


PAIRS = sorted((c.suffixes[0], codec) for c in CONTAINERS for codec in c.codecs)


@pytest.mark.parametrize("full_range", [True, False])
@pytest.mark.parametrize(("suffix", "codec"), PAIRS)
def test_levels_come_out_as_they_went_in(tmp_path, suffix, codec, full_range):
    """Of a film of full or limited range, whatever the codec can say about that."""
    film = film_of(full_range=full_range)
    encoding = mux.Encoding(film, codec, None, container_of(Path(f"film{suffix}")))
    gray = np.repeat(np.array(LEVELS, np.uint8), 16)[np.newaxis].repeat(48, axis=0)
    encoder = mux.Encoder(encoding)
    encoder.encode(encoding.frame(np.dstack([gray] * 3), 0))
    np.savez(tmp_path / "0.npz", **encoder.finish())
    source = write_film(tmp_path / "in.mkv", count=1, sound=False)
    target = tmp_path / f"film{suffix}"
    mark = xmp.Mark("a tool")
    mux.assemble(source, target, encoding, [tmp_path / "0.npz"], 1, mark, lambda path: None)
    with decode.reading(target, decode.probe(target)) as frames:
        decoded = high_bits(decode.pixels_of(next(frames).frame))
    levels = decoded.reshape(48, 4, 16, -1)[8:-8, :, 4:-4].mean(axis=(0, 2, 3))
    np.testing.assert_allclose(levels, LEVELS, atol=2)


def film_of(**properties):
    """Return what a gray film of 64 x 48 pixels is, but for some properties."""
    film = decode.Film(
        size=(48, 64),
        codec="h264",
        pixel_format="yuv420p",
        bits=8,
        full_range=False,
        colorspace=6,
        color_primaries=2,
        color_trc=2,
        light_levels=decode.LightLevels(),
        rotation=0,
        matrix=None,
        scan=decode.Scan.PROGRESSIVE,
        deinterlace=True,
        time_base=Fraction(1, 25),
        rate=Fraction(25),
        sample_aspect_ratio=None,
        frames=1,
        start=Fraction(0),
        in_colour=False,
        toned=False,
        has_alpha=False,
    )
    return dataclasses.replace(film, **properties)


def test_a_film_of_full_range_keeps_its_levels(tmp_path, run):
    """MJPEG begins at 0; H.264 says so, and MPEG-4 cannot."""
    gray = np.repeat(np.array(LEVELS, np.uint8), 16)[np.newaxis].repeat(48, axis=0)
    (tmp_path / "in").mkdir()
    for name in ("film.avi", "film.mkv"):
        with av.open(str(tmp_path / "in" / name), "w") as output:
            stream = output.add_stream("mjpeg", 25, width=64, height=48, pix_fmt="yuvj420p")
            stream.options = {"qscale": "2"}
            for _ in range(3):
                frame = av.VideoFrame.from_ndarray(gray, format="gray")
                output.mux(stream.encode(frame.reformat(format="yuvj420p")))
            output.mux(stream.encode(None))
    status, printed = run("--strength", "0")
    assert status == 0, printed
    for name, full in (("film.avi", False), ("film.mkv", True)):
        path = tmp_path / "out" / name
        with decode.reading(path, decode.probe(path)) as frames:
            frame = next(frames).frame
        assert (frame.color_range == 2) == full
        levels = decode.pixels_of(frame).reshape(48, 4, 16, -1)[8:-8, :, 4:-4]
        np.testing.assert_allclose(levels.mean(axis=(0, 2, 3)), LEVELS, atol=2)


@pytest.mark.parametrize(("height", "tagged", "expected"), [(48, 1, 1), (48, 2, 6), (720, 2, 1)])
def test_a_film_says_how_its_luma_is_weighed(tmp_path, run, model, height, tagged, expected):
    """BT.709 as tagged, or as players take it for by its height; its colours come out right."""
    with av.open(str(tmp_path / "film.mkv"), "w") as output:
        stream = output.add_stream("libx264", 25, width=64, height=height, pix_fmt="yuv420p")
        stream.codec_context.colorspace = tagged
        stream.codec_context.color_primaries = stream.codec_context.color_trc = tagged
        frame = av.VideoFrame.from_ndarray(np.full((height, 64), 120, np.uint8), format="gray")
        output.mux(stream.encode(frame.reformat(format="yuv420p")))
        output.mux(stream.encode(None))
    (tmp_path / "in").mkdir()
    (tmp_path / "film.mkv").rename(tmp_path / "in" / "film.mkv")
    assert run()[0] == 0
    with av.open(str(tmp_path / "out" / "film.mkv")) as container:
        frame = next(container.decode(video=0))
        context = container.streams.video[0].codec_context
    assert frame.colorspace == context.colorspace == expected
    assert context.color_primaries == context.color_trc == tagged
    weights = {1: (0.2126, 0.7152, 0.0722), 6: (0.299, 0.587, 0.114)}[expected]
    luma, blue, red = (
        frame.to_ndarray()[rows, 8:24].mean() - offset
        for rows, offset in (
            (slice(8, height - 8), 16),
            (slice(height + 2, height + height // 4 - 2), 128),
            (slice(height + height // 4 + 2, height + height // 2 - 2), 128),
        )
    )
    gray = luma / 219
    rgb = [gray + 2 * (1 - weights[0]) * red / 224, 0, gray + 2 * (1 - weights[2]) * blue / 224]
    rgb[1] = (gray - weights[0] * rgb[0] - weights[2] * rgb[2]) / weights[1]
    painted = Colorizer(model).colorize(np.full((height, 64, 1), 120, np.uint8))[8, 8] / 255
    np.testing.assert_allclose(rgb, painted, atol=0.02)


@pytest.mark.parametrize("flags", [("--codec", "hevc"), ("--codec", "av1"), ("--quality", "40")])
def test_codec_and_quality_are_those_of_the_flags(tmp_path, run, flags):
    source = write_film(tmp_path / "in" / "film.mkv", size=(96, 128), count=8)
    assert run()[0] == 0
    target = tmp_path / "out" / "film.mkv"
    size = target.stat().st_size
    assert run("--overwrite", *flags)[0] == 0
    with av.open(str(target)) as container:
        name = container.streams.video[0].codec_context.codec.canonical_name
    assert name == (flags[1] if flags[0] == "--codec" else "h264")
    assert times_of(target) == times_of(source)
    if flags[0] == "--quality":
        assert target.stat().st_size < size


def test_a_quantizer_is_that_of_the_flag(tmp_path, run, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (96, 128), np.uint8)
    monkeypatch.setitem(globals(), "picture", lambda *given: noise)
    write_film(tmp_path / "in" / "film.avi", size=(96, 128), count=8, sound=False)
    target, sizes = tmp_path / "out" / "film.avi", []
    for factor in (2, 8, 31):
        assert run("--overwrite", "--quality", str(factor))[0] == 0
        sizes.append(target.stat().st_size)
    assert sizes[0] > 1.2 * sizes[1] > 1.2 * sizes[2]


def test_a_codec_that_the_container_does_not_hold_is_named(tmp_path, run):
    write_film(tmp_path / "in" / "film.webm", count=3)
    status, printed = run("--codec", "h264")
    assert status == 1
    assert "failed: film.webm: .webm files hold no h264; give another --codec" in printed
    assert not results(tmp_path)


@pytest.mark.parametrize("size", [(48, 63), (47, 64), (33, 35)])
def test_odd_sides_grow_by_a_pixel(tmp_path, run, size):
    height, width = size
    write_film(tmp_path / "in" / "film.mkv", 3, codec="ffv1", size=size, pix_fmt="gray")
    status, printed = run()
    assert status == 0
    assert f"film.mkv: {width}x{height} pixels became even" in printed
    painted = frames_of(tmp_path / "out" / "film.mkv")[0]
    assert painted.shape == (height + height % 2, width + width % 2, 3)


def test_a_film_of_one_pixel(tmp_path, run):
    write_film(tmp_path / "in" / "film.mkv", 3, codec="ffv1", size=(1, 1), pix_fmt="gray")
    status, _ = run()
    assert status == 0
    assert len(frames_of(tmp_path / "out" / "film.mkv")) == 3


def test_an_animated_gif_becomes_a_film_and_a_still_one_stays_a_photograph(tmp_path, run):
    (tmp_path / "in").mkdir()
    pictures = [Image.fromarray(picture(number)) for number in range(5)]
    pictures[0].save(
        tmp_path / "in" / "moving.gif", save_all=True, append_images=pictures[1:], duration=80
    )
    pictures[0].save(tmp_path / "in" / "still.gif")
    status, printed = run()
    assert status == 0, printed
    assert results(tmp_path) == ["moving.mp4", "still.gif"]
    assert times_of(tmp_path / "out" / "moving.mp4") == [Fraction(2 * n, 25) for n in range(5)]
    assert "2 colorized, 0 failed" in printed


def test_what_is_transparent_is_laid_on_white(tmp_path, run):
    pixels = np.zeros((48, 64, 4), np.uint8)
    pixels[:24, :, 3] = 255
    clear = [Image.fromarray(pixels), Image.fromarray(np.roll(pixels, 4, axis=0))]
    (tmp_path / "in").mkdir()
    clear[0].save(
        tmp_path / "in" / "clear.gif",
        save_all=True,
        append_images=clear[1:],
        duration=80,
        disposal=2,
    )
    status, printed = run("--strength", "0")
    assert status == 0, printed
    assert "clear.gif: what is transparent was laid on white" in printed
    first = frames_of(tmp_path / "out" / "clear.mp4")[0]
    assert first[:16].mean() < 10
    assert first[32:].mean() > 245


def broken_folder(folder):
    """Fill a folder with files that are no whole film; return what is said of each."""
    whole = write_film(folder.parent / "whole.mp4").read_bytes()
    folder.mkdir()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.mkv").touch()
    (folder / "text.avi").write_text("This is no film." * 100)
    (folder / "noise.webm").write_bytes(np.random.default_rng(0).bytes(5000))
    for name, format in (("png.mp4", "PNG"), ("jpeg.mkv", "JPEG")):
        Image.fromarray(picture(0)).save(folder / name, format=format)
    with av.open(str(folder / "sound.mp4"), "w") as output:
        tone = output.add_stream("aac", 48000, layout="mono")
        heard = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.int16), "s16", "mono")
        heard.sample_rate = 48000
        for each in (heard, None):
            output.mux(tone.encode(each))
    with av.open(str(folder / "none.mkv"), "w") as output:
        output.add_stream("libx264", 25, width=64, height=48, pix_fmt="yuv420p")
        output.start_encoding()
    os.mkfifo(folder / "pipe.mov")
    (folder / "folder.mp4").mkdir()
    (folder / "gone.mp4").symlink_to(folder / "nowhere.mp4")
    return {
        "cut.mp4": "it is damaged, or no film",
        "empty.mkv": "it is damaged, or no film",
        "text.avi": "it is damaged, or no film",
        "noise.webm": "it is damaged, or no film",
        "png.mp4": "it holds a picture, not a film",
        "jpeg.mkv": "it holds a picture, not a film",
        "sound.mp4": "it holds no moving pictures",
        "none.mkv": "it is damaged, or no film",
        "pipe.mov": "it is not a regular file",
        "gone.mp4": "no such file or directory",
    }


def combing(frame):
    """Return how far the rows of an RGB frame lie from the mean of those around, in levels."""
    luma = grayscale(frame)[8:-8, 8:-8, 0].astype(float)
    return np.abs(luma[1:-1] - (luma[:-2] + luma[2:]) / 2).mean()


def test_an_interlaced_film_becomes_progressive(tmp_path, run, monkeypatch):
    """A bar moves; odd rows show it at another place than even ones."""

    def fields(number, height, width):
        gray = np.full((height, width), 40, np.uint8)
        gray[::2, 8 * number : 8 * number + 24] = 200
        gray[1::2, 8 * number + 4 : 8 * number + 28] = 200
        return gray

    monkeypatch.setitem(globals(), "picture", fields)
    options = {"x264-params": "tff=1"}
    source = write_film(tmp_path / "in" / "film.mkv", 10, size=(64, 128), options=options)
    status, printed = run()
    assert status == 0
    assert "film.mkv: it was interlaced, and is progressive now" in printed
    target = tmp_path / "out" / "film.mkv"
    shown = times_of(source)
    fields = [float(time + half) for time in shown for half in (0, 1 / RATE / 2)]
    np.testing.assert_allclose(list(map(float, times_of(target))), fields, atol=0.001)
    with av.open(str(target)) as container:
        assert not any(frame.interlaced_frame for frame in container.decode(video=0))
    painted = frames_of(target)
    for number, before in list(enumerate(frames_of(source)))[1:]:
        assert combing(before) > 6
        # The even rows are of the earlier time, whatever the file says.
        for field, after in enumerate(painted[2 * number : 2 * number + 2]):
            assert combing(after) < 2
            columns = np.abs(grayscale(after)[20:44, :, 0].mean(axis=0) - before[20 + field, :, 0])
            assert columns.mean() < 5


@pytest.mark.parametrize("first", [0, 1])
def test_an_interlaced_film_that_does_not_say_so_is_found(tmp_path, first):
    """A picture moves from field to field, and in another film only from frame to frame."""
    picture = cv2.resize(np.random.default_rng(0).integers(0, 256, (12, 40), np.uint8), (640, 96))

    def write(path, step):
        with av.open(str(path), "w") as output:
            stream = output.add_stream("ffv1", 25, width=160, height=96, pix_fmt="gray")
            for number in range(20):
                gray = picture[:, 12 * number : 12 * number + 160].copy()
                later = picture[:, 12 * number + step : 12 * number + step + 160]
                gray[1 - first :: 2] = later[1 - first :: 2]
                output.mux(stream.encode(av.VideoFrame.from_ndarray(gray, format="gray")))
            output.mux(stream.encode(None))
        return path

    scan = decode.probe(write(tmp_path / "fields.mkv", 6)).scan
    assert scan is (decode.Scan.BOTTOM_FIRST if first else decode.Scan.TOP_FIRST)
    assert decode.probe(write(tmp_path / "frames.mkv", 0)).scan is decode.Scan.PROGRESSIVE
    # Moving up by two rows a frame, each row is where one of its field was.
    picture = cv2.imread(str(ROOT / "samples" / "palace.jpg"), cv2.IMREAD_GRAYSCALE)[:, :96]
    with av.open(str(tmp_path / "up.mkv"), "w") as output:
        stream = output.add_stream("ffv1", 25, width=96, height=160, pix_fmt="gray")
        for number in range(20):
            gray = np.ascontiguousarray(picture[2 * number : 2 * number + 160])
            output.mux(stream.encode(av.VideoFrame.from_ndarray(gray, format="gray")))
        output.mux(stream.encode(None))
    assert decode.probe(tmp_path / "up.mkv").scan is decode.Scan.PROGRESSIVE


def test_an_interlaced_film_can_stay_so(tmp_path, run, monkeypatch):
    def fields(number, height, width):
        gray = np.full((height, width), 40, np.uint8)
        gray[::2, 8 * number : 8 * number + 24] = 200
        gray[1::2, 8 * number + 4 : 8 * number + 28] = 200
        return gray

    monkeypatch.setitem(globals(), "picture", fields)
    source = write_film(tmp_path / "in" / "film.mkv", 10, size=(64, 128))
    status, printed = run("--keep-interlaced")
    assert status == 0
    assert "film.mkv: it is interlaced, and was left so" in printed
    target = tmp_path / "out" / "film.mkv"
    assert times_of(target) == times_of(source)
    assert min(combing(frame) for frame in frames_of(target)[1:]) > 6
    with av.open(str(target)) as container:
        assert all(frame.interlaced_frame for frame in container.decode(video=0))
    assert "1 colorized" in run()[1]


def test_hints_are_named_after_the_frames_of_an_interlaced_film():
    film = film_of(scan=decode.Scan.TOP_FIRST)
    assert film.fields == 2
    assert film_of(scan=decode.Scan.TOP_FIRST, deinterlace=False).fields == 1
    hint = film_hints.Hint(None, frame=3)
    begun = [n for n in range(10) if hint.begins(Fraction(n, film.fields), 0, 0)]
    assert begun == [6]


def test_frames_of_another_size_are_scaled_and_counted(tmp_path, run):
    """As a broadcast does, whose advertisements have another size."""
    parts = [
        write_film(tmp_path / f"{n}.ts", 8, size=size, sound=False)
        for n, size in enumerate([(48, 64), (96, 128), (48, 64)])
    ]
    source = joined(tmp_path / "in" / "film.ts", *parts)
    status, printed = run()
    assert status == 0, printed
    assert "film.ts: 8 frames of another size were scaled to 64x48" in printed
    before, after = frames_of(source), frames_of(tmp_path / "out" / "film.ts")
    assert {frame.shape for frame in after} == {(48, 64, 3)}
    assert len(before) == len(after)
    for gray, painted in zip(before, after, strict=True):
        gray = resize(gray, 48, 64)
        assert np.abs(lightness(painted) - lightness(gray))[4:-4, 4:-4].mean() < 2


def test_no_other_file_is_read_than_the_one_that_is_named(tmp_path, run):
    """Playlists that are called films; and the film that they name lies outside."""
    secret = write_film(tmp_path / "elsewhere" / "secret.mkv", count=3)
    (tmp_path / "in").mkdir()
    lists = {
        "concat.mp4": f"ffconcat version 1.0\nfile {secret}\n",
        "concat.mkv": "ffconcat version 1.0\nfile list.m3u8\n",
        "list.avi": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n",
        "sdp.mov": "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
        "dash.webm": f'<?xml version="1.0"?><MPD><BaseURL>{secret}</BaseURL></MPD>',
        "vobsub.mpg": "# VobSub index file, v7\n",
    }
    for name, text in lists.items():
        (tmp_path / "in" / name).write_text(text)
    (tmp_path / "in" / "list.m3u8").write_text(lists["list.avi"])
    status, printed = run()
    assert status == 1
    assert f"0 colorized, {len(lists)} failed" in printed
    for name in lists:
        assert re.search(
            f"failed: {name}: it is (damaged, or no film|no film that is read)", printed
        )
    assert not results(tmp_path)


def test_films_of_more_pixels_than_asked_for_are_refused_before_they_are_decoded(tmp_path, run):
    write_film(tmp_path / "in" / "large.mkv", count=2, size=(1200, 1600), sound=False)
    write_film(tmp_path / "in" / "small.mkv", count=2, sound=False)
    grows = [write_film(tmp_path / f"{n}.ts", 8, size=s, sound=False) for n, s in enumerate(SIZES)]
    joined(tmp_path / "in" / "grows.ts", *grows)
    status, printed = run("--max-megapixels", "1")
    assert status == 1
    assert "failed: large.mkv: it has 1600 x 1200 pixels, more than 1 megapixels" in printed
    assert "2 colorized, 1 failed" in printed
    assert all(frame.shape == (48, 64, 3) for frame in frames_of(tmp_path / "out" / "grows.ts"))


SIZES = (48, 64), (1200, 1600)


@pytest.mark.parametrize("container", [c for c in CONTAINERS if c.written_as and c.suffixes])
def test_a_film_that_is_only_read_gets_another_suffix(tmp_path, run, container):
    """With all its frames, at their times, and its sound, or one remark."""
    name = f"film{container.suffixes[0]}"
    target = tmp_path / "out" / f"film{container.written_as}"
    if "dv" in container.demuxers:
        source = write_dv(tmp_path / "in" / name)
    elif "rm" in container.demuxers:
        source = write_film(tmp_path / "in" / name, muxer="rm", codec="rv10", sound=False)
    elif "mpegvideo" in container.demuxers:
        source = write_film(tmp_path / "in" / name, muxer="mpeg2video", sound=False)
    else:
        muxer = container.demuxers[0]
        sound = muxer != "yuv4mpegpipe"
        size = (96, 128) if muxer == "mxf" else (48, 64)
        source = write_film(tmp_path / "in" / name, muxer=muxer, sound=sound, size=size)
    status, printed = run("--keep-interlaced")  # as DV is
    assert status == 0, printed
    assert results(tmp_path) == [target.name]
    shown, written = (np.array(times_of(path), float) for path in (source, target))
    np.testing.assert_allclose(written - written[0], shown - shown[0], atol=0.002)
    kept, heard = (b"".join(p[2] for p in packets_of(f, "audio")) for f in (target, source))
    assert kept == heard or "left out" in printed


def write_dv(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="dv") as output:
        stream = output.add_stream("dvvideo", 25, width=720, height=576, pix_fmt="yuv420p")
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(picture(number, 576, 720), format="gray")
            output.mux(stream.encode(frame.reformat(format="yuv420p")))
        output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("codec", ["ffv1", None])
def test_a_folder_of_frames_becomes_a_film(tmp_path, run, codec):
    """Sorted by number, in 8 and in 16 bits; one that cannot be read is repeated."""
    for reel, most in (("one.reel", 255), ("deep", 65535)):
        (tmp_path / "in" / reel).mkdir(parents=True)
        for number in range(12):
            gray = picture(number).astype(np.uint16 if most > 255 else np.uint8)
            gray *= most // 255
            Image.fromarray(gray).save(tmp_path / "in" / reel / f"frame-{number}.png")
    (tmp_path / "in" / "one.reel" / "frame-7.png").write_bytes(b"nothing")
    flags = ("--as-film", "25", *(("--codec", codec) if codec else ()))
    status, printed = run(*flags)
    assert status == 0, printed
    assert "2 colorized, 0 failed" in printed
    assert "one.reel.mp4: 1 frames cannot be decoded" in printed
    suffix = "mkv" if codec else "mp4"
    assert results(tmp_path) == [f"deep.{suffix}", f"one.reel.{suffix}"]
    for reel in ("one.reel", "deep"):
        path = tmp_path / "out" / f"{reel}.{suffix}"
        np.testing.assert_allclose(np.diff(np.array(times_of(path), float)), 0.04, atol=0.001)
        painted = frames_of(path)
        assert len(painted) == 12
        for number, frame in enumerate(painted):
            shown = 6 if (reel, number) == ("one.reel", 7) else number
            gray = lightness(np.dstack([picture(shown)] * 3))
            assert np.abs(lightness(frame) - gray)[4:-4, 4:28].mean() < 1, number
    assert "2 skipped" in run(*flags)[1]
    assert "2 colorized" in run("--as-film", "24", *flags[2:])[1]
    assert "23 colorized" in run()[1]


def test_files_of_other_kinds_are_no_films(tmp_path):
    for name, content in {
        "app.ts": b"export const G = 'G'\n" * 60,
        "song.mod": b"a song" + bytes(1100),
        "song.ogg": b"OggS" + bytes(100),
        "song.m4a": b"\0\0\0\x20ftypM4A " + bytes(100),
        "note.txt": b"G" * 100,
    }.items():
        (tmp_path / name).write_bytes(content)
        assert not film_formats.is_film(tmp_path / name), name
    film = write_film(tmp_path / "film.ts", 2, sound=False)
    for name in ("film.tod", "anything", "film.jpg", "film.mod"):
        assert film_formats.is_film(film.rename(tmp_path / name))
        film = tmp_path / name
    assert film_formats.target_of(film, Path("a/anything")) == Path("a/anything.mpg")


def test_every_broken_film_is_one_sentence_and_leaves_nothing(tmp_path, run):
    said = broken_folder(tmp_path / "in")
    write_film(tmp_path / "in" / "zz.mkv", count=4)
    status, printed = run()
    assert status == 1
    for name, sentence in said.items():
        assert f"failed: {name}: {sentence}\n" in printed
    assert f"1 colorized, {len(said)} failed" in printed
    assert results(tmp_path) == ["zz.mkv"]


@pytest.mark.parametrize("suffix", [".mkv", ".avi"])
def test_a_film_that_breaks_off_is_coloured_as_far_as_it_goes(tmp_path, run, suffix):
    whole = write_film(tmp_path / f"film{suffix}", count=120, size=(96, 128))
    source = tmp_path / "in" / whole.name
    source.parent.mkdir()
    content = whole.read_bytes()
    source.write_bytes(content[: len(content) // 2])
    status, printed = run()
    assert status == 0, printed
    times = times_of(source)
    assert 20 < len(times) < 110
    assert times_of(tmp_path / "out" / whole.name) == times
    # The cut may lie within a frame, which is said as well.
    said = re.search(rf"film{suffix}: .*it breaks off; (.*) of its (.*) seconds are there", printed)
    assert float(said[1]) == pytest.approx(times[-1] + 1 / RATE, abs=0.2)
    assert float(said[2]) == pytest.approx(120 / RATE, abs=0.1)


def test_frames_that_cannot_be_decoded_are_repeated_and_counted(tmp_path, run):
    source = write_film(tmp_path / "whole.mkv", count=20, codec="mjpeg", pix_fmt="yuvj420p")
    (tmp_path / "in").mkdir()
    with av.open(str(source)) as given, av.open(str(tmp_path / "in" / "film.mkv"), "w") as output:
        stream = output.add_stream_from_template(given.streams.video[0], opaque=True)
        for number, packet in enumerate(given.demux(video=0)):
            if packet.size:
                broken = av.Packet(b"\xff" * 3) if number in (7, 8, 15) else packet
                broken.pts, broken.dts = packet.pts, packet.dts
                broken.time_base, broken.is_keyframe = packet.time_base, packet.is_keyframe
                broken.stream = stream
                output.mux(broken)
    status, printed = run()
    assert status == 0, printed
    assert "film.mkv: 3 frames cannot be decoded" in printed
    assert times_of(tmp_path / "out" / "film.mkv") == times_of(source)
    painted = frames_of(tmp_path / "out" / "film.mkv")
    for number, same in ((7, 6), (8, 6), (15, 14)):
        assert np.abs(painted[number].astype(int) - painted[same]).mean() < 1
    assert np.abs(painted[9].astype(int) - painted[8]).mean() > 3


def test_films_in_colour_can_be_left_alone(tmp_path, run):
    write_film(tmp_path / "in" / "gray.mp4", count=3)
    with av.open(str(tmp_path / "in" / "colour.mp4"), "w") as output:
        stream = output.add_stream("libx264", 25, width=64, height=48, pix_fmt="yuv420p")
        red = np.full((48, 64, 3), (200, 40, 30), np.uint8)
        red[:, 32:] = 30, 60, 190
        for _ in range(3):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(red, format="rgb24")))
        output.mux(stream.encode(None))
    status, printed = run("--keep-colour")
    assert status == 0
    assert results(tmp_path) == ["colour.mp4", "gray.mp4"]
    copied = (tmp_path / "out" / "colour.mp4").read_bytes()
    assert copied == (tmp_path / "in" / "colour.mp4").read_bytes()
    assert "1 colorized, 1 in colour and copied as they are" in printed


def test_a_sepia_film_is_no_film_in_colour(tmp_path, run):
    random = np.random.default_rng(0)
    gray = resize(random.integers(0, 255, (6, 8, 1), np.uint8), 96, 128) * np.ones(3)
    sepia = np.uint8(np.clip(gray * (0.9, 0.75, 0.55) + (25, 15, 5), 0, 255))
    (tmp_path / "in").mkdir()
    with av.open(str(tmp_path / "in" / "sepia.mp4"), "w") as output:
        stream = output.add_stream("libx264", 25, width=128, height=96, pix_fmt="yuv444p")
        for frame in [np.zeros_like(sepia)] * 2 + [sepia] * 3:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        output.mux(stream.encode(None))
    assert "1 in colour and copied" in run("--keep-colour", "toned")[1]
    status, printed = run("--keep-colour")
    assert status == 0
    assert "1 colorized" in printed
    assert "copied" not in printed


def test_a_picture_beside_the_film_is_kept_and_not_taken_for_it(tmp_path, run):
    """The cover of an MP4 is a video stream of one picture."""
    (tmp_path / "in").mkdir()
    red = np.full((32, 32, 3), (200, 40, 30), np.uint8)
    with av.open(str(tmp_path / "in" / "film.mp4"), "w") as output:
        stream = output.add_stream("libx264", 25, width=64, height=48, pix_fmt="yuv420p")
        cover = output.add_stream("mjpeg", 25, width=32, height=32, pix_fmt="yuvj420p")
        cover.disposition = av.stream.Disposition.attached_pic
        for each, pictures in ((cover, [red]), (stream, [picture(n) for n in range(5)])):
            for pixels in pictures:
                name = "rgb24" if pixels.ndim == 3 else "gray"
                output.mux(each.encode(av.VideoFrame.from_ndarray(pixels, format=name)))
            output.mux(each.encode(None))
    status, printed = run("--keep-colour")
    assert status == 0, printed
    assert "1 colorized, 0 failed" in printed
    packets = []
    for folder in ("in", "out"):
        with av.open(str(tmp_path / folder / "film.mp4")) as container:
            (cover,) = filter(decode.is_cover, container.streams.video)
            (film,) = (stream for stream in container.streams.video if stream != cover)
            assert (film.width, film.frames) == (64, 5)
            packets.append([bytes(packet) for packet in container.demux(cover) if packet.size])
    assert packets[0] == packets[1]


@pytest.mark.parametrize(
    ("tint", "share", "coloured"), [(4, 1, False), (12, 1, True), (90, 0.01, True), (90, 0, False)]
)
def test_a_frame_is_gray_where_hardly_a_sample_has_colour(tint, share, coloured):
    samples = np.full((72, 64), 128, np.uint8)
    samples[:48] = picture(3)
    samples[48 : 48 + max(1, round(12 * share))] += np.uint8(tint if share else 0)
    frame = av.VideoFrame.from_ndarray(samples, format="yuv420p")
    assert (decode.pixels_of(frame).shape[2] == 3) == coloured


def test_times_count_from_the_film_s_start(tmp_path):
    """This one begins at 2 seconds, which players call 0."""
    times = [60000 + 1001 * number for number in range(4)]
    path = write_film(tmp_path / "film.mkv", times=times, sound=False)
    film = decode.probe(path)
    assert film.start == pytest.approx(2, abs=0.1)
    with decode.reading(path, film) as frames:
        seconds = [float(film.seconds(decoded.time)) for decoded in frames]
    np.testing.assert_allclose(np.diff(seconds), float(1 / RATE), atol=0.001)
    assert 0 <= seconds[0] < 0.2


def test_finished_films_are_skipped(tmp_path, run):
    write_film(tmp_path / "in" / "film.mp4", count=3)
    assert "1 colorized, 0 failed" in run()[1]
    assert "0 colorized, 1 skipped" in run()[1]
    assert "1 colorized, 0 failed" in run("--quality", "40")[1]
    assert "0 colorized, 1 skipped" in run("--quality", "40")[1]


def test_a_dry_run_looks_at_films_and_writes_nothing(tmp_path, run):
    write_film(tmp_path / "in" / "film.mp4", count=3)
    status, printed = run("--dry-run")
    assert status == 0
    assert "film.mp4: a film, 64x48, about 3 frames, to " in printed
    assert "would colorize 1 films and 0 photographs" in printed
    whole = (tmp_path / "in" / "film.mp4").read_bytes()
    (tmp_path / "in" / "broken.mp4").write_bytes(whole[:200])
    write_film(tmp_path / "in" / "wide.mkv", count=2, size=(64, 2000))
    write_film(tmp_path / "in" / "web.webm", count=2)
    status, printed = run("--dry-run", "--max-megapixels", "0.1", "--codec", "h264")
    assert status == 1
    assert "would fail: broken.mp4: it is damaged, or no film" in printed
    assert "would fail: wide.mkv: it has 2000 x 64 pixels, more than 0.1 megapixels" in printed
    assert "would fail: web.webm: .webm files hold no h264" in printed
    assert "would colorize 1 films and 0 photographs" in printed
    assert "3 would fail; nothing was written" in printed
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("matrix", [0, 90])
def test_a_label_is_in_the_corner_that_is_seen(tmp_path, run, matrix):
    write_film(tmp_path / "in" / "film.mp4", count=2, size=(300, 400), matrix=matrix, sound=False)
    run()
    plain = frames_of(tmp_path / "out" / "film.mp4")
    assert "1 colorized" in run("--label")[1]
    changed = np.abs(frames_of(tmp_path / "out" / "film.mp4")[1].astype(int) - plain[1]) > 40
    rows, columns = np.nonzero(np.rot90(changed.any(axis=-1), matrix // 90))
    height, width = (400, 300) if matrix else (300, 400)
    assert len(rows) > 200
    assert rows.min() > height - 40
    assert columns.min() > width - 110


def test_a_photograph_does_not_wait_for_what_films_need(tmp_path, model):
    Image.fromarray(picture(0)).save(tmp_path / "a.png")
    code = (
        "import sys, colorize; status = colorize.main(sys.argv[1:]); "
        "assert 'av' not in sys.modules; "
        "sys.exit(status)"
    )
    command = [sys.executable, "-c", code, "--input", tmp_path / "a.png", "--model", model]
    subprocess.run([*command, "--output", tmp_path / "out"], check=True, cwd=ROOT)


def test_the_table_of_containers_is_whole():
    suffixes = [suffix for container in CONTAINERS for suffix in container.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    for container in CONTAINERS:
        assert set(container.codecs) <= set(film_formats.CODECS)
        for suffix in container.suffixes:
            assert container_of(Path(f"A{suffix.upper()}")) is container
        if container.muxer:
            assert av.ContainerFormat(container.muxer, "w").is_output
        else:
            assert container_of(Path(f"A{container.written_as}")).muxer
        for name in container.demuxers:
            assert av.ContainerFormat(name, "r").is_input
    for codec in film_formats.CODECS.values():
        assert codec.encoder in av.codecs_available
    text = cli.arguments().format_help().replace("\n", " ")
    text = " ".join(text.split())
    for container in (c for c in CONTAINERS if c.codecs and c.codecs[0] != "h264"):
        for suffix in container.suffixes:
            assert re.search(rf"{container.codecs[0]} in [^;)]*\{suffix}\b", text)
    for name, codec in film_formats.CODECS.items():
        assert codec.quality is None or f"{name} {codec.quality}" in text


def test_the_docs_have_the_table_of_containers():
    """`python -m colorizer.films.formats` prints it."""
    assert film_formats.table() in (ROOT / "docs" / "files.md").read_text(encoding="utf-8")


def test_films_are_told_by_what_they_hold(tmp_path):
    for suffix in (c.suffixes[0] for c in CONTAINERS if c.muxer):
        path = write_film(tmp_path / f"film{suffix}", count=2, sound=False)
        assert film_formats.is_film(path.rename(tmp_path / f"{suffix[1:]}.jpg")), suffix
    for format in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "AVIF"):
        Image.fromarray(picture(0)).save(tmp_path / "photograph", format=format)
        assert not film_formats.is_film(tmp_path / "photograph"), format
    assert not film_formats.is_film(tmp_path / "nowhere.jpg")


def pixels_and_times(path):
    return frames_of(path), times_of(path), packets_of(path, "audio")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_film_goes_on_and_becomes_the_same(tmp_path, run, model, sent, monkeypatch):
    """In a process of its own, small segments; what went on is what was never stopped."""
    source = write_film(tmp_path / "in" / "film.mkv", count=400)
    code = "import sys, colorize; from colorizer.jobs import films; films.SEGMENT = 32;"
    code += "sys.exit(colorize.main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "--input", source, "--output", tmp_path / "out"]
    # Without loss: x264 itself does not always answer with the same bytes.
    command += ["--model", model, "--quality", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    parts = tmp_path / "out" / ".film.mkv.parts"
    while len(list(parts.glob("0*.npz"))) < 3 and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(sent)
    out, err = process.communicate()
    if sent == signal.SIGINT:
        assert process.returncode == 130, err
        assert b"the same command goes on" in out
        assert b"Traceback" not in err
    assert results(tmp_path) == [parts.name]
    finished = sorted(parts.glob("0*.npz"))
    assert 3 <= len(finished) < 13
    kept = {path.name: path.stat().st_mtime_ns for path in finished}

    monkeypatch.setattr(films, "SEGMENT", 32)
    removed = films.Parts.remove
    still = {}

    def remove(self):
        still.update({path.name: path.stat().st_mtime_ns for path in self.segments()})
        removed(self)

    monkeypatch.setattr(films.Parts, "remove", remove)
    assert run("--quality", "0")[0] == 0
    assert len(still) == 13
    assert {name: still[name] for name in kept} == kept
    assert results(tmp_path) == ["film.mkv"]
    (tmp_path / "out" / "film.mkv").rename(tmp_path / "resumed.mkv")
    assert run("--quality", "0")[0] == 0
    resumed = pixels_and_times(tmp_path / "resumed.mkv")
    at_once = pixels_and_times(tmp_path / "out" / "film.mkv")
    np.testing.assert_array_equal(resumed[0], at_once[0])
    assert resumed[1:] == at_once[1:]
    assert resumed[1] == times_of(source)


def test_segments_of_other_settings_are_not_gone_on_with(tmp_path, run, monkeypatch):
    write_film(tmp_path / "in" / "film.mkv", count=30)
    monkeypatch.setattr(films, "SEGMENT", 10)
    put_together = films.assemble

    def full_disk(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(films, "assemble", full_disk)
    status, printed = run()
    assert status == 1
    assert "failed: film.mkv: it cannot be written: no space left on device" in printed
    parts = tmp_path / "out" / ".film.mkv.parts"
    first = (parts / "000000010.npz").stat().st_mtime_ns
    run()
    assert (parts / "000000010.npz").stat().st_mtime_ns == first
    run("--strength", "0")
    assert (parts / "000000010.npz").stat().st_mtime_ns != first
    monkeypatch.setattr(films, "assemble", put_together)
    assert run("--strength", "0")[0] == 0
    assert (
        max(np.ptp(frame, axis=2).max() for frame in frames_of(tmp_path / "out" / "film.mkv")) < 8
    )


def test_a_film_s_frames_in_memory_do_not_grow_with_its_length(tmp_path, run, monkeypatch):
    write_film(tmp_path / "in" / "film.mkv", count=300)
    held, most, frames = [0], [0], decode.frames

    class Held(decode.Decoded):
        def __del__(self):
            held[0] -= 1

    def begin(*given):
        for frame in frames(*given):
            held[0] += 1
            most[0] = max(most[0], held[0])
            yield Held(*frame)

    monkeypatch.setattr(decode, "frames", begin)
    assert run()[0] == 0
    ahead = stabilize.BLOCK + stabilize.AHEAD + stabilize.CONTEXT
    assert most[0] <= ahead + 3 * (os.cpu_count() or 1) + 4
