"""The exporter `dynamo`, which uses `torch.onnx.export(dynamo=True)` and exposes every tap of the model's layout."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import onnx_ir as ir
import torch
from torch import Tensor, nn
from transformers import DynamicCache

from export.arguments import forward_arguments, has_token_types
from export.attention import graph_attention
from export.bfloat16 import widen_bfloat16
from export.errors import CannotRun, first_line
from export.experts import exportable_experts
from export.folded_weights import FOLDED, FOLDED_DECODE, SMALL, Place, places_of
from export.garbage import no_collection
from export.graphs import cache_names
from export.layout import Layout
from export.past import past_sizes
from export.probe import layout_of
from export.taps import replacing, tapped
from export.weights_file import WEIGHTS, tensor_offsets

if TYPE_CHECKING:
    from transformers import PreTrainedModel

OPSET = 20


def export_inspect(model: "PreTrainedModel", folder: Path) -> onnx.ModelProto:
    """Return the graph with all taps; its weights refer to `model.safetensors` in the folder.

    If torch cannot trace the taps, the graph has only logits. Raises `CannotRun` if torch cannot trace the model.
    """
    try:
        return _export_pass(_Tapped(model), folder)
    except CannotRun:
        if not layout_of(model).layers:
            raise
        return _export_pass(_Tapped(model, replace(layout_of(model), layers=(), returned=False)), folder)


def _export_pass(wrapped: "_Tapped", folder: Path) -> onnx.ModelProto:
    example = torch.zeros((2, 8), dtype=torch.int64)
    inputs = {"input_ids": example, "attention_mask": torch.ones_like(example)}
    if has_token_types(wrapped.model):
        inputs["token_type_ids"] = torch.zeros_like(example)  # torch.export takes one tensor given twice as one input
    return _export(
        wrapped,
        folder,
        tuple(inputs.values()),
        {name: {0: "batch", 1: "sequence"} for name in inputs},
        inputs=list(inputs),
        outputs=wrapped.layout.names(),
        rest=FOLDED,
    )


def export_decode(model: "PreTrainedModel", folder: Path) -> onnx.ModelProto:
    """Return the graph that takes the keys and values of earlier positions; its weights refer to the same file.

    Raises `CannotRun` if the model has no cache of keys and values, or torch cannot trace it with a past.
    """
    past = [torch.zeros((2, heads, 5, size)) for heads, size in past_sizes(model)]
    layers = len(past) // 2
    return _export(
        _Decoding(model),
        folder,
        (torch.zeros((2, 3), dtype=torch.int64), torch.ones((2, 8), dtype=torch.int64), past),
        {
            "input_ids": {0: "batch", 1: "sequence"},
            "attention_mask": {0: "batch", 1: "total"},
            "past": [{0: "batch", 2: "past"}] * len(past),
        },
        inputs=["input_ids", "attention_mask", *cache_names("past_key_values", layers)],
        outputs=["logits", *cache_names("present", layers)],
        rest=FOLDED_DECODE,
    )


def _export(
    wrapped: "_Tapped | _Decoding",
    folder: Path,
    example: tuple[Any, ...],
    free: dict[str, Any],
    *,
    inputs: list[str],
    outputs: list[str],
    rest: str,
) -> onnx.ModelProto:
    """Return the graph of one forward pass, traced with an example.

    free: the dynamic dimensions of each argument, as number -> name. rest: the file for weights in another form.
    """
    try:
        with torch.no_grad(), _quiet(), no_collection(), exportable_experts(wrapped.model):
            program = torch.onnx.export(
                wrapped.eval(),
                example,
                dynamo=True,
                opset_version=OPSET,
                input_names=inputs,
                output_names=outputs,
                dynamic_shapes=free,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        raise _reason(error, wrapped) from error
    assert program is not None
    widen_bfloat16(program.model.graph)
    _share_weights(program.model, wrapped.model, folder)
    _store_folded(program.model, folder, rest)
    _forget_origin(program.model)
    return ir.to_proto(program.model)


def _reason(error: torch.onnx.OnnxExporterError, wrapped: "_Tapped | _Decoding") -> CannotRun:
    """Return the cause of the exporter's error as `CannotRun`, without the exporter's hints for debugging torch."""
    cause = error.__cause__ or error
    if isinstance(cause, CannotRun):
        return cause
    what = f"models of type {wrapped.model.config.model_type!r}{wrapped.how}"
    lines = str(cause).strip().splitlines()[:2]
    why = " ".join(lines) if lines and lines[0].endswith(":") else first_line(cause)
    if "inferred a static shape" in str(cause):
        why = "its code has a loop over the sequence, so the graph would have one length"
    return CannotRun(f"torch cannot export {what}: {why}; another exporter may: --exporter optimum")


class _Tapped(nn.Module):
    """A module for the exporter to trace; its forward pass returns all taps of a layout, by default the model's."""

    how = ""

    def __init__(self, model: "PreTrainedModel", layout: Layout | None = None) -> None:
        super().__init__()
        self.model = model
        self.layout = layout or layout_of(model)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> dict[str, Tensor]:
        inputs = input_ids, attention_mask
        return tapped(self.model, *inputs, graph_attention, token_types=token_type_ids, layout=self.layout)


class _Decoding(nn.Module):
    """A module for the exporter to trace; its forward pass takes and returns keys and values.

    They are ordered by layer: key 0, value 0, key 1, value 1, ...
    """

    how = " with a past"

    def __init__(self, model: "PreTrainedModel") -> None:
        super().__init__()
        self.model = model
        self.replaceable = layout_of(model).replaceable

    def forward(self, input_ids: Tensor, attention_mask: Tensor, past: list[Tensor]) -> list[Tensor]:
        cache = DynamicCache()  # without a configuration it does not slide; a sliding cache would drop positions
        for i, (key, value) in enumerate(zip(past[::2], past[1::2], strict=True)):
            cache.update(key, value, i)
        options = {"past_key_values": cache, "use_cache": True}
        with self.replaced():
            logits = self.model(**forward_arguments(self.model, input_ids, attention_mask, **options)).logits
        return [logits, *(tensor for layer in cache.layers for tensor in (layer.keys, layer.values))]

    def replaced(self) -> AbstractContextManager[None]:
        """Return a context in which the model has the attention of exported graphs, if its own can be replaced."""
        return replacing(self.model, graph_attention) if self.replaceable else nullcontext()


def _share_weights(graph_model: ir.Model, model: "PreTrainedModel", folder: Path) -> None:
    """Make every initializer that is a parameter of the model refer to the safetensors file.

    Initializers and parameters are matched by their memory, because tied parameters have two names but one memory.
    """
    offsets = tensor_offsets(folder / WEIGHTS)
    stored = {p.data_ptr(): name for name, p in model.state_dict(keep_vars=True).items() if name in offsets}
    for name, value in graph_model.graph.initializers.items():
        raw = getattr(value.const_value, "raw", None)
        if not isinstance(raw, Tensor) or raw.data_ptr() not in stored:
            continue  # a small constant that is not a parameter
        offset, length = offsets[stored[raw.data_ptr()]]
        if raw.nbytes != length or not raw.is_contiguous():
            raise CannotRun(f"{name} is a view of a part of {stored[raw.data_ptr()]}, so its weights cannot be shared")
        value.const_value = _stored(name, value, Place(WEIGHTS, offset, length), folder)


def _store_folded(graph_model: ir.Model, folder: Path, rest: str) -> None:
    """Make the initializers that the exporter computed from parameters refer to a safetensors file.

    It transposes the matrices of linear maps. If they stayed in the graph, each graph would have its own copy, and a
    graph of more than 2 GB cannot be written.
    """
    values = graph_model.graph.initializers
    made = {name: value.const_value for name, value in values.items() if value.const_value is not None}
    large = {
        name: tensor.numpy()
        for name, tensor in made.items()
        if not isinstance(tensor, ir.ExternalTensor) and tensor.dtype == ir.DataType.FLOAT and tensor.nbytes >= SMALL
    }
    for name, place in (places_of(large, folder, rest) if large else {}).items():
        values[name].const_value = _stored(name, values[name], place, folder)


def _stored(name: str, value: ir.Value, place: Place, folder: Path) -> ir.ExternalTensor:
    """Return a float32 tensor that is stored in a file of a folder, with the shape of an initializer's value."""
    assert value.const_value is not None
    return ir.ExternalTensor(
        place.file,
        offset=place.offset,
        length=place.length,
        dtype=ir.DataType.FLOAT,
        shape=ir.Shape(value.const_value.shape.numpy()),
        name=name,
        base_dir=folder,
    )


def _forget_origin(graph_model: ir.Model) -> None:
    """Remove the exporter's metadata from the graph, because it contains stack traces with paths of this machine."""
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
    """Silence the exporter's warnings about its own deprecations and about packages that it does not need."""
    logger: Any = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
