"""Stage an ONNX file in a folder that a runtime loads: the unchanged graph for timing, and one that outputs its taps.

Both are in the run's scratch folder with a copy of the weights. The folder of the user's file is only read.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import onnx
from google.protobuf.message import EncodeError
from onnx import ModelProto, ValueInfoProto, helper

from compare.onnx_files.reading import OnnxFile
from compare.runtimes.onnx_inputs import TAP
from export.errors import BadInput, CannotRun, quoted
from export.outside import open_regular, reason


def stage(file: OnnxFile, taps: Mapping[str, str], folder: Path) -> None:
    """Write a folder that a runtime loads: `deploy.onnx` is the file, and `inspect.onnx` outputs only its taps.

    taps: tensor of the graph -> the tap that it is. Raises `BadInput` if a file of weights has the name of one of the
    two, and `CannotRun` if a file cannot be copied, for example because the disk is full.
    """
    try:
        folder.mkdir(parents=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise _uncopied(file.path, folder, reason(error)) from error
    if 2 * file.bytes > free:
        raise _uncopied(
            file.path, folder, f"{2 * file.bytes / 1e9:,.1f} GB are needed, and {free / 1e9:,.1f} GB are free"
        )
    _copy(file.path, folder / "deploy.onnx")
    try:
        onnx.save(inspecting(file.model, taps), folder / "inspect.onnx")
    except OSError as error:
        raise _uncopied(file.path, folder, reason(error)) from error
    except (EncodeError, ValueError) as error:  # protobuf's limit
        raise BadInput(
            f"{file.path} is too large to be given further outputs; save it with its weights in another file "
            "(onnx.save_model, save_as_external_data=True)"
        ) from error
    for target, place in {folder / location: place for location, place in file.external.items()}.items():
        _copy(place, target)


def inspecting(model: ModelProto, taps: Mapping[str, str]) -> ModelProto:
    """Return a copy of a graph that outputs the tensors in `taps`, with the names of their taps in its metadata."""
    copy = ModelProto()
    copy.CopyFrom(model)
    declared = {value.name: value for value in model.graph.output}
    del copy.graph.output[:]
    copy.graph.output.extend(declared.get(name, ValueInfoProto(name=name)) for name in taps)
    known = {entry.key: entry.value for entry in model.metadata_props if not entry.key.startswith(TAP)}
    helper.set_model_props(copy, known | {f"{TAP}{name}": tap for name, tap in taps.items()})
    return copy


def _copy(place: Path, target: Path) -> None:
    """Copy a file, but never over another. It is not linked, because onnx refuses to read files with two hard links."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as copy, open_regular(place) as original:
            shutil.copyfileobj(original, copy, 2**22)
    except FileExistsError as error:
        raise BadInput(
            f"the weights are in {quoted(target.name)}, and that name is reserved; rename the file"
        ) from error
    except OSError as error:
        raise _uncopied(place, target.parent, reason(error)) from error


def _uncopied(place: Path, folder: Path, why: str) -> CannotRun:
    return CannotRun(
        f"{place.name} cannot be copied into {folder}: {why}; make room, or choose another folder for the report"
    )
