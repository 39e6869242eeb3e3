"""The graphs of a model: one export, and the cuts made from it, all over one weights file.

`inspect.onnx` is exported and has every tap as an output. `deploy.onnx` (logits of all positions) and
`deploy-last.onnx` (logits of the last position) are cut from it, so that they differ from it in what they expose and in
nothing else. The weights are stored once, as `model.safetensors`: a safetensors file holds its tensors as plain bytes
at known offsets, which is what ONNX's external data refers to. So the folder that holds the graphs is at the same time
one that transformers loads, and not a byte of the weights is there twice.
"""

import json
import logging
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import onnx_ir as ir
import torch
from onnx import helper
from onnx.utils import Extractor
from torch import Tensor, nn

from export.errors import CannotRun
from export.taps import complete, graph_attention, tap_names, tapped

if TYPE_CHECKING:
    from transformers import PreTrainedModel

OPSET = 20
WEIGHTS = "model.safetensors"
GRAPHS = ("inspect.onnx", "deploy.onnx", "deploy-last.onnx")
INPUTS = ("input_ids", "attention_mask")


def write_graphs(model: "PreTrainedModel", folder: Path, label: str) -> None:
    """Write the model's weights and its three graphs into a folder; `label` goes into each graph's metadata.

    All graphs take `input_ids` and `attention_mask`, int64 of (batch, sequence), both dimensions free. `inspect` gives
    the tensors of `export.taps.tap_names`, the others `logits`: (batch, sequence, vocabulary), and of deploy-last
    (batch, 1, vocabulary). Raises `CannotRun` where the architecture cannot be tapped.
    """
    model.save_pretrained(folder, max_shard_size="1TB")
    inspect = export_inspect(model, folder)
    deploy = cut(inspect, ["logits"])
    for name, graph in zip(GRAPHS, (inspect, deploy, last_position(deploy)), strict=True):
        helper.set_model_props(graph, {"model": label})
        onnx.save(graph, folder / name)
        onnx.checker.check_model(folder / name)


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
            input_names=list(INPUTS),
            output_names=tap_names(model.config.num_hidden_layers),
            dynamic_shapes=dict.fromkeys(INPUTS, free),
            verbose=False,
        )
    assert program is not None
    _share_weights(program.model, model, folder)
    _forget_origin(program.model)
    return ir.to_proto(program.model)


def cut(graph: onnx.ModelProto, outputs: list[str]) -> onnx.ModelProto:
    """The part of a graph that the named outputs need."""
    part = Extractor(graph).extract_model([value.name for value in graph.graph.input], outputs)
    part.ir_version = graph.ir_version
    return part


def last_position(deploy: onnx.ModelProto) -> onnx.ModelProto:
    """A deploy graph that computes the logits of the last position alone: one slice before the head.

    The head is the last matrix product before the logits. Raises `CannotRun` where there is none.
    """
    graph = onnx.ModelProto()
    graph.CopyFrom(deploy)
    nodes = graph.graph.node
    makers = {output: node for node in nodes for output in node.output}
    head = makers["logits"]
    while head.op_type != "MatMul":
        if head.input[0] not in makers:
            raise CannotRun(f"no matrix product before the logits, only {head.op_type}: deploy-last cannot be cut")
        head = makers[head.input[0]]
    constants = {"last.starts": [-1], "last.ends": [2**63 - 1], "last.axes": [1]}
    for name, value in constants.items():
        graph.graph.initializer.append(helper.make_tensor(name, onnx.TensorProto.INT64, [1], value))
    slice_node = helper.make_node("Slice", [head.input[0], *constants], ["last.hidden_state"], name="last")
    head.input[0] = "last.hidden_state"
    nodes.insert(list(nodes).index(head), slice_node)
    logits = graph.graph.output[0]
    logits.type.tensor_type.shape.dim[1].dim_value = 1
    del graph.graph.value_info[:]  # shapes after the slice have changed
    return graph


def weights_offsets(path: Path) -> dict[str, tuple[int, int]]:
    """Where each tensor of a safetensors file lies: name -> (offset from the start of the file, bytes).

    The format: eight bytes with the length of a JSON header, the header, the tensors (safetensors README, "Format").
    """
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    start = 8 + length
    return {
        name: (start + entry["data_offsets"][0], entry["data_offsets"][1] - entry["data_offsets"][0])
        for name, entry in header.items()
        if name != "__metadata__"
    }


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
    offsets = weights_offsets(folder / WEIGHTS)
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
