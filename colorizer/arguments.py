"""What colorize.py and app.py take alike on their command lines."""

import argparse
import math


def megapixels(text) -> float:
    """Parse --max-megapixels."""
    millions = float(text)
    if not 0 < millions < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return millions


def working_size(text) -> int:
    """Parse --working-size."""
    size = int(text)
    if not 32 <= size <= 2048:
        raise argparse.ArgumentTypeError(f"{size} is not between 32 and 2048 pixels")
    return size
