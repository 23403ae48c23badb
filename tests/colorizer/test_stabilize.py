"""stabilize.py: colours go with what moves, fade where nothing confirms them, and end at cuts."""

import itertools

from colorizer.films import stabilize
from colorizer.films.stabilize import Transition
from colorizer.pixels import resize

import numpy as np
import pytest

SIZE = 96, 128


def textured(seed, grain=16, height=SIZE[0], width=SIZE[1] + 160):
    """Return a smooth random gray picture, uint8 (h, w), that a flow can hold on to."""
    cells = height // grain, width // grain, 1
    small = np.random.default_rng(seed).integers(0, 256, cells, np.uint8)
    return resize(small, height, width)[..., 0]


def pan(count, seed=0, step=2):
    """Return `count` frames in which the picture moves to the left by `step` pixels each."""
    whole = textured(seed)
    return [whole[: SIZE[0], step * n : step * n + SIZE[1]] for n in range(count)]


def flat(a, b):
    return np.full((*SIZE, 2), (a, b), np.float32)


def frames_of(film, chromas, changes=None):
    """Return the Prediction of each gray frame; `changes` are transitions by frame number."""
    frames, last = [], None
    for number, (gray, chroma) in enumerate(zip(film, chromas, strict=True)):
        usual = Transition.NONE if number else Transition.CUT
        transition = (changes or {}).get(number, usual)
        flow = None if transition is Transition.CUT else stabilize.find_flow(last, gray)
        frames.append(stabilize.Prediction(chroma, transition, flow))
        if transition is not Transition.FLASH:
            last = gray
    return frames


def run(film, chromas, changes=None):
    """Return the stabilized chroma of each frame for the network's answers to them."""
    frames, stabilizer, stabilized = frames_of(film, chromas, changes), stabilize.Stabilizer(), []
    for start in range(0, len(frames), stabilize.BLOCK):
        stabilized += stabilizer.stabilize(
            frames[start : start + stabilize.BLOCK + stabilize.AHEAD]
        )
    return [chroma for chroma, _ in stabilized]


def changes_of(film):
    return [
        stabilize.find_transition(film[max(0, n - 3) : n], film[n : n + 3])
        for n in range(len(film))
    ]


def changed(film):
    return [n for n, change in enumerate(changes_of(film)) if change is not Transition.NONE]


def test_a_single_frame_has_the_network_s_colours():
    np.testing.assert_array_equal(run(pan(1), [flat(30, -20)])[0], flat(30, -20))


def test_flicker_is_smoothed_and_its_mean_stays():
    flicker = [flat(30 if number % 2 else 10, 5) for number in range(60)]
    stabilized = np.stack(run(pan(1) * 60, flicker))[..., 0]
    assert abs(stabilized.mean() - 20) < 0.5
    assert np.abs(np.diff(stabilized[10:-10], axis=0)).max() < 20 / stabilize.LONGEST_MEMORY


def test_colours_of_what_comes_later_count_as_much_as_of_what_was_before():
    """In a film shown backwards the stabilized colours are the same, backwards."""
    chromas = [flat(*np.random.default_rng(number).normal(0, 20, 2)) for number in range(20)]
    film = pan(20)
    forth = np.stack(run(film, chromas))
    back = np.stack(run(film[::-1], chromas[::-1]))[::-1]
    np.testing.assert_allclose(forth, back, atol=1e-3)
    step = np.stack(run(pan(1) * 20, [flat(0, 0)] * 10 + [flat(40, 0)] * 10))[..., 0].mean((1, 2))
    np.testing.assert_allclose(step + step[::-1], 40, atol=1e-3)
    assert step[9] > 10


def test_colours_move_with_what_moves():
    """An edge of red stands where the motion has brought it, forth and back."""
    film, red = pan(5, step=4), flat(0, 0)
    red[:, 70:] = 60
    weight = np.full(SIZE, stabilize.LONGEST_MEMORY, np.float32)
    colours = red, weight
    for before, after in itertools.pairwise(film):
        flow = stabilize.find_flow(before, after)
        colours = flow.forward.carry(*colours)
    inner = slice(20, 70)
    assert abs(np.argmax(colours[0][inner, :100, 0].mean(axis=0) > 30) - (70 - 16)) <= 1
    assert colours[1][inner, 10:90].mean() > 0.8 * stabilize.LONGEST_MEMORY
    returned, _ = flow.backward.carry(*flow.forward.carry(red, weight))
    assert np.abs(returned - red)[inner, 10:60].mean() < 1


def test_what_comes_into_the_picture_has_the_network_s_colours():
    _, second = run(pan(2, step=10), [flat(50, 0), flat(-50, 0)])
    np.testing.assert_allclose(second[10:-10, -6:, 0], -50, atol=1)
    assert np.abs(second[20:-20, 20:90, 0]).mean() < 10


def test_nothing_is_carried_from_outside_the_picture():
    """Where all is the same gray, only the flow says that something came in."""
    gray = np.full(SIZE, 128, np.uint8)
    flow = np.full((*SIZE, 2), (10, 0), np.float32)
    warp = stabilize._warp(gray, gray, flow, -flow)
    chroma, weight = warp.carry(flat(50, 0), np.ones(SIZE, np.float32))
    np.testing.assert_allclose(weight[:, -10:], 0, atol=1e-6)
    np.testing.assert_allclose(weight[:, :-11], 1, atol=1e-6)
    np.testing.assert_allclose(chroma, flat(50, 0), atol=1e-3)


def test_nothing_is_carried_where_forth_and_back_disagree():
    gray, still = np.full(SIZE, 128, np.uint8), np.zeros((*SIZE, 2), np.float32)
    back = still.copy()
    back[30:60, 40:80] = (6, 0)
    trust = stabilize._warp(gray, gray, back, still).trust
    np.testing.assert_allclose(trust[36:54, 46:74], 0, atol=1e-6)
    np.testing.assert_allclose(trust[:20], 1, atol=1e-6)
    # Two pixels are too many, where nothing moves otherwise.
    trust = stabilize._warp(gray, gray, np.full_like(still, (2, 0)), still).trust
    assert trust.max() < 1e-6
    # What goes six pixels and comes back by as many was not lost, nor by nearly as many.
    for returned in (-6, -6.5):
        back, forth = (np.full_like(still, (along, 0)) for along in (6, returned))
        trust = stabilize._warp(gray, gray, back, forth).trust
        assert trust[:, :100].min() > 0.99


def test_another_thing_in_the_same_place_has_the_network_s_colours():
    before = textured(1)[: SIZE[0], : SIZE[1]]
    after = before.copy()
    after[30:60, 40:80] = 255 - after[30:60, 40:80] // 2
    _, second = run([before, after], [flat(50, 0), flat(-50, 0)])
    assert second[36:54, 46:74, 0].mean() < -40
    assert np.abs(second[70:, :30, 0]).max() < 5


def test_what_a_frame_says_fades_before_it_and_behind_it():
    """An error of one frame, which no other bears out, is gone after a while."""
    wrong = run(pan(1) * 80, [flat(0, 0)] * 40 + [flat(80, 0)] + [flat(0, 0)] * 39)
    size = np.array([np.abs(frame[..., 0]).mean() for frame in wrong])
    assert np.argmax(size) == 40
    assert (np.diff(size[:41]) > -0.1).all()  # where a block ends, a little
    assert (np.diff(size[40:]) < 0.1).all()
    assert 4 < size[40] < 8
    assert max(size[0], size[79]) < 80 / 80 / 4


def test_the_brightness_of_the_whole_frame_may_flicker():
    film = pan(1) * 2
    film[1] = np.clip(film[1] * 0.6 + 70, 0, 255).astype(np.uint8)
    film[0] = np.clip(film[0] * 0.6 + 50, 0, 255).astype(np.uint8)
    _, second = run(film, [flat(40, 0), flat(0, 0)])
    assert second[10:-10, 10:-10, 0].mean() > 15


def test_a_cut_is_told_and_a_pan_a_fade_and_a_flash_are_none():
    scenes = pan(12, seed=0) + pan(12, seed=5)
    assert changed(scenes) == [0, 12]
    assert changes_of(scenes)[12] is Transition.CUT
    fast = pan(14, seed=2, step=8)
    assert changed(fast) == [0]
    a, b = pan(1, seed=0)[0], pan(1, seed=5)[0]
    fade = [np.uint8(a + (b.astype(float) - a) * n / 20) for n in range(21)]
    assert changed(fade) == [0]
    flash = pan(14, seed=0)
    flash[7] = np.full(SIZE, 250, np.uint8)
    assert changes_of(flash)[7] is Transition.FLASH
    assert changed(flash) == [0, 7]


@pytest.mark.parametrize(
    ("around", "step", "cut"), [(0, 14, False), (0, 16, True), (20, 40, False), (20, 70, True)]
)
def test_a_cut_changes_more_than_15_levels_and_3_times_as_much_as_what_is_around(around, step, cut):
    levels = np.cumsum([10, around, around, step, around, around])
    film = [np.full(SIZE, level, np.uint8) for level in levels]
    assert (stabilize.find_transition(film[:3], film[3:]) is Transition.CUT) == cut


def test_single_pixels_are_trusted_like_those_around_them():
    gray, still = np.full(SIZE, 128, np.uint8), np.zeros((*SIZE, 2), np.float32)
    back = still.copy()
    back[40, 60] = (6, 0)
    trust = stabilize._warp(gray, gray, back, still).trust
    np.testing.assert_allclose(trust[37:44, 57:64], 48 / 49, atol=1e-5)
    assert trust[36, 60] == pytest.approx(1)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_cuts_are_told_at_the_ends_of_a_film(count):
    film = pan(10) + pan(count, seed=5)
    assert changes_of(film)[10] is Transition.CUT
    film = pan(count) + pan(10, seed=5)
    assert changes_of(film)[count] is Transition.CUT


def test_nothing_goes_over_a_cut():
    film = pan(6) + pan(6)
    chromas = [flat(50, 0)] * 6 + [flat(-50, 0)] * 6
    stabilized = run(film, chromas, {6: Transition.CUT})
    for frame, chroma in zip(stabilized, chromas, strict=True):
        np.testing.assert_allclose(frame, chroma, atol=1e-3)


def test_nothing_is_learned_from_a_flash():
    film = pan(1) * 30
    film[20] = np.full(SIZE, 250, np.uint8)
    chromas = [flat(50, 0)] * 20 + [flat(-50, 0)] + [flat(50, 0)] * 9
    stabilized = run(film, chromas, {20: Transition.FLASH})
    for number in (0, 19, 21, 29):
        np.testing.assert_allclose(stabilized[number], flat(50, 0), atol=1e-3)
    stabilized = run(film, chromas[:20] + [flat(0, 0)] * 10, {20: Transition.FLASH})
    assert stabilized[21].mean() > 0.3 * 25


def test_what_is_remembered_is_all_that_counts():
    count = 3 * stabilize.BLOCK
    film, chromas = pan(count, step=1), [flat(n * 7 % 40, 0) for n in range(count)]
    frames, first = frames_of(film, chromas), stabilize.Stabilizer()
    first.stabilize(frames[: stabilize.BLOCK + stabilize.AHEAD])
    (_, remembered), expected = (
        first.stabilize(frames[stabilize.BLOCK : 2 * stabilize.BLOCK + stabilize.AHEAD])[-1],
        first.stabilize(frames[2 * stabilize.BLOCK :]),
    )
    second = stabilize.Stabilizer(tuple(array.copy() for array in remembered))
    again = second.stabilize(frames[2 * stabilize.BLOCK :])
    np.testing.assert_array_equal([c for c, _ in again], [c for c, _ in expected])


def test_a_block_ends_where_the_next_begins():
    """Colours that flicker change no more from a block to the next than inside one."""
    count = 2 * stabilize.BLOCK
    flicker = [flat(20 + 20 * np.sin(number * 2.4), 0) for number in range(count)]
    stabilized = np.stack(run(pan(1) * count, flicker))[..., 0].mean((1, 2))
    steps = np.abs(np.diff(stabilized))
    assert steps[stabilize.BLOCK - 1] < 2 * steps[10 : stabilize.BLOCK - 1].max()
