"""onnxruntime: the exported graph in ONNX Runtime's CPU provider, all graph optimizations on, as people deploy it."""

from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray


class OnnxRuntime:
    def __init__(self, folder: Path, *, threads: int, taps: bool) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # errors
        graph = folder / ("inspect.onnx" if taps else "deploy.onnx")
        self.session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self.names = [output.name for output in self.session.get_outputs()]

    def run(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        outputs = self.session.run(self.names, {"input_ids": input_ids, "attention_mask": attention_mask})
        return dict(zip(self.names, outputs, strict=True))

    def facts(self) -> dict[str, str]:
        return {
            "onnxruntime": onnxruntime.__version__,
            "providers": ", ".join(self.session.get_providers()),
            "threads": str(self.session.get_session_options().intra_op_num_threads),
        }

    def close(self) -> None:
        del self.session
