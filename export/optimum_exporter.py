"""optimum's exporter (`optimum.exporters.onnx.main_export`), asked for attention and hidden states too.

It traces the model with torch's older exporter and names its outputs by their place. What transformers returns is all
that it exposes: probabilities and the input of each block, but neither query, key, value, context nor the state between
attention and MLP; the last of transformers' hidden states comes after the final norm, which is none of our taps.
"""

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from safetensors.numpy import save_file

from export.errors import CannotRun
from export.weights_file import WEIGHTS, tensor_offsets

if TYPE_CHECKING:
    from transformers import PreTrainedModel

INSTALL = "pip install optimum-onnx"

#: Weights that this exporter stores in another form than the model does: transposed, most of them.
FOLDED = "folded.safetensors"

#: Initializers smaller than this stay in the graph. Bytes.
_SMALL = 1024


def export_inspect(model: "PreTrainedModel", folder: Path) -> onnx.ModelProto:
    """The graph with `logits`, `attention.i` and `hidden_state.i`, over the weights that lie in the folder.

    Raises `CannotRun` where optimum-onnx is not installed or does not know the architecture.
    """
    try:
        from optimum.exporters.onnx import main_export
    except ImportError as error:
        raise CannotRun(f"the exporter optimum needs optimum-onnx, not installed here: {INSTALL}") from error
    with tempfile.TemporaryDirectory(dir=folder, prefix=".optimum-") as scratch, _quiet():
        main_export(
            str(folder),
            scratch,
            task="text-generation",
            custom_onnx_configs={"model": _tapped_config(model)},
            model_kwargs={"output_attentions": True, "output_hidden_states": True},
            do_validation=False,
            local_files_only=True,
        )
        graph = onnx.load(Path(scratch) / "model.onnx")
    _rename_outputs(graph, model.config.num_hidden_layers)
    _share_weights(graph, folder)
    return graph


def _tapped_config(model: "PreTrainedModel") -> Any:
    """optimum's configuration of this architecture, with the outputs we want and without `position_ids` as an input.

    transformers then numbers the positions itself, as it does in every other runtime here.
    """
    from optimum.exporters.tasks import TasksManager

    try:
        known = TasksManager.get_exporter_config_constructor(
            "onnx", model=model, task="text-generation", library_name="transformers"
        )
    except (KeyError, ValueError) as error:
        raise CannotRun(f"optimum cannot export models of type {model.config.model_type!r}: {error}") from error
    layers = model.config.num_hidden_layers
    rows = {0: "batch_size", 1: "sequence_length"}
    squares = {0: "batch_size", 2: "sequence_length", 3: "sequence_length"}

    class Tapped(known.func):  # type: ignore[misc, name-defined]
        @property
        def inputs(self) -> dict[str, dict[int, str]]:
            return dict.fromkeys(("input_ids", "attention_mask"), rows)

        @property
        def outputs(self) -> dict[str, dict[int, str]]:
            """In the order of transformers' `CausalLMOutput`: it is by their place that they are named."""
            states = {f"hidden_states.{i}": rows for i in range(layers + 1)}
            return {"logits": rows} | states | {f"attentions.{i}": squares for i in range(layers)}

    return Tapped(model.config, task="text-generation", use_past=False, use_past_in_inputs=False)


def _rename_outputs(graph: onnx.ModelProto, layers: int) -> None:
    """Give the outputs the names of our taps, and drop the state after the final norm."""
    names = {f"attentions.{i}": f"attention.{i}" for i in range(layers)}
    names |= {f"hidden_states.{i}": f"hidden_state.{i}" for i in range(layers)}
    for node in graph.graph.node:
        for tensors in (node.input, node.output):
            tensors[:] = [names.get(name, name) for name in tensors]
    kept = [output for output in graph.graph.output if output.name in ("logits", *names)]
    for output in kept:
        output.name = names.get(output.name, output.name)
    del graph.graph.output[:]
    graph.graph.output.extend(kept)


def _share_weights(graph: onnx.ModelProto, folder: Path) -> None:
    """Let every weight refer to `model.safetensors`, found there by its bytes; what is not there goes beside it."""
    path = folder / WEIGHTS
    stored = np.memmap(path, mode="r")
    by_content = {}
    for offset, length in tensor_offsets(path).values():
        by_content[hash(stored[offset : offset + length].tobytes())] = (offset, length)
    folded: dict[str, TensorProto] = {}
    for tensor in graph.graph.initializer:
        content = numpy_helper.to_array(tensor).tobytes()
        if len(content) < _SMALL:
            continue
        offset, length = by_content.get(hash(content), (0, 0))
        if length == len(content) and stored[offset : offset + length].tobytes() == content:
            _refer(tensor, WEIGHTS, offset, length)
        else:
            folded[tensor.name] = tensor
    if folded:
        save_file({name: numpy_helper.to_array(tensor) for name, tensor in folded.items()}, folder / FOLDED)
        for name, (offset, length) in tensor_offsets(folder / FOLDED).items():
            _refer(folded[name], FOLDED, offset, length)


def _refer(tensor: TensorProto, location: str, offset: int, length: int) -> None:
    """Turn an initializer that holds its data into one that refers to a file (ONNX, "External Data")."""
    for field in ("raw_data", "float_data", "int64_data"):
        tensor.ClearField(field)
    del tensor.external_data[:]
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    tensor.data_location = TensorProto.EXTERNAL


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what optimum and the older exporter print and warn of on their way."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
