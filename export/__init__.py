"""Export transformers models to ONNX graphs in a cache.

`models` loads the weights, `taps` defines the tensors that a run exposes, `graphs` writes the graphs, `cache` stores
them, and `exporting` combines the four. This package does not import `compare`.

As in `compare/__init__.py`, there are no asserts for pytest to rewrite: PYTEST_DONT_REWRITE.
"""
