"""The rows of a comparison before any work: which runtimes it runs, and the name of each row."""

import re
from collections.abc import Sequence
from pathlib import Path

from compare.pipeline.context import BESIDE, ONNX_BASELINE, ONNX_FILE
from compare.pipeline.settings import CheckSettings, Settings
from compare.runtimes.registry import BASELINE, GRAPH_RUNTIME, listing, spec_of
from compare.runtimes.spec import Spec
from export.errors import CannotRun
from export.exporters import DEFAULT_EXPORTER

#: What the name of a plug-in's package or file may begin with.
_PREFIX = re.compile(r"^(lib)?(onnxruntime|ort)?[-_]?(ep|providers?)?[-_]")


def row_names(settings: Settings) -> list[str]:
    """Return the names of the rows that a comparison will have, except for those that only decode.

    Raises what `chosen_runtimes` raises.
    """
    specs = [] if settings.input.baseline is not None else chosen_runtimes(settings.runtimes.names)
    return [name for name, spec in planned_rows(specs, settings).items() if "inspect" in spec.graphs]


def planned_rows(specs: Sequence[Spec], settings: Settings) -> dict[str, Spec]:
    """Return the rows that a comparison will have in order, name -> runtime.

    specs: the chosen runtimes; none of them has a row if two ONNX files are compared. Each execution provider, an ONNX
    file, and the default exporter's graph if another exporter is compared have rows of their own.
    """
    runs_graphs = spec_of(GRAPH_RUNTIME)
    if settings.input.baseline is not None:
        return dict.fromkeys((ONNX_BASELINE, ONNX_FILE), runs_graphs)
    rows = {spec.name: spec for spec in specs}
    rows |= dict.fromkeys(map(provider_row, settings.runtimes.providers or ()), runs_graphs)
    if settings.input.exporter != DEFAULT_EXPORTER and GRAPH_RUNTIME in rows:
        rows[BESIDE] = runs_graphs
    if settings.input.onnx is not None:
        rows[ONNX_FILE] = runs_graphs
    return rows


def provider_row(provider: str) -> str:
    """Return the name of the row of an execution provider, or of a plug-in with one.

    >>> [provider_row(name) for name in ("CUDAExecutionProvider", "onnxruntime_ep_openvino", "/opt/libort_ep_x.so")]
    ['onnxruntime-cuda', 'onnxruntime-openvino', 'onnxruntime-x']
    """
    name = Path(provider).name.partition(".")[0].removesuffix("ExecutionProvider").lower()
    return f"{GRAPH_RUNTIME}-{_PREFIX.sub('', name) or name}"


def chosen_runtimes(names: Sequence[str] | None) -> list[Spec]:
    """Return the runtimes to run, the baseline first.

    names: None means those that run by default, ["all"] means all. Both include runtimes that are not installed; the
    rows of these have an error. Raises `BadInput` for an unknown name, and `CannotRun` if the baseline or a named
    runtime is not installed.
    """
    if names is None or list(names) == ["all"]:
        chosen = [spec for spec in listing().specs.values() if names is not None or spec.default]
    else:
        chosen = [spec_of(name) for name in dict.fromkeys(names)]
        for spec in chosen:
            spec.check_installed()
    baseline = spec_of(BASELINE)
    baseline.check_installed()
    return [baseline, *(spec for spec in chosen if spec != baseline)]


def check_named(specs: list[Spec], named: Sequence[str], checks: CheckSettings) -> None:
    """Raise `CannotRun` if a named runtime would have no row."""
    for spec in specs:
        if spec.name not in named or "inspect" in spec.graphs:
            continue
        holds = f"runtime {spec.name} can load only {', '.join(spec.graphs)}"
        if "decode" not in spec.graphs:
            raise CannotRun(f"{holds}, so it can be neither compared nor used for decoding; leave it out")
        if not checks.decodes:
            off = "decoding is off" if checks.latency else "decoding is off because latency is off"
            raise CannotRun(f"{holds}, and {off}, so it would have no row; leave it out")
