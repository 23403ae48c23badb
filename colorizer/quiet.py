"""TensorFlow imported without what it prints."""

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


def import_tensorflow() -> None:
    """Import Keras and TensorFlow; raises ImportError where one is missing."""
    with without_chatter():
        import keras  # noqa: F401
        import tensorflow as tf

        # Asked for here, because the answer starts the CUDA driver, which has something to print.
        tf.config.list_physical_devices("GPU")


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
