"""Turn photographs into the shards of gray/RGB pairs that train.py and evaluate.py read.

    python prepare_data.py --source IMAGENET_FOLDER

Reads `train/<class>/*.JPEG` and `val/<class>/*.JPEG` below the folder, or one tree of class
folders, whose test pictures then come from the same classes and never overlap the training ones.
Several folders count as one, and classes of the same name in them as one class, tested on what
there is of it in any val. With --all every picture is taken, however many a class has.
Writes `data/train-00000-of-00010.npz` ..., `data/test-00000-of-00001.npz` and
`data/manifest.json`; pictures/dataset.py says what is in them. The flags' defaults are the paper's
data: 10,000 training pictures of 100 classes and 1,000 for testing, 11 shards, 634 MB. The same
source and seed give the same bytes, whatever the number of cores; each core holds one shard in
memory.
"""

import argparse
import signal
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

if __name__ == "__main__":
    # What follows takes seconds to import. Ctrl-C ends it at once; later `errors.run` answers it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from colorizer import errors
from colorizer.errors import UserError, shown
from colorizer.files import atomic
from colorizer.quiet import import_tensorflow
from pictures import dataset, preparing, record, sources

# Paper: "100 random classes" and 100 images of each, from ImageNet.
CLASSES = 100
IMAGES_PER_CLASS = 100
# Paper: silent. Here: 10, because with 100 classes they make 1,000, enough for all metrics but one
# (a Frechet distance wants 2,048 or more), and ImageNet's val/ holds 50 a class.
TEST_IMAGES_PER_CLASS = 10

# fast.ai's 160 px archive of 10 ImageNet classes, 13,394 photographs, about 100 MB; the checksum
# is the one that torchvision publishes for it.
IMAGENETTE_ADDRESS = "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-160.tgz"
IMAGENETTE_MD5 = "e793b78cc4c9e9a4ccc0c1155377a412"
IMAGENETTE_FLAGS = "--classes 10 --images-per-class 850 --test-images-per-class 100"


def download_imagenette() -> Path:
    """Return the folder of Imagenette, downloaded to Keras' cache when it is not there yet.

    Raises `UserError` when it is not available, or is not what its checksum says.
    """
    # Imported here: nothing else needs TensorFlow, and worker processes import this file.
    try:
        import_tensorflow()
        import keras
    except ModuleNotFoundError as error:
        raise UserError(
            f"--source imagenette needs {error.name} for the download; "
            "python -m pip install -r requirements.txt"
        ) from error
    try:
        folder = keras.utils.get_file(
            "imagenette2-160", IMAGENETTE_ADDRESS, file_hash=IMAGENETTE_MD5, extract=True
        )
    except Exception as error:
        # Keras raises a plain Exception for a failed download.
        raise UserError(
            f"Imagenette is not available from {IMAGENETTE_ADDRESS} ({error}); try again, or give "
            "--source a folder of photographs"
        ) from error
    return Path(folder, "imagenette2-160")


def check(arguments) -> None:
    """Raise `UserError` unless the arguments go together."""
    given = [arguments.classes, arguments.images_per_class]
    if arguments.all and given != [None, None]:
        raise UserError(
            "--all takes every picture of every class; leave out --classes and --images-per-class"
        )
    numbers = [number for number in given if number is not None]
    if min(*numbers, arguments.test_images_per_class, arguments.size) < 1 or arguments.seed < 0:
        raise UserError("--seed must be 0 or more, every other number 1 or more")
    for path in (*arguments.source, arguments.output):
        try:
            path.encode()
        except UnicodeEncodeError:
            raise UserError(
                f"{shown(path)} is a name that is not UTF-8, which the manifest cannot hold; "
                "rename it"
            ) from None
    preparing.check_output(Path(arguments.output).resolve(), arguments.overwrite)


def prepare(arguments) -> None:
    """Prepare the data as the command line says.

    Raises `UserError`, with nothing written, when the arguments or the source cannot be used.
    """
    check(arguments)
    output, size = Path(arguments.output).resolve(), arguments.size
    classes, images = arguments.classes or CLASSES, arguments.images_per_class or IMAGES_PER_CLASS
    if arguments.all:
        images = None
    test_images = arguments.test_images_per_class
    folders = [
        download_imagenette() if name == "imagenette" else Path(name) for name in arguments.source
    ]
    if arguments.cluster:  # whose workers run in folders of their own
        folders = [folder.absolute() for folder in folders]
    source = sources.find_source(folders)

    unreadable, splits = {}, None
    while not splits:
        drawn = sources.draw(
            source.without(unreadable), classes, images, test_images, arguments.seed
        )
        if twins := sources.find_twins(source.root, drawn):
            unreadable.update(twins)
            continue
        preparing.check_room(output, drawn.shards, size)
        try:
            with atomic.replacing_folder(output) as folder:
                splits = preparing.write_shards(
                    folder, source, drawn, size, unreadable, arguments.cluster
                )
                held_out = {name in source.held_out for name in drawn.classes}
                manifest = {
                    "source": arguments.source if folders[1:] else arguments.source[0],
                    "seed": arguments.seed,
                    "size": size,
                    "images_per_class": images,
                    "test_images_per_class": test_images,
                    "test_pictures_from": " and ".join(
                        sorted("train" if held else "val" for held in held_out)
                    ),
                    "classes": drawn.classes,
                    "skipped": [
                        {"file": file, "reason": unreadable[file]} for file in sorted(unreadable)
                    ],
                    "splits": splits,
                    "versions": record.versions(),
                }
                dataset.write_manifest(folder, manifest)
        except sources.DrawAgain as reason:
            print(reason)
        except OSError as error:
            raise UserError(
                f"{shown(output)} cannot be written ({error.strerror or error}); make room, "
                "or give another --output"
            ) from error
        except BrokenProcessPool as error:
            raise UserError(
                f"a process that reads photographs was ended from outside, perhaps because memory "
                f"ran out; {shown(output)} is as it was: give the same command again"
            ) from error
    report(manifest, arguments.output)


def report(manifest, output) -> None:
    """Print what was prepared, and where it is."""
    train, test = manifest["splits"]["train"], manifest["splits"]["test"]
    black_and_white = train["black_and_white"] + test["black_and_white"]
    print(
        f"{train['pictures']:,} training and {test['pictures']:,} test pictures of "
        f"{len(manifest['classes'])} classes, {manifest['size']}x{manifest['size']} pixels; "
        f"{black_and_white:,} of them are black-and-white"
    )
    if manifest["skipped"]:
        print(
            f"{len(manifest['skipped'])} files could not be used: "
            f"see skipped in {Path(output, dataset.MANIFEST)}"
        )
    # What the paper's networks halve three times.
    following = f"; next: python train.py --data {output}" if manifest["size"] % 8 == 0 else ""
    print(f"the data is in {output}{following}")


def main(argv=None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(
        description="Turn photographs into the gray/RGB pairs that the networks learn from.",
        epilog="Without ImageNet: python prepare_data.py --source imagenette " + IMAGENETTE_FLAGS,
    )
    parser.add_argument(
        "--source",
        required=True,
        nargs="+",
        metavar="DIR",
        help="folder with ImageNet's train and val, or with a folder for each class; "
        "imagenette downloads 10 classes of it (100 MB); several folders are pooled, and classes "
        "of the same name become one",
    )
    parser.add_argument("--classes", type=int, help=f"classes to draw (default: {CLASSES})")
    parser.add_argument(
        "--images-per-class",
        type=int,
        help=f"training pictures of each class (default: {IMAGES_PER_CLASS})",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="instead of these two: every class, and all its pictures that do not test",
    )
    parser.add_argument(
        "--test-images-per-class",
        type=int,
        default=TEST_IMAGES_PER_CLASS,
        help="test pictures of each class, from val where that has the class, else held out of its "
        "training pictures; with --all fewer where it has fewer (default: %(default)s)",
    )
    parser.add_argument(
        "--size", type=int, default=dataset.SIZE, help="pixels a side (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of every random draw (default: %(default)s)"
    )
    parser.add_argument("--output", default="data", help="folder to write (default: %(default)s)")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the prepared data in that folder"
    )
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="a Dask scheduler, such as tcp://host:8786, whose workers reach all folders",
    )
    arguments = parser.parse_args(argv)
    return errors.run(prepare, arguments, f"stopped; {shown(arguments.output)} is as it was")


if __name__ == "__main__":
    # Ended from outside, clean up as after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
