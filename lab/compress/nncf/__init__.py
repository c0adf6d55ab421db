"""Changing ONNX, OpenVINO and PyTorch models with NNCF."""
