"""The runtime mnn: an exported graph in MNN on the CPU, converted to MNN's own format."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import MNN
import numpy as np
from MNN import expr, nn
from numpy.typing import NDArray

from compare.runtimes.onnx_inputs import GraphInput, feed, is_past, presents_of
from compare.runtimes.spec import Graph
from export.errors import CannotRun


class Mnn:
    """mnn: in the precision mode "high", which is float32.

    Its probabilities are left out: MNN's exp gives no number below 1.6e-38, so a masked key has that probability, while
    a probability on a masked key must be 0. In the modes "normal" and "low", MNN may compute in a lower precision on
    processors that have instructions for it.
    """

    def __init__(self, folder: Path, *, threads: int, graph: Graph, options: Mapping[str, str] | None = None) -> None:
        self.settings = {"backend": "CPU", "numThread": threads, "precision": "high", **(options or {})}
        self.manager = nn.create_runtime_manager((self.settings,))
        file = folder / f"{graph}.mnn"
        self.module = nn.load_module_from_file(str(file), [], [], runtime_manager=self.manager)
        declared = self.module.get_info()
        self.outputs: list[str] = declared["outputNames"]
        self.inputs = [_declared(*pair) for pair in zip(declared["inputNames"], declared["inputs"], strict=True)]
        #: For a decode graph: name of an output -> name of the input that it becomes at the next step.
        self.presents = presents_of(self.inputs)
        #: For a decode graph: name of an input -> the keys or values of the past.
        self.past: dict[str, Any] = {}

    def run(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        self.past = {}
        return self.step(input_ids, attention_mask)

    def step(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Decode further positions. Keys and values stay in MNN's memory between steps."""
        new = feed([value for value in self.inputs if value.name not in self.past], input_ids, attention_mask)
        given = {name: _variable(array) for name, array in new.items()} | self.past
        found = self.module.onForward([given[value.name] for value in self.inputs])
        outputs = dict(zip(self.outputs, found, strict=True))
        self.past = {name: outputs.pop(present) for present, name in self.presents.items()}
        read = {name: value for name, value in outputs.items() if not name.startswith("attention.")}
        return {name: np.array(expr.convert(value, expr.NCHW).read()) for name, value in read.items()}

    def facts(self) -> dict[str, str]:
        return {
            "mnn": MNN.version(),
            "precision": str(self.settings["precision"]),
            "threads": str(self.settings["numThread"]),
        }

    def operators(self, *_: NDArray[Any]) -> dict[str, int]:
        return {}

    def close(self) -> None:
        self.past = {}
        self.module = self.manager = None


def convert(folder: Path, out: Path, graphs: tuple[Graph, ...]) -> dict[str, str]:
    """Convert graphs to MNN's format. Raises `CannotRun` if MNN cannot convert one.

    The converter is called in MNN's extension module. The module that MNN documents, `MNN.tools.mnnconvert`, installs
    a package with pip when it is imported, and sends a log with the machine's id.
    """
    import _tools

    for graph in graphs:
        source, target = folder / f"{graph}.onnx", out / f"{graph}.mnn"
        options = {"-f": "ONNX", "--modelFile": source, "--MNNModel": target, "--bizCode": "compare"}
        _tools.mnnconvert(["mnnconvert", *(str(word) for option in options.items() for word in option)])
        if not target.is_file():
            raise CannotRun(f"MNN cannot convert {source.name}; its log has the reason")
    return {}


def _declared(name: str, value: Any) -> GraphInput:
    """Convert an input's declaration from MNN's form, in which integers have 32 bits, and a dynamic batch is 1."""
    if not is_past(name):
        return GraphInput(name, "int32", None)
    _, heads, _, head_dim = value.shape
    return GraphInput(name, "float32", (None, heads, None, head_dim))


def _variable(array: NDArray[Any]) -> Any:
    kind = expr.int if array.dtype == np.int32 else expr.float
    return expr.const(array, list(array.shape), expr.NCHW, kind)
