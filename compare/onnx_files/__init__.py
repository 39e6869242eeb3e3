"""Read and check ONNX files, match their outputs with a model's tensors, and stage them for a runtime."""
