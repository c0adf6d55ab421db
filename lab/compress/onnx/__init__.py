"""Changes of ONNX files."""
