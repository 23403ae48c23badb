"""One batch on several devices and in several processes: the same training as in one."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import train
from training import runs

import numpy as np
import pytest
from generated import NARROW, TRAIN, checkpoint_files, last_checkpoint

ROOT = Path(train.__file__).parent
# The parts of a batch are added up in another order than the whole, and Adam makes a full step of a
# gradient however small: a weight may end one step's length elsewhere, Adam's own state by 1%.
STEP_LENGTH = train.PaperSettings().learning_rate
STATE_TOLERANCE = 0.01


def start(prepared, output, *more, devices=1, environment=None):
    command = [sys.executable, "-c", TRAIN, str(devices), repr(NARROW)]
    command += ["--data", prepared, "--output", output, "--batch-size", "4", "--epochs", "1"]
    return subprocess.Popen(
        [str(part) for part in [*command, *more]],
        cwd=ROOT,
        env=os.environ | (environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process) -> str:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def free_ports(count):
    """Return ports that nothing listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def start_workers(prepared, output, *more):
    """Start two workers on the loopback address; the first is the chief."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    processes = []
    for index in range(2):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": {"worker": addresses}, "task": task})
        flags = ["--distribute", "workers", *more]
        environment = {"TF_CONFIG": config}
        processes.append(start(prepared, output, *flags, environment=environment))
    return processes


def assert_same_run(output, alone):
    assert [path.name for path in checkpoint_files(output)] == ["step-4.index"]
    found, wanted = last_checkpoint(output), last_checkpoint(alone)
    assert sorted(found) == sorted(wanted)
    for name in wanted:
        difference = found[name] - wanted[name]
        if name.split("/")[0].endswith("_optimizer"):
            limit = STATE_TOLERANCE * np.linalg.norm(wanted[name])
            assert np.linalg.norm(difference) <= limit, name
        elif not name.startswith(("totals", "save_counter")):
            assert np.abs(difference).max() <= STEP_LENGTH, name


@pytest.fixture(scope="module")
def alone(prepared, tmp_path_factory):
    """Return the folder of one epoch on one device."""
    output = tmp_path_factory.mktemp("alone") / "run"
    finish(start(prepared, output))
    return output


@pytest.mark.slow
def test_two_devices_with_half_a_batch_each_train_as_one_with_all(prepared, alone, tmp_path):
    output = tmp_path / "run"
    finish(start(prepared, output, "--distribute", "gpus", devices=2))
    assert_same_run(output, alone)


@pytest.mark.slow
def test_two_workers_train_as_one_process_and_the_chief_writes(prepared, alone, tmp_path):
    output = tmp_path / "run"
    for process in start_workers(prepared, output):
        finish(process)
    assert_same_run(output, alone)
    assert len(runs.read_history(output, 1)) == 1


@pytest.mark.slow
def test_a_killed_worker_stops_the_others_and_all_go_on_from_the_checkpoint(
    prepared, alone, tmp_path
):
    output = tmp_path / "run"
    chief, helper = start_workers(prepared, output, "--epochs", "5000")
    while not checkpoint_files(output):
        assert chief.poll() is None, chief.communicate()[0]
        time.sleep(0.1)
    helper.kill()
    printed, _ = chief.communicate(timeout=300)
    helper.communicate()
    assert chief.returncode == 2
    assert printed.splitlines()[-1].startswith("error: another worker stopped")
    epoch = int(checkpoint_files(output)[-1].stem.split("-")[1]) // 4
    for process in start_workers(prepared, output, "--resume", "--epochs", str(epoch + 1)):
        assert f"from epoch {epoch + 1}" in finish(process)


def test_a_batch_that_cannot_be_shared_is_refused(prepared, tmp_path):
    process = start(prepared, tmp_path / "run", "--distribute", "gpus", devices=3)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 2
    assert "give a multiple of 3" in printed.splitlines()[-1]


def test_workers_without_a_cluster_are_refused(prepared, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    flags = ["--data", prepared, "--output", tmp_path / "run", "--distribute", "workers"]
    flags += ["--batch-size", "4"]
    assert train.main([str(flag) for flag in flags]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "TF_CONFIG" in line
