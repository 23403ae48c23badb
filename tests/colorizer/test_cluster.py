"""The same jobs on a Dask cluster: two processes of this machine, of which one is killed."""

import json
import os

import colorize
import prepare_data
from colorizer import Colorizer
from colorizer.files.atomic import PARTIAL
from colorizer.films import pipeline
from colorizer.jobs import films
from colorizer.jobs import run as jobs_run
from colorizer.jobs.record import RECORD
from colorizer.jobs.request import Request
from colorizer.progress import Progress

import numpy as np
import pytest
import standins
from PIL import Image
from test_film_hints import film  # noqa: F401
from test_films import frames_of, times_of

distributed = pytest.importorskip("distributed", reason="requirements-cluster.txt has Dask")
PHOTOGRAPHS = 12


@pytest.fixture(scope="module")
def cluster():
    """Return the address of a scheduler with two workers, processes that come back if they die."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def model(tmp_path):
    return standins.save_brown(tmp_path / "brown.onnx")


@pytest.fixture
def album(tmp_path):
    """Return a folder of photographs, one of which is broken."""
    (tmp_path / "album" / "sub").mkdir(parents=True)
    for number in range(PHOTOGRAPHS):
        levels = np.random.default_rng(number).integers(0, 256, (40, 50), np.uint8)
        Image.fromarray(levels).save(tmp_path / "album" / "sub" / f"{number}.png")
    (tmp_path / "album" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    return tmp_path / "album"


def entries(folder) -> dict:
    """Return what the record says of each result."""
    lines = [json.loads(line) for line in (folder / RECORD).read_text().splitlines()]
    assert len({line["result"] for line in lines}) == len(lines)
    return {line["result"]: line for line in lines}


def results(folder) -> dict:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != RECORD]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


class Mortal(Colorizer):
    """A colorizer whose first worker dies of it, when it has begun to write."""

    def __reduce__(self):
        return _loaded_or_dead, (self.grave, self.given)


def _loaded_or_dead(grave, given):
    try:
        os.close(os.open(grave, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return Colorizer(*given)
    (grave.parent / "out" / "sub").mkdir(parents=True, exist_ok=True)
    (grave.parent / "out" / "sub" / f"{PARTIAL}0.png").write_bytes(b"half")
    os._exit(1)


class Other(Colorizer):
    """A colorizer that has another network elsewhere."""

    def __reduce__(self):
        return Colorizer, (self.elsewhere,)


def test_a_worker_that_dies_loses_nothing(tmp_path, album, model, cluster):
    request = Request(inputs=(album,), output=tmp_path / "alone")
    alone = jobs_run.run(request, Colorizer(model), Progress)
    mortal = Mortal(model)
    mortal.grave = tmp_path / "grave"
    request = Request(inputs=(album,), output=tmp_path / "out", cluster=cluster)
    report = jobs_run.run(request, mortal, Progress)
    assert mortal.grave.exists()  # one has died
    assert report.done == alone.done == PHOTOGRAPHS
    assert report.failures == alone.failures != []
    assert results(tmp_path / "out") == results(tmp_path / "alone")
    assert entries(tmp_path / "out") == entries(tmp_path / "alone")


def test_the_scenes_of_a_film_go_to_all_workers(tmp_path, film, model, cluster, monkeypatch):  # noqa: F811
    """One worker dies; the film is the same as that of one machine."""
    monkeypatch.setattr("colorizer.films.pipeline.SEGMENT", 1)  # a run of each scene
    runs = []
    divide = pipeline.runs_of
    monkeypatch.setattr(films, "runs_of", lambda *given: runs.append(divide(*given)) or runs[-1])
    lossless = {"inputs": (film,), "quality": 0}
    report = jobs_run.run(
        Request(output=tmp_path / "alone", **lossless), Colorizer(model), Progress
    )
    assert (report.done, report.failures) == (1, [])
    assert [(run.begin, run.end) for run in runs[0]] == [(0, 20), (20, 40), (40, 60)]
    mortal = Mortal(model)
    mortal.grave = tmp_path / "grave"
    request = Request(output=tmp_path / "out", cluster=cluster, **lossless)
    report = jobs_run.run(request, mortal, Progress)
    assert (report.done, report.failures) == (1, [])
    assert mortal.grave.exists()
    assert runs[1] == runs[0]
    alone, together = (tmp_path / name / "film.mkv" for name in ("alone", "out"))
    assert len(frames_of(alone)) == 60
    np.testing.assert_array_equal(frames_of(alone), frames_of(together))
    assert times_of(alone) == times_of(together)
    assert not list((tmp_path / "out").glob(".film*"))


def test_the_command_goes_on_where_it_was(tmp_path, album, model, cluster, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a relative path means the same to the workers
    command = ["album/sub", "--output", "out", "--model", model.name, "--cluster", cluster]
    assert colorize.main(command) == 0
    assert f"{PHOTOGRAPHS} colorized" in capsys.readouterr().out
    (tmp_path / "out" / "3.png").unlink()
    assert colorize.main(command) == 0
    assert f"1 colorized, {PHOTOGRAPHS - 1} skipped" in capsys.readouterr().out
    assert len(results(tmp_path / "out")) == PHOTOGRAPHS


def test_a_worker_with_another_network_is_named(tmp_path, album, model, cluster):
    other = Other(model)
    other.elsewhere = standins.save_brown(tmp_path / "other.onnx", (0, 0.1, 0))
    request = Request(inputs=(album / "sub",), output=tmp_path / "out", cluster=cluster)
    report = jobs_run.run(request, other, Progress)
    assert len(report.failures) == PHOTOGRAPHS
    assert report.failures[0][1] == "a worker has another other.onnx; install one version on all"


def test_prepared_data_are_the_same_bytes(tmp_path, album, cluster):
    flags = ["--source", str(album), "--classes", "1", "--images-per-class", "8", "--size", "16"]
    flags += ["--test-images-per-class", "2"]
    for name, more in (("alone", []), ("cluster", ["--cluster", cluster])):
        assert prepare_data.main([*flags, "--output", str(tmp_path / name), *more]) == 0
    assert results(tmp_path / "cluster") == results(tmp_path / "alone")


def test_no_scheduler_is_one_sentence(tmp_path, album, model, capsys, monkeypatch):
    monkeypatch.setattr("colorizer.jobs.workers.PATIENCE", 0.2)
    flags = ["--output", str(tmp_path / "out"), "--model", str(model)]
    address = "tcp://127.0.0.1:9"
    assert colorize.main([str(album), *flags, "--cluster", address]) == 2
    assert f"no Dask scheduler answers at {address}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
