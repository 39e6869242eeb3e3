"""Benchmarks: `python -m benchmarks.NAME`, each with `--quick`. Not part of the wheel."""

from export.telemetry import turn_off

turn_off()
