"""The process of one kernel: answers each line on stdin with a line of JSON on stdout.

    case NAME    computes the context of a case, saves it in a file     {"saved": PATH}
    node NAME    runs one of ONNX's node cases                          {"wrong": null or a description}

Either line can also be answered with {"unsupported": REASON} or {"error": WORDS}. The command is
`python -m compare.battery.worker JOB`; the process ends when stdin is closed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from compare.battery.cases import make_inputs
from compare.battery.kernels.registry import Kernel, KernelSpec
from compare.battery.node_cases import mismatch, read_node_case
from compare.battery.unsupported import Unsupported
from compare.processes.child_side import in_a_line, main_of_child, questions


def _work(job: dict[str, Any]) -> None:
    spec = KernelSpec(**job["kernel"])
    kernel: Kernel = spec.load()(threads=job["threads"])
    for line, answer in questions():
        answer(reply(kernel, line, job))


def reply(kernel: Kernel, line: str, job: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer to one line. Raises ValueError if the line is neither case NAME nor node NAME."""
    word, _, name = line.partition(" ")
    if word not in ("case", "node"):
        raise ValueError(f"unknown question {line!r}; expected case NAME or node NAME")
    try:
        if word == "node":
            case = read_node_case(Path(job["node_cases"]), name)
            return {"wrong": mismatch([np.asarray(output) for output in kernel.node(case)], case)}
        saved = Path(job["out"]) / f"{name}.npy"
        context = np.asarray(kernel.attend(make_inputs(name, job["seed"])))
        np.save(saved, context.astype(np.float64))  # every float precision fits; raises if not numbers
        return {"saved": str(saved)}
    except Unsupported as reason:
        return {"unsupported": str(reason)}
    except Exception as error:  # a kernel may raise anything; the cell then shows the error
        return {"error": in_a_line(error, most=300)}


if __name__ == "__main__":
    main_of_child(_work)
