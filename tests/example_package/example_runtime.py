"""The runtime example: the exported graph in ONNX Runtime, without its memory arena."""

from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from compare.runtimes.spec import Graph, Spec


class Example:
    def __init__(self, folder: Path, *, threads: int, graph: Graph) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.enable_cpu_mem_arena = False
        self.threads = threads
        self.session = onnxruntime.InferenceSession(folder / f"{graph}.onnx", options)
        self.names = [output.name for output in self.session.get_outputs()]

    def run(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        outputs = self.session.run(self.names, {"input_ids": input_ids, "attention_mask": attention_mask})
        return dict(zip(self.names, outputs, strict=True))

    def facts(self) -> dict[str, str]:
        return {"onnxruntime": onnxruntime.__version__, "threads": str(self.threads)}

    def operators(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, int]:
        return {}

    def close(self) -> None:
        del self.session


SPEC = Spec(
    name="example",
    target="example_runtime:Example",
    summary="the exported graph in ONNX Runtime, without its memory arena",
    requires=("onnxruntime",),
    install="pip install onnxruntime",
    engine="ONNX Runtime",
    libraries=("onnxruntime",),
)
