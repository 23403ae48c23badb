"""Colorizer: arrays in, arrays out."""

from pathlib import Path
from types import SimpleNamespace

from colorizer import Colorizer
from colorizer.chroma import chroma_of
from colorizer.colorizer import network_size
from colorizer.files import photos
from colorizer.pixels import grayscale, high_bits, resize

import cv2
import numpy as np
import pytest
import standins
from generated import quarters

ROOT = Path(__file__).resolve().parents[2]
KINDS = [(np.uint8, 1), (np.uint8, 3), (np.uint16, 1), (np.uint16, 3)]


@pytest.fixture(scope="module")
def brown(tmp_path_factory):
    """Return a colorizer that paints everything brown, darker where the picture is."""
    return Colorizer(standins.save_brown(tmp_path_factory.mktemp("model") / "brown.onnx"))


def noise(height, width, dtype=np.uint8, channels=1):
    """Return a random picture."""
    random = np.random.default_rng(height + width)
    return random.integers(0, np.iinfo(dtype).max, (height, width, channels), dtype)


def lab(rgb):
    """Convert RGB of any depth to Lab by OpenCV: an independent computation."""
    return cv2.cvtColor((rgb / np.iinfo(rgb.dtype).max).astype(np.float32), cv2.COLOR_RGB2LAB)


def with_network(colorizer, network):
    """Return a colorizer of the same size with another network, a function to RGB."""
    other = Colorizer.__new__(Colorizer)
    other.network = SimpleNamespace(
        chroma=lambda gray, known=None: chroma_of(network(gray, known)),
    )
    other.working_size = colorizer.working_size
    return other


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(100, 100, (120, 120)), (2000, 3000, (96, 144)), (3000, 4000, (102, 136)), (1, 999, (1, 960))],
)
def test_the_network_sees_the_whole_picture_unsquashed(height, width, expected):
    assert network_size(height, width, 120) == expected
    assert network_size(width, height, 120) == expected[::-1]


def test_each_model_has_its_working_size(brown):
    assert Colorizer("semantic").working_size == 224
    assert Colorizer("paper").working_size == 120
    assert brown.working_size == 120
    assert Colorizer("paper", 64).predict(noise(200, 200)).shape == (64, 64, 2)


@pytest.mark.parametrize(("dtype", "channels"), KINDS)
def test_chroma_is_that_of_the_network_s_colours(brown, dtype, channels):
    image = np.full((60, 90, channels), 128 * np.iinfo(dtype).max // 255, dtype)
    chroma = brown.predict(image)
    assert chroma.dtype == np.float32
    assert chroma.shape == (*network_size(60, 90, 120), 2)
    painted = standins.FACTOR * 128 / 255 + np.array([[standins.BROWN]], np.float32)
    expected = cv2.cvtColor(painted, cv2.COLOR_RGB2LAB)[0, 0, 1:]
    assert expected.min() > 5  # red and yellow
    np.testing.assert_allclose(chroma, np.broadcast_to(expected, chroma.shape), atol=0.1)


def test_chroma_lies_where_the_picture_has_it(brown):
    image = np.zeros((40, 120, 1), np.uint8)
    image[:20, :60] = 160
    strength = np.hypot(*np.moveaxis(brown.predict(image), -1, 0))
    height, width = strength.shape
    assert height < width
    bright, dark = strength[: height // 2, : width // 2], strength[height // 2 :, width // 2 :]
    assert bright[2:-2, 2:-2].min() > dark[2:-2, 2:-2].max() - 1e-3
    assert np.abs(bright[2:-2, 2:-2] - strength[5, 5]).max() < 0.5
    assert np.abs(strength[height // 2 :, : width // 2][2:-2, 2:-2] - dark[5, 5]).max() < 0.5


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 900), (900, 3), (100, 333), (50, 50)])
def test_the_network_gets_sides_that_it_takes_and_the_padding_is_cut_off(brown, height, width):
    seen = []

    def network(gray, known):
        seen.append(gray)
        return gray.repeat(3, axis=3) * np.float32([1, 0.5, 0.2])

    chroma = with_network(brown, network).predict(noise(height, width))
    (gray,) = seen
    small = network_size(height, width, 120)
    assert chroma.shape == (*small, 2)
    assert gray.dtype == np.float32
    assert (gray.shape[0], gray.shape[3]) == (1, 1)
    for side, inside in zip(gray.shape[1:3], small, strict=True):
        assert side % 8 == 0
        assert side == max(32, -(-inside // 8) * 8)
    # The picture itself comes first, and its mirror image behind its edge.
    expected = brown.shrink(noise(height, width)) / np.float32(255)
    np.testing.assert_array_equal(gray[0, : small[0], : small[1]], expected)
    for axis, inside in enumerate(small, start=1):
        if gray.shape[axis] > inside:
            beyond, edge = np.take(gray, inside, axis), np.take(gray, inside - 1, axis)
            np.testing.assert_array_equal(beyond, edge)


@pytest.mark.parametrize("model", ["semantic", "paper"])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (3, 900), (900, 3), (1, 3000), (8, 8)])
def test_any_size_is_colorized_by_the_shipped_models(model, size):
    for dtype, channels in KINDS:
        image = noise(*size, dtype, channels)
        painted = Colorizer(model).colorize(image)
        assert painted.shape == (*size, 3)
        assert painted.dtype == dtype
        before = lab(np.broadcast_to(image, painted.shape))[..., 0]
        assert np.abs(lab(painted)[..., 0] - before).max() < 0.6


def test_a_colour_picture_is_seen_as_its_luma_and_keeps_its_luminance(brown):
    image = quarters(300, 420)
    np.testing.assert_allclose(brown.predict(image), brown.predict(grayscale(image)), atol=0.5)
    painted = brown.colorize(image)
    difference = lab(painted)[..., 0] - lab(image)[..., 0]
    assert np.abs(difference).max() < 0.5
    assert (painted[..., 0] > painted[..., 2])[image[..., 0] < 250].all()


def test_paint_puts_any_chroma_on_at_any_strength(brown):
    image = np.full((90, 120, 1), 120, np.uint8)
    # Smaller than the picture, and not of the network's size.
    chroma = np.tile(np.float32([20, -30]), (7, 9, 1))
    for strength in (1.0, 0.5, 0.0):
        painted = lab(brown.paint(image, chroma, strength))[..., 1:]
        expected = np.broadcast_to(strength * chroma[0, 0], painted.shape)
        np.testing.assert_allclose(painted, expected, atol=0.8)
    np.testing.assert_array_equal(brown.paint(image, chroma, 0.0), image.repeat(3, 2))


def test_sixteen_bits_are_painted_in_sixteen_bits(brown):
    levels = np.linspace(10000, 50000, 64 * 90).astype(np.uint16).reshape(64, 90, 1)
    painted = brown.colorize(levels)
    assert painted.dtype == np.uint16
    assert len(np.unique(painted[..., 1])) > 4000
    small = high_bits(levels)
    assert np.abs(high_bits(painted).astype(int) - brown.colorize(small)).max() <= 2


def test_colorize_is_predict_then_paint(brown):
    image = noise(80, 100)
    expected = brown.paint(image, brown.predict(image), 0.7)
    np.testing.assert_array_equal(brown.colorize(image, strength=0.7), expected)
    assert not np.array_equal(brown.colorize(image), expected)


def test_the_image_is_not_changed_and_need_not_be_in_one_piece(brown):
    image = noise(80, 100, channels=3)
    image.flags.writeable = False
    view = image[::-1, ::2, ::-1]
    np.testing.assert_array_equal(brown.colorize(view), brown.colorize(view.copy()))


def test_a_known_colour_changes_less_behind_an_edge_than_before_it(brown):
    """This network paints what it is told everywhere."""
    edge = np.full((240, 240, 1), 80, np.uint8)
    edge[:, 120:] = 180

    def network(gray, known):
        rgb = gray.repeat(3, axis=3)
        return rgb if known is None else np.clip(rgb + np.array([0.2, 0, -0.2]), 0, 1)

    for columns, before, behind in (
        (20, slice(50), slice(70, None)),
        (90, slice(70, None), slice(50)),
    ):
        known = np.zeros((120, 120, 3), np.float32)
        known[60, columns] = 0.5, 0.5, 1
        changed = np.linalg.norm(with_network(brown, network).predict(edge, known), axis=-1)
        assert changed[:, before].min() > 20
        assert changed[:, behind].max() < 2


def test_known_colours_reach_the_network_at_half_its_size(brown):
    seen = []

    def network(gray, known):
        seen.append((gray, known))
        return gray.repeat(3, axis=3)

    # 102x136, padded to 104x136.
    known = np.zeros((*network_size(300, 400, 120), 3), np.float32)
    known[4, 7] = 0.5, -0.5, 1
    known[100:, 20:40] = 0.2, 0.1, 0.5
    with_network(brown, network).colorize(noise(300, 400), known)
    # Once with them and once without, to see what they change.
    (gray, given), (_, nothing) = seen
    assert nothing is None
    assert given.shape == (1, gray.shape[1] // 2, gray.shape[2] // 2, 3)
    np.testing.assert_allclose(given[0, 2, 3], (0.5, -0.5, 1))
    # As the picture does, they go on in their mirror image behind its edge.
    np.testing.assert_allclose(given[0, 50:, 10:20], np.broadcast_to((0.2, 0.1, 0.5), (2, 10, 3)))
    assert np.count_nonzero(given[..., 2]) == 1 + 2 * 10
    with pytest.raises(ValueError, match="known colours"):
        brown.predict(noise(300, 400), known)
    with pytest.raises(ValueError, match=r"\(102, 136, 3\) for this image, not \(51, 68, 3\)"):
        brown.predict(noise(300, 400), known[::2, ::2])


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (np.zeros((9, 9), np.uint8), r"not \(9, 9\)"),
        (np.zeros((9, 9, 4), np.uint8), r"not \(9, 9, 4\)"),
        (np.zeros((0, 9, 3), np.uint8), r"not \(0, 9, 3\)"),
        (np.zeros((9, 9, 3), np.float32), "not float32"),
    ],
)
def test_other_images_are_refused(brown, image, sentence):
    chroma = np.zeros((4, 4, 2), np.float32)
    for call in (brown.predict, brown.colorize, lambda image: brown.paint(image, chroma)):
        with pytest.raises(ValueError, match=sentence):
            call(image)


def test_other_chroma_is_refused(brown):
    with pytest.raises(ValueError, match=r"not \(4, 4, 3\)"):
        brown.paint(noise(9, 9), np.zeros((4, 4, 3), np.float32))


def test_the_shipped_colorizer_paints_wood_skin_and_fur_in_their_colours():
    """Its chroma points where the true one does; red and blue swapped, it would not."""
    colorizer = Colorizer()
    for name in ("cat", "coffee"):
        image = photos.read_rgb(ROOT / "samples" / f"{name}.jpg")
        found = colorizer.predict(grayscale(image))
        true = lab(resize(image, *found.shape[:2]))[..., 1:]
        agreement = (found * true).sum() / np.linalg.norm(found) / np.linalg.norm(true)
        assert agreement > 0.8
