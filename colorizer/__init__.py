"""What brings photographs into colour and enlarges them, without Keras or TensorFlow."""

from colorizer.colorizer import Colorizer
from colorizer.prints.enlarge import Enlarger

__version__ = "1.0.0"

__all__ = ["Colorizer", "Enlarger"]
