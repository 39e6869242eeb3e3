"""Helpers for tests of runtimes: every built-in runtime as a parameter, and step-by-step decoding."""

from typing import Any

import numpy as np
import pytest

from compare.runtimes import registry
from compare.runtimes.registry import Decoder, Graph, Spec


def marked(spec: Spec) -> Any:
    """Return a runtime's name as a test parameter, with a mark if it needs optimum-onnx."""
    marks = [pytest.mark.optimum] if "optimum.onnxruntime" in spec.requires else []
    return pytest.param(spec.name, marks=marks)


def every_runtime(graph: Graph | None = None) -> Any:
    """Parametrize a test with every built-in runtime, or only with those that can run a given graph."""
    return pytest.mark.parametrize("name", [marked(s) for s in registry.BUILT_IN if graph is None or graph in s.graphs])


def decoded(runtime: Decoder, ids: np.ndarray, mask: np.ndarray, prefill: int) -> np.ndarray:
    """Return the logits of all positions: the prefill's, then those of one step for each further position."""
    found = [runtime.run(ids[:, :prefill].copy(), mask[:, :prefill].copy())]
    for i in range(prefill, ids.shape[1]):
        found.append(runtime.step(ids[:, i : i + 1].copy(), mask[:, : i + 1].copy()))
        assert found[-1]["logits"].shape == (len(ids), 1, 300)
    assert {name for outputs in found for name in outputs} == {"logits"}
    return np.concatenate([outputs["logits"] for outputs in found], axis=1)
