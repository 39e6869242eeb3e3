"""ONNX files of any exporter: read and check one, match its outputs with a model's tensors, stage it for a runtime."""
