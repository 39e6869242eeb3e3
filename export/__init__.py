"""A transformer becomes ONNX graphs in the cache.

`models` finds the weights, `taps` names what a run exposes, `graphs` writes the graphs, `cache` keeps them, and
`exporting` joins the four. Nothing here knows of `compare`.

There is no assert here for pytest to rewrite, as in `compare/__init__.py`: PYTEST_DONT_REWRITE.
"""
