"""Turn off the telemetry of ONNX Runtime, Hugging Face's hub library and transformers.

The official wheels of ONNX Runtime 1.32 and later have telemetry. Importing onnxruntime writes a device id and a queue
of events to the user's cache folder, so calling `onnxruntime.disable_telemetry_events()` afterwards is too late; an
environment variable must be set before the import. Older versions have no telemetry on Linux and macOS. On Windows they
emit trace events, which stay on the machine unless they are recorded. The hub's library and transformers send package
versions with their requests.
"""

import os

#: Environment variables that turn telemetry off. The libraries read them when they are imported.
OFF = {"ORT_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def turn_off() -> None:
    """Turn telemetry off, in this process and its children, for libraries that are not imported yet."""
    os.environ.update(OFF)
