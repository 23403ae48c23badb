"""What brings photographs into colour, without Keras or TensorFlow."""
