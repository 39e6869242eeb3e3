"""The graphs of a model: one export, and the cuts made from it, all over one weights file.

`inspect.onnx` comes from an exporter and has every tap as an output that this exporter can expose. `deploy.onnx`
(logits of all positions) and `deploy-last.onnx` (logits of the last position) are cut from it, so that they differ from
it in what they expose and in nothing else. The weights are stored once, as `model.safetensors` (`export.weights_file`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
from onnx import helper
from onnx.utils import Extractor

from export.errors import CannotRun

if TYPE_CHECKING:
    from transformers import PreTrainedModel

GRAPHS = ("inspect.onnx", "deploy.onnx", "deploy-last.onnx")

#: (model, folder with its weights) -> the graph with taps, its weights referring to files in the folder.
Exporter = Callable[["PreTrainedModel", Path], onnx.ModelProto]


def write_graphs(model: "PreTrainedModel", folder: Path, label: str, exporter: Exporter) -> int:
    """Write the model's weights and its three graphs into a folder; `label` goes into each graph's metadata.

    All graphs take `input_ids` and `attention_mask`, int64 of (batch, sequence), both dimensions free. `inspect` gives
    tensors of `export.taps.tap_names`, the others `logits`: (batch, sequence, vocabulary), and of deploy-last
    (batch, 1, vocabulary). Returns the version of ONNX's operators that the graphs are written in. Raises `CannotRun`
    where the exporter cannot export the architecture.
    """
    model.save_pretrained(folder, max_shard_size="1TB")
    inspect = exporter(model, folder)
    deploy = cut(inspect, ["logits"])
    for name, graph in zip(GRAPHS, (inspect, deploy, last_position(deploy)), strict=True):
        helper.set_model_props(graph, {"model": label})
        onnx.save(graph, folder / name)
        onnx.checker.check_model(folder / name)
    return next(int(opset.version) for opset in inspect.opset_import if opset.domain in ("", "ai.onnx"))


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
