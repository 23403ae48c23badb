"""Small generated data, shared by the tests."""

import models
from colorizer import photos
from pictures import dataset

import numpy as np
import pytest

SIZE = 24

RED, GREEN, BLUE, WHITE = (200, 30, 20), (20, 160, 40), (30, 40, 180), (255, 255, 255)

# Names in models.py and values for tests in which the networks' widths do not matter.
NARROW = {
    "ENCODER_WIDTHS": ((4, 4), (4, 4), (4, 4)),
    "BOTTLENECK_WIDTH": 4,
    "DECODER_WIDTHS": (4, 4, 4),
    "DISCRIMINATOR_WIDTHS": (4, 4, 4, 4),
}


@pytest.fixture(scope="module")
def narrow_networks():
    """Make the networks narrow, and so fast, for the tests of one module."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in NARROW.items():
            patch.setattr(models, name, value)
        yield


def quarters(height=40, width=60):
    """Return an RGB picture of four quarters: red, green, blue and white, in reading order."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = RED
    picture[: height // 2, width // 2 :] = GREEN
    picture[height // 2 :, : width // 2] = BLUE
    picture[height // 2 :, width // 2 :] = WHITE
    return picture


def coloured_pictures(count, seed=0, size=SIZE):
    """Return uint8 (count, size, size, 3): smooth random colours, different in every picture."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (count, 3, 3, 3), dtype=np.uint8)
    return np.stack([photos.resize(picture, size, size) for picture in small])


def prepare(folder, size, **pictures):
    """Write a data folder with so many `train` and `test` pairs, and return it."""
    manifest = {
        "source": "generated",
        "classes": ["only"],
        "images_per_class": pictures["train"],
        "test_images_per_class": pictures["test"],
        "size": size,
        "seed": 0,
        "splits": {},
    }
    for split, count in pictures.items():
        rgb = coloured_pictures(count, seed=count, size=size)
        name = dataset.shard_name(split, 0, 1)
        labels = np.zeros(count, np.int32)
        dataset.write_shard(folder / name, photos.grayscale(rgb), rgb, labels)
        shards = [{"file": name, "pictures": count}]
        manifest["splits"][split] = {"pictures": count, "shards": shards}
    dataset.write_manifest(folder, manifest)
    return folder


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """Return a data folder of 16 training and 4 test pairs of 24x24 pixels."""
    return prepare(tmp_path_factory.mktemp("prepared"), SIZE, train=16, test=4)
