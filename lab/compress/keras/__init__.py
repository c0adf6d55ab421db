"""Changing Keras models."""
