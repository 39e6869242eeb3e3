"""Benchmarks: `python -m benchmarks.NAME`, each with `--quick`. Not part of the wheel."""
