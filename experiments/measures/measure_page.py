"""Measure the page in a browser: seconds to the first picture in colour and for a click, memory.

    python experiments/measures/measure_page.py --picture docs/page.jpg

Starts app.py and headless Chromium, opens a photograph of 12 megapixels, clicks on it and downloads
it. Prints the figures; --picture writes the page's picture, with a photograph of samples/.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from colorizer import errors
from colorizer.errors import UserError
from colorizer.files import photos
from colorizer.pixels import resize

from PIL import Image
from playwright.sync_api import sync_playwright

SAMPLE = ROOT / "samples" / "astronaut.jpg"
LARGE = 3000, 4000
CLICKS = 10
# Where the points of the picture lie, in shares of the sides, and their colours.
POINTS = (
    (0.28, 0.78, "#c8642d"),
    (0.09, 0.25, "#b03a3a"),
    (0.62, 0.25, "#6f8fb8"),
    (0.21, 0.15, "#6f8fb8"),
)


def memory_mib(process) -> int:
    """Return the highest memory of a process so far, in MiB."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return round(int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024)


def see(page, action) -> float:
    """Do something and return the seconds until the page shows another picture."""
    image = "document.querySelector('#picture img')"
    before = page.evaluate(f"{image} && {image}.src")
    started = time.perf_counter()
    action()
    page.wait_for_function(
        f"old => {image} && {image}.src != old && {image}.complete && {image}.naturalWidth > 0",
        arg=before,
    )
    return time.perf_counter() - started


def click(page, x, y) -> None:
    """Click on a place of the photograph."""
    box = page.locator("#picture img").bounding_box()
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


def take_picture(browser, address, path) -> None:
    """Write a picture of the page with a sample on which colours are said."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000}, device_scale_factor=1)
    page.goto(address)
    see(page, lambda: page.set_input_files("#files input[type=file]", str(SAMPLE)))
    for x, y, colour in POINTS:
        page.locator("#colour button").click()
        page.locator("#colour input[type=text]").fill(colour)
        page.locator("#colour input[type=text]").press("Enter")
        page.mouse.click(1270, 10)  # closes the picker
        page.wait_for_timeout(500)
        see(page, lambda x=x, y=y: click(page, x, y))
    page.wait_for_timeout(1000)
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        page.screenshot(path=file.name, full_page=True)
        shot = photos.read_rgb(file.name)
    small = resize(shot, round(shot.shape[0] * 0.7), round(shot.shape[1] * 0.7))
    Image.fromarray(small).save(path, quality=85)
    print(f"written to {path}")


def measure(arguments) -> None:
    """Start the page, use it, and print the figures."""
    chromium = shutil.which("chromium")
    if not chromium:
        raise UserError("the page is measured in Chromium; install the package `chromium`")
    command = [sys.executable, str(ROOT / "app.py"), "--model", arguments.model]
    if arguments.working_size:
        command += ["--working-size", str(arguments.working_size)]
    with sync_playwright() as engine, tempfile.TemporaryDirectory() as folder:
        browser = engine.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        large = Path(folder) / "large.jpg"
        photos.write(large, photos.Photograph(resize(photos.read_rgb(SAMPLE), *LARGE)))
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            address = process.stdout.readline().split()[4]
            print(f"the page is served after {time.perf_counter() - started:.1f} seconds")
            page.goto(address)
            see(page, lambda: page.set_input_files("#files input[type=file]", str(SAMPLE)))
            print(f"the first picture is in colour after {time.perf_counter() - started:.1f}")
            page = browser.new_page(viewport={"width": 1280, "height": 1000})
            page.goto(address)
            page.wait_for_selector("#files input[type=file]", state="attached")
            opened = see(page, lambda: page.set_input_files("#files input[type=file]", str(large)))
            print(f"12 megapixels: {opened:.2f} seconds to the picture in colour")
            times = []
            for number in range(CLICKS):
                place = 0.1 + 0.08 * number
                times.append(see(page, lambda place=place: click(page, place, place)))
            print(f"a click: {sorted(times)[CLICKS // 2]:.2f} seconds (median of {CLICKS})")
            print(f"memory: {memory_mib(process)} MiB")
            with page.expect_download() as download:
                page.click("#save")
            download.value.path()
            print(f"memory after the download at full size: {memory_mib(process)} MiB")
            if arguments.picture:
                take_picture(browser, address, arguments.picture)
        finally:
            process.terminate()
            process.wait()
            browser.close()


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="semantic", help="as for app.py")
    parser.add_argument("--working-size", type=int, metavar="PIXELS", help="as for app.py")
    parser.add_argument("--picture", type=Path, help="file for a picture of the page")
    return errors.run(measure, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
