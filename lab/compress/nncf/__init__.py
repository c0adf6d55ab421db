"""Changes of ONNX, OpenVINO and PyTorch models with NNCF."""
