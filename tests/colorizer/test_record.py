"""The record and the output folder: two runs, copies, links, and records from anywhere."""

import json
import os
import shutil
import subprocess
import sys

import colorize
from colorizer import Colorizer
from colorizer.errors import UserError
from colorizer.files.source import Source
from colorizer.jobs import find, photographs
from colorizer.jobs.job import PhotographJob, Writer
from colorizer.jobs.record import LOCK, RECORD, Record, State, locked
from colorizer.jobs.request import Fingerprint, Request

import numpy as np
import pytest
import standins
from PIL import Image

HOLD = """
import sys
from colorizer.jobs.record import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return standins.save_brown(tmp_path_factory.mktemp("model") / "brown.onnx")


@pytest.fixture
def run(tmp_path, model, capsys, monkeypatch):
    """Colorize tmp_path/in into tmp_path/out; return the exit status and what is printed."""
    monkeypatch.chdir(tmp_path)

    def command(*flags, source="in", output="out"):
        status = colorize.main(
            ["--input", source, "--output", output, "--model", str(model), *map(str, flags)]
        )
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return command


def save(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    levels = np.random.default_rng(seed).integers(60, 200, (6, 8), np.uint8)
    Image.fromarray(levels.repeat(5, 0).repeat(5, 1)).save(path)
    return path


def test_a_second_run_into_one_folder_says_who_holds_it(tmp_path, run):
    save(tmp_path / "in" / "a.png")
    (tmp_path / "out").mkdir()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "out"],
        cwd=os.path.dirname(colorize.__file__),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout.readline() == b"held\n"
        status, printed = run()
        assert status == 2
        assert f"another run (process {holder.pid} on" in printed
        assert not (tmp_path / "out" / "a.png").exists()
    finally:
        holder.kill()
        holder.communicate()
    # A process that was killed holds nothing.
    assert run()[0] == 0
    assert sorted(os.listdir(tmp_path / "out")) == ["a.png", RECORD]


def test_a_copied_output_is_finished_work(tmp_path, run):
    save(tmp_path / "in" / "a.png")
    assert run()[0] == 0
    shutil.copytree(tmp_path / "out", tmp_path / "copy", copy_function=shutil.copyfile)
    os.utime(tmp_path / "copy" / "a.png", (1, 1))
    assert "0 colorized, 1 skipped" in run(output="copy")[1]
    assert "1 colorized, 0 failed" in run("--strength", "0.5", output="copy")[1]


def test_a_changed_result_of_the_same_size_and_time_is_not_written_over(tmp_path, run):
    """A forged line names a file of the user with its size and time; its content is another."""
    source = save(tmp_path / "in" / "a.png")
    own = save(tmp_path / "out" / "a.png", seed=1)
    status, size = os.stat(own), own.stat().st_size
    entry = {
        "result": "a.png",
        "kind": "picture",
        "size": size,
        "mtime_ns": status.st_mtime_ns,
        "source": Source(source).described(),
        "settings": {"strength": 0.3},
    }
    before = own.read_bytes()
    for forged in ({}, {"result_sha256": "0" * 64}):
        (tmp_path / "out" / RECORD).write_text(json.dumps(entry | forged) + "\n")
        status, printed = run()
        assert status == 0
        assert "changed since it was written, and kept" in printed
        assert own.read_bytes() == before


def test_a_date_that_cannot_be_kept_is_a_remark(tmp_path, run, monkeypatch):
    save(tmp_path / "in" / "a.png")

    def refuse(*given, **named):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "utime", refuse)
    status, printed = run()
    assert status == 0
    assert "a.png: its date could not be kept" in printed
    assert (tmp_path / "out" / "a.png").exists()


def test_ctrl_c_twice_counts_what_is_on_the_disk(tmp_path, model, monkeypatch):
    colorizer, outcomes = Colorizer(model), []
    (tmp_path / "out").mkdir()
    jobs = []
    for number in range(4):
        source = save(tmp_path / "in" / f"{number}.png", number)
        jobs.append(PhotographJob(Source(source), source.name, tmp_path / "out" / source.name))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    wait, calls = photographs.wait, []

    def interrupted(futures, **more):
        calls.append(None)
        done = wait(futures, **more)
        if len(calls) < 3:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(photographs, "wait", interrupted)
    writer = Writer(Record(tmp_path / "out"), Fingerprint(Request(), colorizer))
    with pytest.raises(KeyboardInterrupt):
        photographs.colorize_photographs(jobs, colorizer, Request(), writer, outcomes.append)
    written = sorted(path.name for path in (tmp_path / "out").glob("*.png"))
    assert sorted(outcome.job.name for outcome in outcomes) == written != []


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
@pytest.mark.parametrize("name", [RECORD, LOCK])
def test_a_record_or_lock_that_is_a_link_is_not_written_through(tmp_path, run, name):
    save(tmp_path / "in" / "a.png")
    settings = tmp_path / "settings"
    settings.write_text("important")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(settings)
    status, printed = run()
    assert status == 2
    assert name in printed
    assert settings.read_text() == "important"


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_no_result_leaves_the_output_folder_through_a_link(tmp_path, run):
    save(tmp_path / "in" / "sub" / "a.png")
    save(tmp_path / "in" / "b.png")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").symlink_to(elsewhere)
    status, printed = run()
    assert status == 1
    assert "sub/a.png: a link leads its result out of the output folder" in printed
    assert os.listdir(elsewhere) == []
    assert (tmp_path / "out" / "b.png").exists()


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_a_link_that_appears_while_it_runs_is_seen_when_the_result_is_written(tmp_path, model):
    (tmp_path / "out").mkdir()
    writer = Writer(Record(tmp_path / "out"), Fingerprint(Request(), Colorizer(model)))
    (tmp_path / "out" / "sub").symlink_to(tmp_path)
    job = PhotographJob(Source(save(tmp_path / "a.png")), "a.png", tmp_path / "out/sub/b.png")
    with pytest.raises(photographs.photos.PhotographError, match="a link leads out"):
        writer.write(job.target, "picture", job, b"content")
    assert not (tmp_path / "b.png").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_a_record_that_is_a_pipe_is_one_sentence(tmp_path, run):
    save(tmp_path / "in" / "a.png")
    (tmp_path / "out").mkdir()
    os.mkfifo(tmp_path / "out" / RECORD)
    status, printed = run()
    assert status == 2
    assert "the record of what is finished, cannot be read" in printed


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        json.dumps([]),
        json.dumps({"result": [], "kind": "picture"}),
        json.dumps({"result": "a.png", "kind": "picture", "source": []}),
        json.dumps({"result": "a.png", "kind": "picture", "source": {}, "settings": {}}),
        "\0garbage",
    ],
)
def test_a_line_that_is_no_entry_is_left_out_and_counted(tmp_path, run, line):
    save(tmp_path / "in" / "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / RECORD).write_text(line + "\n")
    status, printed = run()
    assert status == 0
    assert f"{RECORD}: 1 of its lines could not be read" in printed
    assert "1 colorized" in printed


def test_names_of_other_systems_are_the_same_results(tmp_path, model):
    """A record written on Windows has backslashes; a renamed case is the same file there."""
    result = save(tmp_path / "out" / "sub" / "CAT.png")
    status = os.stat(result)
    source = Source(save(tmp_path / "cat.png"))
    entry = {
        "result": "sub\\cat.png",
        "kind": "picture",
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "source": source.described(),
        "settings": {},
    }
    (tmp_path / "out" / RECORD).write_text(json.dumps(entry))
    record = Record(tmp_path / "out")
    assert record.state(result, "picture", source, {}) is State.FINISHED


def test_what_other_programs_keep_and_earlier_results_are_no_photographs(tmp_path, run):
    save(tmp_path / "in" / "a.png")
    save(tmp_path / "in" / "@eaDir" / "thumb.png")
    assert run(output="in/coloured")[0] == 0
    os.rename(tmp_path / "in" / "coloured", tmp_path / "in" / "renamed")
    (tmp_path / "in" / "renamed" / "new.png").write_bytes(save(tmp_path / "n.png", 3).read_bytes())
    found = [path.name for path in find.find_photographs(tmp_path / "in")]
    assert found == ["a.png", "new.png"]


def test_folders_without_numbers_are_all_entered(tmp_path, monkeypatch):
    """Some network drives answer with the inode 0 for everything."""
    save(tmp_path / "in" / "one" / "a.png")
    save(tmp_path / "in" / "two" / "b.png")
    stat = os.stat

    def without_numbers(path, *given, **named):
        status = stat(path, *given, **named)
        return os.stat_result((status[0], 0, *status[2:10]))

    monkeypatch.setattr(os, "stat", without_numbers)
    assert len(find.find_photographs(tmp_path / "in")) == 2


def test_a_pattern_in_quotes_is_explained(run):
    status, printed = run(source="scans/*.jpg")
    assert status == 2
    assert "without quotes the shell finds what is meant" in printed


def test_a_run_that_comes_to_nothing_leaves_no_folder(tmp_path, run):
    (tmp_path / "in").mkdir()
    assert run()[0] == 2
    assert not (tmp_path / "out").exists()


def test_the_lock_is_free_again_after_an_error(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match="broken"), locked(tmp_path / "out"):
        raise UserError("broken")
    with locked(tmp_path / "out"):
        pass
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize("killed", [False, True], ids=["both end", "one is killed"])
def test_two_albums_at_once_into_one_folder_lose_nothing(tmp_path, model, killed):
    """The second waits its turn by being refused; whoever was refused or killed goes on later."""
    for start, album in enumerate(("one", "two")):
        for number in range(6):
            save(tmp_path / album / f"{number}.png", seed=10 * start + number)
    command = [sys.executable, colorize.__file__, "--output", "out", "--model", str(model)]
    pair = [
        subprocess.Popen(
            [*command, album], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for album in ("one", "two")
    ]
    if killed:
        while not list((tmp_path / "out").glob("*.png")) and pair[0].poll() is None:
            pass
        pair[0].kill()
    printed = [process.communicate() for process in pair]
    for process, (_, errors) in zip(pair, printed, strict=True):
        assert process.returncode in (0, 2, -9)
        assert process.returncode != 2 or b"another run" in errors
    for album in ("one", "two"):
        subprocess.run([*command, album], cwd=tmp_path, check=True, capture_output=True)
    results = [path for path in (tmp_path / "out").glob("*.png") if path.name[0] != "."]
    assert len(results) == 12
    record = Record(tmp_path / "out")
    sources = [entry["source"]["path"] for each in record.entries.values() for entry in each]
    assert len(set(sources)) == 12
    assert not list((tmp_path / "out").glob(".partial-*")) or killed
