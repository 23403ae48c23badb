"""train.py: what is wrong with data, folders and disks is one sentence, and nothing is lost."""

import json
import shutil
import signal

import train
from pictures import dataset
from training import runs

import numpy as np
import pytest
import tensorflow as tf
from generated import checkpoint_files, prepare
from test_train import flags, one_line_error

pytestmark = pytest.mark.usefixtures("narrow_networks", "no_onnx")


@pytest.fixture(scope="module")
def begun(prepared, narrow_networks, tmp_path_factory):
    """Return the folder of a run of one epoch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.export, "write_onnx", lambda *given: None)
        output = tmp_path_factory.mktemp("runs") / "begun"
        assert train.main(flags(prepared, output)) == 0
    return output


def resumed(folder, **more):
    more = [part for name, value in more.items() for part in (f"--{name}", str(value))]
    return ["--resume", "--output", str(folder), "--epochs", "2", *more]


@pytest.mark.parametrize("size", [1, 20, 121])
def test_data_of_a_size_that_the_networks_do_not_take_is_refused(tmp_path, capsys, size):
    data = prepare(tmp_path / "data", size, train=8, test=2)
    error = one_line_error(capsys, flags(data, tmp_path / "run"))
    assert f"cannot learn from {size}x{size} pixels" in error
    assert "multiple of 8" in error
    assert not (tmp_path / "run").exists()


def test_data_without_test_pictures_are_refused(tmp_path, capsys):
    data = prepare(tmp_path / "data", 24, train=8, test=0)
    error = one_line_error(capsys, flags(data, tmp_path / "run"))
    assert "holds no test pictures" in error


def test_no_pictures_at_all_are_no_batch_of_0_or_less(tmp_path, capsys):
    data = prepare(tmp_path / "data", 24, train=0, test=2)
    error = one_line_error(capsys, flags(data, tmp_path / "run"))
    assert "has no train pictures that could be used" in error


def test_a_shard_with_a_flipped_byte_does_not_train(prepared, tmp_path, capsys):
    data = shutil.copytree(prepared, tmp_path / "data")
    shard = next(data.glob("train-*.npz"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    error = one_line_error(capsys, flags(data, tmp_path / "run"))
    assert f"{shard} cannot be used (Bad CRC-32" in error


def test_an_output_that_cannot_be_written_is_refused(prepared, tmp_path, capsys):
    (tmp_path / "file").touch()
    error = one_line_error(capsys, flags(prepared, tmp_path / "file" / "run"))
    assert "cannot be" in error
    assert "--output" in error


@pytest.mark.parametrize("seed", ["-1", "x"])
def test_a_seed_below_zero_is_refused(seed, capsys):
    with pytest.raises(SystemExit) as stopped:
        train.main(["--seed", seed])
    assert stopped.value.code == 2
    assert "argument --seed" in capsys.readouterr().err


def test_moved_data_are_the_same_and_others_are_not(prepared, begun, tmp_path, capsys):
    run = shutil.copytree(begun, tmp_path / "run")
    other = prepare(tmp_path / "other", 24, train=12, test=4)
    error = one_line_error(capsys, resumed(run, data=other))
    assert "was begun with other data" in error
    # Prepared anew into the same folder, with other pictures behind the same names.
    anew = shutil.copytree(prepared, tmp_path / "anew")
    shard = next(anew.glob("train-*.npz"))
    with np.load(shard) as arrays:
        dataset.write_shard(shard, arrays["gray"], 255 - arrays["rgb"], arrays["label"])
    assert "was begun with other data" in one_line_error(capsys, resumed(run, data=anew))
    moved = shutil.copytree(prepared, tmp_path / "moved")
    assert train.main(resumed(run, data=moved)) == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text.replace("generator_loss", "other", 1),
        lambda text: text.replace("1,", "one,", 1),
        lambda text: "\0\1garbage",
        None,
    ],
)
def test_a_history_that_is_not_that_of_the_run_is_said_before_an_epoch(
    begun, tmp_path, capsys, change
):
    run = shutil.copytree(begun, tmp_path / "run")
    history = run / "history.csv"
    if change:
        history.write_text(change(history.read_text()))
    else:
        history.unlink()
    error = one_line_error(capsys, resumed(run))
    assert f"{history} is not the history of the 1 epochs" in error


@pytest.mark.parametrize("value", [{"a": 1}, "many", None])
def test_a_setting_of_another_kind_is_refused(begun, tmp_path, capsys, value):
    run = shutil.copytree(begun, tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    config["settings"]["batch_size"] = value
    (run / "config.json").write_text(json.dumps(config))
    error = one_line_error(capsys, resumed(run))
    assert "batch_size" in error


def test_a_full_disk_at_a_checkpoint_makes_room_and_loses_no_epoch(
    prepared, tmp_path, monkeypatch, capsys
):
    output = tmp_path / "run"
    save = tf.train.CheckpointManager.save

    def full_with_two(manager, *given):
        if len(checkpoint_files(output)) >= 2:
            raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")
        return save(manager, *given)

    monkeypatch.setattr(tf.train.CheckpointManager, "save", full_with_two)
    assert train.main(flags(prepared, output, epochs=3)) == 0
    assert len(checkpoint_files(output)) == 2

    def full(manager, *given):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    before = checkpoint_files(output)
    monkeypatch.setattr(tf.train.CheckpointManager, "save", full)
    assert train.main(["--resume", "--output", str(output), "--epochs", "4"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "cannot be written (No space left on device)" in error
    assert "--resume" in error
    assert checkpoint_files(output)[-1] == before[-1]
    monkeypatch.undo()


def test_ctrl_c_before_the_first_step_stops_the_run(prepared, tmp_path, monkeypatch, capsys):
    """It was swallowed while the networks were built, and all epochs ran."""
    make = train.PaperGAN.__init__

    def interrupted(self, *given):
        signal.raise_signal(signal.SIGINT)
        make(self, *given)

    monkeypatch.setattr(train.PaperGAN, "__init__", interrupted)
    assert train.main(flags(prepared, tmp_path / "run", epochs=3)) == 130
    assert "stopped; go on with" in capsys.readouterr().out
    assert runs.read_config(tmp_path / "run")
    monkeypatch.undo()
