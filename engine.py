"""The engine under Keras: imported here first, without its start-up chatter."""

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
    import tensorflow as tf

    GPUS = tf.config.list_physical_devices("GPU")

# Operations that run side by side on a CPU add up gradients in the order in which they happen to
# finish, which changes the last bits. One at a time, each on every core, is as fast.
if not GPUS:
    tf.config.threading.set_inter_op_parallelism_threads(1)


def device() -> str:
    """Return the name of the device that the networks run on, for people."""
    if not GPUS:
        return f"the CPU ({os.cpu_count()} cores)"
    name = tf.config.experimental.get_device_details(GPUS[0]).get("device_name", GPUS[0].name)
    return f"the GPU ({name})"
