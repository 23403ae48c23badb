"""The devices a training runs on: their names, repeatable results, one batch shared by several."""

import json
import os
from pathlib import Path

from colorizer.errors import UserError

import tensorflow as tf

# Operations that run side by side on a CPU add up gradients in the order in which they happen to
# finish, which changes the last bits. One at a time, each on every core, is as fast. (Several
# workers wait for each other's operations, so they need more than one.)
if not Path("/proc/driver/nvidia").exists() and "TF_CONFIG" not in os.environ:
    tf.config.threading.set_inter_op_parallelism_threads(1)


def device() -> str:
    """Return the name of the device that the networks run on, for people."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return f"the CPU ({os.cpu_count()} cores)"
    name = tf.config.experimental.get_device_details(gpus[0]).get("device_name", gpus[0].name)
    return f"the GPU ({name})"


def make_repeatable() -> None:
    """Make the same numbers give the same bits."""
    tf.config.experimental.enable_op_determinism()
    # Its remapper cannot fuse a convolution whose LeakyReLU needs a gradient, gives up on the
    # whole graph and prints that as an error.
    tf.config.optimizer.set_experimental_options({"remapping": False})


def is_chief() -> bool:
    """Tell whether this process writes the files: it does unless TF_CONFIG makes it a helper."""
    config = json.loads(os.environ.get("TF_CONFIG", "{}"))
    task = config.get("task", {})
    if "chief" in config.get("cluster", {}):
        return task.get("type") == "chief"
    return not task.get("index")


def strategy(kind):
    """Return how a batch is shared by several devices, a tf.distribute.Strategy.

    `kind` is "gpus" for all the GPUs of this machine (its logical CPUs where it has none),
    "workers" for the processes that the environment's TF_CONFIG names, or None for one device.
    Raises UserError for workers without TF_CONFIG.
    Source: tf.distribute, synchronous data parallelism.
    """
    if kind is None:
        return tf.distribute.get_strategy()
    if kind == "gpus":
        names = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in names])
    if "TF_CONFIG" not in os.environ:
        raise UserError(
            "--distribute workers needs the environment's TF_CONFIG to name the workers, as "
            "TensorFlow's MultiWorkerMirroredStrategy documents it"
        )
    return tf.distribute.MultiWorkerMirroredStrategy()


def check_batch(batch_size, strategy) -> None:
    """Raise UserError unless the devices of the strategy can share a batch of this size."""
    parts = strategy.num_replicas_in_sync
    if batch_size % parts:
        raise UserError(
            f"--batch-size {batch_size} cannot be shared by {parts} devices; give a multiple of "
            f"{parts}"
        )


def distributed(strategy, train_step):
    """Return a function that runs a system's `train_step` on every device with its part of a batch.

    It takes a tuple of arrays (B, ...) and returns the losses as floats, by name: the means over
    the devices. It raises UserError when another worker has stopped.
    """

    def part_of(array):
        def part(context):
            size = len(array) // context.num_replicas_in_sync
            first = context.replica_id_in_sync_group * size
            return tf.constant(array[first : first + size])

        return strategy.experimental_distribute_values_from_function(part)

    def step(batch):
        try:
            losses = strategy.run(train_step, [part_of(array) for array in batch])
            return {name: float(strategy.reduce("MEAN", x, None)) for name, x in losses.items()}
        except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
            raise UserError("another worker stopped; start all of them with --resume") from error

    return step
