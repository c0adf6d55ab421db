"""The tiny models, as fixtures."""

from tests.tiny import tiny_torch

__all__ = ["tiny_torch"]
