"""What brings photographs into colour, without Keras or TensorFlow."""

from colorizer.colorizer import Colorizer

__all__ = ["Colorizer"]
