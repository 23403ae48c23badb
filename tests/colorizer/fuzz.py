"""Mutate photographs of every format, and models, and look for crashes, hangs and hunger.

    python tests/colorizer/fuzz.py [PHOTOGRAPHS] [MODELS] [SEED]

Reads and writes that many mutated photographs (2,000) and loads that many mutated models (200), in
processes of their own, and prints what ended otherwise than by a result or a sentence: an exception
of another kind, more than 20 seconds, more than 2.5 GiB. Not part of the tests.
"""

import io
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

sys.path += map(str, Path(__file__).resolve().parents[1:3])

from colorizer.errors import UserError
from colorizer.files import photos
from colorizer.network import load_network

import numpy as np
import standins
from generated import quarters
from PIL import Image
from test_metadata import KEPT
from test_tiff import READ, store

SECONDS = 20
BYTES = int(2.5 * 2**30)


def examples(folder):
    """Return {name: content} of a small file of every kind, metadata and all."""
    found = {}
    for suffix, format in (
        *((".jpg", "JPEG"), (".png", "PNG"), (".webp", "WEBP"), (".tif", "TIFF"), (".bmp", "BMP")),
        *((".gif", "GIF"), (".heic", "HEIF"), (".avif", "AVIF"), (".jp2", "JPEG2000")),
        (".ppm", "PPM"),
    ):
        photograph = photos.Photograph(quarters(), format=format, metadata=KEPT)
        found[f"kept{suffix}"] = bytes(photos.encode(photograph))
        content = io.BytesIO()
        Image.fromarray(quarters()).save(content, format)
        found[f"plain{suffix}"] = content.getvalue()
    deep = photos.Photograph(quarters().astype(np.uint16) * 257, format="PNG", metadata=KEPT)
    found["deep.png"] = bytes(photos.encode(deep))
    profiled = Path(__file__).parents[2] / "samples" / "rocket.jpg"
    content = io.BytesIO()
    profile = Image.open(profiled).info["icc_profile"]
    Image.fromarray(quarters()).save(content, "JPEG", icc_profile=profile)
    found["profile.jpg"] = content.getvalue()
    for name, (pixels, settings, _) in READ.items():
        path = store(folder / "example.tif", pixels, **settings)
        found[f"{name}.tif"] = path.read_bytes()
    return found


def mutated(content, random) -> bytes:
    """Flip bytes, set whole numbers to their ends, cut, repeat or insert; mostly near the start."""
    content = bytearray(content)
    for _ in range(random.integers(1, 9)):
        reach = len(content) if random.random() < 0.5 else min(len(content), 400)
        place = int(random.integers(0, max(1, reach)))
        kind = random.integers(0, 6)
        if kind <= 2:
            content[place : place + 1] = bytes([random.integers(0, 256)])
        elif kind == 3:
            end = random.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000])
            content[place : place + 4] = int(end).to_bytes(4, random.choice(["big", "little"]))
        elif kind == 4:
            content = content[: max(1, place)]
        else:
            length = int(random.integers(1, 200))
            content[place:place] = content[place : place + length]
    return bytes(content)


def read_photograph(path) -> str:
    """Read, write and read a photograph again."""
    try:
        with photos.opened(path) as image:
            photograph = photos.load(image)
        if photograph.pixels.size <= 3e7:
            photos.encode(photograph)
        photos.read_rgb(path)
    except photos.PhotographError as error:
        return str(error)
    return "read"


def read_model(path) -> str:
    """Load a model."""
    try:
        load_network(path)
    except UserError as error:
        return str(error)
    return "loaded"


def worker(read, paths, answers):
    """Answer (path, what became of it) for each path, within the limits."""
    resource.setrlimit(resource.RLIMIT_AS, (BYTES + 2**30, BYTES + 2**30))
    warnings.simplefilter("ignore")
    for path in paths:
        answers.put((path, None))
        signal.alarm(SECONDS)
        try:
            answer = read(path)
        except BaseException:
            answer = "!" + traceback.format_exc()
        signal.alarm(0)
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if used > BYTES:
            answer = f"!{used / 2**30:.1f} GiB"
        answers.put((path, answer))
    answers.put((None, None))


def fuzz(read, paths) -> int:
    """Give all paths to workers, one after the other where one dies; return how many went wrong."""
    waiting, troubles, read_well = list(paths), 0, 0
    while waiting:
        answers = multiprocessing.Queue()
        process = multiprocessing.Process(target=worker, args=(read, waiting, answers))
        process.start()
        under_way = None
        while True:
            try:
                path, answer = answers.get(timeout=SECONDS + 10)
            except Exception:
                path, answer = under_way, "!it never ended, or its process died"
                process.kill()
            if path is None:
                waiting = []
                break
            under_way = path
            if answer is None:
                continue
            waiting.remove(path)
            read_well += answer in ("read", "loaded")
            if answer.startswith("!"):
                troubles += 1
                print(f"{path}: {answer[1:]}", flush=True)
                if not process.is_alive():
                    break
        process.join(5)
    print(f"{len(paths)} files, {read_well} read in spite of all, {troubles} troubles")
    return troubles


def main(photographs=2000, models=200, seed=0) -> int:
    """Write the files, fuzz them, and return the exit status."""
    random = np.random.default_rng(seed)
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    started = time.monotonic()
    known = list(examples(folder).items())
    paths = []
    for number in range(photographs):
        name, content = known[number % len(known)]
        path = folder / f"{number:05d} {name}"
        path.write_bytes(mutated(content, random))
        paths.append(path)
    troubles = fuzz(read_photograph, paths)
    made = [
        standins.save_brown(folder / "brown.onnx"),
        standins.save_knowing(folder / "known.onnx"),
    ]
    paths = []
    for number in range(models):
        path = folder / f"{number:05d}.onnx"
        path.write_bytes(mutated(made[number % 2].read_bytes(), random))
        paths.append(path)
    troubles += fuzz(read_model, paths)
    print(f"{time.monotonic() - started:.0f} seconds; the files are in {folder}")
    return 1 if troubles else 0


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.exit(main(*map(int, sys.argv[1:])))
