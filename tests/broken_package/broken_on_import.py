"""A module of a runtime that raises when it is imported."""

raise ImportError("libkernels.so.9 cannot be opened")
