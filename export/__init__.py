"""Export transformers models to ONNX graphs in a cache.

`models` loads the weights, `taps` defines the tensors that a run exposes, `graphs` writes the graphs, and `cache`
stores them. `exporting` combines these modules. This package does not import `compare`.

As in `compare/__init__.py`, there are no asserts for pytest to rewrite: PYTEST_DONT_REWRITE.
"""
