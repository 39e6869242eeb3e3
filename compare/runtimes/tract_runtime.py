"""The runtime tract: an exported graph in tract, an engine written in Rust that computes with one thread."""

import shutil
from pathlib import Path
from typing import Any

import onnx
import tract
from numpy.typing import NDArray
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from compare.runtimes.onnx_inputs import GraphInput, feed
from compare.runtimes.spec import Graph


class Tract:
    """tract: float32.

    tract optimizes a graph for the shapes of its inputs. With symbols for them, it refuses a batch of several sequences
    when it runs ("Can not broadcast 2 against 12"). So the graph is optimized again when the shapes change.
    """

    def __init__(self, folder: Path, *, threads: int, graph: Graph) -> None:
        del threads  # it has one
        self.path = folder / f"{graph}.onnx"
        declared = onnx.load(self.path, load_external_data=False).graph  # tract gives outputs the names of their nodes
        self.inputs = [GraphInput(value.name, "int64", None) for value in declared.input]
        self.outputs = [value.name for value in declared.output]
        #: The shape that the graph is optimized for, and the optimized graph.
        self.shape: tuple[int, ...] = ()
        self.runnable: Any = None

    def run(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        if input_ids.shape != self.shape:
            self.runnable = self._optimized(input_ids.shape)
            self.shape = input_ids.shape
        found = self.runnable.run(list(feed(self.inputs, input_ids, attention_mask).values()))
        return {name: value.to_numpy() for name, value in zip(self.outputs, found, strict=True)}

    def facts(self) -> dict[str, str]:
        return {"tract": tract.version(), "threads": "1"}

    def operators(self, *_: NDArray[Any]) -> dict[str, int]:
        return {}

    def close(self) -> None:
        self.runnable = None

    def _optimized(self, shape: tuple[int, ...]) -> Any:
        model = tract.onnx().load(self.path)
        for place in range(len(self.inputs)):
            model.set_input_fact(place, ",".join([*map(str, shape), "i64"]))
        for place in range(len(self.outputs)):
            model.set_output_fact(place, None)
        return model.into_model().into_runnable()


def convert(folder: Path, out: Path, graphs: tuple[Graph, ...]) -> dict[str, str]:
    """Remove the shapes of intermediate tensors from graphs.

    They have names for the batch and the sequence, which tract does not replace by the numbers that it is given for the
    inputs: "Unifying shapes 2,12 and batch,sequence".
    """
    locations = set()
    for graph in graphs:
        model = onnx.load(folder / f"{graph}.onnx", load_external_data=False)
        del model.graph.value_info[:]
        stored = [tensor for tensor in model.graph.initializer if uses_external_data(tensor)]
        locations |= {ExternalDataInfo(tensor).location for tensor in stored}
        onnx.save(model, out / f"{graph}.onnx")
    for location in locations:
        shutil.copyfile(folder / location, out / location)
    return {}
