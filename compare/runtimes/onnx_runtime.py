"""onnxruntime: the exported graph in ONNX Runtime's CPU provider, all graph optimizations on, as people deploy it."""

from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from compare.runtimes.graph_io import TAP, GraphInput, feed

_DTYPES = {"float": "float32", "double": "float64"}


class OnnxRuntime:
    def __init__(self, folder: Path, *, threads: int, taps: bool) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # errors
        graph = folder / ("inspect.onnx" if taps else "deploy.onnx")
        self.session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self.inputs = [_declared(value) for value in self.session.get_inputs()]
        self.names = ["logits"]
        if taps:
            self.names = [output.name for output in self.session.get_outputs()]
        self.ours = self.session.get_modelmeta().custom_metadata_map

    def run(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        outputs = self.session.run(self.names, feed(self.inputs, input_ids, attention_mask))
        return {self.ours.get(f"{TAP}{n}", n): array for n, array in zip(self.names, outputs, strict=True)}

    def facts(self) -> dict[str, str]:
        return {
            "onnxruntime": onnxruntime.__version__,
            "providers": ", ".join(self.session.get_providers()),
            "threads": str(self.session.get_session_options().intra_op_num_threads),
        }

    def close(self) -> None:
        del self.session


def _declared(value: Any) -> GraphInput:
    """An input as ONNX Runtime tells it: "tensor(int64)", and a string or None where a dimension is free."""
    kind = value.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(size if isinstance(size, int) else None for size in value.shape)
    return GraphInput(value.name, _DTYPES.get(kind, kind), shape or None)
