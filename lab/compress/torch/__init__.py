"""Changes of exported PyTorch programs."""
