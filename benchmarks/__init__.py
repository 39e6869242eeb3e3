"""The benchmarks. Run one with `python -m benchmarks.NAME [--quick]`. They are not part of the wheel."""

from export.telemetry import turn_off

turn_off()
