"""Runtimes that run an exported graph in ONNX Runtime on the CPU, at each level of its graph optimizations."""

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from compare.runtimes.onnx_inputs import TAP, GraphInput, feed, is_past, present_of
from compare.runtimes.spec import Graph

_DTYPES = {"float": "float32", "double": "float64"}


class OnnxRuntime:
    """onnxruntime: all graph optimizations, as by default."""

    #: The level of graph optimizations.
    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL

    def __init__(self, folder: Path, *, threads: int, graph: Graph) -> None:
        self.graph = folder / f"{graph}.onnx"
        self.session = self._session(session_options(threads, self.level))
        self.inputs = [_declared(value) for value in self.session.get_inputs()]
        kept = [value.name for value in self.inputs if is_past(value.name)] if graph == "decode" else []
        #: For a decode graph: name of an output -> name of the input that it becomes at the next step.
        self.presents = {present_of(name): name for name in kept}
        #: For a decode graph: name of an input -> the keys or values of the past.
        self.past: dict[str, Any] = {}
        outputs = [output.name for output in self.session.get_outputs()]
        self.names = outputs if graph == "inspect" else ["logits"]
        self.ours = self.session.get_modelmeta().custom_metadata_map

    def run(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        if self.presents:
            self.past = {}
            return self.step(input_ids, attention_mask)  # the prefill: a step without a past
        outputs = self.session.run(self.names, feed(self.inputs, input_ids, attention_mask))
        return {self.ours.get(f"{TAP}{n}", n): array for n, array in zip(self.names, outputs, strict=True)}

    def step(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Decode further positions. Keys and values stay in ONNX Runtime's memory between steps and are not copied."""
        new = feed([value for value in self.inputs if value.name not in self.past], input_ids, attention_mask)
        values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in new.items()}
        logits, *present = self.session.run_with_ort_values(["logits", *self.presents], values | self.past)
        self.past = dict(zip(self.presents.values(), present, strict=True))
        return {"logits": logits.numpy()}

    def facts(self) -> dict[str, str]:
        return {
            "onnxruntime": onnxruntime.__version__,
            "providers": ", ".join(self.session.get_providers()),
            "graph optimization": self.level.name.removeprefix("ORT_").lower().replace("_", " "),
            "threads": str(self.session.get_session_options().intra_op_num_threads),
        }

    def operators(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, int]:
        """Count the operators of one pass with the profiler of a new session.

        ONNX Runtime does not expose its optimized graph in another way.
        """
        options = session_options(self.session.get_session_options().intra_op_num_threads, self.level)
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


class OnnxRuntimeUnoptimized(OnnxRuntime):
    """onnxruntime-unoptimized: the graph as it was exported."""

    level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL


class OnnxRuntimeBasic(OnnxRuntime):
    """onnxruntime-basic: optimizations that hold for every execution provider, such as constant folding."""

    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC


class OnnxRuntimeExtended(OnnxRuntime):
    """onnxruntime-extended: also fusions of the CPU provider, such as GELU and LayerNormalization with an addition."""

    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED


def session_options(threads: int, level: Any = OnnxRuntime.level) -> Any:
    """Return the options of a session: the number of threads, the level of graph optimizations, no warnings."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = level
    options.log_severity_level = 3  # errors
    return options


def _declared(value: Any) -> GraphInput:
    """Convert an input's declaration from ONNX Runtime's form.

    ONNX Runtime writes types as "tensor(int64)", and dynamic dimensions as a string or None.
    """
    kind = value.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(size if isinstance(size, int) else None for size in value.shape)
    return GraphInput(value.name, _DTYPES.get(kind, kind), shape or None)
