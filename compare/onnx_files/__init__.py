"""Any ONNX file, whoever exported it: read and checked, matched with a model by names, and staged for a runtime."""
