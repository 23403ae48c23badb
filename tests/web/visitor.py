"""Somebody with a browser, who looks at the page of web/; what colorize.py makes of the same."""

import base64
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import expect

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 120_000  # milliseconds until a page that does not answer is an error
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


class Visitor:
    """Somebody with a browser, who has opened colorize.html from a disk, without any network."""

    def __init__(self, browser, address, **settings):
        self.requests, self.errors, self.dialogs = [], [], []
        settings.setdefault("viewport", {"width": 1366, "height": 768})
        settings.setdefault("offline", True)
        self.context = browser.new_context(locale="en-GB", **settings)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(error))
        self.page.on("dialog", self.answer)
        self.page.goto(address)
        self.page.wait_for_selector("body.ready")

    def answer(self, dialog):
        self.dialogs.append(dialog.type)
        dialog.accept()

    def find(self, selector):
        return self.page.locator(selector)

    def add(self, *paths):
        self.page.set_input_files("#files", [str(path) for path in paths])

    def open(self, *paths):
        """Open photographs and wait until all are in colour."""
        before = self.find("#strip button.done").count()
        self.add(*paths)
        expect(self.find("#strip button.done")).to_have_count(before + len(paths))
        expect(self.find("#sheet")).to_be_visible()
        self.settled()

    def settled(self):
        expect(self.find("#stage")).not_to_have_attribute("aria-busy", "true")

    def says(self, text):
        expect(self.find("#status")).to_have_text(text)

    def pixels(self, selector="#painted"):
        """Return what a canvas shows, uint8 (h, w, 3)."""
        data = self.find(selector).evaluate("canvas => canvas.toDataURL().split(',')[1]")
        return picture_of(base64.b64decode(data))

    def place(self, x, y):
        """Return the place of the window where the photograph has these shares of its sides."""
        box = self.find("#sheet").bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def click(self, x, y):
        self.page.mouse.click(*self.place(x, y))
        self.settled()

    def drag(self, start, end):
        self.page.mouse.move(*self.place(*start))
        self.page.mouse.down()
        self.page.mouse.move(*self.place(*end), steps=4)
        self.page.mouse.up()
        self.settled()

    def tab(self, name):
        self.page.get_by_role("tab", name=name, exact=True).click()

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()
        self.settled()

    def download(self, selector, folder):
        with self.page.expect_download() as download:
            self.page.click(selector)
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        return path

    def labels(self):
        """Return what a screen reader says of the points."""
        points = self.find(".point").all()
        return [point.get_attribute("aria-label") for point in points]


def picture_of(content) -> np.ndarray:
    """Decode a picture to uint8 (h, w, 3)."""
    source = io.BytesIO(content) if isinstance(content, bytes) else content
    with Image.open(source) as image:
        return np.asarray(image.convert("RGB"))


def colorize(output, *flags) -> Path:
    """Run colorize.py and return its output folder."""
    command = [sys.executable, str(ROOT / "colorize.py"), "--output", str(output)]
    subprocess.run([*command, *map(str, flags)], check=True, capture_output=True)
    return output


def share_alike(found, expected) -> float:
    """Return the share of values that differ by at most one level."""
    assert found.shape == expected.shape
    return float((np.abs(found.astype(int) - expected) <= 1).mean())
