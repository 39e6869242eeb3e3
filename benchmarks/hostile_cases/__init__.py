"""The inputs of `python -m benchmarks.hostile`, a file for each kind of thing that comes from outside."""
