"""The tiny models, as fixtures."""

from tests.tiny import tiny_onnx, tiny_openvino, tiny_tflite

__all__ = ["tiny_onnx", "tiny_openvino", "tiny_tflite"]
