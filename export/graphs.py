"""Write the four graphs of a model, which share one weights file.

`inspect.onnx` comes from an exporter and outputs every tap that the exporter can expose. `deploy.onnx` (logits of all
positions) and `deploy-last.onnx` (logits of the last position) are cut from it, so they differ from it only in their
outputs. `decode.onnx` takes the keys and values of earlier positions and returns those of all positions. That is
another computation, so it is a separate export. The weights are stored once, as `model.safetensors`
(`export.weights_file`). A model that keeps no plain keys and values has no `decode.onnx`.
"""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import onnx
from onnx import helper
from onnx.utils import Extractor

from export.errors import CannotRun, cause
from export.kinds import LOGITS, output_of, output_phrase
from export.models import no_progress_bar
from export.probe import layout_of
from export.progress import SILENT, Progress

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LAST, DECODE = "deploy-last.onnx", "decode.onnx"
GRAPHS = ("inspect.onnx", "deploy.onnx", LAST, DECODE)


class Exporter(Protocol):
    """The interface of exporters, such as `export.dynamo`. The graphs refer to the weights file in the folder."""

    def export_inspect(self, model: "PreTrainedModel", folder: Path) -> onnx.ModelProto:
        """Return the graph with taps."""

    def export_decode(self, model: "PreTrainedModel", folder: Path) -> onnx.ModelProto:
        """Return the graph with a past."""


class Written(NamedTuple):
    """What `write_graphs` wrote.

    opset: the graphs' ONNX opset version. notes: sentences on what the graphs lack.
    """

    opset: int
    notes: list[str]


def cache_names(stem: str, layers: int) -> list[str]:
    """Return the names of keys and values in a decode graph. Optimum uses the same, so its classes can load the graph.

    >>> cache_names("present", 2)
    ['present.0.key', 'present.0.value', 'present.1.key', 'present.1.value']
    """
    return [f"{stem}.{i}.{kind}" for i in range(layers) for kind in ("key", "value")]


def write_graphs(
    model: "PreTrainedModel", folder: Path, label: str, exporter: Exporter, progress: Progress = SILENT
) -> Written:
    """Write a model's weights and its four graphs into a folder.

    Inputs: all graphs take `input_ids` and `attention_mask`, int64 (batch, sequence), with both dimensions dynamic.
    Graphs of optimum also take `position_ids` (`export.positions.positions_of`); graphs of dynamo compute them.
    Graphs of an encoder with several token types also take `token_type_ids`.
    `decode` also takes `past_key_values.0.key` and so on, float32 (batch, key/value heads, past, head_dim), where past
    is dynamic and may be 0; its mask is (batch, past + sequence).

    Outputs: `inspect` has tensors of `export.layout.Layout.names`. The others have `logits`, (batch, sequence,
    vocabulary); in deploy-last, (batch, 1, vocabulary). An encoder has only `inspect` and `deploy`, which outputs
    `last_hidden_state`, (batch, sequence, hidden). `decode` also has `present.0.key` and so on, with past +
    sequence positions, which are the past of the next step. If the model cannot be exported with a past, there is no
    `decode`, and a note says why.

    label: written into each graph's metadata.
    progress: has a step for the weights and one for each graph.
    Raises `CannotRun` if the exporter cannot export the architecture.
    """
    progress.waits("writing the weights")
    _save(model, folder)
    progress.step("weights")
    progress.waits("tracing the graph with every tap")
    inspect = exporter.export_inspect(model, folder)
    output = output_of(model.config)
    deploy = cut(inspect, [output])
    graphs = dict(zip(GRAPHS, (inspect, deploy), strict=False))
    notes = []
    if len(inspect.graph.output) == 1 and layout_of(model).layers:
        notes.append(f"exported graphs are compared on {output_phrase(output)}: their taps cannot be exported")
    if output == LOGITS:
        graphs |= _generating(model, deploy, folder, exporter, notes, progress)
    for name, graph in graphs.items():
        helper.set_model_props(graph, {"model": label})
        onnx.save(graph, folder / name)
        onnx.checker.check_model(folder / name)
        progress.step(f"{name}, {(folder / name).stat().st_size / 1e6:.1f} MB")
    opset = next(int(opset.version) for opset in inspect.opset_import if opset.domain in ("", "ai.onnx"))
    return Written(opset, notes)


def _save(model: "PreTrainedModel", folder: Path) -> None:
    """Save a model as one weights file and its configurations.

    transformers refuses to save settings of generation that contradict each other. Comparisons do not use them, so its
    defaults are saved instead. Raises `CannotRun` if it cannot save the model.
    """
    from transformers import GenerationConfig

    own = getattr(model, "generation_config", None)
    try:
        with no_progress_bar(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model.save_pretrained(folder, max_shard_size="1TB")
            except ValueError:
                if own is None:
                    raise
                model.generation_config = GenerationConfig()
                model.save_pretrained(folder, max_shard_size="1TB")
    except (ValueError, TypeError, RuntimeError) as error:
        raise CannotRun(
            f"transformers cannot save models of type {model.config.model_type!r}: {cause(error)}"
        ) from error
    finally:
        if own is not None:
            model.generation_config = own


def _generating(
    model: "PreTrainedModel",
    deploy: onnx.ModelProto,
    folder: Path,
    exporter: Exporter,
    notes: list[str],
    progress: Progress,
) -> dict[str, onnx.ModelProto]:
    """Return the further graphs of a causal language model. A note is added if it has no graph with a past."""
    graphs = {LAST: last_position(deploy)}
    progress.waits("tracing the graph with a cache of keys and values")
    try:
        graphs[DECODE] = exporter.export_decode(model, folder)
    except CannotRun as error:
        notes.append(f"decoding is left out: {error}")
    return graphs


def cut(graph: onnx.ModelProto, outputs: list[str]) -> onnx.ModelProto:
    """Return the part of a graph that computes the named outputs."""
    part = Extractor(graph).extract_model([value.name for value in graph.graph.input], outputs)
    part.ir_version = graph.ir_version
    return part


def last_position(deploy: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of a deploy graph that computes only the logits of the last position.

    The last position is cut out before the head, which is the last matrix product before the logits. If there is no
    matrix product, it is cut out of the logits.
    """
    graph = onnx.ModelProto()
    graph.CopyFrom(deploy)
    nodes = graph.graph.node
    makers = {output: node for node in nodes for output in node.output}
    head: onnx.NodeProto | None = makers["logits"]
    while head is not None and head.op_type != "MatMul":
        head = next((makers[name] for name in head.input if name in makers), None)
    constants = {"last.starts": [-1], "last.ends": [2**63 - 1], "last.axes": [1]}
    for name, value in constants.items():
        graph.graph.initializer.append(helper.make_tensor(name, onnx.TensorProto.INT64, [1], value))
    if head is None:
        maker = makers["logits"]
        maker.output[list(maker.output).index("logits")] = "logits.all"
        nodes.append(helper.make_node("Slice", ["logits.all", *constants], ["logits"], name="last"))
    else:
        slice_node = helper.make_node("Slice", [head.input[0], *constants], ["last.hidden_state"], name="last")
        head.input[0] = "last.hidden_state"
        nodes.insert(list(nodes).index(head), slice_node)
    logits = graph.graph.output[0]
    logits.type.tensor_type.shape.dim[1].dim_value = 1
    del graph.graph.value_info[:]  # shapes after the slice have changed
    return graph
