"""Small data and networks, made for the tests."""

from colorizer.pixels import grayscale, resize
from pictures import dataset

import numpy as np

SIZE = 24

RED, GREEN, BLUE, WHITE = (200, 30, 20), (20, 160, 40), (30, 40, 180), (255, 255, 255)

# How a camera stores a picture that is to be turned by EXIF's orientation.
STORED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: p.swapaxes(0, 1)[::-1],
    7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
    8: lambda p: p.swapaxes(0, 1)[:, ::-1],
}

# Names in models.py and values for tests in which the networks' widths do not matter.
NARROW = {
    "ENCODER_WIDTHS": ((4, 4), (4, 4), (4, 4)),
    "BOTTLENECK_WIDTH": 4,
    "DECODER_WIDTHS": (4, 4, 4),
    "DISCRIMINATOR_WIDTHS": (4, 4, 4, 4),
}


NARROW_SYSTEMS = {
    "classify": {
        "BLOCKS": ((8, 2, 2, 1), (8, 2, 2, 1), (8, 3, 2, 1), (8, 1, 1, 2)),
        "DECODER_WIDTH": 8,
    },
    "pix2pix": {
        "ENCODER_WIDTHS": (8, 8, 8, 8, 8),
        "DECODER_WIDTHS": (8, 8, 8, 8),
        "DISCRIMINATOR_WIDTHS": (8, 8, 8, 8),
    },
    "vgg16": {"Q_WIDTHS": (8, 8), "HEAD_WIDTH": 8},
}


# train.py with narrow networks in a process of its own, on so many devices, which are made before
# TensorFlow starts.
TRAIN = """
import sys
import training
import tensorflow as tf

devices, narrow, *flags = sys.argv[1:]
if int(devices) > 1:
    logical = [tf.config.LogicalDeviceConfiguration()] * int(devices)
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], logical)
import models
import train

vars(models).update(eval(narrow))
sys.exit(train.main(flags))
"""


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
    return np.stack([resize(picture, size, size) for picture in small])


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
        if not count:
            manifest["splits"][split] = {"pictures": 0, "shards": []}
            continue
        rgb = coloured_pictures(count, seed=count, size=size)
        name = dataset.shard_name(split, 0, 1)
        labels = np.zeros(count, np.int32)
        dataset.write_shard(folder / name, grayscale(rgb), rgb, labels)
        rows = [f"only/{number}.png" for number in range(count)]
        shards = [{"file": name, "pictures": count, "rows": rows}]
        manifest["splits"][split] = {"pictures": count, "shards": shards}
    dataset.write_manifest(folder, manifest)
    return folder


def gradients_of(compute, variables):
    """Return a loss, the scalar that `compute()` gives, and its gradients by the variables."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = compute()
    return loss, tape.gradient(loss, variables)


def last_checkpoint(folder):
    """Return every array of the newest checkpoint of a run, by its name in the file."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(checkpoint_files(folder)[-1].with_suffix("")))
    names = [name for name in reader.get_variable_to_shape_map() if "OBJECT_GRAPH" not in name]
    return {name: reader.get_tensor(name) for name in names}


def checkpoint_files(folder):
    """Return the index files of a run's checkpoints, the oldest first."""
    found = (folder / "checkpoints").glob("step-*.index")
    return sorted(found, key=lambda path: int(path.stem.split("-")[1]))


def stop_when_saved(patch, train) -> type:
    """Let a training of train.py end behind its first checkpoint; return what it then raises."""
    original = train.runs.save

    class Stop(Exception):
        pass

    def save_and_stop(manager, step):
        original(manager, step)
        raise Stop

    patch.setattr(train.runs, "save", save_and_stop)
    return Stop
