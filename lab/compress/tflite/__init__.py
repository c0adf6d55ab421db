"""Changing TFLite files, and converting to them."""
