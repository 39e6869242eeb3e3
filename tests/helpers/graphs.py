"""Helpers for ONNX graphs: run one, decode with a past, remove the inner names, or save one."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from export.positions import positions_of


def run_graph(folder, graph: str, ids, mask) -> dict[str, np.ndarray]:
    """Run a graph once and return every output. If the graph takes a past, it is empty."""
    return RunnableGraph(folder / graph)(ids, mask)


class RunnableGraph:
    """A graph that runs on ids, a mask, and optionally the keys and values of earlier positions."""

    def __init__(self, path: Path) -> None:
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.names = [output.name for output in self.session.get_outputs()]
        inputs = [value.name for value in self.session.get_inputs()]
        self.numbered = "position_ids" in inputs
        self.typed = "token_type_ids" in inputs

    def __call__(self, ids, mask, past: dict[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
        feeds = {"input_ids": ids, "attention_mask": mask} | (self.nothing(len(ids)) if past is None else past)
        if self.numbered:
            feeds["position_ids"] = positions_of(mask, ids.shape[1])
        if self.typed:
            feeds["token_type_ids"] = np.zeros_like(ids)
        return dict(zip(self.names, self.session.run(self.names, feeds), strict=True))

    def nothing(self, batch: int) -> dict[str, np.ndarray]:
        shapes = {value.name: value.shape for value in self.session.get_inputs() if "past" in value.name}
        return {name: np.zeros((batch, shape[1], 0, shape[3]), np.float32) for name, shape in shapes.items()}

    def decode(self, ids, mask, prefill: int) -> np.ndarray:
        """Return the logits of all positions: the first `prefill` in one pass, then one at a time."""
        found, past = [], None
        for start, end in [(0, prefill), *((i, i + 1) for i in range(prefill, ids.shape[1]))]:
            outputs = self(ids[:, start:end], mask[:, :end], past)
            found.append(outputs.pop("logits"))
            past = {name.replace("present", "past_key_values"): tensor for name, tensor in outputs.items()}
            assert {tensor.shape[2] for tensor in past.values()} == {end}
        return np.concatenate(found, axis=1)


def run_model(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Run a model that is not in a file once, and return its outputs."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def nameless(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with numbers as names of all values except inputs, outputs and weights."""
    kept = {value.name for value in (*model.graph.input, *model.graph.output, *model.graph.initializer)} | {""}
    made = [name for node in model.graph.node for name in node.output if name not in kept]
    names = {name: f"t{place}" for place, name in enumerate(made)}
    for node in model.graph.node:
        node.name = ""
        for tensors in (node.input, node.output):
            tensors[:] = [names.get(name, name) for name in tensors]
    del model.graph.value_info[:]
    return model


def saved(model: onnx.ModelProto, path: Path) -> Path:
    """Save a graph with its weights in one file, and return the path."""
    onnx.save(model, path)
    return path
