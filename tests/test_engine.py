import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import train
from settings import Settings
from training import runs

import numpy as np
import pytest
from conftest import NARROW

ROOT = Path(train.__file__).parent
needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None,
    reason="JAX is not installed: pip install -r requirements-jax.txt",
)

# Runs in a process of its own, because an engine is chosen once, when Keras is imported.
ONE_STEP = """
import sys
import numpy as np
import models, runs, systems, train
from settings import Settings

folder, narrow = sys.argv[1:]
vars(models).update(eval(narrow))
settings = Settings(discriminator_updates=2)
networks = train.Networks(settings)
runs.restore_checkpoint(folder + "/checkpoints/epoch-0000.npz", networks.variables())
random = np.random.default_rng(0)
gray = random.random((4, 24, 24, 1), np.float32)
rgb = random.random((4, 24, 24, 3), np.float32)
labels = systems.soft_noisy_labels(random, (4, 2), settings)
step = train.make_train_step(networks, settings)
losses = step((gray, rgb, *labels), (np.float32(0.5),))
print(sorted((name, round(float(loss), 4)) for name, loss in losses.items()))
runs.save_checkpoint(folder, networks.variables(), 1, 0, np.zeros(3))
"""


# Two losses of one computation that has batch normalization in it: what it leaves behind.
NORMALIZE = """
import keras
import numpy as np
from keras import ops

layer = keras.layers.BatchNormalization(momentum=0.5)
layer.build((None, 1))
picture = np.array([[2.0], [6.0]], np.float32)


def step():
    def compute():
        value = ops.sum(layer(picture, training=True) ** 2)
        return {"first": value, "second": 2 * value}, {"value": value}

    outputs, gradients = engine.gradients(
        compute, {"first": [layer.gamma], "second": [layer.beta]}
    )
    return outputs


engine.compile_step(step, lambda: None, layer.variables)((), ())
mean, variance = (float(ops.convert_to_numpy(variable)[0]) for variable in layer.variables[2:])
print(mean, variance)
"""


def run_with(backend, code, *arguments):
    """Run Python code with an engine, and return what it printed."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=os.environ | {"KERAS_BACKEND": backend},
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@needs_jax
def test_one_step_agrees_between_engines(narrow_networks, tmp_path):
    settings = Settings(discriminator_updates=2)
    results, printed = {}, {}
    for backend in ("tensorflow", "jax"):
        folder = tmp_path / backend
        start = train.Networks(settings).variables()
        runs.save_checkpoint(folder, start, 0, 0, np.zeros(3))
        printed[backend] = run_with(backend, ONE_STEP, folder, NARROW)
        with np.load(folder / "checkpoints" / "epoch-0001.npz") as arrays:
            results[backend] = {name: arrays[name] for name in arrays.files}
    assert printed["tensorflow"] == printed["jax"]
    for name, array in results["tensorflow"].items():
        np.testing.assert_allclose(results["jax"][name], array, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("backend", ["tensorflow", pytest.param("jax", marks=needs_jax)])
def test_batch_normalization_keeps_its_statistics(backend):
    # Mean 4 and variance 4, half taken into the 0 and 1 that it starts from; once, not once a loss.
    assert run_with(backend, NORMALIZE).split() == ["2.0", "2.5"]


def test_an_unknown_engine_is_refused():
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run_with("numpy", "import engine")
    assert "use tensorflow or jax" in failed.value.stderr


def test_chatter_is_dropped_and_errors_are_not(capfd):
    with engine.without_chatter():
        os.write(2, b"I0000 00:00:17 1 port.cc:153] oneDNN custom operations are on.\n")
        os.write(2, b"E0000 00:00:17 1 cuda.cc:1] out of memory\n")
    assert capfd.readouterr().err == "E0000 00:00:17 1 cuda.cc:1] out of memory\n"


def test_importing_the_engine_says_nothing():
    code = "import engine, keras, numpy as np; keras.ops.convert_to_tensor(np.ones(3)); print('ok')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("ok\n", "")
