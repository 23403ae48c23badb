"""The engine under Keras, imported here first: gradients, compiled steps, devices.

TensorFlow unless the environment says otherwise: `KERAS_BACKEND=jax python train.py ...`.
"""

import contextlib
import json
import os
import re
import sys
import tempfile
from pathlib import Path

from colorizer.errors import UserError

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
    import numpy as np

    BACKEND = keras.backend.backend()
    if BACKEND == "tensorflow":
        import tensorflow as tf

        GPUS = tf.config.list_physical_devices("GPU")
        # Operations that run side by side on a CPU add up gradients in the order in which they
        # happen to finish, which changes the last bits. One at a time, each on every core, is as
        # fast. (Several workers wait for each other's operations, so they need more than one.)
        if not GPUS and "TF_CONFIG" not in os.environ:
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


def is_chief() -> bool:
    """Tell whether this process writes the files: it does unless TF_CONFIG makes it a helper."""
    task = json.loads(os.environ.get("TF_CONFIG", "{}")).get("task", {})
    return task.get("type") == "chief" or not task.get("index")


class Distribution:
    """One step on several devices, each of which takes its part of the batch.

    `kind` is "gpus" for all the GPUs of this machine (its logical CPUs where it has none), or
    "workers" for the processes that the environment's TF_CONFIG names. `parts` is how many they
    are. Raises UserError without TensorFlow, and for workers without TF_CONFIG.
    Source: tf.distribute, synchronous data parallelism.
    """

    def __init__(self, kind):
        if BACKEND != "tensorflow":
            raise UserError(f"--distribute needs TensorFlow; leave out KERAS_BACKEND={BACKEND}")
        if kind == "workers":
            if "TF_CONFIG" not in os.environ:
                raise UserError(
                    "--distribute workers needs the environment's TF_CONFIG to name the workers, "
                    "as TensorFlow's MultiWorkerMirroredStrategy documents it"
                )
            self.strategy = tf.distribute.MultiWorkerMirroredStrategy()
        else:
            names = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
            self.strategy = tf.distribute.MirroredStrategy([device.name for device in names])
        self.parts = self.strategy.num_replicas_in_sync

    def scope(self):
        """Return the context in which every variable has to be made."""
        return self.strategy.scope()

    def split(self, value):
        """Give each device its part of an array's first axis; a scalar goes to all of them."""
        size = len(value) // self.parts if np.ndim(value) else None

        def part(context):
            first = context.replica_id_in_sync_group * size if size else None
            return tf.constant(value[first : first + size] if size else value)

        return self.strategy.experimental_distribute_values_from_function(part)

    def compile(self, step, after):
        """Compile `step` to run on every device with its part, then `after` once."""

        @tf.function
        def distributed(parts, inputs):
            outputs = self.strategy.run(step, parts)
            after(*inputs)
            mean = tf.distribute.ReduceOp.MEAN
            return {
                name: self.strategy.reduce(mean, output, axis=None)
                for name, output in outputs.items()
            }

        def compiled(parts, inputs):
            try:
                return distributed(tuple(self.split(value) for value in parts), inputs)
            except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
                raise UserError(
                    "another worker stopped; start all of them again with --resume"
                ) from error

        return compiled


def compile_step(step, after, variables, distribution=None):
    """Compile `step` and what comes `after` it, functions that read and assign Keras variables.

    `variables` lists every variable that they read or assign. Returns a function of two tuples,
    the arguments of `step` and of `after`; it returns what `step` does, a dict of scalars.
    """
    if distribution:
        return distribution.compile(step, after)

    def whole(parts, inputs):
        outputs = step(*parts)
        after(*inputs)
        return outputs

    if BACKEND == "tensorflow":
        return tf.function(whole)

    @jax.jit
    def pure(values, parts, inputs):
        with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)) as scope:
            HELD[:] = variables
            outputs = whole(parts, inputs)
            return outputs, [scope.get_current_value(variable) for variable in variables]

    def compiled(parts, inputs):
        outputs, values = pure([variable.value for variable in variables], parts, inputs)
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
        found = {name: tapes[name].gradient(objectives[name], by) for name, by in variables.items()}
        if tf.distribute.has_strategy():
            # Each device's loss is the mean over its part of the batch, and Keras' optimizers add
            # the devices' gradients up.
            parts = tf.distribute.get_strategy().num_replicas_in_sync
            found = {name: [gradient / parts for gradient in by] for name, by in found.items()}
        return outputs, found

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
