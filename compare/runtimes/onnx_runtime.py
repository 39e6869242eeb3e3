"""onnxruntime: the exported graph in ONNX Runtime's CPU provider, all graph optimizations on, as people deploy it."""

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from compare.runtimes.onnx_inputs import TAP, GraphInput, feed, is_past, present_of
from compare.runtimes.registry import Graph

_DTYPES = {"float": "float32", "double": "float64"}


class OnnxRuntime:
    def __init__(self, folder: Path, *, threads: int, graph: Graph) -> None:
        self.graph = folder / f"{graph}.onnx"
        self.session = self._session(session_options(threads))
        self.inputs = [_declared(value) for value in self.session.get_inputs()]
        kept = [value.name for value in self.inputs if is_past(value.name)] if graph == "decode" else []
        #: Of a decode graph: output -> the input that it is at the next step, and those inputs as they are now.
        self.presents = {present_of(name): name for name in kept}
        self.past: dict[str, Any] = {}
        outputs = [output.name for output in self.session.get_outputs()]
        self.names = outputs if graph == "inspect" else ["logits"]
        self.ours = self.session.get_modelmeta().custom_metadata_map

    def run(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        if self.presents:
            self.past = {}
            return self.step(input_ids, attention_mask)  # after nothing, and of many positions
        outputs = self.session.run(self.names, feed(self.inputs, input_ids, attention_mask))
        return {self.ours.get(f"{TAP}{n}", n): array for n, array in zip(self.names, outputs, strict=True)}

    def step(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Keys and values stay in ONNX Runtime's own memory from one step to the next: nothing is copied here."""
        new = feed([value for value in self.inputs if value.name not in self.past], input_ids, attention_mask)
        values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in new.items()}
        logits, *present = self.session.run_with_ort_values(["logits", *self.presents], values | self.past)
        self.past = dict(zip(self.presents.values(), present, strict=True))
        return {"logits": logits.numpy()}

    def facts(self) -> dict[str, str]:
        return {
            "onnxruntime": onnxruntime.__version__,
            "providers": ", ".join(self.session.get_providers()),
            "threads": str(self.session.get_session_options().intra_op_num_threads),
        }

    def operators(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, int]:
        """As the profiler of a session of its own sees them: the graph that is run is not kept anywhere else."""
        options = session_options(self.session.get_session_options().intra_op_num_threads)
        options.enable_profiling = True
        with tempfile.TemporaryDirectory() as folder:
            options.profile_file_prefix = str(Path(folder) / "profile")
            session = self._session(options)
            session.run(self.names, feed(self.inputs, input_ids, attention_mask))
            events = json.loads(Path(session.end_profiling()).read_text())
        ran = [event for event in events if event["cat"] == "Node" and event["name"].endswith("_kernel_time")]
        return dict(Counter(event["args"]["op_name"] for event in ran))

    def close(self) -> None:
        self.past = {}
        del self.session

    def _session(self, options: Any) -> Any:
        return onnxruntime.InferenceSession(self.graph, options, providers=["CPUExecutionProvider"])


def session_options(threads: int) -> Any:
    """What every session here is made with: so many threads, all optimizations, no warnings."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors
    return options


def _declared(value: Any) -> GraphInput:
    """An input as ONNX Runtime tells it: "tensor(int64)", and a string or None where a dimension is free."""
    kind = value.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(size if isinstance(size, int) else None for size in value.shape)
    return GraphInput(value.name, _DTYPES.get(kind, kind), shape or None)
