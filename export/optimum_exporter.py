"""The exporter `optimum`, which uses `optimum.exporters.onnx.main_export` and exposes attention and hidden states.

optimum traces the model with torch's older exporter and names the outputs by their position. It exposes only what
transformers returns: the attention probabilities and the input of each block. It exposes no query, key, value, context
or mid state. The last hidden state of transformers comes after the final norm, so it is not one of the taps.
"""

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
from onnx import TensorProto, numpy_helper

from export import telemetry
from export.errors import CannotRun, first_line
from export.exporters import check_exporter
from export.extras import install_command
from export.folded_weights import FOLDED, FOLDED_DECODE, SMALL, places_of
from export.kinds import is_encoder

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def export_inspect(model: "PreTrainedModel", folder: Path) -> onnx.ModelProto:
    """Return the graph with `logits`, `attention.i` and `hidden_state.i`; its weights refer to files in the folder.

    Raises `CannotRun` if optimum-onnx is not installed, cannot be imported, or cannot export the architecture, and for
    every encoder.
    """
    if is_encoder(model.config):
        raise CannotRun("encoders are exported with dynamo only; leave out --exporter optimum")
    taps = {"output_attentions": True, "output_hidden_states": True}
    graph = _export(model, folder, "text-generation", _tapped_config, model_kwargs=taps)
    _rename_outputs(graph, model.config.num_hidden_layers)
    _share_weights(graph, folder, FOLDED)
    return graph


def export_decode(model: "PreTrainedModel", folder: Path) -> onnx.ModelProto:
    """Return optimum's own graph with a past; its weights refer to files in the folder.

    Raises `CannotRun` as `export_inspect` does.
    """
    graph = _export(model, folder, "text-generation-with-past", _decoding_config)
    _share_weights(graph, folder, FOLDED_DECODE)
    return graph


def _export(
    model: "PreTrainedModel",
    folder: Path,
    task: str,
    config: Callable[["PreTrainedModel", Any], Any],
    model_kwargs: dict[str, Any] | None = None,
) -> onnx.ModelProto:
    """Return the graph that optimum makes of a folder's model for a task.

    config: a function that makes the configuration for the export from the model and optimum's configuration class.
    """
    check_exporter("optimum")
    telemetry.turn_off()  # optimum imports ONNX Runtime
    try:
        from optimum.exporters.onnx import main_export
        from optimum.exporters.tasks import TasksManager
    except ImportError as error:  # with a version of transformers that optimum-onnx does not allow
        raise CannotRun(
            f"the exporter optimum cannot be imported: {first_line(error)}; install versions that fit together with: "
            f"{install_command('optimum')}"
        ) from error
    try:
        known = TasksManager.get_exporter_config_constructor(
            "onnx", model=model, task=task, library_name="transformers"
        )
        with tempfile.TemporaryDirectory(dir=folder, prefix=".optimum-") as scratch, _quiet():
            main_export(
                str(folder),
                scratch,
                task=task,
                custom_onnx_configs={"model": config(model, known.func)},
                model_kwargs=model_kwargs,
                do_validation=False,
                local_files_only=True,
            )
            return onnx.load(Path(scratch) / "model.onnx")
    except Exception as error:  # optimum and torch's older exporter raise errors of many types
        what = f"models of type {model.config.model_type!r} for {task}"
        raise CannotRun(f"optimum cannot export {what}: {first_line(error)}") from error


def _tapped_config(model: "PreTrainedModel", known: Any) -> Any:
    """Return optimum's configuration of an architecture, with outputs for attention and hidden states.

    The inputs are optimum's own. They include `position_ids`; without them the graph would count padding as positions.
    """
    layers = model.config.num_hidden_layers
    rows = {0: "batch_size", 1: "sequence_length"}
    squares = {0: "batch_size", 2: "sequence_length", 3: "sequence_length"}

    class Tapped(known):  # type: ignore[misc]
        @property
        def outputs(self) -> dict[str, dict[int, str]]:
            """The outputs in the order of transformers' `CausalLMOutput`, because optimum names them by position."""
            states = {f"hidden_states.{i}": rows for i in range(layers + 1)}
            return {"logits": rows} | states | {f"attentions.{i}": squares for i in range(layers)}

    return Tapped(model.config, task="text-generation", use_past=False, use_past_in_inputs=False)


def _decoding_config(model: "PreTrainedModel", known: Any) -> Any:
    """Return optimum's own configuration of an architecture with a past."""
    return known(model.config, task="text-generation", use_past=True, use_past_in_inputs=True)


def _rename_outputs(graph: onnx.ModelProto, layers: int) -> None:
    """Rename the outputs to the names of taps, and remove the state after the final norm."""
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


def _share_weights(graph: onnx.ModelProto, folder: Path, rest: str) -> None:
    """Make every weight refer to a safetensors file that contains its bytes.

    Weights that no file contains are written to the file `rest`.
    """
    tensors = {tensor.name: tensor for tensor in graph.graph.initializer}
    arrays = {name: numpy_helper.to_array(tensor) for name, tensor in tensors.items()}
    for name, place in places_of({n: a for n, a in arrays.items() if a.nbytes >= SMALL}, folder, rest).items():
        _refer(tensors[name], *place)


def _refer(tensor: TensorProto, location: str, offset: int, length: int) -> None:
    """Make an initializer refer to a file instead of containing its data (ONNX, "External Data")."""
    for field in ("raw_data", "float_data", "int64_data"):
        tensor.ClearField(field)
    del tensor.external_data[:]
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    tensor.data_location = TensorProto.EXTERNAL


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the output and the warnings of optimum and torch's older exporter."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
