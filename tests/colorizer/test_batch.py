"""Many photographs at once, each with its own fate."""

import dataclasses
import os
import re
import threading

from colorizer import Colorizer
from colorizer.files import photos
from colorizer.files.source import Source
from colorizer.jobs import photographs
from colorizer.jobs.job import PhotographJob, Writer
from colorizer.jobs.record import RECORD, Record
from colorizer.jobs.request import Fingerprint, Request

import numpy as np
import pytest
import standins
from PIL import Image


@pytest.fixture(scope="module")
def brown(tmp_path_factory):
    return Colorizer(standins.save_brown(tmp_path_factory.mktemp("model") / "brown.onnx"))


def picture(number):
    """Return gray of one brightness in each quarter, different in every picture."""
    levels = np.random.default_rng(number).integers(60, 200, (2, 2, 1), np.uint8)
    return levels.repeat(30, 0).repeat(40, 1)


def make_jobs(folder, count):
    """Write `count` gray photographs of one size and return their jobs."""
    jobs = []
    for number in range(count):
        source = folder / f"{number}.png"
        Image.fromarray(picture(number)[..., 0]).save(source)
        target = folder / "out" / source.name
        jobs.append(PhotographJob(Source(source), source.name, target))
    return jobs


def colorize(jobs, colorizer, **options):
    """Colorize the jobs and return the outcomes by name."""
    outcomes = []
    request = Request(**options)
    writer = Writer(record_of(jobs), Fingerprint(request, colorizer))
    photographs.colorize_photographs(jobs, colorizer, request, writer, outcomes.append)
    assert len(outcomes) == len({outcome.job.name for outcome in outcomes})
    return {outcome.job.name: outcome for outcome in outcomes}


def record_of(jobs):
    folder = jobs[0].target.parent
    folder.mkdir(exist_ok=True)
    return Record(folder)


def written(folder):
    return sorted(path.name for path in (folder / "out").glob("*") if path.name != RECORD)


def test_every_photograph_gets_its_own_colours(tmp_path, brown):
    jobs = make_jobs(tmp_path, 20)
    outcomes = colorize(jobs, brown)
    assert set(outcomes) == {job.name for job in jobs}
    assert not any(outcome.failure or outcome.in_colour for outcome in outcomes.values())
    for number, job in enumerate(jobs):
        expected = brown.colorize(picture(number))
        np.testing.assert_array_equal(photos.read_rgb(job.target), expected)


def test_the_options_arrive(tmp_path, brown):
    jobs = [
        dataclasses.replace(job, compare_target=job.target.with_suffix(".jpg"))
        for job in make_jobs(tmp_path, 2)
    ]
    colorize(jobs, brown, strength=0.5)
    for number, job in enumerate(jobs):
        expected = brown.colorize(picture(number), strength=0.5)
        np.testing.assert_array_equal(photos.read_rgb(job.target), expected)
        pair = photos.read_rgb(job.compare_target).astype(int)
        assert np.abs(pair - np.hstack([picture(number).repeat(3, 2), expected])).mean() < 2
    outcomes = colorize(jobs, brown, max_megapixels=0.001)
    assert all("more than 0.001 megapixels" in each.failure for each in outcomes.values())


def test_photographs_in_colour_are_told_and_left_alone_where_that_is_asked(tmp_path, brown):
    jobs = make_jobs(tmp_path, 2)
    coloured = np.dstack([picture(1), picture(2), picture(3)])
    Image.fromarray(coloured).save(jobs[1].source.path)
    outcomes = colorize(jobs, brown, keep_colour=True)
    assert [outcomes[job.name].in_colour for job in jobs] == [False, True]
    assert jobs[1].target.read_bytes() == jobs[1].source.path.read_bytes()
    assert colorize(jobs, brown)["1.png"].in_colour
    assert jobs[1].target.read_bytes() != jobs[1].source.path.read_bytes()


STAGES = {
    "decode": (photos, "load"),
    "network": (Colorizer, "predict"),
    "paint": (Colorizer, "paint"),
    "encode": (photos, "encode"),
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("error", [RuntimeError("it\nbroke"), MemoryError(), OSError(5, "Oh")])
def test_an_error_on_one_photograph_is_its_failure_and_the_others_are_done(
    tmp_path, brown, monkeypatch, stage, error
):
    jobs = make_jobs(tmp_path, 6)
    turns, lock = [], threading.Lock()
    place, name = STAGES[stage]
    right = getattr(place, name)

    def wrong_once(*given, **named):
        with lock:
            turns.append(None)
            turn = len(turns)
        if turn == 3:
            raise error
        return right(*given, **named)

    monkeypatch.setattr(place, name, wrong_once)
    outcomes = colorize(jobs, brown)
    assert set(outcomes) == {job.name for job in jobs}
    failed = [outcome for outcome in outcomes.values() if outcome.failure]
    assert len(failed) == 1
    assert "\n" not in failed[0].failure
    said = {RuntimeError: "it broke", MemoryError: "(not enough|more) memory", OSError: "(?i)oh"}
    assert re.search(said[type(error)], failed[0].failure)
    assert written(tmp_path) == sorted({job.name for job in jobs} - {failed[0].job.name})


def test_numbers_that_are_not_finite_fail_the_photograph_that_brings_them(tmp_path):
    colorizer = Colorizer(standins.save_fading(tmp_path / "fading.onnx"))
    jobs = make_jobs(tmp_path, 3)
    Image.fromarray(np.zeros((60, 80), np.uint8)).save(jobs[1].source.path)
    outcomes = colorize(jobs, colorizer)
    assert "fading.onnx paints numbers that are not finite" in outcomes["1.png"].failure
    assert written(tmp_path) == ["0.png", "2.png"]


def test_photographs_in_memory_stay_within_the_budget(tmp_path, brown, monkeypatch):
    """More pixels than the budget holds go through one after the other, and none is lost."""
    monkeypatch.setattr(photographs, "MOST_BYTES", 10 * 5000)  # one of 80x60, not two
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    at_once, most, lock = [0], [0], threading.Lock()
    paint = Colorizer.paint

    def counted(*given, **named):
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        try:
            return paint(*given, **named)
        finally:
            with lock:
                at_once[0] -= 1

    monkeypatch.setattr(Colorizer, "paint", counted)
    outcomes = colorize(make_jobs(tmp_path, 12), brown)
    assert not any(outcome.failure for outcome in outcomes.values())
    assert len(written(tmp_path)) == 12
    assert most == [1]


def test_a_budget_lets_in_what_is_larger_than_itself_only_alone():
    budget = photographs.Budget(100)
    with budget.hold(500):
        assert budget.taken == 500
    assert budget.taken == 0
    inside = threading.Event()

    def enter():
        with budget.hold(500):
            inside.set()

    with budget.hold(1):
        thread = threading.Thread(target=enter)
        thread.start()
        assert not inside.wait(0.05)
    thread.join(5)
    assert inside.is_set()
    budget.close()
    with pytest.raises(photographs.CancelledError), budget.hold(1):
        pass


def test_stopped_it_tells_of_what_was_under_way_and_begins_nothing_more(
    tmp_path, brown, monkeypatch
):
    """Ctrl-C comes while the second photograph is between its file and its coloured file."""
    told, taken, begun = [], [], []
    two_begun, stopped = threading.Event(), threading.Event()
    paint = Colorizer.paint

    def slow_from_the_second(*given, **named):
        begun.append(None)
        if len(begun) > 1:
            two_begun.set()
            assert stopped.wait(30)
        return paint(*given, **named)

    (tmp_path / "out").mkdir()

    def jobs():
        for job in make_jobs(tmp_path, 60):
            taken.append(job)
            yield job

    def tell(outcome):
        told.append(outcome)
        if len(told) == 1:
            assert two_begun.wait(30)
            stopped.set()
            raise KeyboardInterrupt

    monkeypatch.setattr(Colorizer, "paint", slow_from_the_second)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    writer = Writer(Record(tmp_path / "out"), Fingerprint(Request(), brown))
    with pytest.raises(KeyboardInterrupt):
        photographs.colorize_photographs(jobs(), brown, Request(), writer, tell)
    assert len(taken) == 4
    assert 2 <= len(told) <= 3
    assert sorted(outcome.job.name for outcome in told) == written(tmp_path)
