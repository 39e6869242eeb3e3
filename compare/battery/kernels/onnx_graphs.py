"""ONNX models of one attention node, built in memory for the inputs of a case."""

from collections.abc import Mapping, Sequence
from typing import Any

from onnx import ModelProto, helper

from compare.battery.inputs import Array, Inputs

#: The first opset of ONNX with the Attention operator, and the version of the contrib operators.
OPSETS = {"": 23, "com.microsoft": 1}

#: The IR version of ONNX that belongs to that opset.
IR_VERSION = 11

Feeds = dict[str, Array]


def attention_graph(inputs: Inputs) -> tuple[ModelProto, Feeds]:
    """Return a model of ONNX's Attention operator, and its inputs by name.

    Causal inputs with more keys than queries are split into a cache and new keys and values. Source: ONNX,
    Operators.md, Attention: without a cache, the first query is at the first key.

    >>> x = np.zeros((1, 1, 2, 4), np.float32)
    >>> graph, feeds = attention_graph(Inputs(x, x, x))
    >>> graph.graph.node[0].op_type, sorted(feeds)
    ('Attention', ['K', 'Q', 'V'])
    """
    feeds = {"Q": inputs.query, "K": inputs.key, "V": inputs.value}
    if inputs.mask is not None:
        feeds["attn_mask"] = inputs.mask
    attributes: dict[str, Any] = {}
    names, outputs = ["Q", "K", "V", "attn_mask" if inputs.mask is not None else ""], ["Y"]
    if inputs.causal:
        attributes["is_causal"] = 1
        if inputs.past:
            split_past(feeds, inputs.past)
            names += ["past_key", "past_value"]
            outputs += ["present_key", "present_value"]
    if inputs.scale is not None:
        attributes["scale"] = inputs.scale
    if inputs.softcap:
        attributes["softcap"] = inputs.softcap
    return one_node("", "Attention", names, outputs, attributes, feeds), feeds


def split_past(feeds: Feeds, past: int) -> None:
    """Split K and V in `feeds` into a cache (past_key, past_value) of `past` positions and the new positions."""
    for name, cached in (("K", "past_key"), ("V", "past_value")):
        feeds[cached], feeds[name] = feeds[name][:, :, :past], feeds[name][:, :, past:]


def one_node(
    domain: str,
    operator: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    attributes: Mapping[str, Any],
    feeds: Feeds,
) -> ModelProto:
    """Return a model of one node. The graph's only output is the node's first; an empty name omits an input."""
    node = helper.make_node(operator, inputs, outputs, domain=domain, **attributes)
    given = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
        for name, x in feeds.items()
    ]
    first = helper.make_empty_tensor_value_info(outputs[0])
    opsets = [helper.make_opsetid(name, OPSETS[name]) for name in dict.fromkeys(("", domain))]
    return helper.make_model(
        helper.make_graph([node], operator, given, [first]), opset_imports=opsets, ir_version=IR_VERSION
    )
