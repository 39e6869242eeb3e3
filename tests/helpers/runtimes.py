"""Every built-in runtime as the parameter of a test, and a text that a runtime decodes step by step."""

from typing import Any

import numpy as np
import pytest

from compare.runtimes import registry
from compare.runtimes.registry import Decoder, Graph, Spec


def marked(spec: Spec) -> Any:
    """A runtime's name, marked if it runs on optimum-onnx."""
    marks = [pytest.mark.optimum] if "optimum.onnxruntime" in spec.requires else []
    return pytest.param(spec.name, marks=marks)


def every_runtime(graph: Graph | None = None) -> Any:
    """A test of every built-in runtime that can hold that graph; without one, of every runtime."""
    return pytest.mark.parametrize("name", [marked(s) for s in registry.BUILT_IN if graph is None or graph in s.graphs])


def decoded(runtime: Decoder, ids: np.ndarray, mask: np.ndarray, prefill: int) -> np.ndarray:
    """The logits of all positions: the prefill's, then those of a step each."""
    found = [runtime.run(ids[:, :prefill].copy(), mask[:, :prefill].copy())]
    for i in range(prefill, ids.shape[1]):
        found.append(runtime.step(ids[:, i : i + 1].copy(), mask[:, : i + 1].copy()))
        assert found[-1]["logits"].shape == (len(ids), 1, 300)
    assert {name for outputs in found for name in outputs} == {"logits"}
    return np.concatenate([outputs["logits"] for outputs in found], axis=1)
