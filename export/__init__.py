"""Export transformers models to ONNX graphs in a cache.

`models` loads the weights, `taps` defines the tensors that a run exposes, `graphs` writes the graphs, `cache` stores
them, and `exporting` combines the four. This package does not import `compare`.

pytest need not rewrite asserts in this file, as in `compare/__init__.py`: PYTEST_DONT_REWRITE.
"""
