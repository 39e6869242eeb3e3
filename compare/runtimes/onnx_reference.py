"""The runtime onnx-reference: the exported graph in ONNX's reference evaluator, which runs each operator in NumPy."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from compare.runtimes.onnx_inputs import GraphInput, feed
from compare.runtimes.spec import Graph


class OnnxReference:
    def __init__(self, folder: Path, *, threads: int, graph: Graph) -> None:
        self.threads = threads  # of NumPy's matrix products, which are set by the environment
        model = onnx.load(folder / f"{graph}.onnx")
        self.inputs = [GraphInput(value.name, "int64", None) for value in model.graph.input]  # ids, mask, positions
        self.session = ReferenceEvaluator(model)

    def run(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        outputs: Any = self.session.run(None, feed(self.inputs, input_ids, attention_mask))
        return dict(zip(self.session.output_names, outputs, strict=True))

    def facts(self) -> dict[str, str]:
        return {"onnx": onnx.__version__, "numpy": np.__version__, "threads": str(self.threads)}

    def operators(self, *_: NDArray[Any]) -> dict[str, int]:
        return {}

    def close(self) -> None:
        del self.session
