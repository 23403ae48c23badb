"""Prepared pictures and what is measured on pictures, in NumPy: no Keras, no TensorFlow."""
