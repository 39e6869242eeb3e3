"""Telemetry of the libraries that are used here: off.

ONNX Runtime from 1.32 on has it in its official wheels. Importing it writes a device id and a queue of events below the
user's cache folder, so `onnxruntime.disable_telemetry_events()` comes too late: the environment must forbid it before
the import. Older versions have none on Linux and macOS; on Windows they emit trace events, which stay on the machine
unless somebody records them. The hub's library sends package versions with its requests, transformers too.
"""

import os

#: Environment variables that the libraries read when they are imported.
OFF = {"ORT_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def turn_off() -> None:
    """Turn telemetry off in this process and in all that it starts, for the libraries that are not imported yet."""
    os.environ.update(OFF)
