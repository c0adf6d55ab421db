"""Changing ONNX files."""
