"""ONNX's node cases of the Attention operator: loading them, running them, and checking the outputs.

There are 93 cases, and the same 93 expanded into simpler operators. Source: onnx.backend.test, kind "node". Each has a
model, inputs, expected outputs and its own tolerances.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from compare.attention.layout import adapt_dimensions
from compare.attention.onnx_operator import attention_operator
from compare.battery.inputs import Array, Inputs, added
from compare.battery.unsupported import Unsupported

_ARGUMENTS = {"Q": "query", "K": "key", "V": "value"}
_RESULTS = {"Y": "y"}


@dataclass(frozen=True, eq=False)
class NodeCase:
    """One node case: a model, inputs and expected outputs in the graph's order, relative and absolute tolerance."""

    name: str
    model: ModelProto
    inputs: list[Array]
    outputs: list[Array]
    rtol: float
    atol: float

    @property
    def expanded(self) -> bool:
        """Whether the operator is expanded into simpler ones."""
        return self.name.endswith("_expanded")

    @property
    def feeds(self) -> dict[str, Array]:
        """The inputs by their names in the graph."""
        return dict(zip((i.name for i in self.model.graph.input), self.inputs, strict=True))

    @property
    def call(self) -> tuple[NodeProto, dict[str, Array], dict[str, Any]]:
        """The node, its inputs by name, and its attributes. Raises `Unsupported` if the case is expanded."""
        if self.expanded:
            raise Unsupported("expanded graphs")
        (node,) = self.model.graph.node
        given = dict(zip((name for name in node.input if name), self.inputs, strict=True))
        return node, given, {a.name: helper.get_attribute_value(a) for a in node.attribute}


@cache
def load_node_cases() -> dict[str, NodeCase]:
    """Return all cases by name, without the prefix "test_".

    The first call takes seconds, because onnx makes the cases of all its operators.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.loader import load_model_tests

        found = [case for case in load_model_tests(kind="node") if case.name.startswith("test_attention_")]
    cases = {}
    for case in found:
        assert case.model is not None and case.data_sets is not None
        ((given, expected),) = case.data_sets
        name = case.name.removeprefix("test_")
        inputs, outputs = ([_array(x) for x in tensors] for tensors in (given, expected))
        cases[name] = NodeCase(name, case.model, inputs, outputs, case.rtol, case.atol)
    return cases


def write_node_cases(folder: Path, cases: Sequence[NodeCase]) -> None:
    """Write cases to a folder, so that another process can read a single case quickly."""
    for case in cases:
        place = folder / case.name
        place.mkdir(parents=True)
        onnx.save(case.model, place / "model.onnx")
        for kind, arrays in (("input", case.inputs), ("output", case.outputs)):
            for number, array in enumerate(arrays):
                (place / f"{kind}_{number}.pb").write_bytes(numpy_helper.from_array(array).SerializeToString())
        np.save(place / "tolerances.npy", [case.rtol, case.atol])


def read_node_case(folder: Path, name: str) -> NodeCase:
    """Return a case that `write_node_cases` wrote."""
    place = folder / name
    inputs, outputs = (
        [
            numpy_helper.to_array(TensorProto.FromString((place / f"{kind}_{number}.pb").read_bytes()))
            for number in range(len(list(place.glob(f"{kind}_*.pb"))))
        ]
        for kind in ("input", "output")
    )
    rtol, atol = map(float, np.load(place / "tolerances.npy"))
    return NodeCase(name, onnx.load(place / "model.onnx"), inputs, outputs, rtol, atol)


def mismatch(found: Sequence[Array], case: NodeCase) -> str | None:
    """Describe the first output with a wrong type, shape or number, or return None if all outputs match.

    Numbers match if they are within the case's own tolerances; NaN matches NaN.
    """
    if len(found) != len(case.outputs):
        return f"{len(found)} outputs, expected {len(case.outputs)}"
    for output, actual, truth in zip(case.model.graph.output, found, case.outputs, strict=True):
        if (actual.dtype, actual.shape) != (truth.dtype, truth.shape):
            return f"{output.name} is {actual.dtype} {actual.shape}, expected {truth.dtype} {truth.shape}"
        left, right = actual.astype(np.float64), truth.astype(np.float64)
        if not np.allclose(left, right, rtol=case.rtol, atol=case.atol, equal_nan=True):
            if (np.isfinite(left) != np.isfinite(right)).any():
                return f"{output.name} has NaN or inf in other places than expected"
            return f"{output.name} is off by up to {np.nanmax(np.abs(left - right)):.1e}"
    return None


def operator_outputs(case: NodeCase, wrap: Callable[[Array], Any]) -> list[Any]:
    """Return the outputs of `attention_operator` for a case. Raises `Unsupported` if the case is expanded.

    wrap: converts each NumPy input to the array type of the kernel.
    """
    node, given, attributes = case.call
    found = attention_operator(**{_ARGUMENTS.get(n, n): wrap(x) for n, x in given.items()}, **attributes)
    return [getattr(found, _RESULTS.get(output, output)) for output in node.output if output]


#: Inputs and attributes of the operator that plain attention does not have, and their names in messages.
_MORE_THAN_ATTENTION = {
    "past_key": "a cache",
    "nonpad_kv_seqlen": "padded lengths",
    "qk_matmul_output_mode": "an output of the scores",
    "softmax_precision": "a separate precision for the softmax",
    "left_window_size": "a window",
    "right_window_size": "a window",
}


def through_attend(case: NodeCase, attend: Callable[[Inputs], Array]) -> list[Array]:
    """Run a case with a kernel of plain attention and return the outputs. Raises `Unsupported` if it needs more."""
    node, given, attributes = case.call
    for name, words in _MORE_THAN_ATTENTION.items():
        if name in given or name in attributes:
            raise Unsupported(words)
    if [output for output in node.output if output] != ["Y"]:
        raise Unsupported("more outputs than the context")
    query, key, value, packed = given["Q"], given["K"], given["V"], given["Q"].ndim == 3
    if packed:
        heads, key_heads = attributes["q_num_heads"], attributes["kv_num_heads"]
        query, key, value = (adapt_dimensions(x, n) for x, n in ((query, heads), (key, key_heads), (value, key_heads)))
    mask = given.get("attn_mask")
    if mask is not None and mask.shape[-1] != key.shape[2]:
        raise Unsupported("a mask that is too short")
    if attributes.get("is_causal"):
        # The operator aligns causality with the first key, `Inputs` with the last key, so make an explicit mask.
        seen = np.tri(query.shape[2], key.shape[2], dtype=bool)
        mask = seen if mask is None else mask & seen if mask.dtype == bool else mask + added(seen, mask.dtype)
    context = attend(
        Inputs(query, key, value, mask, scale=attributes.get("scale"), softcap=attributes.get("softcap", 0.0))
    )
    return [adapt_dimensions(context) if packed else context]


def _array(tensor: Any) -> Array:
    return tensor if isinstance(tensor, np.ndarray) else numpy_helper.to_array(tensor)
