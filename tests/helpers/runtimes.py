"""Helpers for tests of runtimes: every built-in runtime as a parameter, loading it, and step-by-step decoding."""

import tempfile
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare.lazy import imported
from compare.runtimes import registry
from compare.runtimes.converter import convert
from compare.runtimes.spec import Decoder, Graph, LoopDecoder, Runtime, Spec
from tests.helpers.remote_runtime import RemoteRuntime

#: Precision -> the largest error of a value in the tiny GPT-2.
LARGEST = {"float32": 2e-4, "fp16": 1e-2, "bf16": 0.1, "any": 0.1, "int8": 1.0, "int4": 2.0}


def marked(spec: Spec) -> Any:
    """Return a runtime's name as a test parameter, with a mark if it needs optimum-onnx."""
    marks = [pytest.mark.optimum] if "optimum.onnxruntime" in spec.requires else []
    return pytest.param(spec.name, marks=marks)


def every_runtime(graph: Graph | None = None) -> Any:
    """Parametrize a test with every built-in runtime, or only with those that can run a given graph."""
    return pytest.mark.parametrize("name", [marked(s) for s in registry.BUILT_IN if graph is None or graph in s.graphs])


def loaded(spec: Spec, folder: Path, graph: Graph, **more: Any) -> Runtime:
    """Load a runtime on a cache entry's folder with one thread; skip the test if its packages are not installed.

    more: further arguments, such as options. A runtime with an environment of its own is loaded there. `close_all`
    closes the runtime.
    """
    if missing := spec.missing():
        pytest.skip(f"{', '.join(missing)} not installed")
    kind = spec.load_class() if spec.environment is None else partial(RemoteRuntime, spec)
    _open.append(kind(_files_of(spec.name, folder), threads=1, graph=graph, **more))
    return _open[-1]


def close_all() -> None:
    """Close every runtime that was loaded since the last call."""
    while _open:
        _open.pop().close()


_open: list[Runtime] = []


@cache
def _files_of(name: str, folder: Path) -> Path:
    """Return the folder that a runtime loads: the given one, or one that its converter makes once."""
    spec = registry.spec_of(name)
    if not spec.converter:
        return folder
    _folders.append(tempfile.TemporaryDirectory())
    out = Path(_folders[-1].name)
    if spec.environment is not None:
        convert(spec.name, folder, out / "files", threads=1, log=out / "log", timeout=300)
        return out / "files"
    imported(spec.converter)(folder, out, spec.graphs)
    return out


_folders: list[tempfile.TemporaryDirectory] = []  # each is removed when it is collected, at exit


def decoded(runtime: Decoder | LoopDecoder, ids: np.ndarray, mask: np.ndarray, prefill: int) -> np.ndarray:
    """Return the logits of all positions: the prefill's, then those of one step for each further position."""
    if isinstance(runtime, LoopDecoder):
        outputs = runtime.follow(ids, mask, prefill)
        assert [*outputs] == ["logits"]
        return outputs["logits"]
    found = [runtime.run(ids[:, :prefill].copy(), mask[:, :prefill].copy())]
    for i in range(prefill, ids.shape[1]):
        found.append(runtime.step(ids[:, i : i + 1].copy(), mask[:, : i + 1].copy()))
        assert found[-1]["logits"].shape == (len(ids), 1, 300)
    assert {name for outputs in found for name in outputs} == {"logits"}
    return np.concatenate([outputs["logits"] for outputs in found], axis=1)
