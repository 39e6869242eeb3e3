"""Export transformers models to ONNX graphs in a cache.

`models` loads the weights, `taps` defines the tensors that a run exposes, `graphs` writes the graphs, and `cache`
stores them. `exporting` combines these modules. This package does not import `compare`.

As in `compare/__init__.py`, there are no asserts for pytest to rewrite: PYTEST_DONT_REWRITE.
"""

import sys

# As in compare/__init__.py: python -m export imports nothing from the working folder.
_started = ("-m", "export") in zip(sys.orig_argv, sys.orig_argv[1:], strict=False)
if _started and sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    del sys.path[0]
