"""Measure the page of web/: seconds to the first picture in colour, to each next one, and memory.

    python tests/web/measure_page.py outputs/web/colorize.html

Opens the page cold, without a network, in Debian's Chromium; colorizes a sample, then photographs
of 12 megapixels. Prints seconds by the clock, seconds of the processor, which other work on the
machine does not lengthen, and the memory of all of the browser's processes.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import expect, sync_playwright
from visitor import CHROMIUM, ROOT, Visitor

LARGE = 4000, 3000
PHOTOGRAPHS = 4


def processes(root) -> list:
    """Return the browser's processes below the process `root`."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it has ended
        parents[int(path.parent.name)] = int(fields[1])
    found = [root]
    for each in found:
        found += [process for process, parent in parents.items() if parent == each]
    names = {process: Path(f"/proc/{process}/comm") for process in found}
    return [process for process, name in names.items() if "chrom" in name.read_text()]


def used(root) -> tuple[float, float]:
    """Return the seconds of processor and the MiB of memory that a tree of processes has used."""
    ticks = memory = 0
    for process in processes(root):
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
            shares = Path(f"/proc/{process}/smaps_rollup").read_text()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
        memory += int(shares.split("Pss:")[1].split()[0])
    return ticks / os.sysconf("SC_CLK_TCK"), memory / 1024


def main(argv=None) -> int:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("page", type=Path, help="the page, colorize.html")
    page = parser.parse_args(argv).page.resolve()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as engine:
        paths = []
        with Image.open(ROOT / "samples/raccoon.jpg") as image:
            large = image.convert("L").resize(LARGE)
        for number in range(PHOTOGRAPHS):
            paths.append(Path(folder, f"{number}.jpg"))
            Image.fromarray(np.roll(large, 100 * number, axis=1)).save(paths[-1], quality=90)
        browser = engine.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"], timeout=600_000
        )
        root = os.getpid()

        def tell(what, start, number=1):
            seconds, memory = used(root)
            clock, processor = time.monotonic() - start[0], seconds - start[1]
            print(
                f"{what}: {clock / number:.2f} s, {processor / number:.2f} s of the processor, "
                f"{memory:.0f} MiB",
                flush=True,
            )

        start = time.monotonic(), used(root)[0]
        visitor = Visitor(browser, page.as_uri())
        visitor.page.set_default_timeout(0)
        expect.set_options(timeout=600_000)
        tell("the page is there", start)
        visitor.open(ROOT / "samples/cat.jpg")
        tell("the first picture is in colour", start)
        visitor.open(paths[0])
        start = time.monotonic(), used(root)[0]
        visitor.open(*paths[1:])
        tell("each next one of 12 megapixels", start, PHOTOGRAPHS - 1)
        visitor.tab("Save")
        start = time.monotonic(), used(root)[0]
        visitor.download("#saveOne", Path(folder))
        tell("one of 12 megapixels is saved", start)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
