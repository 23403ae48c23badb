"""What a person does on the page of web/: each thing once, from a file and without a network."""

import hashlib
import http.server
import io
import json
import re
import struct
import threading
import zipfile
from xml.etree import ElementTree

from colorizer.files import photos

import numpy as np
import pillow_heif
import pytest
import tifffile
from PIL import Image
from playwright.sync_api import expect
from visitor import PHONE, ROOT, colorize, picture_of, share_alike

SAMPLES = sorted(path for path in (ROOT / "samples").iterdir() if path.suffix in (".jpg", ".png"))
CAT = ROOT / "samples/cat.jpg"
AXE = ROOT / "web/node_modules/axe-core/axe.min.js"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
SOURCE_TYPE = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"


def flat(path, level=128, size=(240, 180), **settings):
    """Write a gray picture of one level."""
    Image.new("L", size, level).save(path, **settings)
    return path


def chroma_near(picture, x, y):
    """Return red minus blue, mean around a place."""
    height, width = picture.shape[:2]
    row, column = int(y * height), int(x * width)
    part = picture[row - 2 : row + 3, column - 2 : column + 3].astype(float)
    return part[..., 0].mean() - part[..., 2].mean()


def choose_blue(visitor):
    """Pick a strong blue from the palette, for the point that is selected."""
    box = visitor.find("#palette").bounding_box()
    visitor.page.mouse.click(box["x"] + 0.76 * box["width"], box["y"] + 0.4 * box["height"])
    visitor.settled()


def test_the_samples_have_the_colours_of_colorize_py(tmp_path, visit_shipped):
    visitor = visit_shipped()
    visitor.open(*SAMPLES)
    visitor.says("10 photographs are in colour.")
    assert visitor.find("#strip li").count() == 10
    visitor.tab("Save")
    visitor.find("#format").select_option("PNG")
    archive = zipfile.ZipFile(visitor.download("#saveAll", tmp_path))
    visitor.says("colorized.zip is saved.")
    out = colorize(tmp_path / "out", "--input", ROOT / "samples", "--format", "png")
    assert sorted(archive.namelist()) == [f"{path.stem}-colorized.png" for path in SAMPLES]
    for path in SAMPLES:
        found = picture_of(archive.read(f"{path.stem}-colorized.png"))
        share = share_alike(found, photos.read_rgb(out / f"{path.stem}.png"))
        assert share >= 0.999, path.name


def profile(curve):
    """Return a colour profile of Display P3 but for its curve, the bytes of a tag."""
    places = [(0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407)]
    tags = {"wtpt": xyz(0.9642, 1, 0.8249)}
    for channel, place in zip("rgb", places, strict=True):
        tags |= {f"{channel}XYZ": xyz(*place), f"{channel}TRC": curve}
    table, content = struct.pack(">I", len(tags)), b""
    for name, tag in tags.items():
        begin = 128 + 4 + 12 * len(tags) + len(content)
        table += name.encode() + struct.pack(">II", begin, len(tag))
        content += tag + bytes(-len(tag) % 4)
    size = 128 + len(table) + len(content)
    head = struct.pack(">I4sI4s4s4s", size, b"", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    return head + bytes(12) + b"acsp" + bytes(128 - 40) + table + content


def xyz(*values):
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(65536 * value) for value in values))


def para(*numbers):
    kind = struct.pack(">4s4xHxx", b"para", {1: 0, 5: 3}[len(numbers)])
    return kind + struct.pack(f">{len(numbers)}i", *(round(65536 * each) for each in numbers))


def curv(*numbers):
    return struct.pack(f">4s4xI{len(numbers)}H", b"curv", len(numbers), *numbers)


@pytest.mark.parametrize(
    "curve",
    [
        curv(461),
        para(2.2),
        para(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
        curv(*(round(65535 * (level / 99) ** 2) for level in range(100))),
    ],
    ids=["gamma", "power", "sRGB's", "table"],
)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_colour_profiles_are_those_of_the_command(tmp_path, visit, curve, suffix):
    path = tmp_path / f"wide.{suffix}"
    with Image.open(ROOT / "samples/coffee.jpg") as image:
        image.save(path, icc_profile=profile(curve), quality=95)
    visitor = visit()
    visitor.open(path)
    expected = photos.read_rgb(path)
    assert (expected != picture_of(path)).mean() > 0.5
    shown = visitor.pixels("#original")
    assert share_alike(shown, expected) == 1
    assert (shown == expected).mean() > 0.99


def test_points_are_set_moved_taken_back_kept_and_taken_away(tmp_path, visit):
    path = flat(tmp_path / "wall.png")
    visitor = visit()
    visitor.open(path)
    first = visitor.pixels()
    visitor.click(0.25, 0.5)
    visitor.says("Point 1 is set.")
    expect(visitor.find("#advice")).to_contain_text("Now pick its colour")
    choose_blue(visitor)
    blue = visitor.pixels()
    assert chroma_near(blue, 0.25, 0.5) < chroma_near(first, 0.25, 0.5) - 40

    visitor.drag((0.25, 0.5), (0.75, 0.5))
    visitor.says("Point 1 is moved.")
    moved = visitor.pixels()
    assert chroma_near(moved, 0.75, 0.5) < chroma_near(first, 0.75, 0.5) - 40
    visitor.press("Undo")
    np.testing.assert_array_equal(visitor.pixels(), blue)
    visitor.press("Redo")
    np.testing.assert_array_equal(visitor.pixels(), moved)

    # The colour in hand goes to the next point; "Keep" holds what is there instead.
    visitor.find("[name=mode][value=keep]").check()
    visitor.click(0.25, 0.25)
    visitor.says("Point 2 keeps its colour.")
    point, kept = visitor.labels()
    assert point.split()[-1] != kept.split()[-1]
    assert visitor.find(".point.keep").count() == 1
    before = visitor.pixels()
    visitor.find("[name=mode][value=paint]").check()
    visitor.click(0.5, 0.75)
    assert visitor.labels()[2].split()[-1] == point.split()[-1]
    assert abs(chroma_near(visitor.pixels(), 0.25, 0.25) - chroma_near(before, 0.25, 0.25)) < 8

    visitor.page.mouse.dblclick(*visitor.place(0.5, 0.75))
    visitor.says("Point 3 is removed.")
    visitor.settled()
    np.testing.assert_array_equal(visitor.pixels(), before)
    visitor.click(0.75, 0.5)
    visitor.page.keyboard.press("Delete")
    visitor.says("Point 1 is removed.")
    visitor.press("Remove all points")
    np.testing.assert_array_equal(visitor.pixels(), first)


def test_points_are_those_of_the_command_and_open_again(tmp_path, visit_shipped):
    visitor = visit_shipped()
    visitor.open(CAT)
    visitor.click(0.45, 0.55)
    choose_blue(visitor)
    visitor.click(0.85, 0.2)
    hints = visitor.download("#saveHints", tmp_path)
    assert hints.name == "cat.hints.png"
    labels, painted = visitor.labels(), visitor.pixels()
    out = colorize(tmp_path / "out", "--input", CAT, "--hints", hints, "--format", "png")
    assert share_alike(painted, photos.read_rgb(out / "cat.png")) >= 0.999

    visitor.press("Remove all points")
    assert not visitor.labels()
    visitor.add(hints)
    visitor.says("The points of cat.hints.png are back.")
    assert visitor.labels() == labels
    np.testing.assert_array_equal(visitor.pixels(), painted)
    # What a paint program writes has no list of points; its colours count as they are.
    bare = tmp_path / "bare" / "cat.hints.png"
    bare.parent.mkdir()
    Image.fromarray(np.asarray(Image.open(hints))).save(bare)
    visitor.press("Remove all points")
    visitor.add(bare)
    visitor.says("The points of cat.hints.png are back.")
    assert not visitor.labels()
    np.testing.assert_array_equal(visitor.pixels(), painted)


def test_work_survives_a_reload_and_leaving_asks(tmp_path, visit):
    visitor = visit()
    visitor.open(CAT)
    visitor.page.reload()
    assert not visitor.dialogs  # nothing was decided yet
    expect(visitor.find("#strip button.done")).to_have_count(1)
    visitor.click(0.45, 0.55)
    choose_blue(visitor)
    labels, painted = visitor.labels(), visitor.pixels()
    visitor.page.reload()
    assert visitor.dialogs == ["beforeunload"]
    expect(visitor.find("#sheet")).to_be_visible()
    assert visitor.labels() == labels
    np.testing.assert_array_equal(visitor.pixels(), painted)

    visitor.tab("Save")
    assert visitor.download("#saveOne", tmp_path).name == "cat-colorized.jpg"
    visitor.says("cat-colorized.jpg is saved.")
    visitor.page.reload()
    assert visitor.dialogs == ["beforeunload"]  # all is saved
    expect(visitor.find("#sheet")).to_be_visible()
    visitor.tab("Save")
    visitor.press("Close all")
    expect(visitor.find("#welcome")).to_be_visible()
    visitor.page.reload()
    expect(visitor.find("#welcome")).to_be_visible()


def test_exif_stays_and_the_file_says_that_it_was_colorized(tmp_path, visit):
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "a camera", 6
    exif.get_ifd(0x8769)[0x9003] = "1931:05:04 03:02:01"
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="album 7" '
        'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/'
        'digitalCapture"/></rdf:RDF></x:xmpmeta>'
    )
    path = tmp_path / "scan.jpeg"
    with Image.open(CAT) as image:
        image.save(path, exif=exif, xmp=xmp.encode(), quality=95)
    visitor = visit()
    visitor.open(path)
    visitor.tab("Save")
    for chosen, name in (("", "scan-colorized.jpeg"), ("PNG", "scan-colorized.png")):
        if chosen:
            visitor.find("#format").select_option(chosen)
        result = visitor.download("#saveOne", tmp_path)
        assert result.name == name
        with Image.open(result) as image:
            assert image.size == (300, 451)
            found = image.getexif()
            packet = image.info.get("xmp") or image.text["XML:com.adobe.xmp"]
        assert found[0x010F] == "a camera"
        assert found[0x0112] == 1
        assert found.get_ifd(0x8769)[0x9003] == "1931:05:04 03:02:01"
        before, mark = ElementTree.fromstring(packet).iter(f"{{{RDF}}}Description")
        assert before.get("{http://purl.org/dc/elements/1.1/}source") == "album 7"
        assert before.get(SOURCE_TYPE) is None
        assert mark.get(SOURCE_TYPE).endswith("/compositeWithTrainedAlgorithmicMedia")
        event = {each.tag.split("}")[1]: each.text for each in mark.iter() if each.text}
        assert event["action"] == "colorized"
        assert re.fullmatch(
            "model: semantic; settings: strength 1, .*; sha256 of the source: "
            + hashlib.sha256(path.read_bytes()).hexdigest(),
            event["parameters"],
        )


def test_what_cannot_be_read_gets_one_sentence_and_the_others_their_colours(tmp_path, visit):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(CAT.read_bytes()[:300])
    large = tmp_path / "large.png"
    Image.new("1", (10_000, 10_000)).save(large)
    heic = tmp_path / "phone.heic"
    pillow_heif.from_pillow(Image.open(CAT)).save(heic)
    odd = tmp_path / "odd.tif"
    tifffile.imwrite(odd, np.zeros((40, 40), np.float64))
    packed = tmp_path / "packed.tif"
    tifffile.imwrite(packed, np.zeros((40, 40, 3), np.uint8), compression="webp")
    scan = tmp_path / "scan.tif"
    Image.open(CAT).convert("L").save(scan)
    text = tmp_path / "notes.txt"
    text.write_text("no photograph")
    sentences = {
        broken: "broken.jpg is damaged, or is no photograph that a browser can read.",
        large: "large.png has more than 64 megapixels, too many for a page; this reads it: "
        "colorize.py --input large.png",
        heic: "phone.heic is a HEIC picture, which this browser cannot read; Safari can, and so "
        "can: colorize.py --input phone.heic",
        odd: "odd.tif is a TIFF of a kind that this page cannot read; this can: "
        "colorize.py --input odd.tif",
        packed: "packed.tif is a TIFF of a kind that this page cannot read; this can: "
        "colorize.py --input packed.tif",
        text: "notes.txt is damaged, or is no photograph that a browser can read.",
    }
    visitor = visit()
    visitor.add(scan, *sentences)
    expect(visitor.find("#strip button.failed")).to_have_count(len(sentences))
    expect(visitor.find("#strip button.done")).to_have_count(1)
    for path, sentence in sentences.items():
        button = visitor.page.get_by_role("button", name=f"{path.name}, cannot be opened")
        button.click()
        visitor.says(sentence)
        expect(visitor.find("#failure")).to_have_text(sentence)
    visitor.page.get_by_role("button", name="scan.tif, in colour").click()
    expect(visitor.find("#sheet")).to_be_visible()
    assert visitor.pixels().shape == (300, 451, 3)


def test_many_photographs_can_be_stopped_and_go_on(tmp_path, visit):
    paths = [flat(tmp_path / f"{number}.png", 4 * number, (48, 32)) for number in range(60)]
    visitor = visit()
    visitor.add(*paths)
    expect(visitor.find("#strip button.done").nth(2)).to_be_attached()
    visitor.page.get_by_role("button", name="Stop").click()
    visitor.says("Stopped.")
    stopped = visitor.find("#strip button.stopped").count()
    assert stopped + visitor.find("#strip button.done").count() == 60
    assert stopped > 40
    visitor.find("#strip button.stopped").last.click()
    expect(visitor.find("#strip button.stopped")).to_have_count(stopped - 1)
    expect(visitor.find("#strip li").last.locator("button")).to_have_class("done")


def test_looks_and_sliders_change_the_picture(visit):
    visitor = visit()
    visitor.open(CAT)
    first = visitor.pixels().astype(float)
    visitor.tab("Look")
    expect(visitor.find("#looks button")).to_have_count(4)
    visitor.press("Warmer")
    warmer = visitor.pixels().astype(float)
    assert (warmer - first)[..., 2].mean() < -3  # less blue
    assert visitor.find("#warmth").input_value() == "8"
    visitor.find("#strength").fill("0")
    visitor.find("#warmth").fill("0")
    visitor.settled()
    assert np.ptp(visitor.pixels(), axis=-1).max() <= 1
    visitor.find("#tint").fill("10")
    visitor.settled()
    pinker = visitor.pixels()
    assert np.ptp(pinker, axis=-1).max() <= 1  # of no colour at all there is no tint
    for _ in range(4):
        visitor.press("Undo")
    np.testing.assert_array_equal(visitor.pixels(), first)


def test_cleaning_and_enlarging_are_those_of_the_command_and_stop(tmp_path, visit_shipped):
    path = tmp_path / "grain.png"
    noise = np.random.default_rng(0).normal(0, 12, (150, 200))
    with Image.open(CAT) as image:
        gray = np.asarray(image.convert("L").resize((200, 150)))
    Image.fromarray(np.clip(gray + noise, 0, 255).astype(np.uint8)).save(path)
    visitor = visit_shipped()
    visitor.open(path)
    visitor.tab("Clean")
    for label, flags in (
        ("Clean", ["--restore"]),
        ("Clean, twice as wide and high", ["--restore", "--enlarge", 2]),
    ):
        visitor.page.get_by_role("radio", name=label, exact=True).check()
        visitor.says("grain.png is clean.")
        out = colorize(tmp_path / str(flags[-1]), "--input", path, *flags)
        assert share_alike(visitor.pixels(), photos.read_rgb(out / "grain.png")) >= 0.999
        visitor.page.get_by_role("radio", name="Leave as it is").check()
        visitor.says("grain.png is in colour.")
        assert visitor.pixels().shape == (150, 200, 3)

    large = flat(tmp_path / "large.png", 90, (1700, 1700))
    visitor.open(large)
    visitor.page.get_by_role("radio", name="Clean", exact=True).check()
    expect(visitor.find("progress")).not_to_have_attribute("value", "0")
    visitor.page.get_by_role("button", name="Stop").click()
    visitor.says("Stopped.")
    expect(visitor.page.get_by_role("radio", name="Leave as it is")).to_be_checked()


def test_before_and_after_zoom_and_pan(visit):
    visitor = visit()
    visitor.open(CAT)
    peek = visitor.page.get_by_role("button", name="Original")
    assert not visitor.find("#original").is_visible()
    peek.hover()
    visitor.page.mouse.down()
    expect(visitor.find("#original")).to_be_visible()
    visitor.page.mouse.up()
    expect(visitor.find("#original")).to_be_hidden()
    visitor.page.keyboard.down("o")
    expect(visitor.find("#original")).to_be_visible()
    visitor.page.keyboard.up("o")
    expect(visitor.find("#original")).to_be_hidden()
    visitor.press("Compare")
    visitor.find("#divide").fill("30")
    clip = visitor.find("#original").evaluate("canvas => getComputedStyle(canvas).clipPath")
    assert "30%" in clip.replace("calc(70%)", "30%") or "70%" in clip
    visitor.press("Compare")

    width = visitor.find("#sheet").bounding_box()["width"]
    visitor.page.mouse.move(*visitor.place(0.5, 0.5))
    visitor.page.mouse.wheel(0, -400)
    larger = visitor.find("#sheet").bounding_box()
    assert larger["width"] == pytest.approx(width * np.e, rel=0.01)
    visitor.drag((0.5, 0.5), (0.45, 0.45))
    assert visitor.find("#sheet").bounding_box()["x"] == pytest.approx(
        larger["x"] - 0.05 * larger["width"], abs=2
    )
    assert not visitor.labels()  # a drag sets no point
    visitor.press("Fit")
    assert visitor.find("#sheet").bounding_box()["width"] == pytest.approx(width, abs=1)


def test_the_keyboard_alone_does_it(visit):
    visitor = visit()
    visitor.open(CAT)
    keyboard = visitor.page.keyboard
    visitor.find("#stage").focus()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowDown", "Enter"):
        keyboard.press(key)
    visitor.says("Point 1 is set.")
    visitor.settled()
    first = visitor.labels()
    for _ in range(60):
        keyboard.press("Tab")
        if visitor.page.evaluate("() => document.activeElement.id") == "palette":
            break
    for key in ["ArrowRight"] * 6 + ["ArrowUp"] * 3:
        keyboard.press(key)
    visitor.settled()
    assert visitor.labels() != first
    keyboard.press("Control+z")
    visitor.says("Undone.")
    keyboard.press("Control+y")
    visitor.says("Redone.")
    visitor.find(".point").focus()
    before = visitor.find(".point").bounding_box()["x"]
    keyboard.press("ArrowRight")
    visitor.says("Point 1 is moved.")
    assert visitor.find(".point").bounding_box()["x"] > before
    keyboard.press("Delete")
    visitor.says("Point 1 is removed.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_for_those_who_cannot_see_the_page(visit, scheme):
    visitor = visit(color_scheme=scheme)
    rules = json.dumps({"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"]})

    def check():
        found = visitor.page.evaluate(f"() => axe.run(document, {rules})")["violations"]
        serious = [each for each in found if each["impact"] in ("serious", "critical")]
        said = [(each["id"], [node["html"] for node in each["nodes"]]) for each in serious]
        assert not said

    visitor.page.evaluate(AXE.read_text("utf-8"))
    check()
    visitor.open(CAT)
    visitor.click(0.5, 0.5)
    for tab in ("Colours", "Look", "Clean", "Save"):
        visitor.tab(tab)
        check()
    visitor.press("Help")
    check()


def test_on_a_phone_picture_and_colours_are_seen_together(visit):
    visitor = visit(**PHONE)
    visitor.open(CAT)
    x, y = visitor.place(0.5, 0.5)
    visitor.page.touchscreen.tap(x, y)
    visitor.says("Point 1 is set.")
    for selector in ("#sheet", "#palette", "#likely", "[role=tab]:last-child", "#open"):
        box = visitor.find(selector).bounding_box()
        assert box["x"] >= 0, selector
        assert box["x"] + box["width"] <= 390, selector
        assert box["y"] + box["height"] <= 844, selector
    sheet, palette = (visitor.find(each).bounding_box() for each in ("#sheet", "#palette"))
    assert sheet["y"] + sheet["height"] <= palette["y"]
    assert sheet["width"] > 300


def test_other_languages_from_right_to_left_as_well(visit):
    visitor = visit()
    visitor.find("#language").select_option("Deutsch")
    expect(visitor.find("#open")).to_have_text("Öffnen")
    visitor.find("#language").select_option("العربية")
    assert visitor.find("html").get_attribute("dir") == "rtl"
    visitor.page.reload()
    assert visitor.find("html").get_attribute("lang") == "ar"


def test_a_picture_that_is_dropped_or_pasted_is_opened(visit):
    visitor = visit()
    content = io.BytesIO()
    Image.new("L", (64, 48), 99).save(content, "PNG")
    send = """([type, bytes, name]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], name, {type: "image/png"}));
        const event = type == "drop" ? new DragEvent("drop", {dataTransfer: data, cancelable: true})
            : new ClipboardEvent("paste", {clipboardData: data});
        document.dispatchEvent(event);
    }"""
    for number, type in enumerate(("drop", "paste"), start=1):
        visitor.page.evaluate(send, [type, list(content.getvalue()), f"{type}.png"])
        expect(visitor.find("#strip button.done")).to_have_count(number)


def test_the_page_can_reach_nothing(visit):
    class Listener(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append(self.path)

        def log_message(self, *said):
            pass

    heard = []
    with http.server.HTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        visitor = visit(offline=False)
        reach = """(address) => Promise.allSettled([
            fetch(address),
            new Promise((done, fail) => {
                const image = new Image();
                Object.assign(image, {onload: done, onerror: fail, src: address});
            }),
            new Promise((done, fail) => {
                const script = document.createElement("script");
                Object.assign(script, {onload: done, onerror: fail, src: address});
                document.head.append(script);
            }),
        ]).then((all) => all.map((each) => each.status))"""
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        assert visitor.page.evaluate(reach, address) == ["rejected"] * 3
        server.shutdown()
    assert not heard
