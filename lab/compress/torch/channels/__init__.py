"""Removal of whole channels from exported PyTorch programs."""
