"""Films of every container and codec, whole, joined and cut off: a line for each that goes wrong.

    python tests/colorizer/film_variants.py

Each is colorized by the command with a stand-in model. Its frames, its length and its sound have to
be those of the source, or a remark says why not. Takes minutes, and so is no test of its own.
"""

import contextlib
import io
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from colorizer import cli
from colorizer.films.formats import CONTAINERS

import numpy as np
import standins
import test_films
from test_films import packets_of, times_of


def noise(number, height, width):
    """Return a gray frame, uint8 (h, w), so large when coded that it has a time of its own."""
    return np.random.default_rng(number).integers(0, 256, (height, width), np.uint8)


def sources(folder):
    """Write films; yield each with the codec that is asked for and what is done to it."""
    for container in CONTAINERS:
        suffix = (container.suffixes or ("",))[0]
        if not container.muxer:
            continue
        one, two = (
            test_films.write_film(folder / f"{n}{suffix}", n, size=(96, 128)) for n in (20, 9)
        )
        content = one.read_bytes()
        for codec in container.codecs:
            whole = folder / f"{codec}-whole{suffix}"
            whole.write_bytes(content)
            yield whole, codec
        if container.muxer in ("vob", "mpegts", "flv", "asf"):
            yield test_films.joined(folder / f"joined{suffix}", one, two), container.codecs[0]
            yield test_films.joined(folder / f"again{suffix}", two, two, two), container.codecs[0]
        cut = folder / f"cut{suffix}"
        cut.write_bytes(content[: len(content) * 3 // 4])
        yield cut, container.codecs[0]


def trouble(source, codec, model, output) -> str:
    """Colorize a film and say what is wrong with the result, or nothing."""
    printed = io.StringIO()
    flags = ["--input", str(source), "--output", str(output), "--model", str(model)]
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        status = cli.main([*flags, "--codec", codec])
    said = " ".join(line for line in printed.getvalue().splitlines() if source.name in line)
    if status:
        # A file without its end may have no index, and cannot be read at all.
        return "" if source.stem == "cut" and "it is damaged, or no film" in said else said
    target = output / source.name
    before, after = times_of(source), times_of(target)
    if len(before) != len(after):
        return f"{len(after)} frames of {len(before)}; {said}"
    lengths = [float(times[-1] - times[0]) for times in (before, after)]
    if abs(lengths[0] - lengths[1]) > 0.05:
        return f"{lengths[1]:.2f} of {lengths[0]:.2f} seconds; {said}"
    sounds = [b"".join(packet[2] for packet in packets_of(p, "audio")) for p in (source, target)]
    if sounds[0] != sounds[1] and "left out" not in said and "breaks off" not in said:
        return f"another sound: {len(sounds[1])} of {len(sounds[0])} bytes; {said}"
    return ""


def main() -> int:
    """Colorize all of them; return how many are wrong."""
    count = wrong = 0
    test_films.picture = noise
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        model = standins.save_brown(folder / "brown.onnx")
        for source, codec in sources(folder):
            problem = trouble(source, codec, model, folder / "out")
            count, wrong = count + 1, wrong + bool(problem)
            if problem:
                print(f"{source.name} with {codec}: {problem}")
    print(f"{count} films, {wrong} wrong")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
