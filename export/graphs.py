"""The graphs of a model: two exports, and the cuts made from the first, all over one weights file.

`inspect.onnx` comes from an exporter and has every tap as an output that this exporter can expose. `deploy.onnx`
(logits of all positions) and `deploy-last.onnx` (logits of the last position) are cut from it, so that they differ from
it in what they expose and in nothing else. `decode.onnx` takes the keys and values of earlier positions and returns
those of all, which is another computation, so it is an export of its own. The weights are stored once, as
`model.safetensors` (`export.weights_file`).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import onnx
from onnx import helper
from onnx.utils import Extractor

from export.errors import CannotRun
from export.models import no_progress_bar

if TYPE_CHECKING:
    from transformers import PreTrainedModel

GRAPHS = ("inspect.onnx", "deploy.onnx", "deploy-last.onnx", "decode.onnx")


class Exporter(Protocol):
    """What makes graphs of a model whose weights lie in a folder, and refers to them there; `export.dynamo` is one."""

    def export_inspect(self, model: "PreTrainedModel", folder: Path) -> onnx.ModelProto:
        """The graph with taps."""

    def export_decode(self, model: "PreTrainedModel", folder: Path) -> onnx.ModelProto:
        """The graph with a past."""


class CacheSizes(NamedTuple):
    """What decides the shape of a past: 2 x layers tensors (batch, heads, past, head_dim); heads: of key and value."""

    layers: int
    heads: int
    head_dim: int


def cache_sizes(config: Any) -> CacheSizes:
    """The sizes that a transformers configuration gives a past.

    >>> from transformers import LlamaConfig
    >>> cache_sizes(LlamaConfig(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=1))
    CacheSizes(layers=2, heads=1, head_dim=16)
    """
    heads = config.num_attention_heads
    return CacheSizes(
        config.num_hidden_layers,
        getattr(config, "num_key_value_heads", None) or heads,
        getattr(config, "head_dim", None) or config.hidden_size // heads,
    )


def cache_names(stem: str, layers: int) -> list[str]:
    """The names of keys and values in a decode graph, which are optimum's: its own class loads such a graph too.

    >>> cache_names("present", 2)
    ['present.0.key', 'present.0.value', 'present.1.key', 'present.1.value']
    """
    return [f"{stem}.{i}.{kind}" for i in range(layers) for kind in ("key", "value")]


def write_graphs(model: "PreTrainedModel", folder: Path, label: str, exporter: Exporter) -> int:
    """Write the model's weights and its four graphs into a folder; `label` goes into each graph's metadata.

    All graphs take `input_ids` and `attention_mask`, int64 of (batch, sequence), both dimensions free; optimum's take
    `position_ids` too, those of `export.positions.positions_of`, which ours work out themselves. `inspect` gives
    tensors of `export.taps.tap_names`, the others `logits`: (batch, sequence, vocabulary), and of deploy-last
    (batch, 1, vocabulary). `decode` takes `past_key_values.0.key` and so on besides, float32 of (batch, key/value
    heads, past, head_dim), where past is free and may be 0, and a mask (batch, past + sequence); it gives
    `present.0.key` and so on, of past + sequence positions: the past of the next step. Returns the version of ONNX's
    operators that the graphs are written in. Raises `CannotRun` where the exporter cannot export the architecture.
    """
    with no_progress_bar():
        model.save_pretrained(folder, max_shard_size="1TB")
    inspect = exporter.export_inspect(model, folder)
    deploy = cut(inspect, ["logits"])
    graphs = inspect, deploy, last_position(deploy), exporter.export_decode(model, folder)
    for name, graph in zip(GRAPHS, graphs, strict=True):
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
