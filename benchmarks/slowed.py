"""ONNX Runtime with a brake, a second, smaller run inside every timed call, for the slowdown in `benchmarks.aa`.

The brake is a matrix product in a separate graph; its number of rows determines its cost. It runs in one thread,
because the threads of a second pool would spin while the first one computes, and would cost far more than the product.
`python -m benchmarks.slowed MODEL_FOLDER INPUTS BRAKE THREADS` prints the times of calls with and without the brake.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from compare.runtimes.onnx_runtime import OnnxRuntime
from compare.runtimes.registry import ENTRY_POINTS
from compare.runtimes.spec import Graph, Spec
from compare.traces import Trace

#: The environment variable that names the brake's file.
BRAKE = "ONNX_ATTENTION_COMPARE_BRAKE"

SPEC = Spec(
    "slowed", "benchmarks.slowed:Slowed", "ONNX Runtime with a brake", ("onnxruntime",), "pip install onnxruntime"
)

_WIDTH, _HIDDEN = 768, 3072


class Slowed(OnnxRuntime):
    """The runtime onnxruntime, which runs the brake after every run."""

    def __init__(self, folder: Path, *, threads: int, graph: Graph) -> None:
        super().__init__(folder, threads=threads, graph=graph)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.brake = onnxruntime.InferenceSession(os.environ[BRAKE], options, providers=["CPUExecutionProvider"])
        rows = self.brake.get_inputs()[0].shape[0]
        self.x = np.random.default_rng(0).standard_normal((rows, _WIDTH), dtype=np.float32)

    def run(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        found = super().run(input_ids, attention_mask)
        self.brake_once()
        return found

    def brake_once(self) -> None:
        self.brake.run(None, {"x": self.x})


def write_brake(path: Path, rows: int) -> None:
    """Write the graph of a product of a (rows, 768) matrix with a (768, 3072) matrix."""
    weights = np.random.default_rng(1).standard_normal((_WIDTH, _HIDDEN), dtype=np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weights"], ["y"])],
        "brake",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, _WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, _HIDDEN])],
        [numpy_helper.from_array(weights, "weights")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


def install(folder: Path) -> None:
    """Write package metadata to a folder, so that the runtime is listed if the folder is on PYTHONPATH."""
    metadata = folder / "slowed-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: slowed\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\n{SPEC.name} = benchmarks.slowed:SPEC\n")


def costs(runtime: Slowed, inputs: Trace, calls: int) -> dict[str, list[float]]:
    """Return the seconds of calls without and with the brake, taken in turns in one process."""
    ids, mask = inputs["input_ids"].copy(), inputs["attention_mask"].copy()
    sides = {"plain": super(Slowed, runtime).run, "slowed": runtime.run}
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for call in range(calls + 3):
        for name in list(sides)[:: 1 if call % 2 else -1]:
            start = time.perf_counter()
            sides[name](ids, mask)
            if call >= 3:
                taken[name].append(time.perf_counter() - start)
    return taken


if __name__ == "__main__":
    model, inputs, brake, threads = sys.argv[1:]
    os.environ[BRAKE] = brake
    print(json.dumps(costs(Slowed(Path(model), threads=int(threads), graph="deploy"), Trace(Path(inputs)), calls=200)))
