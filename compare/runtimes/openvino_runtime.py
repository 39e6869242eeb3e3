"""Runtimes that run an exported graph in OpenVINO on the CPU, in float32 or as OpenVINO chooses."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import openvino
from numpy.typing import NDArray

from compare.runtimes.onnx_inputs import GraphInput, feed, presents_of
from compare.runtimes.spec import Graph


class OpenVino:
    """openvino: float32. By default, OpenVINO computes in bf16 on processors that have instructions for it."""

    settings: ClassVar[dict[str, Any]] = {"INFERENCE_PRECISION_HINT": "f32"}

    def __init__(self, folder: Path, *, threads: int, graph: Graph, options: Mapping[str, str] | None = None) -> None:
        usual = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", **self.settings}
        settings = {**usual, **(options or {})}
        self.model = openvino.Core().compile_model(folder / f"{graph}.onnx", "CPU", settings)
        self.request = self.model.create_infer_request()
        self.inputs = [_declared(value) for value in self.model.inputs]
        self.outputs = {name: value for value in self.model.outputs for name in value.names}
        #: For a decode graph: name of an output -> name of the input that it becomes at the next step.
        self.presents = presents_of(self.inputs)
        #: For a decode graph: name of an input -> the keys or values of the past.
        self.past: dict[str, Any] = {}

    def run(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        self.past = {}
        return self.step(input_ids, attention_mask)

    def step(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        new = feed([value for value in self.inputs if value.name not in self.past], input_ids, attention_mask)
        found = self.request.infer(new | self.past, share_inputs=True)
        outputs = {name: found[value] for name, value in self.outputs.items()}
        self.past = {name: outputs.pop(present) for present, name in self.presents.items()}
        return outputs

    def facts(self) -> dict[str, str]:
        return {
            "openvino": openvino.get_version(),
            "precision": self.model.get_property("INFERENCE_PRECISION_HINT").get_type_name(),
            "threads": str(self.model.get_property("INFERENCE_NUM_THREADS")),
        }

    def operators(self, *_: NDArray[Any]) -> dict[str, int]:
        return {}

    def close(self) -> None:
        self.past = {}
        del self.request, self.model


class OpenVinoDefault(OpenVino):
    """openvino-default: in the precision that OpenVINO chooses."""

    settings: ClassVar[dict[str, Any]] = {}


def _declared(value: Any) -> GraphInput:
    """Convert an input's declaration from OpenVINO's form."""
    shape = tuple(None if size.is_dynamic else size.get_length() for size in value.partial_shape)
    return GraphInput(value.any_name, np.dtype(value.element_type.to_dtype()).name, shape)
