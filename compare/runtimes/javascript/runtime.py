"""A graph in ONNX Runtime's JavaScript API: what its runtimes have in common, wherever the JavaScript runs."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnx
from numpy.typing import NDArray

from compare.runtimes.onnx_inputs import GraphInput, feed, is_past, presents_of
from compare.runtimes.spec import Graph
from export.kinds import LOGITS, output_among


class JavaScriptError(Exception):
    """An error in the JavaScript of a runtime."""


class Host(ABC):
    """A place where `session.mjs` runs."""

    @abstractmethod
    def place(self, name: str) -> str:
        """Return the URL or path under which a file of the model's folder is loaded."""

    @abstractmethod
    def exchange(self, line: str) -> str:
        """Send a line to `Session.answer` and return the line that it answers with."""

    @abstractmethod
    def receive(self, size: int) -> bytearray:
        """Return the bytes that belong to the last answer. size: how many."""

    @abstractmethod
    def close(self) -> None:
        """End every process of it."""

    def ask(self, call: str, **given: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Call a method of `session.mjs`, and return its result and its tensors.

        Raises `JavaScriptError` if it throws.
        """
        found = json.loads(self.exchange(json.dumps([call, given])))
        if "error" in found:
            raise JavaScriptError(found["error"])
        sent = found.pop("tensors")
        content = memoryview(self.receive(sum(each["bytes"] for each in sent)) if sent else b"")
        tensors = {}
        for each in sent:
            tensors[each["name"]] = np.frombuffer(content[: each["bytes"]], each["type"]).reshape(each["dims"])
            content = content[each["bytes"] :]
        return found, tensors


class JavaScriptRuntime(ABC):
    """A runtime that loads a graph in a host, and times its calls there."""

    #: The options of the session, as the JavaScript API names them.
    options: ClassVar[dict[str, Any]] = {"graphOptimizationLevel": "all", "logSeverityLevel": 3}

    def __init__(self, folder: Path, *, threads: int, graph: Graph) -> None:
        self.host, self.threads = self.started(folder), threads
        #: What a session is made from, as `session.mjs` names it.
        self.session = {
            "graph": self.host.place(f"{graph}.onnx"),
            "options": {**self.options, **self.session_options(folder / f"{graph}.onnx")},
        }
        self.loaded, _ = self.host.ask("load", **self.session, threads=threads)
        self.inputs = [_declared(value) for value in self.loaded["inputs"]]
        #: For a decode graph: name of an output -> name of the input that it becomes at the next step.
        self.presents = presents_of(self.inputs)
        outputs: list[str] = self.loaded["outputs"]
        self.names = outputs if graph == "inspect" else [output_among(outputs) or LOGITS]
        #: The time of the last call of `run` or `step`, in nanoseconds.
        self.last_ns = 0

    @abstractmethod
    def started(self, folder: Path) -> Host:
        """Start the host. folder: the folder of the model."""

    @abstractmethod
    def session_options(self, graph: Path) -> dict[str, Any]:
        """Return the options of the session for a graph, besides `options`."""

    @abstractmethod
    def engine(self) -> dict[str, str]:
        """Return the name and the version of what runs the JavaScript."""

    def run(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return self._run(self.inputs, input_ids, attention_mask, first=True)

    def step(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Decode further positions. Keys and values stay in the host between steps."""
        new = [each for each in self.inputs if not is_past(each.name)]
        return self._run(new, input_ids, attention_mask, first=False)

    def timed(self, input_ids: NDArray[Any], attention_mask: NDArray[Any], calls: int) -> list[int]:
        feeds = described(feed(self.inputs, input_ids, attention_mask))
        found: list[int] = self.host.ask("timed", feeds=feeds, names=self.names, calls=calls)[0]["ns"]
        return found

    def facts(self) -> dict[str, str]:
        versions = {f"onnxruntime-{part}": version for part, version in self.loaded["versions"].items()}
        return {**versions, **self.engine(), "threads": str(self.loaded["threads"])}

    @abstractmethod
    def operators(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, int]: ...

    def close(self) -> None:
        self.host.close()

    def _run(
        self, inputs: Iterable[GraphInput], ids: NDArray[Any], mask: NDArray[Any], *, first: bool
    ) -> dict[str, NDArray[Any]]:
        feeds = described(feed(inputs, ids, mask))
        found, tensors = self.host.ask("run", feeds=feeds, names=self.names, presents=self.presents, first=first)
        self.last_ns = found["ns"]
        return tensors


class WasmRuntime(JavaScriptRuntime):
    """A runtime in WebAssembly, which has no files: it is given those with the weights, and writes no profile."""

    def session_options(self, graph: Path) -> dict[str, Any]:
        tensors = onnx.load(graph, load_external_data=False).graph.initializer
        names = sorted({each.value for tensor in tensors for each in tensor.external_data if each.key == "location"})
        weights = [{"path": name, "data": self.host.place(name)} for name in names]
        return {"executionProviders": ["wasm"], "externalData": weights}

    def operators(self, *_: NDArray[Any]) -> dict[str, int]:
        return {}


def _declared(value: dict[str, Any]) -> GraphInput:
    """Convert an input's declaration from the JavaScript API's form, in which dynamic dimensions are strings."""
    shape = tuple(size if isinstance(size, int) else None for size in value["shape"])
    return GraphInput(value["name"], value["type"], shape)


def described(feeds: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Describe the inputs of a graph for `Session.made`."""
    return {
        name: {"type": array.dtype.name, "dims": array.shape, "values": array.ravel().tolist()}
        for name, array in feeds.items()
    }
