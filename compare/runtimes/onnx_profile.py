"""Read a profile that ONNX Runtime has written: it shows its optimized graph, and where nodes ran, in no other way."""

import json
from pathlib import Path

#: The execution provider that computes on the CPU.
CPU = "CPUExecutionProvider"


def nodes_of(profile: Path) -> list[tuple[str, str]]:
    """Return operator and execution provider of each node that ran, in order.

    profile: the file; its session ran one pass.
    """
    events = json.loads(profile.read_text(encoding="utf-8"))
    ran = [event["args"] for event in events if event["cat"] == "Node" and event["name"].endswith("_kernel_time")]
    return [(each["op_name"], each.get("provider", "")) for each in ran]
