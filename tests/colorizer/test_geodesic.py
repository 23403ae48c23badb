"""colorizer/reach.py: what known colours change ends at edges."""

from colorizer import chroma
from colorizer.hints import geodesic, known
from colorizer.pixels import to_unit
from experiments.measures import hints

import numpy as np
import pytest

# A picture of two halves, dark and light, and a pixel in the middle of each.
HALVES = np.full((64, 96, 1), 0.3, np.float32)
HALVES[:, 48:] = 0.7
LEFT, RIGHT = (30, 20), (30, 70)
# Of the one point that is drawn by chance.
SEED = 0


def known_at(place, colour, size=(64, 96)):
    """Return known colours that say one colour, Lab a and b, at one pixel."""
    colours = known.none(*size)
    colours[place] = *np.divide(colour, known.SCALE), 1
    return colours


def test_a_way_costs_the_squares_of_the_steps_over_edges():
    lab = np.zeros((5, 9, 3), np.float32)
    lab[:, 3:6, 0], lab[:, 6:] = 10, (10, 3, 4)
    seeds = np.zeros((5, 9), bool)
    seeds[2, 0] = True
    cost = geodesic.edges_to(seeds, lab)
    np.testing.assert_array_equal(cost, np.tile(np.repeat([0, 100, 125], 3), (5, 1)))
    turned = geodesic.edges_to(seeds[::-1, ::-1].T, lab[::-1, ::-1].swapaxes(0, 1))
    np.testing.assert_array_equal(turned, cost[::-1, ::-1].T)


def test_many_small_steps_cost_less_than_an_edge():
    ramp = np.zeros((3, 41, 3), np.float32)
    ramp[..., 0] = np.arange(41)
    seeds = np.zeros((3, 41), bool)
    seeds[:, 0] = True
    assert geodesic.edges_to(seeds, ramp)[1, -1] == 40


def test_a_way_goes_round_an_edge_where_it_can():
    lab = np.zeros((9, 9, 3), np.float32)
    lab[:8, 4, 0] = 50  # a wall, open below
    seeds = np.zeros((9, 9), bool)
    seeds[0, 0] = True
    assert geodesic.edges_to(seeds, lab)[0, 8] == 0
    lab[8, 4, 0] = 50
    assert geodesic.edges_to(seeds, lab)[0, 8] == 2 * 50**2


def test_of_several_seeds_the_nearest_counts():
    lab = np.zeros((1, 9, 3), np.float32)
    lab[0, :, 0] = 0, 0, 0, 10, 10, 10, 30, 30, 30
    seeds = np.array([[1, 0, 0, 0, 0, 0, 0, 0, 1]], bool)
    np.testing.assert_array_equal(geodesic.edges_to(seeds, lab)[0], [0] * 3 + [100] * 3 + [0] * 3)


@pytest.mark.parametrize("place", [LEFT, RIGHT])
def test_a_hint_changes_less_behind_an_edge_than_before_it(place):
    """The network says the same everywhere."""
    automatic = np.full((64, 96, 2), 5, np.float32)
    told = automatic + np.float32([30, -40])
    changed = geodesic.confined(told, automatic, known_at(place, (35, -35)), HALVES) - automatic
    share = (changed @ (30, -40)) / 50**2
    before, behind = share[:, :40], share[:, 56:]
    if place == RIGHT:
        before, behind = behind, before
    assert before.min() > 0.99
    assert behind.max() < 0.01


def test_an_edge_of_the_chroma_painted_alone_ends_it_as_well():
    automatic = np.zeros((64, 96, 2), np.float32)
    automatic[:, 48:, 1] = 60
    gray = np.full((64, 96, 1), 0.5, np.float32)
    share = geodesic.confined(automatic + 40, automatic, known_at(LEFT, (40, 40)), gray) - automatic
    assert share[:, :40].min() > 39
    assert share[:, 56:].max() < 1


def test_what_is_no_surprise_goes_over_edges():
    automatic = np.full((64, 96, 2), 5, np.float32)
    shares = [
        (geodesic.confined(automatic + more, automatic, known_at(LEFT, (5 + more, 5)), HALVES) - 5)[
            30, 70, 0
        ]
        / more
        for more in (2, 15, 50)
    ]
    assert shares[0] > 0.95
    assert 0.4 < shares[1] < 0.7
    assert shares[2] < 0.01


def test_the_surprise_is_that_of_the_nearest_known_colour():
    colours = known_at(LEFT, (3, 4)) + known_at(RIGHT, (30, -40))
    automatic = np.zeros((64, 96, 2), np.float32)
    automatic[RIGHT] = 0, -40
    found = geodesic.surprise(colours, automatic)
    np.testing.assert_allclose(found[:, :40], 5, rtol=1e-5)
    np.testing.assert_allclose(found[:, 50:], 30, rtol=1e-5)


def test_where_nothing_is_known_all_stays_as_it_is_told():
    told = np.random.default_rng(0).normal(size=(15, 21, 2)).astype(np.float32)
    gray = np.full((15, 21, 1), 0.5, np.float32)
    assert geodesic.confined(told, 0 * told, known.none(15, 21), gray) is told


def test_odd_sides_and_thin_pictures_keep_their_shape():
    for height, width in ((1, 1), (1, 40), (33, 57)):
        told = np.ones((height, width, 2), np.float32)
        colours = known_at((0, 0), (9, 9), (height, width))
        gray = np.full((height, width, 1), 0.5, np.float32)
        assert geodesic.confined(told, 0 * told, colours, gray).shape == told.shape


def test_points_that_are_judged_stay_within_reach():
    """This network paints one colour everywhere where anything is known; one half has it."""
    gray = np.full((256, 256, 1), 90, np.uint8)
    gray[:, 128:] = 190
    everywhere = chroma.add_chroma(gray, gray, np.full((256, 256, 2), (40, 20), np.float32))
    # The point of this seed is in the left half, as the next line sees.
    assert hints.draw_corners(np.random.default_rng([SEED, 1, 0]), 1)[0, 1] < 110
    truth = everywhere.copy()
    truth[:, 128:] = gray[:, 128:]

    def network(gray, known=None):
        return to_unit(everywhere)[np.newaxis] if known is not None else gray.repeat(3, -1)

    spread, confined = (
        hints.psnr_of(network, truth[np.newaxis], 1, SEED, confined) for confined in (False, True)
    )
    assert confined > spread + 6


def test_in_films_a_hint_ends_at_weaker_edges():
    gray = np.full((64, 96, 1), 0.4, np.float32)
    gray[:, 48:] = 0.55
    automatic, told = np.zeros((64, 96, 2), np.float32), np.full((64, 96, 2), (40, 0), np.float32)
    colours = known_at(LEFT, (40, 0))
    given = told, automatic, colours, gray
    assert geodesic.confined(*given)[RIGHT][0] > 35
    in_films = geodesic.confined(*given, geodesic.FARTHEST_IN_FILMS)
    assert in_films[RIGHT][0] < 8
    assert in_films[40, 5][0] > 39
