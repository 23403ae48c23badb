"""steady.py: colours go with what moves, fade where they are not borne out, and end at cuts."""

from colorizer import photos, steady

import numpy as np
import pytest

SIZE = 96, 128


def textured(seed, grain=16, height=SIZE[0], width=SIZE[1] + 160):
    """Return a smooth random gray picture, uint8 (h, w), that a flow can hold on to."""
    cells = height // grain, width // grain, 1
    small = np.random.default_rng(seed).integers(0, 256, cells, np.uint8)
    return photos.resize(small, height, width)[..., 0]


def pan(count, seed=0, step=2):
    """Return `count` frames in which the picture moves to the left by `step` pixels each."""
    whole = textured(seed)
    return [whole[: SIZE[0], step * n : step * n + SIZE[1]] for n in range(count)]


def flat(a, b):
    return np.full((*SIZE, 2), (a, b), np.float32)


def run(film, chromas, steadier=None, changes=None):
    """Return the chroma of each frame for the network's answers to them."""
    steadier = steadier or steady.Steady()
    changes = changes or [""] * len(film)
    return [
        steadier.step(gray, lambda known, chroma=chroma: chroma, change)
        for gray, chroma, change in zip(film, chromas, changes, strict=True)
    ]


def changes_of(film):
    return [steady.change(film[max(0, n - 3) : n], film[n : n + 3]) for n in range(len(film))]


def test_the_first_frame_has_the_network_s_colours():
    np.testing.assert_array_equal(run(pan(1), [flat(30, -20)])[0], flat(30, -20))


def test_flicker_is_smoothed_and_its_mean_stays():
    flicker = [flat(30 if number % 2 else 10, 5) for number in range(60)]
    steadied = run(pan(1) * 60, flicker)
    late = np.stack(steadied[30:])[..., 0]
    assert abs(late.mean() - 20) < 1
    assert np.abs(np.diff(late, axis=0)).max() < 20 * 2 / steady.LONGEST_MEMORY


def test_colours_move_with_what_moves():
    """Only the first frame has an edge of red; later it stands where the motion has brought it."""
    film = pan(5, step=4)
    first = flat(0, 0)
    first[:, 70:] = 60
    steadier = steady.Steady()
    steadier.step(film[0], lambda known: first)
    steadier.weight[:] = steady.LONGEST_MEMORY
    for gray in film[1:]:
        carried, weight = steadier._carry(np.ascontiguousarray(gray))
        steadier.step(gray, lambda known, carried=carried: carried)
    inner = slice(20, 70)
    red = carried[inner, :100, 0].mean(axis=0) > 30
    assert abs(np.argmax(red) - (70 - 16)) <= 1
    assert weight[inner, 10:90].mean() > 0.8 * steady.LONGEST_MEMORY


def test_what_comes_into_the_picture_has_the_network_s_colours():
    film = pan(2, step=10)
    _, second = run(film, [flat(50, 0), flat(-50, 0)])
    np.testing.assert_allclose(second[10:-10, -6:, 0], -50, atol=1)
    assert np.abs(second[20:-20, 20:90, 0]).mean() < 10


def test_nothing_is_carried_from_outside_the_picture():
    """Where all is the same gray, only the flow says that something came in."""

    class Flow:
        def calc(self, after, before, flow):
            return np.full((*SIZE, 2), next(self.steps), np.float32)

        steps = iter(((10, 0), (-10, 0)))

    steadier = steady.Steady()
    steadier.flow = Flow()
    gray = np.full(SIZE, 128, np.uint8)
    steadied = run([gray, gray], [flat(50, 0), flat(-50, 0)], steadier)[1]
    np.testing.assert_allclose(steadied[:, -4:, 0], -50, atol=1)
    np.testing.assert_allclose(steadied[:, :100, 0], 0, atol=1)


def test_another_thing_in_the_same_place_has_the_network_s_colours():
    before = textured(1)[: SIZE[0], : SIZE[1]]
    after = before.copy()
    after[30:60, 40:80] = 255 - after[30:60, 40:80] // 2
    _, second = run([before, after], [flat(50, 0), flat(-50, 0)])
    assert second[36:54, 46:74, 0].mean() < -40
    assert np.abs(second[70:, :30, 0]).max() < 5


def test_what_a_frame_said_fades():
    """An error of one frame, which no other bears out, is gone after a while."""
    wrong = run(pan(1) * 80, [flat(80, 0)] + [flat(0, 0)] * 79)
    size = np.array([np.abs(frame[..., 0]).mean() for frame in wrong])
    assert (np.diff(size) <= 0).all()
    assert size[40] < 1.5
    # An equal mean of all frames would be slower in the end.
    assert size[79] < 80 / 80 / 4


def test_the_brightness_of_the_whole_frame_may_flicker():
    film = pan(1) * 2
    film[1] = np.clip(film[1] * 0.6 + 70, 0, 255).astype(np.uint8)
    film[0] = np.clip(film[0] * 0.6 + 50, 0, 255).astype(np.uint8)
    _, second = run(film, [flat(40, 0), flat(0, 0)])
    assert second[10:-10, 10:-10, 0].mean() > 15


def test_a_cut_is_told_and_a_pan_a_fade_and_a_flash_are_none():
    scenes = pan(12, seed=0) + pan(12, seed=5)
    assert [n for n, change in enumerate(changes_of(scenes)) if change] == [0, 12]
    assert changes_of(scenes)[12] == "cut"
    fast = pan(14, seed=2, step=8)
    assert [n for n, change in enumerate(changes_of(fast)) if change] == [0]
    a, b = pan(1, seed=0)[0], pan(1, seed=5)[0]
    fade = [np.uint8(a + (b.astype(float) - a) * n / 20) for n in range(21)]
    assert [n for n, change in enumerate(changes_of(fade)) if change] == [0]
    flash = pan(14, seed=0)
    flash[7] = np.full(SIZE, 250, np.uint8)
    assert changes_of(flash)[7] == "flash"
    assert not any(changes_of(flash)[1:7] + changes_of(flash)[8:])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_cuts_are_told_at_the_ends_of_a_film(count):
    film = pan(10) + pan(count, seed=5)
    assert changes_of(film)[10] == "cut"
    film = pan(count) + pan(10, seed=5)
    assert changes_of(film)[count] == "cut"


def test_nothing_goes_over_a_cut():
    film = pan(6) + pan(6)
    chromas = [flat(50, 0)] * 6 + [flat(-50, 0)] * 6
    cut = [""] * 6 + ["cut"] + [""] * 5
    steadied = run(film, chromas, changes=cut)
    for frame in steadied[6:]:
        np.testing.assert_allclose(frame, flat(-50, 0), atol=1e-3)


def test_after_a_flash_the_scene_s_colours_go_on():
    film = pan(1) * 30
    film[20] = np.full(SIZE, 250, np.uint8)
    chromas = [flat(50, 0)] * 20 + [flat(-50, 0)] * 10
    steadied = run(film, chromas, changes=[""] * 20 + ["flash"] + [""] * 9)
    assert steadied[21].mean() > 0.8 * 25


def test_what_is_remembered_is_all_that_counts():
    film, chromas = pan(12), [flat(n * 7 % 40, 0) for n in range(12)]
    at_once = run(film, chromas)
    first = steady.Steady()
    run(film[:5], chromas[:5], first)
    second = steady.Steady()
    second.restore({name: array.copy() for name, array in first.memory().items()})
    np.testing.assert_array_equal(run(film[5:], chromas[5:], second)[-1], at_once[-1])


def test_a_network_that_takes_known_colours_is_told_the_carried_ones():
    told = []

    def predict(known):
        told.append(known)
        return flat(22, -11)

    steadier = steady.Steady(takes_known=True)
    film = pan(1) * 20
    for gray in film:
        steadier.step(gray, predict)
    assert told[0] is None
    assert told[1].shape == (*SIZE, 3)
    inner = told[-1][8:-8, 8:-8].reshape(-1, 3)
    np.testing.assert_allclose(inner.mean(axis=0), [22 / 110, -11 / 110, 1], atol=0.05)
    assert told[1][8:-8, 8:-8, 2].mean() < 0.1
    assert all(known is None for known in told_without(film))


def told_without(film):
    told = []
    steadier = steady.Steady()
    for gray in film:
        steadier.step(gray, lambda known: told.append(known) or flat(1, 1))
    return told


def test_known_colours_are_over_110_and_known_as_far_as_they_weigh():
    chroma, weight = np.full((30, 50, 2), 55, np.float32), np.full((30, 50), 99, np.float32)
    weight[:, 20:] = steady.LONGEST_MEMORY / 4
    known = steady.known_colours(chroma, weight)
    assert (known.shape, known.dtype) == ((30, 50, 3), np.float32)
    np.testing.assert_allclose(known[:, :20], np.broadcast_to([0.5, 0.5, 1], (30, 20, 3)))
    np.testing.assert_allclose(known[:, 20:], np.broadcast_to([0.5, 0.5, 0.25], (30, 30, 3)))
