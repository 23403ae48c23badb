"""What makes and measures networks: data, losses' colour spaces, metrics, runs.

TensorFlow reads these settings when it is first imported, so this package is imported before it.
"""

import os

# Its C++ part prints notes about the processor and missing CUDA drivers; what fails is raised.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
