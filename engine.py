"""The engine under Keras, imported here first: gradients, compiled steps, devices.

TensorFlow unless the environment says otherwise: `KERAS_BACKEND=jax python train.py ...`.
"""

import contextlib
import os
import re
import sys
import tempfile
from pathlib import Path

# TensorFlow reads this once, when it is imported: 1 drops its information lines, keeps the rest.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")

# What it prints before it has read that setting. The last one names the missing CUDA driver as
# an error: no news on a machine without an NVIDIA card, a real error on one with it.
CHATTER = [r"^I\d{4} ", r"^WARNING: All log messages before absl::InitializeLog"]
if not Path("/proc/driver/nvidia").exists():
    CHATTER.append(r"failed call to cuInit")


@contextlib.contextmanager
def without_chatter():
    """Hold back what native code writes to standard error, then print all but the chatter."""
    sys.stderr.flush()
    standard_error = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)
            held.seek(0)
            for line in held.read().decode(errors="replace").splitlines(keepends=True):
                if not any(re.search(pattern, line) for pattern in CHATTER):
                    sys.stderr.write(line)


with without_chatter():
    import keras

    BACKEND = keras.backend.backend()
    if BACKEND == "tensorflow":
        import tensorflow as tf

        GPUS = tf.config.list_physical_devices("GPU")
        # Operations that run side by side on a CPU add up gradients in the order in which they
        # happen to finish, which changes the last bits. One at a time, each on every core, is as
        # fast.
        if not GPUS:
            tf.config.threading.set_inter_op_parallelism_threads(1)
    elif BACKEND == "jax":
        import jax

        GPUS = [device for device in jax.devices() if device.platform != "cpu"]
    else:
        raise ImportError(f"KERAS_BACKEND={BACKEND} is not supported; use tensorflow or jax")


def device() -> str:
    """Return the name of the device that the networks run on, for people."""
    if not GPUS:
        return f"the CPU ({os.cpu_count()} cores)"
    if BACKEND == "jax":
        return f"the accelerator ({GPUS[0].device_kind})"
    name = tf.config.experimental.get_device_details(GPUS[0]).get("device_name", GPUS[0].name)
    return f"the GPU ({name})"


def make_repeatable() -> None:
    """Make the same numbers give the same bits. JAX does so on the CPU by itself."""
    if BACKEND == "tensorflow":
        tf.config.experimental.enable_op_determinism()
        # Its remapper cannot fuse a convolution whose LeakyReLU needs a gradient, gives up on the
        # whole graph and prints that as an error.
        tf.config.optimizer.set_experimental_options({"remapping": False})


def compile_step(step, variables):
    """Compile `step`, a function of arrays that reads and assigns Keras variables.

    `variables` lists every variable that it reads or assigns. It returns a dict of scalars.
    """
    if BACKEND == "tensorflow":
        return tf.function(step)

    @jax.jit
    def pure(values, inputs):
        with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)) as scope:
            HELD[:] = variables
            outputs = step(*inputs)
            return outputs, [scope.get_current_value(variable) for variable in variables]

    def compiled(*inputs):
        outputs, values = pure([variable.value for variable in variables], inputs)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return outputs

    return compiled


# The variables of the step that JAX is tracing: `gradients` needs the values they have in it.
HELD = []


def gradients(compute, variables):
    """Differentiate several losses of one computation, inside a compiled step.

    `compute()` returns (objectives, outputs): a dict of scalars to differentiate, and anything
    else. `variables` has the names of the objectives, and for each the list of variables to
    differentiate it by. Returns the outputs and a dict of lists of gradients.
    """
    if BACKEND == "tensorflow":
        with contextlib.ExitStack() as stack:
            tapes = {name: stack.enter_context(tf.GradientTape()) for name in variables}
            objectives, outputs = compute()
        return outputs, {
            name: tapes[name].gradient(objectives[name], by) for name, by in variables.items()
        }

    found = {}
    for name, by in variables.items():

        def objective(values, name=name, by=by):
            mapping = [(variable, variable.value) for variable in HELD]
            mapping += zip(by, values, strict=True)
            with keras.StatelessScope(state_mapping=mapping) as scope:
                objectives, outputs = compute()
                # Batch normalization assigns its statistics on the way.
                state = [scope.get_current_value(variable) for variable in HELD]
            return objectives[name], (outputs, state)

        # The compiler sees that the computation is the same each time, and does it once.
        given = [variable.value for variable in by]
        found[name], (outputs, state) = jax.grad(objective, has_aux=True)(given)
    for variable, value in zip(HELD, state, strict=True):
        variable.assign(value)
    return outputs, found
