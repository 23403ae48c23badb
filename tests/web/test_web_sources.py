"""The sources of web/: how many, what is in them, how large what is built of them is."""

import re

from visitor import ROOT

WEB = ROOT / "web"
# Of the scripts, without blank lines and comments.
MOST_LINES = 2100
LONGEST = 400  # lines of one file


def test_the_sources_can_be_read_in_one_sitting():
    sources = {path: path.read_text("utf-8").splitlines() for path in WEB.glob("src/**/*.js")}
    assert max(map(len, sources.values())) <= LONGEST
    lines = [line.strip() for source in sources.values() for line in source]
    code = [line for line in lines if line and not line.startswith(("//", "/*", "*"))]
    assert len(code) <= MOST_LINES


def test_the_texts_are_whole_in_every_language():
    texts = (WEB / "src/page/texts.tsv").read_text("utf-8")
    rows = [row.split("\t") for row in texts.strip().split("\n")]
    names = [row[0] for row in rows]
    assert len(set(names)) == len(names)
    for name, *texts in rows:
        assert len(texts) == 3, name
        assert all(texts), name
        places = [sorted(set(re.findall(r"\{\d\}", text))) for text in texts]
        assert places[0] == places[1] == places[2], name
    page = (WEB / "src/page.html").read_text("utf-8")
    assert set(re.findall(r'data-(?:text|label|title)="(\w+)"', page)) <= set(names)


def test_nothing_comes_from_elsewhere(built):
    page = (built / "colorize.html").read_text("utf-8")
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert "default-src 'none'" in page
    assert "MIT" in page[page.index("onnxruntime-web") :]
    lock = (WEB / "package-lock.json").read_text("utf-8")
    assert "resolved" not in lock


def test_it_is_small_enough_to_send_and_to_load(built):
    assert (built / "colorize.html").stat().st_size <= 16e6
    site = built / "site"
    first = ["index.html", "page.css", "page.js", "worker.js", "ort.wasm.gz", "colour.onnx.gz"]
    assert sum((site / name).stat().st_size for name in first) <= 12e6
