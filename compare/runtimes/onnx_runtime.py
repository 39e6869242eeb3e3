"""Runtimes that run an exported graph in ONNX Runtime, at each level of its graph optimizations.

They run in the CPU provider, or in the execution provider that the device or an option names.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from compare.runtimes.onnx_inputs import TAP, GraphInput, feed, presents_of
from compare.runtimes.onnx_profile import CPU
from compare.runtimes.onnx_providers import Sessions, fell_back
from compare.runtimes.spec import Device, Graph
from export.kinds import LOGITS, output_among

_DTYPES = {"float": "float32", "double": "float64"}


class OnnxRuntime:
    """onnxruntime: all graph optimizations, as by default."""

    #: The level of graph optimizations.
    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL

    def __init__(
        self,
        folder: Path,
        *,
        threads: int,
        graph: Graph,
        device: Device = "cpu",
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.graph = folder / f"{graph}.onnx"
        self.sessions = Sessions(threads, self.level, device, options or {})
        self.session = self.sessions.start(self.graph)
        self.inputs = [_declared(value) for value in self.session.get_inputs()]
        #: For a decode graph: name of an output -> name of the input that it becomes at the next step.
        self.presents = presents_of(self.inputs) if graph == "decode" else {}  # a file of others may have a past too
        #: For a decode graph: name of an input -> the keys or values of the past.
        self.past: dict[str, Any] = {}
        outputs = [output.name for output in self.session.get_outputs()]
        self.names = outputs if graph == "inspect" else [output_among(outputs) or LOGITS]
        self.ours = self.session.get_modelmeta().custom_metadata_map
        #: How many nodes ran in each provider; empty in the CPU provider, and before the first run.
        self.nodes = ""

    def run(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        if self.presents:
            self.past = {}
            return self.step(input_ids, attention_mask)  # the prefill: a step without a past
        inputs = feed(self.inputs, input_ids, attention_mask)
        outputs = self.session.run(self.names, inputs)
        if self.sessions.provider != CPU and self.graph.stem == "inspect" and not self.nodes:
            self.nodes = fell_back(self.sessions.nodes(self.graph, self.names, inputs))
        return {self.ours.get(f"{TAP}{n}", n): array for n, array in zip(self.names, outputs, strict=True)}

    def step(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Decode further positions. Keys and values stay in the provider's memory between steps."""
        new = feed([value for value in self.inputs if value.name not in self.past], input_ids, attention_mask)
        values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in new.items()} | self.past
        if self.sessions.memory == "cpu":
            logits, *present = self.session.run_with_ort_values(["logits", *self.presents], values)
        else:
            logits, *present = self.bound(values, self.sessions.memory)
        self.past = dict(zip(self.presents.values(), present, strict=True))
        return {"logits": logits.numpy()}

    def bound(self, values: Mapping[str, Any], memory: str) -> list[Any]:
        """Run the graph and return logits and keys and values, which stay in a device's memory.

        Without a binding, ONNX Runtime copies all outputs to the CPU.
        """
        binding = self.session.io_binding()
        for name, value in values.items():
            binding.bind_ortvalue_input(name, value)
        binding.bind_output("logits")
        for name in self.presents:
            binding.bind_output(name, memory)
        self.session.run_with_iobinding(binding)
        outputs: list[Any] = binding.get_outputs()
        return outputs

    def facts(self) -> dict[str, str]:
        settings = {
            **{f"provider.{key}": value for key, value in self.sessions.provider_options.items()},
            **self.sessions.entries,
            **({"plugin": self.sessions.plugin} if self.sessions.plugin else {}),
            **({"nodes": self.nodes} if self.nodes else {}),
        }
        return {
            "onnxruntime": onnxruntime.__version__,
            "providers": ", ".join(self.session.get_providers()),
            "graph optimization": self.level.name.removeprefix("ORT_").lower().replace("_", " "),
            "threads": str(self.session.get_session_options().intra_op_num_threads),
            **settings,
        }

    def operators(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, int]:
        """Count the operators of one pass with the profiler of a new session."""
        inputs = feed(self.inputs, input_ids, attention_mask)
        return dict(Counter(operator for operator, _ in self.sessions.nodes(self.graph, self.names, inputs)))

    def close(self) -> None:
        self.past = {}
        del self.session


class OnnxRuntimeUnoptimized(OnnxRuntime):
    """onnxruntime-unoptimized: the graph as it was exported."""

    level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL


class OnnxRuntimeBasic(OnnxRuntime):
    """onnxruntime-basic: optimizations that hold for every execution provider, such as constant folding."""

    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC


class OnnxRuntimeExtended(OnnxRuntime):
    """onnxruntime-extended: also fusions of the CPU provider, such as GELU and LayerNormalization with an addition."""

    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED


def _declared(value: Any) -> GraphInput:
    """Convert an input's declaration from ONNX Runtime's form.

    ONNX Runtime writes types as "tensor(int64)", and dynamic dimensions as a string or None.
    """
    kind = value.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(size if isinstance(size, int) else None for size in value.shape)
    return GraphInput(value.name, _DTYPES.get(kind, kind), shape or None)
