import re
import shlex
import subprocess
import sys
import threading
from pathlib import Path

from colorizer import errors
from pictures import dataset

import numpy as np
import pytest

ROOT = Path(dataset.__file__).parent.parent
SIZE = 4


def write_data(folder, pictures=(1000, 1000, 357), size=SIZE):
    """Write data whose picture r has the value r in its first pixels: r = 256 * red + green."""
    random = np.random.default_rng(0)
    splits = {"test": {"pictures": 0, "shards": []}}
    shards, first = [], 0
    folder.mkdir(parents=True, exist_ok=True)
    for index, count in enumerate(pictures):
        rgb = random.integers(0, 256, (count, size, size, 3), np.uint8)
        rows = np.arange(first, first + count)
        rgb[:, 0, 0, 0], rgb[:, 0, 0, 1] = rows // 256, rows % 256
        name = dataset.shard_name("train", index, len(pictures))
        dataset.write_shard(folder / name, rgb[..., :1], rgb, (rows % 7).astype(np.int32))
        shards.append({"file": name, "pictures": count})
        first += count
    splits["train"] = {"pictures": first, "shards": shards}
    manifest = {
        "source": "my photographs",
        "classes": [f"class{i}" for i in range(7)],
        "images_per_class": 337,
        "test_images_per_class": 0,
        "size": size,
        "seed": 5,
        "splits": splits,
    }
    dataset.write_manifest(folder, manifest)
    return manifest


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


def numbers(rgb):
    return rgb[:, 0, 0, 0].astype(int) * 256 + rgb[:, 0, 0, 1]


def epoch(batches):
    gray, rgb = zip(*batches, strict=True)
    return np.concatenate(gray), np.concatenate(rgb)


def test_a_split_gives_back_what_was_written(data):
    split = dataset.open_split(data, "train")
    assert (split.pictures, split.size) == (2357, SIZE)
    shards = list(split.shards())
    assert [len(shard.label) for shard in shards] == [1000, 1000, 357]
    rgb = np.concatenate([shard.rgb for shard in shards])
    assert rgb.dtype == np.uint8
    assert rgb.shape == (2357, SIZE, SIZE, 3)
    assert np.array_equal(numbers(rgb), np.arange(2357))
    assert np.array_equal(np.concatenate([shard.gray for shard in shards]), rgb[..., :1])
    label = np.concatenate([shard.label for shard in shards])
    assert label.dtype == np.int32
    assert np.array_equal(label, np.arange(2357) % 7)


def test_shard_names_are_those_of_the_design():
    assert dataset.shard_name("train", 0, 10) == "train-00000-of-00010.npz"
    assert dataset.shard_name("test", 12, 345) == "test-00012-of-00345.npz"


def test_the_same_arrays_give_the_same_bytes_and_a_plain_npz(data, tmp_path):
    write_data(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["manifest.json", *(f"train-0000{i}-of-00003.npz" for i in range(3))]
    for name in names:
        assert (tmp_path / name).read_bytes() == (data / name).read_bytes()
    with np.load(tmp_path / names[1], allow_pickle=False) as arrays:
        assert sorted(arrays) == ["gray", "label", "rgb"]


def test_rows_are_read_in_any_order_from_any_shard(data):
    split = dataset.open_split(data, "train")
    rows = np.array([2356, 0, 999, 1000, 1999, 2000, 7, 7])
    gray, rgb = split.read(rows)
    assert np.array_equal(numbers(rgb), rows)
    assert np.array_equal(gray, rgb[..., :1])


def test_an_epoch_sees_every_picture_once_and_drops_the_rest(data):
    split = dataset.open_split(data, "train")
    batches = split.batches(100, seed=1, epoch=0)
    gray, rgb = epoch(batches)
    seen = numbers(rgb)
    assert len(seen) == 2300
    assert len(set(seen)) == 2300
    assert np.array_equal(seen, dataset.epoch_order(2357, 1, 0)[:2300])
    assert np.array_equal(gray, rgb[..., :1])
    # Every batch mixes the shards.
    assert all(len(set(part // 1000)) == 3 for part in seen.reshape(-1, 100))


def test_the_order_is_a_pure_function_of_seed_and_epoch(data):
    split = dataset.open_split(data, "train")
    np.random.seed(1)
    first = epoch(split.batches(64, seed=3, epoch=2))[1]
    np.random.seed(2)
    again = dataset.open_split(data, "train").batches(64, seed=3, epoch=2)
    assert np.array_equal(first, epoch(again)[1])
    for seed, number in ((3, 3), (4, 2), (2, 3)):
        other = epoch(split.batches(64, seed=seed, epoch=number))[1]
        assert not np.array_equal(numbers(first), numbers(other))


def test_an_epoch_can_be_entered_at_any_step(data):
    split = dataset.open_split(data, "train")
    whole = epoch(split.batches(100, seed=1, epoch=0))[1]
    assert np.array_equal(
        epoch(split.batches(100, seed=1, epoch=0, first_step=20))[1], whole[2000:]
    )


def test_a_stream_that_is_left_early_ends_its_reader(data):
    before = threading.active_count()
    for _ in dataset.open_split(data, "train").batches(100, seed=1, epoch=0):
        break
    assert threading.active_count() == before


def test_preparing_and_measuring_need_no_tensorflow():
    program = "import sys, prepare_data, pictures.metrics; print('tensorflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout == "False\n"


def test_testing_sees_everything_in_order(data):
    split = dataset.open_split(data, "train")
    batches = list(split.ordered_batches(100))
    assert [len(gray) for gray, rgb in batches] == [100] * 23 + [57]
    assert np.array_equal(numbers(np.concatenate([rgb for _, rgb in batches])), np.arange(2357))


def test_a_batch_that_cannot_be_filled_is_refused(data):
    with pytest.raises(errors.UserError, match="use --batch-size 2357 or less"):
        dataset.open_split(data, "train").batches(2358, seed=0, epoch=0)


# ---------------------------------------------------------------------------- what is refused


def refusal(folder):
    with pytest.raises(errors.UserError) as caught:
        dataset.open_split(folder, "train")
    message = str(caught.value)
    assert "\n" not in message
    assert "python prepare_data.py --source" in message
    return message


def test_without_data_the_message_names_the_command(tmp_path):
    for folder in (tmp_path / "absent", tmp_path):
        message = refusal(folder)
        assert "holds no prepared data" in message
        assert f"--output {folder}" in message


def test_the_command_in_a_message_is_the_one_that_made_the_data(tmp_path):
    manifest = write_data(tmp_path / "da ta", pictures=(3,))
    command = dataset.preparing_command(tmp_path / "da ta", manifest)
    assert shlex.split(command) == [
        *("python", "prepare_data.py", "--source", "my photographs", "--classes", "7"),
        *("--images-per-class", "337", "--test-images-per-class", "0", "--size", "4"),
        *("--seed", "5", "--output", str(tmp_path / "da ta"), "--overwrite"),
    ]
    (tmp_path / "da ta" / "train-00000-of-00001.npz").unlink()
    assert refusal(tmp_path / "da ta").endswith(command)


def test_the_command_of_several_sources_and_all_pictures(tmp_path):
    manifest = write_data(tmp_path, pictures=(3,))
    manifest |= {"source": ["my photographs", "scenes"], "images_per_class": None}
    dataset.write_manifest(tmp_path, manifest)
    assert dataset.open_split(tmp_path, "train").pictures == 3
    assert shlex.split(dataset.preparing_command(tmp_path, manifest)) == [
        *("python", "prepare_data.py", "--source", "my photographs", "scenes", "--all"),
        *("--test-images-per-class", "0", "--size", "4", "--seed", "5"),
        *("--output", str(tmp_path), "--overwrite"),
    ]


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"source": "x"}', '{"splits": {"train": 1}}', "\udcff"]
)
def test_a_manifest_that_is_none_is_refused(tmp_path, text):
    write_data(tmp_path, pictures=(3,))
    (tmp_path / "manifest.json").write_bytes(text.encode(errors="surrogateescape"))
    assert "manifest.json is not the manifest" in refusal(tmp_path)


def test_a_manifest_that_does_not_add_up_is_refused(tmp_path):
    manifest = write_data(tmp_path, pictures=(3,))
    manifest["splits"]["train"]["pictures"] = 4
    dataset.write_manifest(tmp_path, manifest)
    assert "do not add up" in refusal(tmp_path)


def test_a_shard_cut_anywhere_is_refused(tmp_path):
    write_data(tmp_path, pictures=(3,))
    shard = tmp_path / "train-00000-of-00001.npz"
    whole = shard.read_bytes()
    for length in range(len(whole)):
        shard.write_bytes(whole[:length])
        assert f"{shard} cannot be used" in refusal(tmp_path)
    shard.write_bytes(whole)
    assert dataset.open_split(tmp_path, "train").pictures == 3


@pytest.mark.parametrize("member", ["gray", "rgb", "label"])
def test_a_flipped_byte_is_refused(tmp_path, member):
    write_data(tmp_path, pictures=(3,))
    shard = tmp_path / "train-00000-of-00001.npz"
    content = bytearray(shard.read_bytes())
    place = content.index(f"{member}.npy".encode())
    # The last byte of the member: the next local header, or the directory, begins behind it.
    content[content.index(b"PK", place) - 1] ^= 1
    shard.write_bytes(content)
    assert f"{shard} cannot be used (Bad CRC-32" in refusal(tmp_path)


@pytest.mark.parametrize("label", [-1, 7])
def test_a_label_out_of_range_is_refused(tmp_path, label):
    write_data(tmp_path, pictures=(3,))
    wrong = arrays(label=np.array([0, label, 1], np.int32))
    np.savez(tmp_path / "train-00000-of-00001.npz", **wrong)
    assert re.search("has labels from .* of . classes", refusal(tmp_path))


def test_the_fingerprint_is_that_of_the_pictures_wherever_they_are(tmp_path):
    for name in ("one", "two", "other"):
        (tmp_path / name).mkdir()
        write_data(tmp_path / name, pictures=(3,))
    changed = arrays(gray=np.ones((3, SIZE, SIZE, 1), np.uint8))
    np.savez(tmp_path / "other" / "train-00000-of-00001.npz", **changed)
    one, two, other = (
        dataset.fingerprint(dataset.open_split(tmp_path / name, "train"))
        for name in ("one", "two", "other")
    )
    assert one == two != other


def arrays(**changed):
    whole = {
        "gray": np.zeros((3, SIZE, SIZE, 1), np.uint8),
        "rgb": np.zeros((3, SIZE, SIZE, 3), np.uint8),
        "label": np.zeros(3, np.int32),
    }
    return {name: value for name, value in {**whole, **changed}.items() if value is not None}


class Unpickled:
    """Fails the test when it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ("a shard was unpickled",)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        (arrays(gray=np.zeros((3, 8, 8, 1), np.uint8)), r"gray.npy is uint8 \(3, 8, 8, 1\)"),
        (arrays(rgb=np.zeros((3, SIZE, SIZE, 1), np.uint8)), r"rgb.npy is uint8 \(3, 4, 4, 1\)"),
        (arrays(rgb=np.zeros((3, SIZE, SIZE, 3), np.float32)), "rgb.npy is float32"),
        (arrays(label=np.zeros(2, np.int32)), r"label.npy is int32 \(2,\)"),
        (arrays(label=np.zeros(3, np.int64)), "label.npy is int64"),
        (arrays(label=None), "it holds"),
        (arrays(more=np.zeros(3)), "it holds"),
        (arrays(label=np.array([Unpickled()] * 3)), "label.npy is object"),
        (arrays(gray=np.zeros((1, 3, SIZE, SIZE), np.uint8).T), "gray.npy is uint8"),
    ],
)
def test_a_shard_of_other_arrays_is_refused(tmp_path, members, reason):
    write_data(tmp_path, pictures=(3,))
    np.savez(tmp_path / "train-00000-of-00001.npz", **members)
    message = refusal(tmp_path)
    assert "train-00000-of-00001.npz cannot be used" in message
    assert re.search(reason, message)


def test_a_compressed_shard_is_refused(tmp_path):
    write_data(tmp_path, pictures=(3,))
    np.savez_compressed(tmp_path / "train-00000-of-00001.npz", **arrays())
    assert "is compressed" in refusal(tmp_path)


def test_a_split_is_train_or_test(data):
    with pytest.raises(ValueError, match="split must be one of"):
        dataset.open_split(data, "validation")
