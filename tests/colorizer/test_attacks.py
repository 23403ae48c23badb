"""Albums, films, records and models from anywhere: what they try, and that it comes to nothing."""

import functools
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib

from colorizer import Colorizer
from colorizer.errors import UserError
from colorizer.files import photos
from colorizer.files.source import Source, sha256
from colorizer.jobs import films as film_jobs
from colorizer.jobs.job import FilmJob, Writer
from colorizer.jobs.record import RECORD, Record
from colorizer.jobs.request import Fingerprint, Request
from colorizer.network import load_network
from pictures import dataset

import imagecodecs
import numpy as np
import onnx
import pytest
import standins
from generated import prepare
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from test_films import write_film
from test_record import model, run, save  # noqa: F401

LINKS = pytest.mark.skipif(os.name == "nt", reason="links need a right there")

# ------------------------------------------------------------------------------ links


@LINKS
@pytest.mark.parametrize("flags", [(), ("--overwrite",), ("--compare", "--overwrite")])
def test_a_link_in_place_of_a_result_is_not_written_through(tmp_path, run, flags):  # noqa: F811
    """Nor a dangling one, which would make a file elsewhere."""
    save(tmp_path / "in" / "a.png")
    save(tmp_path / "in" / "b.png", 1)
    (tmp_path / "settings").write_text("important")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").symlink_to(tmp_path / "settings")
    (tmp_path / "out" / "b.png").symlink_to(tmp_path / "new")
    (tmp_path / "out" / "a-compare.jpg").symlink_to(tmp_path / "settings")
    run(*flags)
    assert (tmp_path / "settings").read_text() == "important"
    assert not (tmp_path / "new").exists()


@LINKS
def test_folders_that_lead_out_far_below_are_seen(tmp_path, run):  # noqa: F811
    save(tmp_path / "in" / "one" / "two" / "three" / "a.png")
    write_film(tmp_path / "in" / "one" / "two" / "film.mp4", count=2)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "three").mkdir(parents=True)
    (tmp_path / "out" / "one").mkdir(parents=True)
    (tmp_path / "out" / "one" / "two").symlink_to(os.path.relpath(elsewhere, tmp_path / "out/one"))
    status, printed = run()
    assert status == 1
    assert printed.count("a link leads") == 2
    assert [path.name for path in elsewhere.rglob("*")] == ["three"]


@LINKS
@pytest.mark.parametrize("name", ["whole", "settings.json", "000000.npz"])
def test_links_among_unfinished_segments_are_not_written_through(tmp_path, model, name):  # noqa: F811
    """An archive can bring the folder of them along, with the settings that this run has."""
    source = Source(write_film(tmp_path / "film.mp4", count=3))
    colorizer, request = Colorizer(model), Request(output=tmp_path / "out")
    (tmp_path / "out").mkdir()
    job = FilmJob(source, "film.mp4", tmp_path / "out" / "film.mp4")

    class Bar:
        total = None

        def update(self, frames):
            pass

    def writer():
        return Writer(Record(tmp_path / "out"), Fingerprint(request, colorizer))

    settings = writer().fingerprint.of(job) | {"version": film_jobs.VERSION, "codec": "h264"}
    parts = film_jobs.Parts(job, settings)
    target = tmp_path / "elsewhere"
    target.write_text("important")
    (parts.folder / name).unlink(missing_ok=True)
    (parts.folder / name).symlink_to(target if name == "settings.json" else tmp_path / "new")
    outcome = film_jobs.colorize_film(job, colorizer, request, writer(), Bar())
    assert target.read_text() == "important"
    assert not (tmp_path / "new").exists()
    assert not outcome.failure or not job.target.exists()


# ------------------------------------------------------------------------------ bombs

BOMB = 40 << 20  # bytes that a small file unpacks to
ROOM = 12 << 20  # that reading a picture of 16x16 may take


@functools.cache
def deflated():
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(BOMB >> 20)) + packer.flush()


def tiff_of(part, compression, bits):
    """Return a TIFF of 16x16 gray pixels in one strip."""
    entries = {256: 16, 257: 16, 258: bits, 259: compression, 262: 1, 273: 0, 277: 1, 278: 16}
    entries[279] = len(part)
    entries[273] = 8 + 2 + 12 * len(entries) + 4
    packed = b"".join(struct.pack("<HHLL", tag, 4, 1, value) for tag, value in entries.items())
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + packed + bytes(4) + part


def chunk(kind, content):
    checksum = struct.pack(">L", zlib.crc32(kind + content))
    return struct.pack(">L", len(content)) + kind + content + checksum


def png_of(pixels, bits, *more):
    header = struct.pack(">LLBBBBB", 16, 16, bits, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), *more, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def jp2_that_lies():
    """Return a JPEG 2000 of 16x16 pixels by its header, and of far more by its codestream."""
    content = imagecodecs.jpeg2k_encode(
        np.zeros((2500, 2500), np.uint16), level=0, reversible=True, codecformat="jp2"
    )
    place = content.index(b"ihdr") + 4
    return content[:place] + struct.pack(">LL", 16, 16) + content[place + 8 :]


def deep_xmp():
    nested = "<a>" * 20_000 + "</a>" * 20_000
    space = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    packet = f'<rdf:RDF xmlns:rdf="{space}"><rdf:Description>{nested}</rdf:Description></rdf:RDF>'
    content = io.BytesIO()
    Image.new("L", (16, 16)).save(content, "WEBP", xmp=packet.encode())
    return content.getvalue()


def code_stream(bits):
    kind = np.uint8 if bits == 8 else np.uint16
    return imagecodecs.jpeg2k_encode(np.zeros((2500, 2500), kind), level=0, reversible=True)


BOMBS = {
    "flate 8.tif": lambda: tiff_of(deflated(), 8, 8),
    "flate 16.tif": lambda: tiff_of(deflated(), 8, 16),
    "zstd.tif": lambda: tiff_of(imagecodecs.zstd_encode(bytes(BOMB)), 50000, 16),
    "packbits.tif": lambda: tiff_of(b"\x81\0" * (BOMB // 128), 32773, 16),
    "picture 8.tif": lambda: tiff_of(code_stream(8), 34712, 8),
    "picture 16.tif": lambda: tiff_of(code_stream(16), 34712, 16),
    "flate 8.png": lambda: png_of(deflated(), 8),
    "flate 16.png": lambda: png_of(deflated(), 16),
    "lies.jp2": jp2_that_lies,
    "nested.webp": deep_xmp,
    "text.pgm": lambda: b"P2\n16 16\n65535\n" + b"1 " * (BOMB // 12),
}

READ = """
import resource, sys
from colorizer.files import photos

def used():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

def read(path):
    try:
        with photos.opened(path) as image:
            photos.encode(photos.load(image))
    except photos.PhotographError:
        pass

for path in sys.argv[1:]:
    before = used()
    read(path)
    print(used() - before)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="memory is measured by `resource`")
def test_a_small_file_takes_no_more_memory_than_its_picture_would(tmp_path):
    honest = [tmp_path / f"honest{suffix}" for suffix in (".png", ".tif", ".webp", ".jp2", ".pgm")]
    for path in honest:
        photograph = photos.Photograph(np.zeros((16, 16, 1), np.uint16), format="PNG")
        path.write_bytes(photos.encode(photograph, photos.formats.BY_SUFFIX[path.suffix].key))
    bombs = [tmp_path / name for name in BOMBS]
    for path in bombs:
        path.write_bytes(BOMBS[path.name]())
    command = [sys.executable, "-c", READ, *map(str, honest + bombs)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    taken = dict(zip(BOMBS, map(int, printed.split()[len(honest) :]), strict=True))
    assert {name: bytes for name, bytes in taken.items() if bytes > ROOM} == {}


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", [b"iCCP", b"zTXt", b"iTXt"])
def test_what_png_texts_unpack_to_has_a_limit(tmp_path, monkeypatch, kind, bits):
    monkeypatch.setattr(photos.png.PngImagePlugin, "MAX_TEXT_CHUNK", 1 << 20)
    begin = b"XML:com.adobe.xmp\0\1\0\0\0" if kind == b"iTXt" else b"x\0\0"
    pixels = zlib.compress(bytes((1 + 2 * bits) * 16))
    path = tmp_path / "a.png"
    path.write_bytes(png_of(pixels, bits, (kind, begin + deflated())))
    with pytest.raises(photos.PhotographError, match="too large"), photos.opened(path) as image:
        photos.load(image)


def test_a_gif_counts_its_colours_without_a_copy(monkeypatch):
    """Sorting all pixels took 50 bytes for each."""
    many = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    monkeypatch.setattr(np, "unique", lambda *given: 1 / 0)
    photograph = photos.Photograph(many, format="GIF")
    photos.encode(photograph)
    assert "more than 256 colours" in photograph.remark


# ------------------------------------------------------------------------------ playlists


def test_addresses_and_patterns_are_no_films(tmp_path, run):  # noqa: F811
    """FFmpeg has protocols and patterns for such names."""
    write_film(tmp_path / "in.mp4", count=2)
    for name in ("concat:in|in.mp4", "subfile,,start,0,end,0,,:in.mp4", "in%d.mp4"):
        status, printed = run(source=name)
        assert status == 2
        assert "there is no" in printed or "no such" in printed.lower()


@pytest.mark.parametrize(
    "text",
    [
        '#EXTM3U\n#EXT-X-MAP:URI="SECRET"\n#EXTINF:1,\nSECRET\n',
        "[playlist]\nFile1=SECRET\nNumberOfEntries=1\n",
        "SECRET\n",
        '<asx version="3.0"><entry><ref href="SECRET"/></entry></asx>',
        "rtsp://127.0.0.1:1/SECRET",
        "ffconcat version 1.0\nfile 'subfile,,start,0,end,0,,:SECRET'\n",
    ],
)
@pytest.mark.parametrize("suffix", [".ts", ".mov", ".wmv"])
def test_lists_of_other_programs_open_nothing(tmp_path, run, text, suffix):  # noqa: F811
    secret = write_film(tmp_path / "elsewhere" / "secret.mkv", count=2)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / f"film{suffix}").write_text(text.replace("SECRET", str(secret)))
    save(tmp_path / "in" / "a.png")
    assert run()[0] in (0, 1)
    assert not list((tmp_path / "out").glob("film*"))


# ------------------------------------------------------------------------------ records


@pytest.mark.parametrize(
    "result", ["../secret.png", "/etc/passwd", "..\\secret.png", "in/../../secret.png"]
)
def test_a_record_that_points_outside_changes_nothing_there(tmp_path, run, result):  # noqa: F811
    secret = save(tmp_path / "secret.png", 5)
    source = Source(save(tmp_path / "in" / "a.png"))
    before = secret.read_bytes()
    (tmp_path / "out").mkdir()
    entry = {"result": result, "kind": "picture", "source": source.described(), "settings": {}}
    status = os.stat(secret)
    entry |= {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
    entry["result_sha256"] = sha256(secret)
    (tmp_path / "out" / RECORD).write_text(json.dumps(entry) + "\n")
    assert run("--overwrite")[0] == 0
    assert secret.read_bytes() == before


@pytest.mark.parametrize(
    "line",
    [
        b'{"size": ' + b"9" * 10_000 + b"}",
        b'{"result": "\\ud800", "size": 1e999}',
        b"\xff\xfe" + bytes(range(256)),
        b'{"a":' * 10_000,
        b"null",
    ],
)
def test_bytes_that_are_no_lines_are_left_out(tmp_path, run, line):  # noqa: F811
    save(tmp_path / "in" / "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / RECORD).write_bytes(line.replace(b"\n", b"") + b"\n")
    status, printed = run()
    assert status == 0
    assert "of its lines could not be read" in printed


def test_a_record_that_is_a_folder_is_one_sentence(tmp_path, run):  # noqa: F811
    save(tmp_path / "in" / "a.png")
    (tmp_path / "out" / RECORD).mkdir(parents=True)
    status, printed = run()
    assert status == 2
    assert "the record of what is finished, cannot be read" in printed


# ------------------------------------------------------------------------------ models, data


def painting(*nodes, constants=(), functions=(), domains=()):
    """Return a model that paints gray, with more nodes before."""
    paint = helper.make_node("Expand", ["grayscale", "three"], ["painted"])
    three = numpy_helper.from_array(np.array([1, 1, 1, 3]), "three")
    graph = helper.make_graph(
        [*nodes, paint],
        "graph",
        [helper.make_tensor_value_info("grayscale", TensorProto.FLOAT, standins.GRAY)],
        [helper.make_tensor_value_info("painted", TensorProto.FLOAT, standins.RGB)],
        [three, *(numpy_helper.from_array(value, name) for name, value in constants)],
    )
    opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(each, 1) for each in domains)]
    return helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=8)


def loop_in_a_branch():
    branch = helper.make_graph([standins.endless_loop()], "branch", [], [])
    other = helper.make_graph([], "other", [], [])
    node = helper.make_node("If", ["true"], [], then_branch=branch, else_branch=other)
    return painting(node, constants=[("true", np.array(True))])


def loop_in_a_function():
    opsets = [helper.make_opsetid("", 17)]
    function = helper.make_function(
        "own", "Endless", ["true"], [], [standins.endless_loop()], opsets
    )
    node = helper.make_node("Endless", ["true"], [], domain="own")
    constants = [("true", np.array(True))]
    return painting(node, constants=constants, functions=[function], domains=["own"])


def foreign_operation():
    node = helper.make_node("Shell", ["grayscale"], ["x"], domain="com.example")
    return painting(node, domains=["com.example"])


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (loop_in_a_branch, "has a loop"),
        (loop_in_a_function, "has a loop"),
        (foreign_operation, "is not an ONNX model that this program can load"),
    ],
)
def test_what_a_model_hides_is_refused(tmp_path, make, sentence):
    onnx.save(make(), tmp_path / "model.onnx")
    with pytest.raises(UserError, match=sentence):
        load_network(tmp_path / "model.onnx")


def test_data_is_never_unpickled_or_unpacked(tmp_path):
    folder = prepare(tmp_path / "data", 8, train=2, test=2)
    shard = next(folder.glob("train-*.npz"))
    with np.load(shard) as arrays:
        good = dict(arrays)

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "evil"), "w"))

    np.savez(shard, **good | {"label": np.array([Evil(), Evil()], object)})
    with pytest.raises(UserError, match="cannot be used"):
        dataset.open_split(folder, "train")
    shard.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UserError, match="cannot be used"):
        dataset.open_split(folder, "train")
    with zipfile.ZipFile(shard, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("gray.npy", "rgb.npy", "label.npy"):
            archive.writestr(name, bytes(1 << 20))
    with pytest.raises(UserError, match="is compressed"):
        dataset.open_split(folder, "train")
    assert not (tmp_path / "evil").exists()
