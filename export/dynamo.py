"""torch's own exporter (`torch.onnx.export(dynamo=True)`), which sees the model with all its taps."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import onnx_ir as ir
import torch
from torch import Tensor, nn

from export.errors import CannotRun
from export.taps import complete, graph_attention, tap_names, tapped
from export.weights_file import WEIGHTS, tensor_offsets

if TYPE_CHECKING:
    from transformers import PreTrainedModel

OPSET = 20


def export_inspect(model: "PreTrainedModel", folder: Path) -> onnx.ModelProto:
    """The graph with all taps, its weights referring to the `model.safetensors` that lies in the folder."""
    example = torch.zeros((2, 8), dtype=torch.int64)
    free = {0: "batch", 1: "sequence"}
    with torch.no_grad(), _quiet():
        program = torch.onnx.export(
            _Tapped(model).eval(),
            (example, torch.ones_like(example)),
            dynamo=True,
            opset_version=OPSET,
            input_names=["input_ids", "attention_mask"],
            output_names=tap_names(model.config.num_hidden_layers),
            dynamic_shapes={"input_ids": free, "attention_mask": free},
            verbose=False,
        )
    assert program is not None
    _share_weights(program.model, model, folder)
    _forget_origin(program.model)
    return ir.to_proto(program.model)


class _Tapped(nn.Module):
    """A model whose forward pass returns all taps: what the exporter sees."""

    def __init__(self, model: "PreTrainedModel") -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        with tapped(self.model, graph_attention) as taps:
            logits = self.model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).logits
        return complete(taps, logits, self.model.config.num_hidden_layers)


def _share_weights(graph_model: ir.Model, model: "PreTrainedModel", folder: Path) -> None:
    """Let every initializer that is a parameter of the model refer to the safetensors file.

    They are matched by the memory they share, not by name: tied parameters have two names and one memory.
    """
    offsets = tensor_offsets(folder / WEIGHTS)
    stored = {p.data_ptr(): name for name, p in model.state_dict(keep_vars=True).items() if name in offsets}
    for name, value in graph_model.graph.initializers.items():
        raw = getattr(value.const_value, "raw", None)
        if not isinstance(raw, Tensor) or raw.data_ptr() not in stored:
            continue  # a small constant of the graph itself
        offset, length = offsets[stored[raw.data_ptr()]]
        if raw.nbytes != length or not raw.is_contiguous():
            raise CannotRun(f"{name} is a view of {stored[raw.data_ptr()]}, not the whole of it: cannot be shared")
        value.const_value = ir.ExternalTensor(
            WEIGHTS,
            offset=offset,
            length=length,
            dtype=ir.DataType.FLOAT,
            shape=ir.Shape(raw.shape),
            name=name,
            base_dir=folder,
        )


def _forget_origin(graph_model: ir.Model) -> None:
    """Drop the exporter's notes on each node: they hold stack traces with the paths of this machine."""
    graph_model.metadata_props.clear()
    graph_model.graph.metadata_props.clear()
    for node in graph_model.graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
        for value in node.outputs:
            value.metadata_props.clear()
    for value in [*graph_model.graph.inputs, *graph_model.graph.initializers.values()]:
        value.metadata_props.clear()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's warnings about packages it does not need and its own deprecations."""
    logger: Any = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
