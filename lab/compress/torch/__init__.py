"""Changing exported PyTorch programs."""
