"""An ONNX file becomes a folder that a runtime loads: the graph as it is, to be timed, and one that names its taps.

Both lie in the run's scratch folder over the same weights, which are linked there where the file system can.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import onnx
from onnx import ModelProto, ValueInfoProto, helper

from compare.onnx_files.reading import OnnxFile
from compare.runtimes.graph_io import TAP
from export.errors import BadInput


def stage(file: OnnxFile, taps: Mapping[str, str], folder: Path) -> None:
    """Write a folder as a runtime loads it: `deploy.onnx` is the file, `inspect.onnx` exposes its taps and no more.

    taps: tensor of the graph -> name of the tap that it is. Raises `BadInput` where a file of weights goes by the name
    of one of the two.
    """
    folder.mkdir(parents=True)
    shutil.copyfile(file.path, folder / "deploy.onnx")
    onnx.save(inspecting(file.model, taps), folder / "inspect.onnx")
    for location, place in file.external.items():
        target = folder / location
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            _link(place, target)
        except FileExistsError as error:
            raise BadInput(f"{file.path} keeps weights in {location!r}, a name that is taken; rename it") from error


def inspecting(model: ModelProto, taps: Mapping[str, str]) -> ModelProto:
    """A copy of a graph that gives the tensors named and no others, with the names of their taps in its metadata."""
    copy = ModelProto()
    copy.CopyFrom(model)
    declared = {value.name: value for value in model.graph.output}
    del copy.graph.output[:]
    copy.graph.output.extend(declared.get(name, ValueInfoProto(name=name)) for name in taps)
    known = {entry.key: entry.value for entry in model.metadata_props}
    helper.set_model_props(copy, known | {f"{TAP}{name}": tap for name, tap in taps.items()})
    return copy


def _link(place: Path, target: Path) -> None:
    """A second name for a file, or where the file system has none across folders, a copy; never over another file."""
    try:
        os.link(place, target)
    except FileExistsError:
        raise
    except OSError:
        with target.open("xb") as copy, place.open("rb") as original:
            shutil.copyfileobj(original, copy)
