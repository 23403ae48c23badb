"""What trains networks, in Keras and TensorFlow, which is imported here first, and quietly."""

import sys

from colorizer.quiet import import_tensorflow

try:
    import_tensorflow()
except ModuleNotFoundError as missing:
    # Before any script has read its command line, so that --help ends like this as well.
    print(
        f"error: this needs the package {missing.name}; install it with: pip install -r "
        "requirements.txt",
        file=sys.stderr,
    )
    raise SystemExit(2) from missing
