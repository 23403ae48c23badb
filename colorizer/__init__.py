"""What brings photographs into colour and enlarges them, without Keras or TensorFlow."""

from colorizer.colorizer import Colorizer
from colorizer.enlarge import Enlarger

__all__ = ["Colorizer", "Enlarger"]
