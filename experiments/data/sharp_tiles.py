"""Cut sharp tiles out of photographs, for `train.py --system enlarge`.

    python experiments/data/sharp_tiles.py photographs.tsv.xz repositories tiles

Reads a list of photographs and git directories, as gather_photographs.py does, and BSDS500 out of
repositories/Sisso16+ssn_pytorch: its train and test pictures, never its val, which is B100. Writes
tiles/<source>/<name>.png of 192x192 pixels: of BSDS500 as they are, of other photographs after they
were halved at least, so that what JPEG and a lens made soft is sharp again.
"""

import argparse
import io
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from colorizer import errors
from experiments.data import gather_photographs as gather

import cv2
import numpy as np
from PIL import Image, ImageOps

TILE = 192  # pixels a side
SEED = 0

# How many tiles of each; of photographs of at least SHORTEST pixels.
WANTED = {
    "prasadpol0555/Image-search-case-study": 3000,
    "Fernando-crz/image-search": 900,
    "Rohan-Patil-1/Image-to-Poem-Generation-Using-Deep-Generative-Models": 700,
    "maindolaamit/AVA_dataset": 700,
    "emanhamed/Houses-dataset": 400,
    "bearpaw/clothing-co-parsing": 300,
    "Kounteyo98/Data": 150,
    "chanakya2734/Image-classification-using-CNN": 300,
}
SHORTEST = 400
SHRUNK = 320  # pixels, the short side that photographs are shrunk to, or half of theirs
BSDS500 = "Sisso16/ssn_pytorch"
BSDS500_FOLDERS = "images/train/", "images/test/"

# The sharpest of so many places is taken, unless it is duller than this: the mean of the absolute
# Laplacian, of 255. Tiles of one photograph are at least so far apart.
TRIES = 5
LEAST_SHARPNESS, LEAST_SHARPNESS_BSDS500 = 5, 4
APART = 96


def sharpness(tile) -> float:
    """Return the mean of the absolute Laplacian of RGB, uint8 (H, W, 3), in gray levels."""
    gray = cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(np.abs(cv2.Laplacian(gray, cv2.CV_32F)).mean())


def tiles(random, picture, most, least) -> list:
    """Cut the sharpest tiles out of uint8 RGB (H, W, 3): at most so many, none below `least`."""
    height, width = picture.shape[:2]
    if min(height, width) < TILE:
        return []
    places = []
    for _ in range(TRIES):
        top, left = random.integers(0, height - TILE + 1), random.integers(0, width - TILE + 1)
        tile = picture[top : top + TILE, left : left + TILE]
        places.append((sharpness(tile), top, left))
    taken = []
    for sharp, top, left in sorted(places, reverse=True):
        if sharp < least or len(taken) >= most:
            break
        if not any(abs(top - y) < APART and abs(left - x) < APART for y, x in taken):
            taken.append((top, left))
    return [picture[top : top + TILE, left : left + TILE] for top, left in taken]


def write(folder, name, cut) -> int:
    """Write tiles below a folder and return how many."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, tile in enumerate(cut):
        Image.fromarray(tile).save(folder / f"{name}_{number}.png", compress_level=1)
    return len(cut)


def opened(content):
    """Decode a photograph, upright, in RGB; None where it is none."""
    try:
        return ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    except Exception:
        return None  # Pillow stumbles over broken files in many ways


def shrunk(image):
    """Shrink a photograph to a short side of SHRUNK, or to half its size where that is less."""
    factor = max(2.0, min(image.size) / SHRUNK)
    return image.resize((round(image.width / factor), round(image.height / factor)), Image.LANCZOS)


def cut_bsds500(random, directory, output) -> int:
    """Cut up the train and test pictures of BSDS500, as they are."""
    command = ["git", f"--git-dir={directory}", "ls-tree", "-r", "HEAD"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = [line.split(maxsplit=3) for line in listed.splitlines()]
    rows = [
        (blob, path)
        for _, _, blob, path in rows
        if path.endswith(".jpg") and any(folder in path for folder in BSDS500_FOLDERS)
    ]
    count = 0
    for (_, path), (_, content) in zip(
        rows, gather.blobs(directory, [blob for blob, _ in rows]), strict=True
    ):
        picture = np.asarray(opened(content))
        cut = tiles(random, picture, 3, LEAST_SHARPNESS_BSDS500)
        count += write(output / "bsds", Path(path).stem, cut)
    return count


def cut_source(random, rows, directory, wanted, output) -> int:
    """Cut tiles out of the photographs of one repository, in any order, until there are enough."""
    order = random.permutation(len(rows))
    most = 2 if wanted > 1000 else 1
    count = 0
    blobs = gather.blobs(directory, [rows[place]["blob"] for place in order])
    for place, (_, content) in zip(order, blobs, strict=True):
        if count >= wanted:
            break
        image = opened(content) if content else None
        if image is not None and min(shrunk(image).size) >= TILE:
            cut = tiles(random, np.asarray(shrunk(image)), most, LEAST_SHARPNESS)
            count += write(output, str(place), cut)
    return count


def run(arguments) -> None:
    """Cut up everything."""
    random = np.random.default_rng(SEED)
    directory = gather.git_directory(arguments.repositories, BSDS500)
    if directory is None:
        raise errors.UserError(f"{arguments.repositories} has no git directory of {BSDS500}")
    print(f"{BSDS500}: {cut_bsds500(random, directory, arguments.output)} tiles")
    rows = gather.read_lists([arguments.list])
    for source, wanted in WANTED.items():
        directory = gather.git_directory(arguments.repositories, source)
        if directory is None:
            print(f"{source}: not there, left out")
            continue
        own = [
            row
            for row in rows
            if row["source"] == source and min(int(row["width"]), int(row["height"])) >= SHORTEST
        ]
        folder = arguments.output / source.split("/")[0].lower()
        print(f"{source}: {cut_source(random, own, directory, wanted, folder)} tiles")
    print(f"the tiles are in {arguments.output}")


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("list", type=Path, help=".tsv or .tsv.xz of photographs")
    parser.add_argument("repositories", type=Path, help="folder of git directories")
    parser.add_argument("output", type=Path, help="folder for the tiles")
    return errors.run(run, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
