"""Reading and checking model files: what is in them, without running them."""
