"""The page in a real browser: Debian's Chromium, without a window."""

import contextlib
import io
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from colorizer.files import photos
from colorizer.hints import drawing, reference
from colorizer.jobs.run import Report

import av
import numpy as np
import pytest
import standins
from browser import CHROMIUM
from PIL import Image
from test_known import reddish, steps

pytest.importorskip("gradio", reason="the page needs Gradio (requirements-app.txt)")
playwright = pytest.importorskip(
    "playwright.sync_api", reason="the page is tested with Playwright (requirements-dev.txt)"
)
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="the page is tested in Chromium; install `chromium`"),
    # One server for all of them.
    pytest.mark.xdist_group("app"),
]

from colorizer.page import many, serve  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120_000  # milliseconds until a page that does not answer is an error
WIDE = {"viewport": {"width": 1300, "height": 1000}}
BLUE = (74, 111, 181)  # the page's first colour


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return standins.save_echo(tmp_path_factory.mktemp("model") / "echo.onnx")


@pytest.fixture(scope="module")
def address(model):
    """Serve the page with a model that paints a in red and b in green, where they are known."""
    flags = ["--model", str(model), "--working-size", "128", "--max-megapixels", "2"]
    with serve.serving(serve.arguments().parse_args(flags)) as address:
        yield address


class Visitor:
    """Somebody with a browser, who looks at the page."""

    def __init__(self, browser, address, context=None):
        self.requests, self.errors = [], []
        self.page = browser.new_context(**(context or WIDE)).new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(error))
        self.page.on("console", self.note)
        self.page.goto(address)
        self.page.wait_for_selector("#files input[type=file]", state="attached")

    def note(self, message):
        """Note what the content policy forbids, and what Gradio cannot do."""
        if message.type == "error":
            self.errors.append(message.text)

    def upload(self, *paths, to="#files"):
        self.page.set_input_files(f"{to} input[type=file]", [str(path) for path in paths])

    def drop(self, path, to):
        """Drag a file or a folder onto the page and drop it."""
        x, y = self.place(0.5, 0.5, to)
        tools = self.page.context.new_cdp_session(self.page)
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        for step in ("dragEnter", "dragOver", "drop"):
            event = {"type": step, "x": x, "y": y, "data": data}
            tools.send("Input.dispatchDragEvent", event)

    def open(self, path):
        self.upload(path)
        self.page.get_by_text(f"{Path(path).name},").wait_for()
        self.page.wait_for_function(
            "image => image.complete && image.naturalWidth > 0",
            arg=self.page.wait_for_selector("#picture img"),
        )

    def see(self, selector="#picture img"):
        """Return the picture that is shown, uint8 (h, w, 3)."""
        address = self.page.locator(selector).first.get_attribute("src")
        with urllib.request.urlopen(address) as answer:
            return np.asarray(Image.open(io.BytesIO(answer.read())).convert("RGB"))

    @contextlib.contextmanager
    def change(self):
        """Wait until the block has changed the picture that is shown."""
        before = self.page.locator("#picture img").get_attribute("src")
        yield
        # Loaded as well: a click before that would be lost.
        self.page.wait_for_function(
            "old => (image => image.getAttribute('src') != old && image.complete && "
            "image.naturalWidth > 0)(document.querySelector('#picture img'))",
            arg=before,
        )

    def place(self, x, y, selector="#picture img"):
        """Return where a place of a picture, in shares of its sides, is on the screen."""
        self.page.locator(selector).scroll_into_view_if_needed()
        box = self.page.locator(selector).bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def click(self, x, y, selector="#picture img"):
        """Click on a place of a picture."""
        self.page.mouse.click(*self.place(x, y, selector))

    def download(self, button, folder):
        with self.page.expect_download() as download:
            self.page.click(button)
        path = folder / download.value.suggested_filename
        folder.mkdir(exist_ok=True)
        download.value.save_as(path)
        return path


@pytest.fixture
def visit(browser, address):
    """Return a function that opens the page in a browser of its own."""
    visitors = []

    def visit(**context):
        visitors.append(Visitor(browser, address, context))
        return visitors[-1]

    yield visit
    for visitor in visitors:
        visitor.page.context.close()
        assert not visitor.errors
        elsewhere = [url for url in visitor.requests if not url.startswith((address, "blob:"))]
        assert not elsewhere


def save(path, level=128, size=(600, 800), **settings):
    Image.fromarray(np.full(size, level, np.uint8)).save(path, **settings)
    return path


def colourfulness(picture):
    return np.ptp(picture.astype(int), axis=-1)


def test_a_person_says_a_colour_moves_it_takes_it_back_and_downloads(tmp_path, visit, model):
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    path = save(tmp_path / "my scan.jpg", exif=exif, quality=95)
    visitor = visit()
    visitor.open(path)
    first = visitor.see()
    assert first.shape == (600, 800, 3)

    with visitor.change():
        visitor.click(0.25, 0.75)
    second = visitor.see()
    # The point itself lies there; so does what it colours, around it.
    assert np.abs(second[450, 200].astype(int) - BLUE).max() < 10
    saved = drawing.read_hints(visitor.download("#save-hints", tmp_path / "downloads"))
    assert saved.shape == (600, 800, 4)
    rows, columns = np.nonzero(saved[..., 3])
    assert abs(rows.mean() - 450) < 3
    assert abs(columns.mean() - 200) < 3
    assert np.abs(second[:, 400:].astype(int) - first[:, 400:]).max() < 2

    with visitor.change():
        visitor.page.click("#undo")
    np.testing.assert_array_equal(visitor.see(), first)

    with visitor.change():
        visitor.click(0.25, 0.75)
    with visitor.change():
        visitor.click(0.25, 0.75)  # picks it up
    with visitor.change():
        visitor.click(0.5, 0.5)  # and puts it down
    with visitor.change():
        visitor.page.mouse.move(*visitor.place(0.5, 0.5))
        visitor.page.mouse.down()
        visitor.page.mouse.move(*visitor.place(0.7, 0.3))
        visitor.page.mouse.move(*visitor.place(0.75, 0.25))
        visitor.page.mouse.up()
    moved = visitor.see()
    assert np.abs(moved[150, 600].astype(int) - BLUE).max() < 10
    assert np.abs(moved[:, :300].astype(int) - first[:, :300]).max() < 2

    result = visitor.download("#save", tmp_path / "downloads")
    assert result.name == "my scan-colorized.jpg"
    assert Image.open(result).getexif()[0x010F] == "a camera"
    hints = visitor.download("#save-hints", tmp_path / "downloads")
    assert hints.name == "my scan.hints.png"
    command = [sys.executable, str(ROOT / "colorize.py"), "--input", str(path)]
    command += ["--hints", str(hints), "--output", str(tmp_path / "out")]
    command += ["--model", str(model), "--working-size", "128"]
    subprocess.run(command, check=True, capture_output=True)
    expected = photos.read_rgb(tmp_path / "out" / "my scan.jpg").astype(int)
    found = photos.read_rgb(result)
    assert np.abs(found - expected).max() <= 1
    assert colourfulness(found)[150, 600] > 20
    assert colourfulness(found)[:, :300].max() < 4


def test_colours_are_offered_and_taken(tmp_path, visit):
    visitor = visit()
    visitor.open(save(tmp_path / "a.png"))
    with visitor.change():
        visitor.click(0.5, 0.5)
    with visitor.change():
        visitor.page.locator("#likely button").nth(3).click()
    swatch = visitor.page.locator("#likely button div").nth(3).get_attribute("style")
    colour = [int(number) for number in re.findall(r"\d+", swatch)[:3]]
    assert np.abs(visitor.see()[300, 400].astype(int) - colour).max() < 10
    with visitor.change():
        visitor.click(0.02, 0.1, "#palette img")
    red, green, blue = visitor.see()[300, 400].astype(int)
    assert red > max(green, blue) + 50
    # Those used last: the newest first.
    assert visitor.page.locator("#recent button").count() == 3
    with visitor.change():
        visitor.page.locator("#recent button").nth(2).click()
    assert np.abs(visitor.see()[300, 400].astype(int) - BLUE).max() < 10
    for button in ("#remove", "#undo", "#clear"):
        with visitor.change():
            visitor.page.click(button)
    assert colourfulness(visitor.see()).max() < 4


def test_before_and_after_and_strength(tmp_path, visit):
    visitor = visit()
    visitor.open(save(tmp_path / "a.png"))
    with visitor.change():
        visitor.click(0.5, 0.5)
    over, picture = visitor.page.locator("#over"), visitor.page.locator("#picture img").first
    mouse, keyboard = visitor.page.mouse, visitor.page.keyboard
    visitor.page.hover("#original")
    for hold, release in (
        (mouse.down, mouse.up),
        (lambda: keyboard.down("Enter"), lambda: keyboard.up("Enter")),
    ):
        assert not over.count()
        hold()
        over.wait_for()
        assert over.bounding_box() == pytest.approx(picture.bounding_box())
        assert colourfulness(visitor.see("#over")).max() < 4
        assert colourfulness(visitor.see())[300, 400] > 20
        release()
    assert not over.count()
    number = visitor.page.locator("#strength-single input[type=number]")
    with visitor.change():
        number.fill("0")
        number.press("Enter")
    # Only the point's own mark is in colour.
    assert (colourfulness(visitor.see()) > 4).mean() < 0.01


def test_a_reference_is_used_and_taken_away(tmp_path, visit):
    visitor = visit()
    photos.write_png(tmp_path / "a.png", steps())
    visitor.open(tmp_path / "a.png")
    photos.write_png(tmp_path / "red.png", reddish(steps()))
    visitor.page.get_by_text("Colours from another photograph").click()
    with visitor.change():
        visitor.upload(tmp_path / "red.png", to="#reference")
    assert colourfulness(visitor.see()).max() > 20
    visitor.page.get_by_text("of it looks like red.png").wait_for()
    # It counts for photographs that come later, too.
    photos.write_png(tmp_path / "later.png", steps()[::-1])
    with visitor.change():
        visitor.upload(tmp_path / "later.png")
    visitor.page.get_by_text("later.png,").wait_for()
    assert colourfulness(visitor.see()).max() > 20
    with visitor.change():
        visitor.page.locator("#reference button[aria-label*=lear]").first.click()
    assert colourfulness(visitor.see()).max() < 4


def test_what_is_no_photograph_is_a_sentence(tmp_path, visit):
    (tmp_path / "letter.jpg").write_text("Dear grandmother")
    visitor = visit()
    visitor.upload(tmp_path / "letter.jpg")
    visitor.page.get_by_text("letter.jpg cannot be shown: it holds no picture").wait_for()
    visitor.upload(save(tmp_path / "huge.png", size=(1500, 1500)))
    visitor.page.get_by_text("more than 2 megapixels").wait_for()
    assert "Traceback" not in visitor.page.content()
    # The page goes on, and a wrong reference takes nothing away.
    visitor.open(save(tmp_path / "a.png"))
    with visitor.change():
        visitor.click(0.5, 0.5)
    before = visitor.see()
    visitor.page.get_by_text("Colours from another photograph").click()
    visitor.upload(save(tmp_path / "gray.png"), to="#reference")
    visitor.page.get_by_text("gray.png is black-and-white. Choose a photograph").wait_for()
    np.testing.assert_array_equal(visitor.see(), before)
    assert not visitor.page.locator(".error").count()
    assert str(tmp_path) not in visitor.page.content()


def test_a_reload_brings_back_what_was_open(tmp_path, visit):
    visitor = visit()
    visitor.upload(save(tmp_path / "a.png", 90), save(tmp_path / "b.png", 170))
    visitor.page.get_by_text("a.png,").wait_for()
    with visitor.change():
        visitor.page.locator("#strip img").nth(1).click()
    visitor.page.get_by_text("b.png,").wait_for()
    with visitor.change():
        visitor.click(0.5, 0.5)
    before = visitor.see()
    visitor.page.reload()
    visitor.page.get_by_text("b.png,").wait_for()
    np.testing.assert_array_equal(visitor.see(), before)
    assert visitor.page.locator("#strip img").count() == 2
    archive = visitor.download("#save-all", tmp_path / "downloads")
    with zipfile.ZipFile(archive) as packed:
        assert packed.namelist() == ["a-colorized.png", "b-colorized.png"]
    # Points come back into the tab that made them.
    hints = visitor.download("#save-hints", tmp_path / "downloads")
    with visitor.change():
        visitor.page.click("#clear")
    with visitor.change():
        visitor.upload(hints)
    np.testing.assert_array_equal(visitor.see(), before)
    # Another tab has nothing of that.
    assert not visit().page.locator("#picture img").count()


def test_the_keyboard_sets_points_and_all_has_names(tmp_path, visit):
    visitor = visit()
    visitor.open(save(tmp_path / "a.png"))
    picture = visitor.page.get_by_role("application", name="The photograph.")
    picture.focus()
    for key in ("ArrowLeft", "ArrowLeft", "Shift+ArrowUp"):
        visitor.page.keyboard.press(key)
    assert visitor.page.locator("#cursor").count() == 1
    with visitor.change():
        visitor.page.keyboard.press("Enter")
    x, y = 0.5 - 2 * 0.03, 0.5 - 0.005
    marked = visitor.see()
    assert np.abs(marked[round(y * 600), round(x * 800)].astype(int) - BLUE).max() < 10
    with visitor.change():
        visitor.page.keyboard.press("Control+z")
    colours = visitor.page.get_by_role("application", name="Every colour that fits.")
    with visitor.change():
        visitor.click(0.3, 0.3)
    before = visitor.see()
    colours.focus()
    with visitor.change():
        visitor.page.keyboard.press("Enter")
    assert np.abs(visitor.see()[180, 240].astype(int) - before[180, 240]).max() > 20
    assert visitor.page.locator("#likely").get_by_role("button", name="The colour rgb").count() == 8
    assert visitor.page.locator("#message[role=status]").count() == 1
    for name in ("#result", "#press-picture", "#press-palette"):  # no stops of Tab
        assert not visitor.page.locator(name).is_visible()
    words = visitor.page.locator("body").inner_text()
    assert "Upload" not in words
    for said in ("Every colour that fits there", "Likely there", "Last used", "Remove point"):
        assert said in words


def test_keep_sets_a_point_in_the_colour_that_is_there(tmp_path, visit):
    visitor = visit()
    visitor.open(save(tmp_path / "a.png"))
    visitor.page.get_by_label("keeps what is there").check()
    with visitor.change():
        visitor.click(0.5, 0.5)
    kept = visitor.see()
    assert np.abs(kept[300, 400].astype(int) - 128).max() < 4
    assert not visitor.page.locator("#recent button").count()
    # The smallest point is small.
    visitor.page.get_by_label("sets a colour").check()
    size = visitor.page.locator("#radius input[type=range]")
    assert float(size.get_attribute("min")) <= 0.1
    size.fill(size.get_attribute("min"))
    with visitor.change():
        visitor.click(0.25, 0.25)
    changed = np.abs(visitor.see().astype(int) - kept).max(axis=-1) > 8
    assert 0 < changed.mean() < 0.01


@pytest.mark.parametrize("size", [(1366, 768), (390, 844)])
def test_the_whole_picture_is_seen_with_its_colours(tmp_path, visit, size):
    visitor = visit(viewport=dict(zip(("width", "height"), size, strict=True)))
    for name in ("One photograph", "Many", "A film"):
        assert visitor.page.get_by_role("tab", name=name).is_visible()
    visitor.open(save(tmp_path / "a.png"))
    picture = visitor.page.locator("#picture img").bounding_box()
    assert picture["y"] + picture["height"] <= size[1]
    assert picture["height"] > 200
    if size[0] < 700:  # it stays while the colours scroll
        visitor.page.locator("#palette img").scroll_into_view_if_needed()
        picture = visitor.page.locator("#picture img").bounding_box()
        assert 0 <= picture["y"] <= size[1] / 2
    colours = visitor.page.locator("#palette img").bounding_box()
    assert colours["y"] + colours["height"] <= size[1]
    last = visitor.page.locator("#actions button").last.bounding_box()
    assert last["x"] + last["width"] <= size[0]
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_a_zoomed_picture_takes_clicks_at_their_places(tmp_path, visit):
    visitor = visit()
    visitor.open(save(tmp_path / "a.png"))
    width = visitor.page.locator("#picture img").bounding_box()["width"]
    number = visitor.page.locator("#zoom input[type=number]")
    number.fill("2")
    number.press("Enter")
    visitor.page.wait_for_function(
        "width => document.querySelector('#picture img').getBoundingClientRect().width > width",
        arg=1.5 * width,
    )
    with visitor.change():
        visitor.click(0.25, 0.25)
    assert np.abs(visitor.see()[150, 200].astype(int) - BLUE).max() < 10


def test_an_example_opens_with_a_click(visit):
    visitor = visit()
    visitor.page.locator("#examples img").first.click()
    visitor.page.get_by_text("stairs.jpg,").wait_for()


def test_two_browsers_do_not_see_each_other(tmp_path, visit):
    one, other = visit(), visit()
    one.open(save(tmp_path / "hers.png", 90))
    other.open(save(tmp_path / "his.png", 170))
    with one.change():
        one.click(0.25, 0.25)
    assert abs(int(one.see()[500, 700, 0]) - 90) < 3
    assert colourfulness(other.see()).max() < 4
    with other.change():
        other.click(0.75, 0.75)
    assert abs(int(other.see()[100, 100, 0]) - 170) < 3
    for visitor, foreign in ((one, "his.png"), (other, "hers.png")):
        assert foreign not in visitor.page.content()
        assert not [url for url in visitor.requests if foreign in url]


def test_many_photographs_come_back_as_a_zip(tmp_path, visit):
    names = ["a.png", "b.jpg", "letter.jpg", "a.hints.png"]
    save(tmp_path / "a.png")
    save(tmp_path / "b.jpg")
    (tmp_path / "letter.jpg").write_text("Dear grandmother")
    hints = drawing.draw([drawing.Point(0.25, 0.25, BLUE, 0.05)], 60, 80)
    Image.fromarray(hints).save(tmp_path / "a.hints.png")
    visitor = visit()
    visitor.page.get_by_role("tab", name="Many").click()
    visitor.page.click("#start")
    visitor.page.get_by_text("There are no photographs yet").wait_for()
    visitor.upload(*(tmp_path / name for name in names), to="#many")
    visitor.page.locator("#many").get_by_text("letter.jpg").or_(
        visitor.page.locator("#many [aria-label*=letter]")
    ).first.wait_for()
    visitor.page.click("#start")
    visitor.page.get_by_text("2 photographs are in colour").wait_for()
    assert "it holds no picture in a known format" in visitor.page.content()
    assert visitor.page.locator("#gallery img").count() == 2
    with visitor.page.expect_download() as download:
        visitor.page.locator("#archive a").first.click()
    download.value.save_as(tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert sorted(archive.namelist()) == ["a.png", "b.jpg"]
        archive.extractall(tmp_path / "all")
    assert colourfulness(photos.read_rgb(tmp_path / "all" / "a.png"))[150, 200] > 20
    assert colourfulness(photos.read_rgb(tmp_path / "all" / "b.jpg")).max() < 4


def test_what_some_wait_for_holds_nobody_else_up(tmp_path, visit, monkeypatch):
    end = threading.Event()
    begun = threading.Semaphore(0)

    def wait(request, colorizer, on_progress):
        begun.release()
        end.wait()
        return Report()

    monkeypatch.setattr(many, "colorize", wait)
    path = save(tmp_path / "a.png", size=(60, 80))
    try:
        for _ in range(2):
            busy = visit()
            busy.page.get_by_role("tab", name="Many").click()
            busy.upload(path, to="#many")
            busy.page.wait_for_selector("#many a[download]", state="attached")
            busy.page.click("#start")
            assert begun.acquire(timeout=PATIENCE / 1000)
        other = visit()
        other.open(path)
        with other.change():
            other.click(0.5, 0.5)
        assert other.download("#save", tmp_path / "downloads").name == "a-colorized.png"
    finally:
        end.set()


def write_film(path, gray, count=20, rate=10):
    """Write a film of one gray picture, uint8 (h, w)."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate, options={"crf": "4"})
        stream.height, stream.width, stream.pix_fmt = *gray.shape, "yuv420p"
        for frame in [av.VideoFrame.from_ndarray(gray, format="gray")] * count:
            frame = frame.reformat(format="yuv420p")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def start_film(visitor, path):
    visitor.upload(path, to="#film")
    visitor.page.wait_for_selector("#film a[download]", state="attached")
    visitor.page.click("#start-film")


def test_a_film_comes_back_to_play_and_to_keep(tmp_path, visit, monkeypatch):
    # The stand-in does not spread what it knows.
    monkeypatch.setattr(reference, "DOT", 16)
    visitor = visit()
    visitor.page.get_by_role("tab", name="A film").click()
    visitor.page.click("#start-film")
    visitor.page.get_by_text("There is no film yet").wait_for()
    photos.write_png(tmp_path / "red.png", reddish(steps()))
    visitor.page.get_by_text("Take colours from a photograph").click()
    visitor.upload(tmp_path / "red.png", to="#film-reference")
    visitor.page.wait_for_selector("#film-reference a[download]", state="attached")
    # There is room to see the progress.
    assert visitor.page.locator("#film-report").bounding_box()["height"] > 50
    start_film(visitor, write_film(tmp_path / "street.mp4", steps()[..., 0]))
    said = re.compile(r"street.mp4 is in colour: \d+% of it looks like red.png")
    visitor.page.get_by_text(said).wait_for()
    film = visitor.page.wait_for_selector("#player video")
    visitor.page.wait_for_function("film => film.readyState >= 2", arg=film)
    assert film.evaluate("film => [film.videoWidth, film.duration]") == [128, 2]
    saved = visitor.download("#save-film", tmp_path / "downloads")
    assert saved.name == "street-colorized.mp4"
    with av.open(str(saved)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 20
    for frame in frames:
        assert np.median(frame[..., 0].astype(int) - frame[..., 1]) > 20


def test_what_is_no_film_for_the_page_is_a_sentence(tmp_path, visit):
    (tmp_path / "broken.mp4").write_text("Dear grandmother")
    write_film(tmp_path / "long.mp4", np.zeros((16, 16), np.uint8), count=601, rate=1)
    write_film(tmp_path / "huge.mp4", np.zeros((1500, 1500), np.uint8), count=1)
    visitor = visit()
    visitor.page.get_by_role("tab", name="A film").click()
    for path, sentence in (
        (tmp_path / "broken.mp4", "broken.mp4 cannot be colorized: it is damaged, or no film"),
        (tmp_path / "long.mp4", "it lasts 11 minutes, and the page takes 10"),
        (tmp_path / "huge.mp4", "it has 1500 x 1500 pixels, more than 2 megapixels"),
        (save(tmp_path / "a.png"), "a.png is no film"),
    ):
        start_film(visitor, path)
        visitor.page.get_by_text(sentence).wait_for()
        visitor.page.locator("[data-testid=toast-close]").click()
        visitor.page.locator("#film button[aria-label*=lear]").first.click()
    assert "Traceback" not in visitor.page.content()
    # The page goes on, and another container comes back without a player.
    start_film(visitor, write_film(tmp_path / "street.mkv", steps()[..., 0]))
    visitor.page.get_by_text("Browsers do not play .mkv").wait_for()
    assert visitor.download("#save-film", tmp_path / "downloads").name == "street-colorized.mkv"
    assert not visitor.page.locator("#player video").count()
    # In the other tabs a film is named.
    visitor.page.get_by_role("tab", name="One photograph").click()
    visitor.upload(tmp_path / "street.mkv")
    visitor.page.get_by_text("street.mkv is a film").wait_for()


# Lists the height of the picture, and how opaque is what lies over it, each time it is waited for.
WAITS = """() => {
    const waits = [];
    const note = () => {
        const sign = document.querySelector("#picture [data-testid=status-tracker]");
        if (!sign.offsetHeight) return;
        const [, alpha] = getComputedStyle(sign).backgroundColor.match(/, ([\\d.]+)\\)$/) ?? [0, 1];
        const { height } = document.querySelector("#picture img").getBoundingClientRect();
        waits.push([height, Number(alpha)]);
    };
    const what = { attributes: true, childList: true, subtree: true };
    new MutationObserver(note).observe(document.querySelector("#picture"), what);
    return waits;
}"""


def noisy(path, size):
    noise = np.random.default_rng(0).normal(128, 15, size)
    Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8)).save(path)
    return path


def choose(visitor, name, text):
    """Choose an entry of a dropdown."""
    visitor.page.locator(f"#{name} input").click()
    visitor.page.get_by_role("option", name=text, exact=True).click()


def test_a_photograph_is_restored_and_enlarged(tmp_path, visit):
    visitor = visit()
    visitor.open(noisy(tmp_path / "a.png", (600, 800)))
    before = visitor.see()
    waits = visitor.page.evaluate_handle(WAITS)
    with visitor.change():
        choose(visitor, "clean-single", "Clean: without grain, with tones that have not faded")
    # The picture stays, with a sign over it through which it is seen.
    assert waits.evaluate("waits => waits.length")
    assert waits.evaluate("waits => waits.every(([height, alpha]) => height > 200 && alpha < 0.5)")
    restored = visitor.see()
    assert restored.shape == before.shape
    assert restored.std() < 0.8 * before.std()
    result = visitor.download("#save", tmp_path / "restored")
    assert photos.read_rgb(result).shape == (600, 800, 3)
    assert photos.read_rgb(result).std() < 0.8 * before.std()
    with visitor.change():
        choose(visitor, "clean-single", "Leave it as it is")
    np.testing.assert_array_equal(visitor.see(), before)
    with visitor.change():
        choose(visitor, "clean-single", "Clean, at twice the size")
    visitor.page.get_by_text("1600 x 1200 when downloaded").wait_for()
    result = visitor.download("#save", tmp_path / "enlarged")
    assert photos.read_rgb(result).shape == (1200, 1600, 3)
    # It counts for photographs that come later, too.
    visitor.open(noisy(tmp_path / "later.png", (60, 80)))
    visitor.page.get_by_text("later.png, 80 x 60 pixels, 160 x 120 when downloaded").wait_for()


@pytest.mark.parametrize("how", ["chosen", "dropped"])
def test_a_folder_comes_back_as_it_was(tmp_path, visit, how):
    (tmp_path / "album" / "old").mkdir(parents=True)
    save(tmp_path / "album" / "x.png", 90, (60, 80))
    save(tmp_path / "album" / "old" / "x.png", 170, (60, 80))
    visitor = visit()
    visitor.page.get_by_role("tab", name="Many").click()
    if how == "chosen":
        visitor.upload(tmp_path / "album", to="#folder")
    else:
        visitor.drop(tmp_path / "album", to="#folder")
    visitor.page.wait_for_selector("#folder a[download]", state="attached")
    choose(visitor, "format", "webp")
    visitor.page.click("#start")
    visitor.page.get_by_text("2 photographs are in colour").wait_for()
    with visitor.page.expect_download() as download:
        visitor.page.locator("#archive a").first.click()
    download.value.save_as(tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert archive.namelist() == ["album/old/x.webp", "album/x.webp"]


@pytest.mark.slow
def test_stop_and_a_closed_tab_end_a_film(tmp_path, visit):
    film = write_film(tmp_path / "street.mp4", steps()[..., 0], count=5999)
    visitor = visit()
    visitor.page.get_by_role("tab", name="A film").click()
    start_film(visitor, film)
    visitor.page.get_by_text("/12.0k frames").wait_for()
    visitor.page.click("#stop-film")
    visitor.page.locator("#film-report").get_by_text("Stopped.").wait_for()
    visitor.page.click("#start-film")
    visitor.page.get_by_text("/12.0k frames").wait_for()
    # One film at a time is coloured: the next one would wait for all of that one.
    other = visit()
    other.page.get_by_role("tab", name="A film").click()
    start_film(other, write_film(tmp_path / "short.mp4", steps()[..., 0]))
    other.page.get_by_text("queue: 1/1").wait_for()
    visitor.page.close()
    other.page.get_by_text("short.mp4 is in colour").wait_for()


@pytest.mark.slow
def test_a_film_under_way_ends_with_the_page(tmp_path, browser, model):
    served = tmp_path / "served"
    served.mkdir()
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "app.py"), "--model", str(model), "--working-size", "128"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(served)},
    )
    try:
        visitor = Visitor(browser, re.search(r"http\S+", process.stdout.readline())[0])
        visitor.page.get_by_role("tab", name="A film").click()
        start_film(visitor, write_film(tmp_path / "street.mp4", steps()[..., 0], count=5999))
        visitor.page.get_by_text("/12.0k frames").wait_for()
        process.terminate()
        assert process.wait(PATIENCE / 1000) == 130
        assert process.stderr.read() == "stopped\n"
        assert not list(served.glob("colorizer-*"))
        visitor.page.context.close()
    finally:
        process.kill()
