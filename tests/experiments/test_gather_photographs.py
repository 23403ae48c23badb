"""gather_photographs.py: a small git repository becomes photographs to train on."""

import csv
import importlib.util
import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

SCRIPT = Path(__file__).parents[2] / "experiments" / "data" / "gather_photographs.py"
SOURCE = "someone/pictures"


@pytest.fixture
def gather(monkeypatch):
    """Return the script as a module, without the caps, which need many sources."""
    specification = importlib.util.spec_from_file_location(SCRIPT.stem, SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    monkeypatch.setattr(module, "SOURCE_SHARE", 1)
    return module


def photograph(seed, size=(400, 300)):
    """Return a picture of soft random colours with some grain, as a photograph has."""
    random = np.random.default_rng(seed)
    small = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    pixels = np.asarray(small.resize(size, Image.Resampling.BICUBIC), np.float32)
    pixels = pixels + random.normal(0, 6, pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def jpeg(image, **options):
    """Return the bytes of a picture as JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90, **options)
    return file.getvalue()


def turned(image):
    """Return a picture lying on its side, with the EXIF orientation that sets it upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return jpeg(image.rotate(90, expand=True), exif=exif)


def framed(image):
    """Return a picture with a wide black frame and a thin white one in it."""
    return jpeg(ImageOps.expand(ImageOps.expand(image, 4, "white"), 20, "black"))


@pytest.fixture
def contents():
    """Return the bytes of each file: good ones, and one for each reason to drop it."""
    poster = Image.new("RGB", (400, 300), (30, 60, 200))
    poster.paste((250, 220, 30), (50, 50, 200, 250))
    poster.paste((220, 30, 40), (200, 100, 350, 200))
    poster.paste((240, 240, 245), (0, 260, 400, 300))
    sepia = ImageOps.colorize(photograph(3).convert("L"), (30, 20, 10), (250, 235, 200))
    return {
        "good.jpg": jpeg(photograph(0)),
        "name with spaces.jpg": jpeg(photograph(1)),
        "turned.jpg": turned(photograph(2, (300, 400))),
        "framed.jpg": framed(photograph(4)),
        "small.jpg": jpeg(photograph(5, (220, 200))),
        "copy.jpg": jpeg(photograph(0).resize((300, 225))),
        "mirrored.jpg": jpeg(ImageOps.mirror(photograph(1))),
        "gray.jpg": jpeg(photograph(6).convert("L")),
        "sepia.jpg": jpeg(sepia),
        "poster.jpg": jpeg(poster),
        "tiny.jpg": jpeg(photograph(7, (150, 150))),
        "panorama.jpg": jpeg(photograph(8, (900, 300))),
        "test.jpg": jpeg(photograph(9)),
        "collage.jpg": jpeg(photograph(10)),
        "broken.jpg": jpeg(photograph(11))[:200],
        "page.jpg": b"<html>not found</html>",
    }


@pytest.fixture
def arguments(tmp_path, contents):
    """Make a git repository, the list of its pictures and a test picture; return the arguments."""
    work = tmp_path / "repositories" / SOURCE.replace("/", "+") / "repo"
    work.mkdir(parents=True)
    git = ["git", "-C", str(work), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q"], check=True)
    rows, blobs = [], {}
    for name, content in contents.items():
        (work / name).write_bytes(content)
        written = subprocess.run(
            [*git, "hash-object", "-w", name], check=True, capture_output=True, text=True
        )
        blobs[name] = written.stdout.strip()
        rows.append(f"A\t{SOURCE}\t{blobs[name]}\t{name}\n")
    rows.append(f"A\t{SOURCE}\t{'0' * 40}\tabsent.jpg\n")
    (tmp_path / "list.tsv").write_text("tier\trepository\tblob\tpath\n" + "".join(rows))
    (tmp_path / "leave_out.txt").write_text(blobs["collage.jpg"] + "\n")
    tests = tmp_path / "tests" / "class"
    tests.mkdir(parents=True)
    photograph(9).resize((120, 90)).save(tests / "picture.JPEG", "JPEG")
    return [
        *map(str, (tmp_path / "list.tsv", tmp_path / "repositories", tmp_path / "photographs")),
        *("--tests", str(tmp_path / "tests"), "--leave-out", str(tmp_path / "leave_out.txt")),
    ]


def table(path):
    """Return the rows of a .tsv file by the original path."""
    with path.open(newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file, delimiter="\t")}


def test_good_photographs_are_kept_and_others_dropped(gather, arguments, tmp_path):
    assert gather.main(arguments) == 0
    output = tmp_path / "photographs"
    kept, dropped = table(output / "manifest.tsv"), table(output / "dropped.tsv")
    good = {"good.jpg", "name with spaces.jpg", "turned.jpg", "framed.jpg", "small.jpg"}
    assert set(kept) == good
    assert {path: row["reason"] for path, row in dropped.items()} == {
        "copy.jpg": "near-duplicate",
        "mirrored.jpg": "near-duplicate",
        "gray.jpg": "gray or toned",
        "sepia.jpg": "gray or toned",
        "poster.jpg": "flat",
        "tiny.jpg": "small",
        "panorama.jpg": "long",
        "test.jpg": "near a test picture",
        "collage.jpg": "poster, drawing or collage",
    }
    for row in kept.values():
        with Image.open(output / row["file"]) as picture:
            assert picture.size == (int(row["width"]), int(row["height"]))
            assert picture.mode == "RGB"
    assert all((output / row["file"]).is_file() for row in dropped.values())
    # Whoever trains on all that the folder holds trains on nothing that was dropped.
    there = {str(path.relative_to(output)) for path in output.rglob("*.jpg")}
    assert there == {row["file"] for row in kept.values()}


def test_pictures_are_shrunk_upright_and_without_frames(gather, arguments, tmp_path):
    gather.main(arguments)
    kept = table(tmp_path / "photographs" / "manifest.tsv")
    sizes = {path: (int(row["width"]), int(row["height"])) for path, row in kept.items()}
    assert sizes["good.jpg"] == (341, 256)
    assert sizes["turned.jpg"] == (256, 341)
    assert sizes["small.jpg"] == (220, 200)
    with Image.open(tmp_path / "photographs" / kept["framed.jpg"]["file"]) as picture:
        shown = np.asarray(picture, np.float32)
    expected = np.asarray(photograph(4).resize(shown.shape[1::-1]), np.float32)
    assert np.abs(shown - expected).mean() < 12
    with Image.open(tmp_path / "photographs" / kept["turned.jpg"]["file"]) as picture:
        shown = np.asarray(picture, np.float32)
    upright = np.asarray(photograph(2, (300, 400)).resize((256, 341)), np.float32)
    assert np.abs(shown - upright).mean() < 12


def test_a_second_run_makes_nothing_again(gather, arguments, tmp_path, monkeypatch):
    gather.main(arguments)
    output = tmp_path / "photographs"
    manifest = (output / "manifest.tsv").read_bytes()
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.jpg")}
    prepared = []
    prepare = gather.prepare
    monkeypatch.setattr(gather, "prepare", lambda data: (prepared.append(data), prepare(data))[1])
    # What was cut off while its line was written is prepared again.
    measures = (output / "measures.tsv").read_text()
    (output / "measures.tsv").write_text(measures[:-30])
    gather.main(arguments)
    assert (output / "manifest.tsv").read_bytes() == manifest
    again = [path for path, when in times.items() if path.stat().st_mtime_ns != when]
    # The last picture, the three unreadable ones and the test picture.
    assert len(again) == 1
    assert len(prepared) == 5


def test_a_larger_share_adds_to_a_smaller_one(gather, arguments, tmp_path):
    output = tmp_path / "photographs"
    numbers = []
    for share in ("0.3", "0.7", "1"):
        gather.main([*arguments, "--share", share])
        numbers.append(set(gather.read_measures(output / "measures.tsv")))
    assert numbers[0] < numbers[1] < numbers[2]
    assert len(numbers[0]) < 9
    assert len(numbers[2]) == 14
    # What is there stays chosen when less is asked for.
    manifest = (output / "manifest.tsv").read_bytes()
    gather.main([*arguments, "--share", "0"])
    assert (output / "manifest.tsv").read_bytes() == manifest


def test_lists_count_as_one(gather, arguments, tmp_path):
    lines = (tmp_path / "list.tsv").read_text().splitlines(keepends=True)
    (tmp_path / "list.tsv").write_text("".join(lines[:4]))
    (tmp_path / "more.tsv").write_text("".join([lines[0], *lines[4:]]))
    gather.main([arguments[0], str(tmp_path / "more.tsv"), *arguments[1:]])
    kept = table(tmp_path / "photographs" / "manifest.tsv")
    assert len(kept) == 5
    assert len({row["file"] for row in kept.values()}) == 5


def test_some_are_kept_for_judging_and_their_copies_are_not_trained_on(
    gather, arguments, tmp_path, monkeypatch
):
    rows = gather.read_lists([tmp_path / "list.tsv"])
    (good,) = (row for row in rows if row["path"] == "good.jpg")
    digest = int.from_bytes(gather.by_content(good)[-4:])
    # The one number that leaves nothing of this picture's digest, and something of the others'.
    monkeypatch.setattr(gather, "APART_EVERY", digest)
    gather.main(arguments)
    output = tmp_path / "photographs"
    dropped = table(output / "dropped.tsv")
    assert dropped["good.jpg"]["reason"] == gather.APART
    assert dropped["copy.jpg"]["reason"] == "near a test picture"
    apart = list((tmp_path / "photographs-apart").rglob("*.jpg"))
    assert [path.relative_to(tmp_path / "photographs-apart").as_posix() for path in apart] == [
        gather.name_of(dropped["good.jpg"])
    ]
    assert "good.jpg" not in table(output / "manifest.tsv")


def test_of_a_source_that_is_capped_not_all_is_prepared(gather, monkeypatch):
    monkeypatch.setattr(gather, "SHARES", {"a/much": 1 / 10})
    rows = [{"source": "a/much", "blob": f"m{number}"} for number in range(500)]
    rows += [{"source": "a/few", "blob": f"f{number}"} for number in range(500)]
    sources = [row["source"] for row in gather.worth_preparing(rows)]
    assert sources.count("a/few") == 500
    assert sources.count("a/much") == 200


def test_a_source_without_its_git_directory_is_named(gather, arguments, tmp_path, capsys):
    shutil.rmtree(tmp_path / "repositories")
    assert gather.main(arguments) == 0
    assert f"{SOURCE}: no git directory" in capsys.readouterr().err


def test_caps_hold_for_sources_and_face_crops(gather, monkeypatch):
    monkeypatch.setattr(gather, "SOURCE_SHARE", 1 / 4)
    counts = {f"a/{name}": 100 for name in "abcde"} | {"a/large": 1000, gather.FACES[0]: 300}
    rows = [
        {"source": source, "blob": f"{source}{number}", "reason": ""}
        for source, count in counts.items()
        for number in range(count)
    ]
    gather.cap(rows)
    kept = [row["source"] for row in rows if not row["reason"]]
    assert kept.count("a/a") == 100
    assert 0.2 < kept.count("a/large") / len(kept) <= 0.25
    assert 0.03 < kept.count(gather.FACES[0]) / len(kept) <= 0.05
    assert {row["reason"] for row in rows if row["source"] == "a/large"} == {
        "",
        "over the cap of the source",
    }


def test_colourfulness_is_that_of_the_paper(gather):
    assert gather.colourfulness(np.full((8, 8, 3), 77, np.uint8)) == 0
    # Half red, half green: across is +-255, along is 127.5 everywhere.
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:4, :, 0] = 255
    pixels[4:, :, 1] = 255
    assert gather.colourfulness(pixels) == pytest.approx(255 + 0.3 * 127.5)


def test_tint_tells_toned_pictures_from_colour(gather):
    colour = photograph(0)
    toned = ImageOps.colorize(colour.convert("L"), (40, 20, 0), (255, 240, 210))
    assert gather.tint(np.asarray(colour)) > 5
    assert gather.tint(np.asarray(toned)) < 1.5


def test_hashes_know_mirrored_pictures(gather):
    gray = np.asarray(photograph(0).convert("L"))
    first, second = (gather.dhash(picture)[None] * 2.0 - 1 for picture in (gray, gray[:, ::-1]))
    assert gather.near(np.float32(first), np.float32(second))[0] > gather.SAME
    assert gather.near(np.float32(first), gather.mirrored(np.float32(second)))[0] <= 16
