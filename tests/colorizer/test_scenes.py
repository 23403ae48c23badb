"""Scenes: cuts, bars, fades and returns, one opinion for each, and the flags that show them."""

import dataclasses
import subprocess
import sys
import time

import colorize
from colorizer.errors import UserError
from colorizer.files import photos
from colorizer.films import cuts, opinion, restore, scenes, stabilize
from colorizer.films.opinion import Key
from colorizer.jobs import films
from colorizer.pixels import resize

import cv2
import numpy as np
import pytest
import standins
import test_films
from PIL import Image
from test_films import frames_of, packets_of, results, times_of, write_film

SIZE = 96, 128


def texture(seed, height=SIZE[0], width=SIZE[1]):
    cells = np.random.default_rng(seed).integers(60, 220, (height // 16, width // 16, 1), np.uint8)
    return resize(cells, height, width)[..., 0]


def key(*colours, seed=0, features=None):
    """Return a Key of two halves, each of its own feature and colour."""
    height, width = SIZE
    chroma = np.zeros((*SIZE, 2), np.float32)
    chroma[:, : width // 2], chroma[:, width // 2 :] = colours
    if features is None:
        features = np.zeros((height // 16, width // 16, 2), np.float32)
        features[:, : width // 32, 0] = features[:, width // 32 :, 1] = 1
    return Key(0, np.full(SIZE, 120, np.uint8), chroma, features)


# ----------------------------------------------------------------------------- one opinion


def test_frames_of_a_scene_get_the_same_chroma_where_they_look_alike():
    first, second = key((30, 0), (0, -20)), key((10, 0), (0, -40))
    learned = opinion.learn([first, second])
    for each in (first, second):
        shared = learned.shared(each.chroma, each.features, each.small)
        np.testing.assert_allclose(shared[:, :40].mean((0, 1)), (20, 0), atol=2)
        np.testing.assert_allclose(shared[:, 88:].mean((0, 1)), (0, -30), atol=2)


def test_what_looks_like_nothing_in_the_scene_keeps_its_chroma():
    learned = opinion.learn([key((30, 0), (30, 0))])
    other = Key(0, np.full(SIZE, 250, np.uint8), np.full((*SIZE, 2), -15, np.float32), None)
    features = np.zeros((6, 8, 2), np.float32)
    shared = learned.shared(other.chroma, features, other.small)
    np.testing.assert_allclose(shared, -15, atol=0.5)


def test_what_is_finer_than_a_place_stays():
    one = key((30, 0), (0, 0))
    fine = one.chroma + np.where(np.arange(SIZE[1]) % 2, 4, -4)[np.newaxis, :, np.newaxis]
    learned = opinion.learn([one])
    shared = learned.shared(np.float32(fine), one.features, one.small)
    np.testing.assert_allclose(np.diff(shared[40, 4:40, 0]), np.diff(fine[40, 4:40, 0]), atol=0.1)


def test_a_shot_that_returns_takes_the_chroma_that_it_had():
    learned = opinion.learn([key((30, 0), (0, -20))])
    again = key((-10, 5), (5, 20))
    joined = learned.joined([again])
    shared = joined.shared(again.chroma, again.features, again.small)
    np.testing.assert_allclose(shared[:, :40].mean((0, 1)), (30, 0), atol=2)
    np.testing.assert_allclose(shared[:, 88:].mean((0, 1)), (0, -20), atol=2)


# ----------------------------------------------------------------------------- scenes


def survey(film, given=lambda *frame: (), chosen=None):
    """Return the Scenes of gray frames, with a network whose feature is the luminance's texture."""

    def look(gray):
        features = resize(gray[..., np.newaxis], SIZE[0] // 16, SIZE[1] // 16) / np.float32(255)
        features = np.concatenate([features, 1 - features, features**2], axis=2)
        return gray, np.zeros((*gray.shape, 2), np.float32), features

    frames = ((number, gray, gray, number / 24) for number, gray in enumerate(film))
    return list(scenes.survey(frames, lambda gray: gray, look, chosen, given))


def test_scenes_begin_at_cuts_and_a_shot_that_returns_is_known():
    one, two = texture(1), texture(2)
    found = [scene for scene, *_ in survey([one] * 12 + [two] * 9 + [one] * 10)]
    assert [(scene.begin, scene.end) for scene in found] == [(0, 12), (12, 21), (21, 31)]
    assert [scene.shot for scene in found] == [0, 1, 0]
    assert found[1].seconds == 0.5


def test_a_person_s_cuts_are_taken_instead():
    found = [scene for scene, *_ in survey([texture(1)] * 10 + [texture(2)] * 10, chosen={0, 15})]
    assert [(scene.begin, scene.end) for scene in found] == [(0, 15), (15, 20)]


def test_long_scenes_have_few_keys_all_over_them():
    count = 3 * scenes.KEY_DISTANCE * scenes.MOST_KEYS
    ((scene, *_),) = survey([texture(1)] * count)
    assert scenes.MOST_KEYS / 3 <= len(scene.keys) <= scenes.MOST_KEYS + 1
    assert scene.keys[0] < count / 10 < count * 0.9 < scene.keys[-1]


def test_there_are_more_keys_where_new_things_come_in_but_not_in_a_fade(monkeypatch):
    wide = texture(1, width=640)
    pan = [np.ascontiguousarray(wide[:, 9 * n : 9 * n + SIZE[1]]) for n in range(48)]
    still = [texture(1)] * 48
    fade = [np.uint8(texture(1) * min(1, n / 24)) for n in range(48)]
    found = [survey(film, chosen={0})[0][0].keys for film in (pan, still, fade)]
    monkeypatch.setattr(scenes, "STILL_THERE", 0)
    usual = [survey(film, chosen={0})[0][0].keys for film in (pan, still, fade)]
    assert len(found[0]) > len(usual[0])
    assert found[1:] == usual[1:]


def test_the_sharpest_frame_is_the_key():
    blurred = cv2.GaussianBlur(texture(1), (0, 0), 4)
    ((scene, *_),) = survey([blurred] * 5 + [texture(1)] + [blurred] * 4)
    assert scene.keys == (5,)


@pytest.mark.parametrize("turned", [False, True])
def test_bars_are_left_out_and_dark_pictures_are_not(turned):
    picture = texture(1)
    picture[:, :20] = picture[:, -16:] = 6
    picture = picture.T if turned else picture
    ((scene, *_),) = survey([np.ascontiguousarray(picture)] * 8)
    expected = (0, 1, 20 / 128, 112 / 128)
    expected = (*expected[2:], *expected[:2]) if turned else expected
    assert scene.box == pytest.approx(expected)
    assert scene.inner(picture).min() > 6
    night = np.full(SIZE, 10, np.uint8)
    assert scenes.find_box(night) == scenes.Scene.box
    # A light that is there for one frame is in the picture.
    lit = picture.copy()
    lit[:] = 90
    ((scene, *_),) = survey([picture] * 8 + [lit] + [picture] * 8, chosen={0})
    assert scene.box == scenes.Scene.box


def test_a_fade_from_black_is_measured_and_other_changes_are_not():
    levels = [0, 0, 20, 40, 80, 120, 160, 200, 200, 199, 200, 201]
    assert scenes.find_fade(levels) == pytest.approx([0, 0, 0.1, 0.2, 0.4, 0.6, 0.8], abs=0.01)
    assert scenes.find_fade([200] * 20) == ()
    assert scenes.find_fade([150, 160, 170, 180, 190, 200, 200, 200]) == ()
    # A lamp that is switched on is no fade.
    assert scenes.find_fade([40, 40, 40, 200, 200, 200, 200, 200]) == ()


def test_between_two_pictures_that_fade_lies_a_cut():
    shares = np.linspace(0, 1, 12)
    out = [np.uint8(texture(1) * share) for share in shares[::-1]]
    into = [np.uint8(texture(2) * share) for share in shares]
    found = [scene for scene, *_ in survey([texture(1)] * 6 + out + into + [texture(2)] * 6)]
    assert len(found) == 2
    first, second = found
    assert 16 <= first.end <= 20
    assert len(first.fall) > 6
    assert len(second.rise) > 6
    assert first.exposure(0) == second.exposure(second.end - 1) == 1
    assert first.exposure(first.end - 3) < 0.4


def test_a_faded_frame_is_seen_at_full_exposure_and_loses_chroma_with_lightness():
    lit = texture(3)
    dark = np.rint(lit * 0.25).astype(np.uint8)
    assert np.abs(scenes.exposed(dark, 0.25).astype(int) - lit).max() <= 2
    chroma = np.full((*SIZE, 2), 30, np.float32)
    dimmed = scenes.dimmed(chroma, lit, 0.25)
    share = scenes.LIGHTNESS[dark] / scenes.LIGHTNESS[lit]
    np.testing.assert_allclose(dimmed[..., 0] / 30, share, atol=0.03)


def test_hardly_lit_frames_have_no_more_chroma_for_their_lightness():
    lit = texture(3)
    chroma = np.full((*SIZE, 2), 30, np.float32)
    for exposure in (1 / 24, 1 / 100, 0):
        dark = np.rint(lit * exposure).astype(np.uint8)
        dimmed = scenes.dimmed(chroma, scenes.exposed(dark, exposure), exposure)
        share = scenes.LIGHTNESS[dark] / scenes.LIGHTNESS[lit]
        np.testing.assert_allclose(dimmed[..., 0] / 30, share, atol=0.01)


def test_a_shot_returns_where_its_camera_went_on():
    wide = texture(1, width=512)

    def pan(begin):
        places = [begin + 4 * number for number in range(20)]
        return [np.ascontiguousarray(wide[:, place : place + SIZE[1]]) for place in places]

    found = [scene for scene, *_ in survey([*pan(0), *[texture(2)] * 9, *pan(84)])]
    assert [scene.shot for scene in found] == [0, 1, 0]
    assert [scene.shot for scene, *_ in survey([*pan(0), *[texture(2)] * 9, *pan(300)])] == [
        0,
        1,
        2,
    ]


def test_a_shot_that_returns_agrees_along_the_motion_with_what_it_was():
    """What tells its places says nothing here; where they are in the picture does."""
    chroma = np.zeros((*SIZE, 2), np.float32)
    features = np.zeros((6, 8, 2), np.float32)
    shown = Key(0, texture(1), np.float32(np.add(chroma, (20, -10))), features)
    again = Key(50, texture(1), np.float32(np.add(chroma, (-10, 5))), features)
    learned = opinion.learn([shown]).agreed([shown])
    forgetful = dataclasses.replace(learned, places=learned.places + 100)
    returned = forgetful.remembered(forgetful).agreed([again]).chromas[0]
    np.testing.assert_allclose(returned.astype(float).mean((0, 1)), (19, -9.5), atol=1)


def test_key_frames_that_agree_are_as_colourful_as_before():
    """Half of them is red where the other half is blue; what they agree on is not gray."""
    random = np.random.default_rng(0)
    features = np.float32(random.normal(size=(6, 8, 8)))
    keys = []
    for number in range(6):
        chroma = np.zeros((*SIZE, 2), np.float32)
        chroma[:, :64] = (24, 4) if number % 2 else (16, -4)
        keys.append(Key(10 * number, texture(1), chroma, features))
    agreed = opinion.learn(keys).agreed(keys).chromas.astype(float)
    assert agreed[..., :64, 0].mean() == pytest.approx(20, abs=1.5)
    before = np.mean(
        [
            np.linalg.norm(k.chroma - np.mean([k.chroma for k in keys], axis=(0, 1, 2)), axis=-1)
            for k in keys
        ]
    )
    after = np.linalg.norm(agreed - agreed.mean((0, 1, 2)), axis=-1).mean()
    assert after > 0.95 * before


def test_a_whole_frame_in_colour_gives_its_scene_the_chroma():
    red = np.dstack([texture(1), texture(1) // 2, texture(1) // 2])

    def given(number, seconds, before):
        return [red] if number == 4 else []

    (_, learned, keys), (_, other, _) = survey([texture(1)] * 10 + [texture(2)] * 10, given)
    shared = learned.shared(keys[0].chroma, keys[0].features, keys[0].small)
    assert shared[..., 0].mean() > 15
    assert np.abs(other.chroma).max() < 1


# ----------------------------------------------------------------------------- files and flags


def test_a_list_of_cuts_is_read_as_it_is_written(tmp_path):
    path = tmp_path / "cuts.txt"
    cuts.write(path, [scenes.Scene(0, 75, 0.0), scenes.Scene(75, 90, 3725.0416)])
    assert path.read_text().splitlines()[1:] == ["0\t0:00:00.000", "75\t1:02:05.042"]
    assert cuts.read(path) == {0, 75}
    path.write_text("0 # begins\n\n12 0:00:01\n")
    assert cuts.read(path) == {0, 12}
    path.write_text("0\n0:00:02.5\n")
    with pytest.raises(UserError, match=r"cuts\.txt, line 2: 0:00:02\.5 is no frame"):
        cuts.read(path)


def two_scenes(number, height=48, width=64):
    picture = texture(1 + number // 15, height, width)
    picture[:, :8] = 0
    return picture


@pytest.fixture
def film(tmp_path, monkeypatch):
    """Write a film of two scenes of 15 frames, with a bar on the left, and sound."""
    monkeypatch.setattr(test_films, "picture", two_scenes)
    return write_film(tmp_path / "in" / "film.mp4")


@pytest.fixture
def echo(tmp_path):
    """Return a colorizer that has features and takes hints."""
    return standins.save_echo(tmp_path / "echo.onnx")


def test_bars_stay_gray(tmp_path, run, film):
    assert run("--codec", "h264")[0] == 0
    for frame in frames_of(tmp_path / "out" / "film.mp4"):
        spread = np.ptp(frame.astype(int), axis=2)
        assert spread[:, :6].max() < 8
        assert spread[:, 12:].mean() > 20


def test_a_part_begins_at_0_and_has_its_sound(tmp_path, run, film):
    status, printed = run("--from", "0.2", "--to", "0:00.6")
    assert status == 0, printed
    target = tmp_path / "out" / "film.mp4"
    inside = [time for time in times_of(film) if 0.2 <= time < 0.6]
    assert times_of(target) == pytest.approx([time - inside[0] for time in inside], abs=1e-3)
    sound = [content for time, _, content in packets_of(film, "audio") if inside[0] <= time < 0.6]
    assert [content for *_, content in packets_of(target, "audio")] == sound[: len(sound)]
    before = frames_of(film)[times_of(film).index(inside[0])]
    assert np.abs(frames_of(target)[0].mean(axis=2) - before.mean(axis=2)).mean() < 12


def test_a_killed_film_goes_on_with_its_scenes_and_what_they_agreed_on(
    tmp_path, run, monkeypatch, echo
):
    """In a process of its own: a shot out of black that returns, with a hint and flicker."""

    def returning(number, height=48, width=64):
        shot = texture(2, height, width) if 36 <= number < 60 else texture(1, height, width)
        share = min(1, number / 12) * (0.9 if number == 30 else 1)
        return np.uint8(np.roll(shot, number // 4, axis=1) * share)

    monkeypatch.setattr(test_films, "picture", returning)
    source = write_film(tmp_path / "in" / "film.mkv", count=128)
    hints = np.zeros((48, 64, 4), np.uint8)
    hints[20:26, 30:36] = 220, 60, 60, 255
    (tmp_path / "in" / "film.hints").mkdir()
    Image.fromarray(hints).save(tmp_path / "in" / "film.hints" / "20.png")
    code = "import sys, colorize; from colorizer.jobs import films; films.SEGMENT = 32;"
    code += "sys.exit(colorize.main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "--input", source, "--output", tmp_path / "out"]
    command += ["--model", echo, "--codec", "ffv1"]
    process = subprocess.Popen(command, cwd=test_films.ROOT, stdout=subprocess.PIPE)
    parts = tmp_path / "out" / ".film.mkv.parts"
    while len(list(parts.glob("0*.npz"))) < 2 and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    kept = [parts / "scenes.json", *sorted(parts.glob("scene-*.npz")), *sorted(parts.glob("0*"))]
    assert len(kept) in (1 + 3 + 2, 1 + 3 + 3)
    before = [path.stat().st_mtime_ns for path in kept]
    still = []
    monkeypatch.setattr(films, "SEGMENT", 32)
    removed = films.Parts.remove

    def remove(self):
        still.extend(path.stat().st_mtime_ns for path in kept)
        removed(self)

    monkeypatch.setattr(films.Parts, "remove", remove)
    assert run("--codec", "ffv1", model=echo)[0] == 0
    assert still == before
    resumed = frames_of(tmp_path / "out" / "film.mkv")
    assert run("--codec", "ffv1", "--overwrite", model=echo)[0] == 0
    np.testing.assert_array_equal(resumed, frames_of(tmp_path / "out" / "film.mkv"))
    assert np.ptp(resumed[20].astype(int), axis=2).max() > 30


def test_a_part_in_which_nothing_lies_is_named(tmp_path, run, film):
    status, printed = run("--from", "99")
    assert status == 1
    assert "no frame of it lies between --from and --to" in printed
    assert results(tmp_path) in ([], [".film.mp4.parts"])
    assert run("--from", "2", "--to", "1")[0] == 2


def test_a_preview_is_a_sheet_of_scenes_and_a_list_of_cuts(tmp_path, run, film):
    file = tmp_path / "cuts.txt"
    status, printed = run("--preview", "--scenes", str(file))
    assert status == 0, printed
    assert "2 scenes" in printed
    assert results(tmp_path) == ["film-preview.jpg"]
    sheet = photos.read_rgb(tmp_path / "out" / "film-preview.jpg").astype(int)
    assert sheet[40:160, 60:200, 0].mean() - sheet[40:160, 60:200, 2].mean() > 15
    assert cuts.read(file) == {0, 15}
    file.write_text("0\n7\n15\n")
    status, printed = run("--preview", "--overwrite", "--scenes", str(file))
    assert "3 scenes" in printed
    assert file.read_text() == "0\n7\n15\n"
    assert run("--scenes", str(tmp_path / "none.txt"))[0] == 2


def test_a_comparison_is_a_film_of_both(tmp_path, run, film):
    status, printed = run("--compare")
    assert status == 0, printed
    assert results(tmp_path) == ["film-compare.mp4", "film.mp4"]
    both = frames_of(tmp_path / "out" / "film-compare.mp4")
    assert len(both) == 30
    assert both[0].shape == (48, 128, 3)
    spread = np.ptp(both[10].astype(int), axis=2)
    assert spread[:, :60].mean() < 6 < 20 < spread[:, 80:].mean()
    assert "skipped, finished earlier" in run("--compare")[1]


def test_a_dry_run_lists_scenes_and_says_how_long(tmp_path, run, film):
    status, printed = run("--dry-run")
    assert status == 0, printed
    assert "scene 1: 0:00:00.000, 15 frames from 0" in printed
    assert "scene 2: 0:00:00.500, 15 frames from 15" in printed
    assert "2 scenes, about " in printed
    assert not (tmp_path / "out").exists()


def test_a_dry_run_does_not_ask_for_the_list_that_a_preview_writes(tmp_path, run, film):
    status, printed = run("--dry-run", "--preview", "--scenes", str(tmp_path / "cuts.txt"))
    assert status == 0, printed
    assert "2 scenes, about " in printed
    assert not (tmp_path / "cuts.txt").exists()


def test_hints_given_for_a_film_say_what_films_need(tmp_path, film, capsys):
    model = standins.save_echo(tmp_path / "echo.onnx")
    Image.new("RGBA", (64, 48)).save(tmp_path / "h.png")
    flags = ["--hints", str(tmp_path / "h.png"), "--model", str(model)]
    assert colorize.main([str(film), "--output", str(tmp_path / "out"), *flags]) == 2
    assert "in a folder film.hints, each named by its frame, 120.png" in capsys.readouterr().err


# ----------------------------------------------------------------------------- old film stock


def test_flicker_is_measured_and_steady_frames_are_left():
    steady = restore.gains([100.0] * 20)
    assert steady == (1,) * 20
    fading = restore.gains(np.linspace(100, 110, 40))
    assert set(fading[6:-6]) == {1}
    flickering = restore.gains([100 if number != 9 else 80 for number in range(20)])
    assert flickering[9] == pytest.approx(1.25, abs=0.01)
    assert flickering.count(1) == 19
    pixels = np.array([[0, 100, 255]], np.uint8)
    assert restore.brightened(pixels, 1) is pixels
    assert restore.brightened(pixels, 1.25).tolist() == [[0, 125, 255]]


def test_dust_of_one_frame_is_mended_and_all_else_stays_bit_for_bit():
    whole = texture(5, width=SIZE[1] + 40)
    before, clean, after = (whole[:, at : at + SIZE[1]].copy() for at in (0, 2, 4))
    noise = np.random.default_rng(0).integers(-3, 4, clean.shape)
    clean = np.uint8(np.clip(clean + noise, 0, 255))
    dusty = clean.copy()
    dusty[40:44, 60:63] = 255 - dusty[40:44, 60:63] // 4
    warps = [stabilize.find_warp(other, dusty) for other in (before, after)]
    mended = restore.without_dust(dusty, before, after, warps)
    assert np.abs(mended[40:44, 60:63].astype(int) - clean[40:44, 60:63]).mean() < 12
    kept = np.ones(SIZE, bool)
    kept[37:47, 57:66] = False
    np.testing.assert_array_equal(mended[kept], dusty[kept])
    untouched = restore.without_dust(clean, before, after, warps)
    np.testing.assert_array_equal(untouched, clean)


def test_what_stays_longer_than_a_frame_is_no_dust():
    before, now, after = (texture(5) for _ in range(3))
    now[40:44, 60:63] = after[40:44, 60:63] = 0
    warps = [stabilize.find_warp(other, now) for other in (before, after)]
    np.testing.assert_array_equal(restore.without_dust(now, before, after, warps), now)
