"""Changes of Keras models."""
