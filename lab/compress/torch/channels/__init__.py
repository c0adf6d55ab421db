"""Removing whole channels from exported PyTorch programs."""
