"""ONNX Runtime's kernels on the CPU: ONNX's Attention, and the contrib operator MultiHeadAttention."""

from typing import Any

import numpy as np
import onnxruntime
from onnx import ModelProto

from compare.attention.layout import adapt_dimensions
from compare.battery.inputs import Array, Inputs, added
from compare.battery.kernels.onnx_graphs import Feeds, attention_graph, one_node, split_past
from compare.battery.node_cases import NodeCase, through_attend
from compare.battery.unsupported import Unsupported

_ERRORS_ALONE = 3


class Attention:
    """The Attention operator of opset 23. For a node case, the case's own model is run."""

    def __init__(self, *, threads: int) -> None:
        self.threads = threads

    def attend(self, inputs: Inputs) -> Array:
        return _run(*attention_graph(inputs), self.threads)[0]

    def node(self, case: NodeCase) -> list[Array]:
        return _run(case.model, case.feeds, self.threads)


class MultiHeadAttention:
    """The contrib operator, which packs heads into the last axis.

    Source: ONNX Runtime, docs/ContribOperators.md, com.microsoft.MultiHeadAttention.
    """

    def __init__(self, *, threads: int) -> None:
        self.threads = threads

    def attend(self, inputs: Inputs) -> Array:
        heads = inputs.query.shape[1]
        if inputs.softcap:
            raise Unsupported("no soft cap")
        if inputs.key.shape[1] != heads:
            raise Unsupported("no grouped heads")
        if inputs.query.dtype != np.float32:
            raise Unsupported("float32 alone on the CPU")
        feeds = {"Q": inputs.query, "K": inputs.key, "V": inputs.value}
        names, outputs, attributes = ["Q", "K", "V"], ["Y"], {"num_heads": heads, "unidirectional": int(inputs.causal)}
        if inputs.mask is not None:
            feeds["bias"] = _four_axes(added(inputs.mask))
            names += ["", "", "bias"]
        if inputs.causal and inputs.past:
            split_past(feeds, inputs.past)
            names += [""] * (6 - len(names)) + ["past_key", "past_value"]
            outputs += ["present_key", "present_value"]
        if inputs.scale is not None:
            attributes["scale"] = inputs.scale
        feeds |= {name: adapt_dimensions(feeds[name]) for name in "QKV"}
        model = one_node("com.microsoft", "MultiHeadAttention", names, outputs, attributes, feeds)
        context: Array = adapt_dimensions(_run(model, feeds, self.threads)[0], heads)
        return context

    def node(self, case: NodeCase) -> list[Array]:
        return through_attend(case, self.attend)


def _four_axes(mask: Array) -> Array:
    """Return a mask with four axes: (batch or 1, heads or 1, sequence, keys)."""
    return mask.reshape((1,) * (4 - mask.ndim) + mask.shape)


def _run(model: ModelProto, feeds: Feeds, threads: int) -> list[Array]:
    """Return all outputs of a model. Errors of ONNX Runtime propagate; its warnings are not printed."""
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _ERRORS_ALONE
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    outputs: list[Array] = session.run(None, feeds)
    return outputs
